//! A running service, as the commands that ask one reach it.

use std::{ffi::OsStr, fmt, path::Path, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{StatusCode, Uri},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use hyperlocal::UnixConnector;

use super::Failure;
use crate::{
    config::{
        ServerSettings,
        values::{ListenAddress, SocketTemplate},
    },
    listen::socket::{Occupant, hostname, occupant},
};

/// An answer that takes longer is none.
const TIMEOUT: Duration = Duration::from_secs(3);

/// More than any answer of ours.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// A path of a listener.
#[derive(Debug, Clone)]
pub enum Target {
    /// On a Unix socket.
    Socket {
        /// The socket.
        socket: String,
        /// The path asked for.
        path: String,
    },
    /// By TCP.
    Url(Uri),
}

impl Target {
    /// `http://HOST:PORT` or `unix:SOCKET`, where `path` is asked for; a URL may
    /// also say another path itself.
    pub fn parse(text: &str, path: &str) -> Result<Self, Failure> {
        if let Some(socket) = text.strip_prefix("unix:") {
            return Ok(Self::socket(socket, path));
        }
        let rest = text
            .strip_prefix("http://")
            .ok_or_else(|| format!("{text}: the URL must begin with http://"))?;
        let url = match rest.split_once('/') {
            None | Some((_, "")) => format!("{}{path}", text.trim_end_matches('/')),
            Some(_) => text.to_owned(),
        };
        Ok(Self::Url(
            url.parse().map_err(|error| format!("{url}: {error}"))?,
        ))
    }

    /// A path of a Unix socket.
    pub fn socket(socket: &str, path: &str) -> Self {
        Self::Socket {
            socket: socket.to_owned(),
            path: path.to_owned(),
        }
    }

    /// The processes of this host that the first of these listeners leads to:
    /// one, or each that has a socket where the path holds `{pid}` or `{slot}`.
    ///
    /// # Errors
    ///
    /// If no listener leads to any.
    pub fn of_listeners<'a>(
        listeners: impl Iterator<Item = &'a ListenAddress>,
        path: &str,
    ) -> Result<Vec<Self>, Failure> {
        let mut missing = Vec::new();
        for address in listeners {
            let found = match address {
                ListenAddress::Tcp { host, port } => {
                    Self::local(host, *port, path).into_iter().collect()
                }
                ListenAddress::Unix(template) => Self::of_sockets(template, path),
            };
            if !found.is_empty() {
                return Ok(found);
            }
            missing.push(address.to_string());
        }
        Err(match missing.is_empty() {
            true => "the settings have no listener to ask".into(),
            false => format!("nobody listens at {}", missing.join(" or ")).into(),
        })
    }

    fn of_sockets(template: &SocketTemplate, path: &str) -> Vec<Self> {
        let hostname = hostname();
        if let Some(socket) = template.fixed(&hostname) {
            return vec![Self::socket(&socket, path)];
        }
        let example = template.expand(&hostname, 0, 1);
        let directory = match Path::new(&example).parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let prefix = example.len() - Path::new(&example).file_name().map_or(0, OsStr::len);
        let mut sockets: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .map(|name| format!("{}{name}", &example[..prefix]))
            .filter(|socket| template.matches(&hostname, socket))
            .filter(|socket| matches!(occupant(Path::new(socket)), Ok(Occupant::Live)))
            .collect();
        sockets.sort_unstable();
        sockets
            .iter()
            .map(|socket| Self::socket(socket, path))
            .collect()
    }

    /// The internal listener of the settings, else the public one.
    ///
    /// # Errors
    ///
    /// If neither is there, or more than one process has such a listener.
    pub fn of_settings(server: &ServerSettings, path: &str) -> Result<Self, Failure> {
        let listeners = server.ops_listen.iter().chain(&server.listen);
        let mut found = Self::of_listeners(listeners, path)?;
        match found.len() {
            1 => Ok(found.remove(0)),
            several => {
                let first = &found[0];
                let message = format!(
                    "{several} processes listen here; say which is meant, as with --socket {}",
                    first.to_string().trim_start_matches("unix:")
                );
                Err(message.into())
            }
        }
    }

    /// A listener on every interface is asked on the loopback one.
    fn local(host: &str, port: u16, path: &str) -> Option<Self> {
        let host = match host {
            "0.0.0.0" => "127.0.0.1".to_owned(),
            "::" => "[::1]".to_owned(),
            host if host.contains(':') => format!("[{host}]"),
            host => host.to_owned(),
        };
        let url = format!("http://{host}:{port}{path}").parse().ok()?;
        Some(Self::Url(url))
    }

    /// Asks, and waits for the whole answer.
    pub async fn get(&self) -> Result<(StatusCode, Bytes), Failure> {
        match tokio::time::timeout(TIMEOUT, self.answer()).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("{self} does not answer: {error}").into()),
            Err(_) => {
                let limit = TIMEOUT.as_secs();
                Err(format!("{self} did not answer within {limit} seconds").into())
            }
        }
    }

    async fn answer(&self) -> Result<(StatusCode, Bytes), Failure> {
        let request = match self {
            Self::Socket { socket, path } => {
                let client: Client<_, Body> =
                    Client::builder(TokioExecutor::new()).build(UnixConnector);
                client.get(hyperlocal::Uri::new(Path::new(socket), path).into())
            }
            Self::Url(url) => {
                let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
                client.get(url.clone())
            }
        };
        let response = request.await.map_err(|error| innermost(&error))?;
        let (head, body) = response.into_parts();
        let body = to_bytes(Body::new(body), MAX_ANSWER_BYTES).await?;
        Ok((head.status, body))
    }
}

/// The client's own message says only that it could not connect.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { socket, .. } => write!(f, "unix:{socket}"),
            Self::Url(url) => write!(f, "{url}"),
        }
    }
}
