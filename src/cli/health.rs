//! `footfall health`: asks a running service whether it is live.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use super::{Failure, target::Target};

const PATH: &str = "/healthz";

pub fn command() -> Command {
    Command::new("health")
        .about("Ask a running service whether it is live; exit 0 if it is")
        .after_help("Without --socket and --url, the first listener of the settings is asked, the internal one before the public.\nWhere its path holds {pid} or {slot}, the one socket that is there.")
        .arg(Arg::new("socket").long("socket").value_name("PATH").help("Unix socket to ask"))
        .arg(Arg::new("url").long("url").value_name("URL").help("http:// URL to ask").conflicts_with("socket"))
}

pub fn run(arguments: &ArgMatches) -> Result<ExitCode, Failure> {
    let target = match (
        arguments.get_one::<String>("socket"),
        arguments.get_one::<String>("url"),
    ) {
        (Some(socket), _) => Target::socket(socket, PATH),
        (None, Some(url)) => Target::parse(url, PATH)?,
        (None, None) => Target::of_settings(&super::settings(arguments)?.server, PATH)?,
    };
    let (status, _) = super::block_on(target.get())??;
    if !status.is_success() {
        return Err(format!("{target} answered {status}").into());
    }
    super::print("live")?;
    Ok(ExitCode::SUCCESS)
}
