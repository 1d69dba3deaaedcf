//! Why no connection to PostgreSQL can be opened, for people: which part of `DATABASE_URL` it is
//! about, and what to do. Never the password.

use std::{io, time::Duration};

use sqlx::postgres::PgDatabaseError;

use crate::config::{
    PostgresUrl,
    postgres_url::{PostgresHost, SslMode},
};

/// Servers older than this are not known to work; it is the oldest that the PostgreSQL project
/// still mended when this was written.
pub const OLDEST_SERVER: i32 = 140_000;

/// Newer major versions than this were not there to be tried.
pub const NEWEST_MAJOR: i32 = 17;

/// What an error of opening a connection means.
pub fn of_connecting(error: &sqlx::Error, url: &PostgresUrl) -> String {
    let server = url.server();
    match error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(postgres) => of_refusal(postgres.code(), postgres.message(), url),
            None => database.to_string(),
        },
        // A handshake that fails is told as a failure of the stream.
        sqlx::Error::Io(error)
            if error
                .get_ref()
                .is_some_and(|inner| inner.is::<rustls::Error>()) =>
        {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            of_handshake(&server, error, inner)
        }
        sqlx::Error::Io(error) => of_io(error, url),
        sqlx::Error::Tls(error) => of_tls(error.as_ref(), url),
        sqlx::Error::Protocol(what) => format!(
            "what listens at {server} does not speak PostgreSQL's protocol ({what}); look at the host and the port in DATABASE_URL"
        ),
        error => format!("{server}: {error}"),
    }
}

/// The server said no.
fn of_refusal(code: &str, message: &str, url: &PostgresUrl) -> String {
    let PostgresUrl { user, database, .. } = url;
    let hint = match code {
        "28P01" if url.password.is_none() => format!(
            "user {user} needs a password; put it into DATABASE_URL or FOOTFALL_DATABASE_PASSWORD"
        ),
        "28P01" => format!(
            "the password of user {user} is wrong, or there is no such user; look at DATABASE_URL and FOOTFALL_DATABASE_PASSWORD"
        ),
        "28000" => "look at the user in DATABASE_URL, and at pg_hba.conf of the server".into(),
        "3D000" => format!(
            "create it (CREATE DATABASE), or look at the database's name in DATABASE_URL, {database}"
        ),
        "42501" => format!("GRANT CONNECT ON DATABASE \"{database}\" TO \"{user}\""),
        "53300" => "raise the server's max_connections or the role's CONNECTION LIMIT, or lower FOOTFALL_DATABASE_POOL".into(),
        "57P03" => "it is starting up, recovering or shutting down; wait".into(),
        "08P01" => "behind a pooler like pgbouncer, see docs/database.md: it must let `options` through; or name the server itself".into(),
        _ => "look at the options in DATABASE_URL, and at the server's log".into(),
    };
    format!("{} refused: {message}; {hint}", url.server())
}

fn of_io(error: &io::Error, url: &PostgresUrl) -> String {
    let server = url.server();
    let is_socket = matches!(url.host, PostgresHost::Socket(_));
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!(
            "nothing listens at {server}; start PostgreSQL, or look at the host and the port in DATABASE_URL"
        ),
        io::ErrorKind::NotFound if is_socket => format!(
            "there is no Unix socket {server}; start PostgreSQL, or look at the host and the port in DATABASE_URL"
        ),
        io::ErrorKind::PermissionDenied if is_socket => format!(
            "this user may not use the Unix socket {server}; look at its mode and at that of its directory"
        ),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => format!(
            "{server} closed the connection before it was open ({error}); is it a PostgreSQL, and well? Look at its log, and at the host and the port in DATABASE_URL"
        ),
        _ => format!("{server}: {error}; look at the host in DATABASE_URL, and at the way to it"),
    }
}

fn of_tls(error: &(dyn std::error::Error + 'static), url: &PostgresUrl) -> String {
    let server = url.server();
    let said = error.to_string();
    if said.contains("does not support TLS") {
        let mode = match url.ssl_mode {
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
            _ => "require",
        };
        return format!(
            "{server} has no TLS, and sslmode={mode} in DATABASE_URL demands it; set `ssl = on` in postgresql.conf"
        );
    }
    of_handshake(&server, error, error.downcast_ref())
}

fn of_handshake(
    server: &str,
    said: &(dyn std::error::Error + 'static),
    error: Option<&rustls::Error>,
) -> String {
    use rustls::CertificateError as Certificate;
    let certificate = match error {
        Some(rustls::Error::InvalidCertificate(certificate)) => Some(certificate),
        _ => None,
    };
    let hint = match certificate {
        // The last two: somebody of the signer's name is trusted, and has another key.
        Some(
            Certificate::UnknownIssuer
            | Certificate::BadSignature
            | Certificate::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => "nobody who is trusted here has signed it; name the signer's file in sslrootcert",
        Some(Certificate::NotValidForName | Certificate::NotValidForNameContext { .. }) => {
            "it is for another host; name the host in DATABASE_URL as the certificate does"
        }
        Some(
            Certificate::Expired
            | Certificate::ExpiredContext { .. }
            | Certificate::NotValidYet
            | Certificate::NotValidYetContext { .. },
        ) => "look at its dates, and at this machine's clock",
        Some(_) => "look at the certificate with openssl x509 -text",
        None => "look at the server's ssl settings, and at sslmode in DATABASE_URL",
    };
    let what = match certificate {
        Some(_) => "the certificate of",
        None => "no TLS with",
    };
    format!("{what} {server}: {said}; {hint}")
}

/// The name of the host is not known.
pub fn of_unknown_host(url: &PostgresUrl, error: &io::Error) -> String {
    let host = host(url);
    format!("the host {host} cannot be found: {error}; look at the host in DATABASE_URL")
}

/// Nobody says where the host is.
pub fn of_slow_names(url: &PostgresUrl) -> String {
    let host = host(url);
    format!(
        "the name server did not say in time where the host {host} is; look at /etc/resolv.conf"
    )
}

/// Nothing came.
pub fn of_silence(url: &PostgresUrl, limit: Duration) -> String {
    let server = url.server();
    format!(
        "{server} did not answer within {}; it hangs, or something on the way drops what is sent: look at the server, the network, and the host and the port in DATABASE_URL",
        humantime::format_duration(limit)
    )
}

fn host(url: &PostgresUrl) -> String {
    match &url.host {
        PostgresHost::Tcp(host) => host.clone(),
        PostgresHost::Socket(directory) => directory.display().to_string(),
    }
}

/// What a server of this `server_version_num` is too old for.
pub fn of_old_server(version: i32) -> Option<String> {
    (version < OLDEST_SERVER).then(|| {
        format!(
            "it is PostgreSQL {}, which is too old; Footfall needs 14 to {NEWEST_MAJOR}",
            version / 10_000
        )
    })
}
