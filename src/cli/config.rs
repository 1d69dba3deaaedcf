//! `footfall config`

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::Failure;
use crate::config::{
    SettingError, Settings, SettingsError, Shown,
    catalog::{self, SETTINGS, Setting},
};

pub fn command() -> Command {
    let names = Arg::new("name")
        .value_name("NAME")
        .num_args(0..)
        .help("Print the values of these alone, one a line: FOOTFALL_LISTEN, say");
    Command::new("config")
        .about("Print the settings in force and where each came from")
        .arg(names)
}

pub fn run(arguments: &ArgMatches, settings: &Settings) -> Result<ExitCode, Failure> {
    match arguments.get_many::<String>("name") {
        Some(names) => print_values(names.map(String::as_str), settings),
        None => print_all(settings),
    }
}

fn print_all(settings: &Settings) -> Result<ExitCode, Failure> {
    let names: Vec<_> = settings
        .shown
        .iter()
        .map(|shown| shown.setting.env_name())
        .collect();
    let name_width = names.iter().map(String::len).max().unwrap_or(0);
    let value_width = settings
        .shown
        .iter()
        .map(|shown| shown.value.len())
        .max()
        .unwrap_or(0);
    let mut lines: Vec<_> = names.iter().zip(&settings.shown).collect();
    // The order of the table, whatever order the sections were read in.
    let position = |key: &str| SETTINGS.iter().position(|setting| setting.key == key);
    lines.sort_by_key(|(_, shown)| position(shown.setting.key));
    for (name, shown) in lines {
        super::print(format_args!(
            "{name:name_width$}  {:value_width$}  {}",
            shown.value, shown.origin
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints all of the values or none: a script that reads them line by line is never given
/// one for another.
fn print_values<'a>(
    names: impl Iterator<Item = &'a str>,
    settings: &Settings,
) -> Result<ExitCode, Failure> {
    let (values, errors): (Vec<_>, Vec<_>) = names
        .map(|name| value_of(name, settings))
        .partition(Result::is_ok);
    if !errors.is_empty() {
        let errors = errors.into_iter().filter_map(Result::err).collect();
        return Err(SettingsError(errors).into());
    }
    for value in values.into_iter().flatten() {
        super::print(value)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn value_of<'a>(name: &str, settings: &'a Settings) -> Result<&'a str, SettingError> {
    let key = catalog::key_of_variable(name)
        .ok_or_else(|| SettingError::unknown(name, catalog::suggestion(name, all_names())))?;
    // The file of a secret is as secret as what it holds.
    let is_meant = |shown: &&Shown| key == shown.setting.key || key == shown.setting.file_key();
    let shown = settings
        .shown
        .iter()
        .find(is_meant)
        .expect("every setting is read");
    // A store's URL is shown without its credentials.
    if key != shown.setting.key || shown.setting.is_hidden() {
        let what = "is a secret and is not printed; `footfall config` says where it comes from";
        return Err(SettingError::new(name, what));
    }
    if shown.value.contains(['\n', '\r']) {
        return Err(SettingError::new(name, "its value is more than one line"));
    }
    Ok(&shown.value)
}

/// The names that have a value to print.
fn all_names() -> impl Iterator<Item = String> {
    SETTINGS
        .iter()
        .filter(|setting| !setting.is_hidden())
        .flat_map(Setting::env_names)
}
