//! `footfall health`: asks a running service whether it is live.

use std::{path::Path, process::ExitCode, time::Duration};

use axum::{body::Body, http::Uri};
use clap::{Arg, ArgMatches, Command};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use hyperlocal::UnixConnector;

use super::Failure;
use crate::config::values::ListenAddress;

/// A probe that takes longer is a failed one.
const TIMEOUT: Duration = Duration::from_secs(3);

pub fn command() -> Command {
    Command::new("health")
        .about("Ask a running service whether it is live; exit 0 if it is")
        .after_help("Without --socket and --url, the first listener of the settings is asked, the internal one before the public.")
        .arg(Arg::new("socket").long("socket").value_name("PATH").help("Unix socket to ask"))
        .arg(Arg::new("url").long("url").value_name("URL").help("http:// URL to ask").conflicts_with("socket"))
}

pub fn run(arguments: &ArgMatches) -> Result<ExitCode, Failure> {
    let target = match (
        arguments.get_one::<String>("socket"),
        arguments.get_one::<String>("url"),
    ) {
        (Some(path), _) => Target::Socket(path.clone()),
        (None, Some(url)) => Target::parse(url)?,
        (None, None) => Target::of_settings(arguments)?,
    };
    let probe = async { tokio::time::timeout(TIMEOUT, target.ask()).await };
    match super::block_on(probe)? {
        Ok(Ok(status)) if status.is_success() => {
            super::print("live")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Ok(status)) => Err(format!("{target} answered {status}").into()),
        Ok(Err(error)) => Err(format!("{target} does not answer: {error}").into()),
        Err(_) => Err(format!(
            "{target} did not answer within {} seconds",
            TIMEOUT.as_secs()
        )
        .into()),
    }
}

/// Whom to ask.
enum Target {
    Socket(String),
    Url(Uri),
}

impl Target {
    /// Without a path, the service's own check is meant.
    fn parse(url: &str) -> Result<Self, Failure> {
        let rest = url
            .strip_prefix("http://")
            .ok_or("the URL must begin with http://")?;
        let url = match rest.split_once('/') {
            None | Some((_, "")) => format!("{}/healthz", url.trim_end_matches('/')),
            Some(_) => url.to_owned(),
        };
        Ok(Self::Url(
            url.parse().map_err(|error| format!("{url}: {error}"))?,
        ))
    }

    fn of_settings(arguments: &ArgMatches) -> Result<Self, Failure> {
        let server = super::settings(arguments)?.server;
        let mut listeners = server.ops_listen.iter().chain(&server.listen);
        let found = listeners.find_map(|address| match address {
            ListenAddress::Tcp { host, port } => Some(Self::local(host, *port)),
            ListenAddress::Unix(template) => template
                .fixed()
                .map(|path| Ok(Self::Socket(path.to_owned()))),
        });
        found.ok_or(
            "no listener of the settings has a fixed address; say --socket PATH or --url URL",
        )?
    }

    /// A listener on every interface is asked on the loopback one.
    fn local(host: &str, port: u16) -> Result<Self, Failure> {
        let host = match host {
            "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" => "[::1]".to_owned(),
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        Ok(Self::Url(format!("http://{host}:{port}/healthz").parse()?))
    }

    async fn ask(&self) -> Result<axum::http::StatusCode, Failure> {
        let response = match self {
            Self::Socket(path) => {
                let client: Client<_, Body> =
                    Client::builder(TokioExecutor::new()).build(UnixConnector);
                client
                    .get(hyperlocal::Uri::new(Path::new(path), "/healthz").into())
                    .await
            }
            Self::Url(url) => {
                let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
                client.get(url.clone()).await
            }
        };
        Ok(response.map_err(|error| innermost(&error))?.status())
    }
}

/// The client's own message says only that it could not connect.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{path}"),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}
