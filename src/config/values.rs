//! The types that settings are parsed into.

use std::{fmt, net::Ipv6Addr, str::FromStr, time::Duration};

use ipnet::IpNet;

/// The profile a process runs under; it selects defaults and guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// A laptop: demo credentials are accepted.
    Development,
    /// Demo credentials are refused.
    Production,
    /// Automated tests.
    Testing,
}

impl Environment {
    /// The name of its table in the TOML file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Testing => "testing",
        }
    }
}

impl FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            "testing" => Ok(Self::Testing),
            _ => Err("expected development, production or testing".into()),
        }
    }
}

/// Where to listen: `tcp:HOST:PORT` or `unix:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// A TCP address. Port 0 lets the kernel choose.
    Tcp {
        /// Name or address; an IPv6 address without its brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// The path of a Unix socket, possibly with placeholders.
    Unix(SocketTemplate),
}

/// Slots there are: `{slot}` is 1 to this. The proxy declares as many servers, or fewer.
pub const SLOTS: u16 = 32;

const LISTEN_SYNTAX: &str = "expected tcp:HOST:PORT or unix:PATH";

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("tcp", address)) => {
                let (host, port) = address.rsplit_once(':').ok_or(LISTEN_SYNTAX)?;
                let port = whole_number(port)
                    .ok_or_else(|| format!("`{port}` is not a port (0 to 65535)"))?;
                let bare = host
                    .strip_prefix('[')
                    .and_then(|host| host.strip_suffix(']'));
                let host = match bare {
                    Some(address) if is_ipv6(address) => address,
                    Some(address) => return Err(format!("`{address}` is not an IPv6 address")),
                    None if host.is_empty() => {
                        return Err("the host is missing; 0.0.0.0 is every IPv4 address".into());
                    }
                    None if host.contains(':') => {
                        return Err(format!(
                            "an IPv6 address goes in brackets: tcp:[{host}]:{port}"
                        ));
                    }
                    None if is_word(host) => host,
                    None => return Err(format!("`{host}` is neither a name nor an address")),
                };
                Ok(Self::Tcp {
                    host: host.to_owned(),
                    port,
                })
            }
            Some(("unix", path)) => path.parse().map(Self::Unix),
            _ => Err(LISTEN_SYNTAX.into()),
        }
    }
}

/// An IPv6 address, for a link-local one with its zone.
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(is_word)
}

/// Whether a resolver may know it: no blanks, and nothing that separates.
fn is_word(text: &str) -> bool {
    let separates = |c: char| c.is_whitespace() || c.is_control() || "[]:/%".contains(c);
    !text.is_empty() && !text.contains(separates)
}

/// Rust's own parser takes a sign, too.
pub(super) fn whole_number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
            Self::Unix(template) => write!(f, "unix:{template}"),
        }
    }
}

/// A socket path that may hold `{hostname}`, `{pid}` and `{slot}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketTemplate(String);

impl SocketTemplate {
    /// Whether the path is to be found by trying slots.
    pub fn has_slot(&self) -> bool {
        self.0.contains("{slot}")
    }

    /// The path on this host, if it has no other placeholder than `{hostname}`.
    pub fn fixed(&self, hostname: &str) -> Option<String> {
        let path = self.0.replace("{hostname}", hostname);
        (!path.contains('{')).then_some(path)
    }

    /// Whether this path is one that a process on this host may have.
    pub fn matches(&self, hostname: &str, path: &str) -> bool {
        matches(&self.0.replace("{hostname}", hostname), path)
    }

    /// The path with its placeholders filled in.
    pub fn expand(&self, hostname: &str, pid: u32, slot: u16) -> String {
        self.0
            .replace("{hostname}", hostname)
            .replace("{pid}", &pid.to_string())
            .replace("{slot}", &slot.to_string())
    }
}

/// Whether a path is what a template becomes when its placeholders, which are
/// numbers, are filled in.
fn matches(template: &str, path: &str) -> bool {
    let Some((literal, (_, template))) = template
        .split_once('{')
        .and_then(|(literal, rest)| Some((literal, rest.split_once('}')?)))
    else {
        return template == path;
    };
    let Some(path) = path.strip_prefix(literal) else {
        return false;
    };
    let digits = path.bytes().take_while(u8::is_ascii_digit).count();
    (1..=digits).any(|number| matches(template, &path[number..]))
}

impl fmt::Display for SocketTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SocketTemplate {
    type Err = String;

    fn from_str(path: &str) -> Result<Self, String> {
        if path.is_empty() || path.ends_with('/') {
            return Err("the path of the socket is missing".into());
        }
        let mut rest = path;
        while let Some((_, after)) = rest.split_once('{') {
            let name = after.split_once('}').map(|(name, _)| name);
            if !matches!(name, Some("hostname" | "pid" | "slot")) {
                return Err("the only placeholders are {hostname}, {pid} and {slot}".into());
            }
            rest = after;
        }
        // Free slots are links beside the sockets: across directories they would lead to themselves.
        if path
            .rsplit_once('/')
            .is_some_and(|(directory, _)| directory.contains("{slot}"))
        {
            return Err("{slot} may only be in the name of the file, not of a directory".into());
        }
        Ok(Self(path.to_owned()))
    }
}

/// A list with commas between its entries; empty text is an empty list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr<Err: fmt::Display>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .collect();
        let parse = |entry: &&str| {
            entry.parse().map_err(|error| match entries.len() {
                1 => format!("{error}"),
                _ => format!("`{entry}`: {error}"),
            })
        };
        entries
            .iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// A network of proxies, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<IpNet>()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
            .map(Self)
            .map_err(|_| "expected an address or a network such as 10.0.0.0/8".into())
    }
}

/// A length of time as `500ms`, `90s`, `15m`, `8h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

/// Longest duration: far beyond any use, and far below what overflows a clock.
const MAX_DURATION: Duration = Duration::from_hours(365 * 24);

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(duration) if duration > MAX_DURATION => Err("must not be longer than 365d".into()),
            Ok(duration) => Ok(Self(duration)),
            Err(_) => Err("expected a duration such as 500ms, 90s, 15m or 8h".into()),
        }
    }
}

/// File mode bits of a socket, in octal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketMode(pub u32);

impl FromStr for SocketMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // As Rust, Python and TOML write it, too.
        let digits = text.strip_prefix("0o").unwrap_or(text);
        match u32::from_str_radix(digits, 8) {
            // Without its write bit a socket cannot even be connected to by its owner.
            Ok(mode) if mode <= 0o777 && mode & 0o600 == 0o600 => Ok(Self(mode)),
            _ => Err("expected an octal mode from 0600 to 0777, in TOML \"0660\" or 0o660".into()),
        }
    }
}

/// A number of replicas of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas(pub u32);

/// Most replicas that may be waited for: far above any store, low enough to
/// catch a slip of the keyboard.
const MAX_REPLICAS: u32 = 100;

impl FromStr for Replicas {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(replicas) if replicas <= MAX_REPLICAS => Ok(Self(replicas)),
            _ => Err(format!("expected a whole number from 0 to {MAX_REPLICAS}")),
        }
    }
}

/// Something that is done or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch(pub bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self(true)),
            "off" => Ok(Self(false)),
            _ => Err("expected on or off".into()),
        }
    }
}

/// A number of worker threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers(pub usize);

/// Most worker threads a process may have: far above any machine it is meant
/// for, low enough to catch a slip of the keyboard.
const MAX_WORKERS: usize = 1024;

impl FromStr for Workers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match whole_number(text) {
            Some(workers) if (1..=MAX_WORKERS).contains(&workers) => Ok(Self(workers)),
            _ => Err(format!("expected a whole number from 1 to {MAX_WORKERS}")),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err("expected pretty or json".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_round_trip() {
        for text in [
            "tcp:127.0.0.1:8000",
            "tcp:[::1]:0",
            "tcp:localhost:80",
            "unix:/run/f/{slot}.sock",
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_listen_addresses_say_why() {
        for (text, expected) in [
            ("8000", LISTEN_SYNTAX),
            ("tcp:8000", LISTEN_SYNTAX),
            (
                "tcp::8000",
                "the host is missing; 0.0.0.0 is every IPv4 address",
            ),
            (
                "tcp:::1:80",
                "an IPv6 address goes in brackets: tcp:[::1]:80",
            ),
            ("tcp:localhost:http", "`http` is not a port (0 to 65535)"),
            ("tcp:localhost:+80", "`+80` is not a port (0 to 65535)"),
            ("tcp:[]:80", "`` is not an IPv6 address"),
            ("tcp:[localhost]:80", "`localhost` is not an IPv6 address"),
            ("tcp: :80", "` ` is neither a name nor an address"),
            ("udp:localhost:1", LISTEN_SYNTAX),
            ("unix:", "the path of the socket is missing"),
            ("unix:/run/", "the path of the socket is missing"),
            (
                "unix:/run/{port}.sock",
                "the only placeholders are {hostname}, {pid} and {slot}",
            ),
            (
                "unix:/run/{slot}/f.sock",
                "{slot} may only be in the name of the file, not of a directory",
            ),
            (
                "unix:/run/{slot}/{slot}.sock",
                "{slot} may only be in the name of the file, not of a directory",
            ),
            (
                "unix:/run/{slot",
                "the only placeholders are {hostname}, {pid} and {slot}",
            ),
        ] {
            assert_eq!(
                text.parse::<ListenAddress>().unwrap_err(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn placeholders_are_filled_in() {
        let template: SocketTemplate = "/run/{hostname}-{pid}-{slot}.sock".parse().unwrap();
        assert_eq!(template.expand("web1", 42, 3), "/run/web1-42-3.sock");
    }
}
