//! The parts of a URL of PostgreSQL, decoded.

use super::FORMS;

/// Settings of a session that follow `FOOTFALL_DATABASE_TIMEOUT`.
const OF_THE_TIMEOUT: [&str; 3] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
];

/// The options that are understood.
const KNOWN: [&str; 10] = [
    "host",
    "port",
    "user",
    "password",
    "dbname",
    "sslmode",
    "sslrootcert",
    "application_name",
    "connect_timeout",
    "options",
];

/// Options of libpq and of drivers and poolers, as providers write them into the URLs that they
/// give out: these may be named in an error. What stands in the place of an option may else be a
/// part of a password.
const OF_OTHERS: [&str; 52] = [
    "connection_limit",
    "currentSchema",
    "max_connections",
    "pgbouncer",
    "pool_max_conns",
    "pool_mode",
    "pool_size",
    "pool_timeout",
    "prepareThreshold",
    "prepared_statement_cache_size",
    "schema",
    "search_path",
    "serverTimezone",
    "socket_timeout",
    "ssl",
    "sslaccept",
    "ssl-mode",
    "sslidentity",
    "statement_timeout",
    "statement-cache-capacity",
    "uselibpqcompat",
    "channel_binding",
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslkey",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
];

const ENCODE: &str = "'@', '/', '?' and '#' in a user, a password, a database or an option must be \
    percent-encoded (%40, %2F, %3F, %23)";

/// What stands before the `?`, decoded, and what stands after it.
pub struct Parts<'a> {
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: Option<String>,
    pub port: Option<String>,
    pub database: Option<String>,
    pub query: &'a str,
}

impl<'a> Parts<'a> {
    pub fn of(url: &'a str) -> Result<Self, String> {
        if url.contains(char::is_control) || url.trim() != url {
            return Err(
                "there is a tab, a line end or the like in it, or a blank at its start or end; \
                 one that is meant must be percent-encoded (%20, %09, %0A)"
                    .into(),
            );
        }
        let (_, rest) = url.split_once("://").ok_or(FORMS)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        // Else a part of a password would be taken for something else, and shown.
        let is_torn = [credentials, database, query]
            .iter()
            .any(|part| part.contains('@'));
        if is_torn || url.contains('#') || database.contains('/') {
            return Err(ENCODE.into());
        }
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(decode("password", password)?)),
            None => (credentials, None),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self {
            user: Some(decode("user", user)?),
            password,
            host: Some(decode("host", host)?),
            port: port.map(str::to_owned),
            database: Some(decode("database", database)?),
            query,
        })
    }
}

fn host_and_port(place: &str) -> Result<(&str, Option<&str>), String> {
    let brackets = "an IPv6 address stands in brackets, and only a port may follow: [::1]:5432";
    if let Some(rest) = place.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(brackets)?;
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(brackets.into());
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((address, Some(port))),
            None if rest.is_empty() => Ok((address, None)),
            None => Err(brackets.into()),
        };
    }
    Ok(match place.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    })
}

/// The options after the `?`. Each is understood, and there once.
pub struct Options(Vec<(&'static str, String)>);

impl Options {
    pub fn of(query: &str) -> Result<Self, String> {
        let mut options = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let name = known(name)?;
            if options.iter().any(|(other, _)| *other == name) {
                return Err(format!("the option {name} is there twice; leave one out"));
            }
            options.push((name, decode(name, value)?));
        }
        Ok(Self(options))
    }

    /// The value of an option; what is empty is not set.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        let (_, value) = self.0.swap_remove(at);
        Some(value).filter(|value| !value.is_empty())
    }
}

fn known(name: &str) -> Result<&'static str, String> {
    if let Some(known) = KNOWN.iter().find(|known| **known == name) {
        return Ok(known);
    }
    let known = KNOWN.join(", ");
    Err(match OF_OTHERS.iter().find(|known| **known == name) {
        Some(known) => format!("the option {known} is not supported; {}", instead_of(known)),
        None => format!(
            "one of its options is not understood; known are {known}; a '&' or '=' in a value must be percent-encoded (%26, %3D)"
        ),
    })
}

/// What to write instead of an option that is not supported.
fn instead_of(option: &str) -> &'static str {
    match option {
        "ssl" | "sslaccept" | "ssl-mode" | "requiressl" => {
            "sslmode=verify-full (or require) asks for TLS"
        }
        "channel_binding" => {
            "leave it out; sslmode=verify-full makes as sure that it is the right server"
        }
        "schema" | "currentSchema" | "search_path" => {
            "options=-c%20search_path=NAME names a schema"
        }
        "statement_timeout" => "it follows from FOOTFALL_DATABASE_TIMEOUT",
        "hostaddr" => "the host may be an address",
        _ => "leave it out",
    }
}

/// Decodes `%XX` (RFC 3986, 2.1). A `+` is a plus, as with libpq.
fn decode(what: &str, text: &str) -> Result<String, String> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes().iter();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => {
                    return Err(format!(
                        "a '%' in its {what} is not followed by two hexadecimal digits; one that is meant is %25"
                    ));
                }
            },
            byte => *byte,
        });
    }
    // PostgreSQL ends every text at a zero byte.
    if decoded.contains(&0) {
        return Err(format!(
            "its {what} holds %00, which PostgreSQL cannot take"
        ));
    }
    String::from_utf8(decoded).map_err(|_| format!("its {what} is not UTF-8 once it is decoded"))
}

/// The settings in `options`: `-c name=value` or `--name=value`, with a backslash before a blank
/// or a backslash that is meant, as PostgreSQL splits them.
pub fn session_settings(text: &str) -> Result<Vec<(String, String)>, String> {
    let expected =
        "options holds settings of the session: -c NAME=VALUE or --NAME=VALUE, blanks as %20";
    let mut words = words_of(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c").or(word.strip_prefix("--")) {
            Some("") if word == "-c" => words.next().ok_or(expected)?,
            Some(setting) => setting.to_owned(),
            None => return Err(expected.into()),
        };
        let (name, value) = setting.split_once('=').ok_or(expected)?;
        // As PostgreSQL reads long options.
        let name = name.replace('-', "_").to_lowercase();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        if name.is_empty() || !name.bytes().all(is_name) {
            return Err(expected.into());
        }
        if OF_THE_TIMEOUT.contains(&&*name) {
            return Err(format!(
                "{name} in options follows from FOOTFALL_DATABASE_TIMEOUT; set that instead"
            ));
        }
        settings.push((name, value.to_owned()));
    }
    Ok(settings)
}

fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = words.last_mut().expect("there is one");
        match character {
            '\\' => last.extend(characters.next()),
            character if character.is_ascii_whitespace() => words.push(String::new()),
            character => last.push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
