//! The command line: one file per command.
//!
//! Every setting that is no secret is an option of every command, and every
//! secret is one as the path of a file, all from the one table of settings.

use std::{process::ExitCode, time::Duration};

use clap::{Arg, ArgMatches, Command};

mod admin;
mod audit;
mod audit_trail;
mod config;
mod demo;
mod doctor;
mod hash_password;
mod health;
mod migrate;
mod openapi;
mod password;
mod permissions;
mod restore;
mod serve;
mod target;

use crate::config::{
    Settings, SettingsError, Sources, StoreLocation,
    catalog::{SETTINGS, Setting},
};

/// Exit code: the command line or a setting is wrong (as clap's own).
const WRONG_USAGE: u8 = 2;

/// Exit code: in-flight requests were cut at the end of the shutdown timeout.
const REQUESTS_CUT: u8 = 3;

/// What a command gives a file that others write to, at least.
const FILE_PATIENCE: Duration = Duration::from_secs(30);

/// Why a command failed, for people.
type Failure = Box<dyn std::error::Error>;

/// Runs the command that the command line asks for.
pub fn run() -> ExitCode {
    let matches = command().get_matches();
    let (name, arguments) = matches.subcommand().unwrap_or(("serve", &matches));
    let result = match name {
        "serve" => settings(arguments)
            .map_err(Failure::from)
            .and_then(serve::run),
        "health" => health::run(arguments),
        "config" => settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| config::run(arguments, &settings)),
        "doctor" => settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| doctor::run(&settings)),
        "admin" => patient_settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| admin::run(arguments, &settings)),
        "audit" => patient_settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| audit::run(arguments, &settings)),
        "audit-trail" => patient_settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| audit_trail::run(arguments, &settings)),
        "demo" => patient_settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| demo::run(arguments, &settings)),
        "migrate" => patient_settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| migrate::run(arguments, &settings)),
        "restore" => patient_settings(arguments)
            .map_err(Failure::from)
            .and_then(|settings| restore::run(&settings)),
        "openapi" => openapi::run(),
        "hash-password" => hash_password::run(),
        _ => unreachable!("clap knows no other command"),
    };
    result.unwrap_or_else(|failure| {
        eprintln!("footfall: {failure}");
        ExitCode::from(if failure.is::<SettingsError>() {
            WRONG_USAGE
        } else {
            1
        })
    })
}

/// The definition of the command line.
fn command() -> Command {
    Command::new("footfall")
        .about("Counts visits exactly, however many replicas serve them")
        .version(crate::release::VERSION)
        .after_help("Settings come from options, then the environment, then .env, then the settings file.\nWithout a command, footfall serves.")
        .args(SETTINGS.iter().map(option))
        .subcommand(Command::new("serve").about("Serve (the default)"))
        .subcommand(health::command())
        .subcommand(config::command())
        .subcommand(Command::new("doctor").about("Check settings, sockets, the store and the database, with a hint for each finding"))
        .subcommand(admin::command())
        .subcommand(audit::command())
        .subcommand(audit_trail::command())
        .subcommand(demo::command())
        .subcommand(migrate::command())
        .subcommand(restore::command())
        .subcommand(Command::new("openapi").about("Print the OpenAPI document"))
        .subcommand(Command::new("hash-password").about("Read a password and print its Argon2id hash"))
}

fn option(setting: &'static Setting) -> Arg {
    let help = if setting.secret {
        format!("{} (path of a file)", setting.help)
    } else {
        setting.help.to_owned()
    };
    Arg::new(setting.key)
        .long(setting.option())
        .value_name(if setting.secret { "PATH" } else { "VALUE" })
        .help(help)
        .help_heading("Settings")
        .global(true)
        .allow_hyphen_values(true)
}

fn settings(arguments: &ArgMatches) -> Result<Settings, SettingsError> {
    let options = SETTINGS.iter().filter_map(|setting| {
        let value = arguments.get_one::<String>(setting.key)?;
        let key = if setting.secret {
            setting.file_key()
        } else {
            setting.key.to_owned()
        };
        Some((key, value.clone()))
    });
    Settings::load(&Sources::of_process(options.collect()))
}

/// The settings for a command that does not stand for a visit. One that works beside a busy service
/// on a file would fail for no reason if it had no more time than a visit has.
fn patient_settings(arguments: &ArgMatches) -> Result<Settings, SettingsError> {
    let mut settings = settings(arguments)?;
    let store = &mut settings.store;
    if let StoreLocation::Sqlite(_) = store.location {
        store.timeout = store.timeout.max(FILE_PATIENCE);
    }
    Ok(settings)
}

/// Prints a line. Whoever reads only the first lines, as `head` does, closes
/// the pipe: that is no failure.
fn print(line: impl std::fmt::Display) -> std::io::Result<()> {
    use std::io::{ErrorKind, Write};
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// A runtime for a command that does one thing.
fn block_on<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
