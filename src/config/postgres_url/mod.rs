//! `DATABASE_URL` of PostgreSQL, as libpq writes it
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>).
//!
//! Nothing of it is taken from elsewhere: what libpq would read from its `PG…` variables or its
//! password file is either in the URL or has the default that is written here.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use secrecy::SecretString;

mod parts;

#[cfg(test)]
mod tests;

use self::parts::{Options, Parts};

/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// The longest path of a Unix socket, with its end: `sun_path` of unix(7).
const LONGEST_SOCKET: usize = 107;

/// The forms of the URL.
const FORMS: &str = "expected postgres://USER:PASSWORD@HOST[:PORT]/DATABASE or, by a Unix socket, \
    postgres://USER@/DATABASE?host=/run/postgresql";

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresHost {
    /// A name or an address, an IPv6 one without brackets.
    Tcp(String),
    /// The directory of its Unix socket.
    Socket(PathBuf),
}

/// `sslmode`: what is demanded of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// None.
    Disable,
    /// If the server has it.
    Prefer,
    /// Encrypted, by whomever.
    Require,
    /// With a certificate that somebody trusted has signed.
    VerifyCa,
    /// That, for this host.
    VerifyFull,
}

/// A `DATABASE_URL` of PostgreSQL.
#[derive(Debug, Clone)]
pub struct PostgresUrl {
    /// Where it listens.
    pub host: PostgresHost,
    /// On TCP, and the last part of a Unix socket's name.
    pub port: u16,
    /// The role.
    pub user: String,
    /// Its password, if it needs one.
    pub password: Option<SecretString>,
    /// The database; as with libpq that of the user's name if none is named.
    pub database: String,
    /// `sslmode`, as with libpq `prefer` if it is not set.
    pub ssl_mode: SslMode,
    /// `sslrootcert`: a PEM file of those trusted beside the system's.
    pub ssl_root_cert: Option<PathBuf>,
    /// `application_name`, in PostgreSQL's own lists of connections.
    pub application_name: String,
    /// `connect_timeout`, where it is to be shorter than `FOOTFALL_DATABASE_TIMEOUT`.
    pub connect_timeout: Option<Duration>,
    /// `options`: settings of the session, with their values.
    pub options: Vec<(String, String)>,
}

impl PostgresUrl {
    /// Whether what is said to the server leaves this machine.
    pub fn is_remote(&self) -> bool {
        match &self.host {
            PostgresHost::Socket(_) => false,
            PostgresHost::Tcp(host) => {
                host != "localhost"
                    && !host
                        .parse::<std::net::IpAddr>()
                        .is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// The server, for people.
    pub fn server(&self) -> String {
        match &self.host {
            PostgresHost::Tcp(host) if host.contains(':') => format!("[{host}]:{}", self.port),
            PostgresHost::Tcp(host) => format!("{host}:{}", self.port),
            PostgresHost::Socket(directory) => {
                format!("{}/.s.PGSQL.{}", directory.display(), self.port)
            }
        }
    }
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let parts = Parts::of(url)?;
        let mut options = Options::of(parts.query)?;
        let host = either("host", parts.host, options.take("host"))?;
        let port = either("port", parts.port, options.take("port"))?;
        let user = either("user", parts.user, options.take("user"))?;
        let password = either("password", parts.password, options.take("password"))?;
        let database = either("dbname", parts.database, options.take("dbname"))?;

        let user = user.ok_or_else(|| format!("the user is missing; {FORMS}"))?;
        let port = port.map_or(Ok(PORT), |port| port_of(&port))?;
        let host = host.ok_or_else(|| format!("the host is missing; {FORMS}"))?;
        let host = host_of(host, port)?;
        let ssl_mode = options.take("sslmode");
        let ssl_mode = ssl_mode.as_deref().map(ssl_mode_of).transpose()?;
        let ssl_root_cert = options.take("sslrootcert").map(PathBuf::from);
        Ok(Self {
            ssl_mode: ssl_mode_for(&host, ssl_mode, ssl_root_cert.is_some())?,
            // As with libpq, those of the system, who are trusted anyway.
            ssl_root_cert: ssl_root_cert.filter(|path| path != Path::new("system")),
            host,
            port,
            database: database.unwrap_or_else(|| user.clone()),
            user,
            password: password.map(SecretString::from),
            application_name: options
                .take("application_name")
                .unwrap_or_else(|| "footfall".into()),
            connect_timeout: options
                .take("connect_timeout")
                .map(seconds_of)
                .transpose()?,
            options: match options.take("options") {
                Some(text) => parts::session_settings(&text)?,
                None => Vec::new(),
            },
        })
    }
}

/// What stands in one of the two places that it may stand in. What is empty is not there.
fn either(
    name: &str,
    place: Option<String>,
    option: Option<String>,
) -> Result<Option<String>, String> {
    let is_there = |text: &String| !text.is_empty();
    match (place.filter(is_there), option.filter(is_there)) {
        (Some(_), Some(_)) => Err(format!(
            "it says its {name} twice, before the `?` and as an option; leave one out"
        )),
        (place, option) => Ok(place.or(option)),
    }
}

fn port_of(port: &str) -> Result<u16, String> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| {
        "the port, after the host's `:`, must be a number from 1 to 65535; a `:` in a user or a \
         password must be percent-encoded (%3A), and an IPv6 address stands in brackets"
            .into()
    })
}

fn host_of(host: String, port: u16) -> Result<PostgresHost, String> {
    if host.starts_with('/') {
        if format!("{host}/.s.PGSQL.{port}").len() > LONGEST_SOCKET {
            return Err("the path of its Unix socket is longer than 107 bytes; choose a directory with a shorter name".into());
        }
        return Ok(PostgresHost::Socket(host.into()));
    }
    if host.contains(',') {
        return Err("one server has one host; several are not supported".into());
    }
    let is_name = |name: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        name.len() <= 253 && name.bytes().all(known)
    };
    if is_name(&host) || host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(PostgresHost::Tcp(host));
    }
    Err("the host is neither a name nor an address (an IPv6 one stands in brackets), and as a directory of a Unix socket it begins with `/` (%2F before the `?`)".into())
}

fn ssl_mode_of(mode: &str) -> Result<SslMode, String> {
    Ok(match mode {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        _ => {
            return Err(
                "sslmode is disable, prefer, require, verify-ca or verify-full; best verify-full"
                    .into(),
            );
        }
    })
}

/// The mode in force, where what is set makes sense together.
fn ssl_mode_for(
    host: &PostgresHost,
    mode: Option<SslMode>,
    has_root: bool,
) -> Result<SslMode, String> {
    let verifies = matches!(mode, Some(SslMode::VerifyCa | SslMode::VerifyFull));
    if has_root && !verifies {
        return Err("sslrootcert is of use only where the server's certificate is verified: add sslmode=verify-full (or verify-ca)".into());
    }
    match (host, mode) {
        // PostgreSQL has no TLS on Unix sockets; libpq leaves it out as well.
        (PostgresHost::Socket(_), None | Some(SslMode::Disable | SslMode::Prefer)) => {
            Ok(SslMode::Disable)
        }
        (PostgresHost::Socket(_), Some(_)) => Err(
            "there is no TLS on a Unix socket, which does not leave the machine; leave sslmode out"
                .into(),
        ),
        (PostgresHost::Tcp(_), mode) => Ok(mode.unwrap_or(SslMode::Prefer)),
    }
}

fn seconds_of(seconds: String) -> Result<Duration, String> {
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    let number = seconds.parse().ok().filter(|number| digits && *number > 0);
    number
        .map(Duration::from_secs)
        .ok_or_else(|| "connect_timeout must be a number of seconds greater than zero".into())
}
