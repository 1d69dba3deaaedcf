//! Connecting to PostgreSQL within bounded time.

use std::{io, net::ToSocketAddrs, path::Path, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{task::JoinHandle, time::timeout};

use super::{DatabaseError, reasons};
use crate::config::{
    PostgresUrl,
    postgres_url::{PostgresHost, SslMode},
};
use crate::supervision::Piece;

/// Who may take how long on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// Of the service: an operation may take this long in all, so the server gives up earlier, and
    /// says that nothing was done.
    Operation(Duration),
    /// Of migrations: they may take their time; what they may not is wait for this long for a
    /// lock, since all who come later wait behind them.
    Lock(Duration),
}

impl Limits {
    /// The settings of a session that bound it, in milliseconds; 0 is no bound.
    fn settings(self) -> [(&'static str, u128); 3] {
        let (statement, lock, idle) = match self {
            Self::Operation(limit) => (limit * 3 / 4, limit / 2, limit * 2),
            Self::Lock(limit) => (Duration::ZERO, limit, Duration::ZERO),
        };
        [
            ("statement_timeout", statement.as_millis()),
            ("lock_timeout", lock.as_millis()),
            // A transaction whose process hangs or is gone does not keep its locks.
            ("idle_in_transaction_session_timeout", idle.as_millis()),
        ]
    }
}

/// To compile a statement takes PostgreSQL longer than what is asked here: tens of milliseconds, whenever it takes many rows
/// to be likely. Who wants it all the same has options in the URL, which come later.
const NOT_COMPILED: (&str, &str) = ("jit", "off");

/// How to connect, with nothing from libpq's variables.
pub fn options(url: &PostgresUrl, limits: Limits) -> PgConnectOptions {
    let password = url
        .password
        .as_ref()
        .map(|password| password.expose_secret());
    let options = PgConnectOptions::new_without_pgpass()
        .port(url.port)
        .username(&url.user)
        .password(password.unwrap_or_default())
        .database(&url.database)
        .application_name(&url.application_name)
        .options(limits.settings())
        .options([NOT_COMPILED])
        .options(url.options.iter().map(|(name, value)| (name, value)))
        .ssl_mode(match url.ssl_mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyCa => PgSslMode::VerifyCa,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        });
    let options = match &url.ssl_root_cert {
        Some(path) => options.ssl_root_cert(path),
        None => options.ssl_root_cert_from_pem(Vec::new()),
    };
    match &url.host {
        PostgresHost::Tcp(host) => options.host(host),
        PostgresHost::Socket(directory) => options.host("localhost").socket(directory),
    }
}

/// Opens connections one after the other.
pub struct Dialer {
    url: Arc<PostgresUrl>,
    options: PgConnectOptions,
    limit: Duration,
    lookup: Option<JoinHandle<io::Result<()>>>,
}

impl Dialer {
    /// A connection may take this long to open, or `connect_timeout` if that is shorter.
    pub fn new(url: Arc<PostgresUrl>, limits: Limits, limit: Duration) -> Self {
        Self {
            options: options(&url, limits),
            limit: url.connect_timeout.map_or(limit, |own| own.min(limit)),
            lookup: None,
            url,
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// A sentence for people, which says what of `DATABASE_URL` to look at.
    pub async fn connect(&mut self) -> Result<PgConnection, DatabaseError> {
        let (url, limit) = (self.url.clone(), self.limit);
        let dialled = timeout(limit, async {
            self.look_up().await?;
            check_root_certificate(&self.url)?;
            let connected = self.options.connect().await;
            connected.map_err(|error| reasons::of_connecting(&error, &self.url))
        });
        let reason = match dialled.await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(reason)) => reason,
            Err(_) if self.lookup.is_some() => reasons::of_slow_names(&url),
            Err(_) => reasons::of_silence(&url, limit),
        };
        Err(DatabaseError::Away(reason))
    }

    /// Looks the host's name up, to tell a resolver that hangs from a server that does. Such a
    /// lookup cannot be ended and takes a thread: there is never more than one.
    async fn look_up(&mut self) -> Result<(), String> {
        let PostgresHost::Tcp(host) = &self.url.host else {
            return Ok(());
        };
        let place = (host.clone(), self.url.port);
        let lookup = self.lookup.get_or_insert_with(|| {
            Piece::Lookup.blocking(move || place.to_socket_addrs().map(drop))
        });
        let found = lookup.await;
        self.lookup = None;
        match found {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(reasons::of_unknown_host(&self.url, &error)),
            // The process ends.
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Says what is wrong with `sslrootcert` where that would else be told like a failure of the network.
fn check_root_certificate(url: &PostgresUrl) -> Result<(), String> {
    let Some(path) = &url.ssl_root_cert else {
        return Ok(());
    };
    let said = |what: &str| {
        let shown = Path::display(path);
        format!("sslrootcert in DATABASE_URL, {shown}: {what}")
    };
    // What is no file may be read without end.
    let is_file = std::fs::metadata(path).map(|found| found.is_file());
    if !is_file.map_err(|error| said(&error.to_string()))? {
        return Err(said("it is no file"));
    }
    let pem = std::fs::read(path).map_err(|error| said(&error.to_string()))?;
    let begin = b"-----BEGIN CERTIFICATE-----";
    match pem.windows(begin.len()).any(|window| window == begin) {
        true => Ok(()),
        false => Err(said(
            "it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options_of(url: &str, limits: Limits) -> PgConnectOptions {
        options(&url.parse().unwrap(), limits)
    }

    #[test]
    fn the_server_gives_up_before_the_service_does() {
        let limits = Limits::Operation(Duration::from_secs(4));
        let options = options_of("postgres://me@host/db?options=-c%20jit=on", limits);
        let expected = "-c statement_timeout=3000 -c lock_timeout=2000 \
                        -c idle_in_transaction_session_timeout=8000 -c jit=off -c jit=on";
        assert!(options.get_options().unwrap().ends_with(expected));
        let options = options_of(
            "postgres://me@host/db",
            Limits::Lock(Duration::from_secs(60)),
        );
        let expected = "-c statement_timeout=0 -c lock_timeout=60000 \
                        -c idle_in_transaction_session_timeout=0 -c jit=off";
        assert!(options.get_options().unwrap().ends_with(expected));
    }

    #[test]
    fn a_url_is_what_is_connected_to() {
        let limits = Limits::Lock(Duration::ZERO);
        let tcp = options_of("postgres://me@[::1]:6000/db?sslmode=verify-full", limits);
        assert_eq!((tcp.get_host(), tcp.get_port()), ("::1", 6000));
        assert_eq!((tcp.get_username(), tcp.get_database()), ("me", Some("db")));
        assert!(matches!(tcp.get_ssl_mode(), PgSslMode::VerifyFull));
        assert!(tcp.get_socket().is_none());
        let socket = options_of("postgres://me@/db?host=/run/pg", limits);
        assert_eq!(socket.get_socket().unwrap(), Path::new("/run/pg"));
        assert!(matches!(socket.get_ssl_mode(), PgSslMode::Disable));
    }
}
