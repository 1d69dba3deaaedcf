//! `REDIS_URL`: one server, the master that sentinels name, or a cluster.

use std::{fmt, str::FromStr};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, io::tcp::TcpSettings};

/// The port of a sentinel, unless the URL says another
/// (<https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/>).
const SENTINEL_PORT: u16 = 26379;

/// The port of a server, unless the URL says another.
const SERVER_PORT: u16 = 6379;

/// The forms of `REDIS_URL`.
const FORMS: &str = "expected redis://[USER:PASSWORD@]HOST[:PORT][/DB], \
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB] or \
    redis+cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...], and rediss instead of redis for TLS";

/// What the nodes of a `REDIS_URL` are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Single,
    /// Sentinels, which know the address of the master of this name.
    Sentinel(String),
    /// Some nodes of a Redis Cluster.
    Cluster,
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => f.write_str("one server"),
            Self::Sentinel(master) => write!(f, "sentinels and their master {master}"),
            Self::Cluster => f.write_str("nodes of a cluster"),
        }
    }
}

/// A `REDIS_URL`.
#[derive(Clone)]
pub struct RedisUrl {
    /// What [`nodes`](Self::nodes) are.
    pub topology: Topology,
    /// The nodes that the URL names.
    pub nodes: Vec<ConnectionInfo>,
    /// A server whose address is found out: how to reach it, but for host and port.
    server: ConnectionInfo,
}

impl RedisUrl {
    /// How to reach a server whose address was found out.
    pub fn server(&self, host: &str, port: u16) -> ConnectionInfo {
        let host = host.to_owned();
        let address = match self.server.addr().clone() {
            ConnectionAddr::TcpTls {
                insecure,
                tls_params,
                ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure,
                tls_params,
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        self.server.clone().set_addr(address)
    }
}

impl fmt::Debug for RedisUrl {
    // Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisUrl")
            .field("topology", &self.topology)
            .finish_non_exhaustive()
    }
}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or(FORMS)?;
        let (security, kind) = match scheme.split_once('+') {
            Some((security, kind)) => (security, Some(kind)),
            None => (scheme, None),
        };
        if !matches!(security, "redis" | "rediss") {
            return Err(FORMS.to_owned());
        }
        let parts = Parts::of(security, rest);
        // Else a part of a password would be taken for something else, and shown.
        if [parts.path, parts.query, parts.fragment]
            .iter()
            .any(|part| part.contains('@'))
        {
            return Err(
                "'/', '?' and '#' in a user or a password must be percent-encoded (%2F, %3F, %23)"
                    .into(),
            );
        }
        match kind {
            None => {
                let server = connection_info(url)?;
                Ok(Self {
                    topology: Topology::Single,
                    nodes: vec![server.clone()],
                    server,
                })
            }
            Some("sentinel") => parts.sentinel(),
            Some("cluster") => parts.cluster(),
            Some(_) => Err(FORMS.to_owned()),
        }
    }
}

/// `[CREDENTIALS@]HOSTS[/PATH][?QUERY][#FRAGMENT]`
struct Parts<'a> {
    security: &'a str,
    credentials: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Parts<'a> {
    fn of(security: &'a str, rest: &'a str) -> Self {
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        Self {
            security,
            credentials,
            hosts: hosts.split(',').collect(),
            path,
            query,
            fragment,
        }
    }

    fn sentinel(&self) -> Result<RedisUrl, String> {
        let (master, database) = self.path.split_once('/').unwrap_or((self.path, ""));
        if master.is_empty() {
            return Err(
                "the master's name is missing; expected redis+sentinel://HOST[:PORT]/MASTER".into(),
            );
        }
        let credentials = self.sentinel_credentials()?;
        let sentinels = self
            .hosts
            .iter()
            .map(|host| self.node(&credentials, host, SENTINEL_PORT, ""));
        Ok(RedisUrl {
            topology: Topology::Sentinel(master.to_owned()),
            nodes: sentinels.collect::<Result<_, _>>()?,
            server: self.node(self.credentials, "found-out", SERVER_PORT, database)?,
        })
    }

    fn cluster(&self) -> Result<RedisUrl, String> {
        if !matches!(self.path, "" | "0") {
            return Err(
                "a cluster has no databases and no master; end the URL after the hosts".into(),
            );
        }
        if !self.query.is_empty() {
            return Err("a cluster's URL takes no options".into());
        }
        let nodes = self
            .hosts
            .iter()
            .map(|host| self.node(self.credentials, host, SERVER_PORT, ""));
        let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
        Ok(RedisUrl {
            topology: Topology::Cluster,
            server: nodes.first().ok_or(FORMS)?.clone(),
            nodes,
        })
    }

    /// Sentinels have users of their own, and commonly none at all.
    fn sentinel_credentials(&self) -> Result<String, String> {
        let (mut username, mut password) = ("", None);
        for option in self.query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sentinel_username", value)) => username = value,
                Some(("sentinel_password", value)) => password = Some(value),
                _ => {
                    return Err("the options of a sentinel's URL are sentinel_username and sentinel_password".into());
                }
            }
        }
        match password {
            Some(password) => Ok(format!("{username}:{password}")),
            None if username.is_empty() => Ok(String::new()),
            None => Err("sentinel_username needs a sentinel_password".into()),
        }
    }

    fn node(
        &self,
        credentials: &str,
        host: &str,
        default_port: u16,
        database: &str,
    ) -> Result<ConnectionInfo, String> {
        let mut url = format!("{}://", self.security);
        if !credentials.is_empty() {
            url += &format!("{credentials}@");
        }
        url += host;
        // The colons of an IPv6 address are in brackets.
        if !host.rsplit(']').next().unwrap_or_default().contains(':') {
            url += &format!(":{default_port}");
        }
        url += &format!("/{database}");
        if !self.fragment.is_empty() {
            url += &format!("#{}", self.fragment);
        }
        connection_info(&url)
    }
}

fn connection_info(url: &str) -> Result<ConnectionInfo, String> {
    // The crate's own message may hold the password.
    let info = url
        .into_connection_info()
        .map_err(|_| format!("the URL cannot be parsed; {FORMS}"))?;
    // Batches are small and waited for: Nagle's algorithm would only delay them.
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> RedisUrl {
        url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn addresses(url: &RedisUrl) -> Vec<String> {
        url.nodes
            .iter()
            .map(|node| node.addr().to_string())
            .collect()
    }

    #[test]
    fn one_server() {
        let url = parse("redis://user:p%40ss@host:7000/3");
        assert_eq!(url.topology, Topology::Single);
        assert_eq!(addresses(&url), ["host:7000"]);
        assert_eq!(url.nodes[0].redis_settings().password(), Some("p@ss"));
        assert_eq!(url.nodes[0].redis_settings().db(), 3);
        assert!(!format!("{url:?}").contains("p@ss"));
    }

    #[test]
    fn sentinels() {
        let url = parse("rediss+sentinel://user:p%40ss@a,b:7001,[::1]/main/2?sentinel_password=s3");
        assert_eq!(url.topology, Topology::Sentinel("main".into()));
        assert_eq!(addresses(&url), ["a:26379", "b:7001", "::1:26379"]);
        assert_eq!(url.nodes[0].redis_settings().password(), Some("s3"));
        assert_eq!(url.nodes[0].redis_settings().db(), 0);
        let server = url.server("10.0.0.1", 6380);
        assert_eq!(server.addr().to_string(), "10.0.0.1:6380");
        assert!(matches!(
            server.addr(),
            ConnectionAddr::TcpTls {
                insecure: false,
                ..
            }
        ));
        assert_eq!(server.redis_settings().username(), Some("user"));
        assert_eq!(server.redis_settings().password(), Some("p@ss"));
        assert_eq!(server.redis_settings().db(), 2);
    }

    #[test]
    fn a_cluster() {
        let url = parse("redis+cluster://:secret@a:7000,b");
        assert_eq!(url.topology, Topology::Cluster);
        assert_eq!(addresses(&url), ["a:7000", "b:6379"]);
        assert_eq!(
            url.server("c", 1).redis_settings().password(),
            Some("secret")
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, message) in [
            ("http://host", "expected redis://"),
            ("redis+galaxy://host", "expected redis://"),
            ("host:6379", "expected redis://"),
            ("redis+sentinel://:hunter2@host", "master's name is missing"),
            ("redis+sentinel://host/main/x", "cannot be parsed"),
            (
                "redis+sentinel://user:1/hunter2@host/0",
                "must be percent-encoded",
            ),
            (
                "redis+sentinel://user:1/hunter2#x@host/main",
                "must be percent-encoded",
            ),
            ("redis://:p@hunter2#w@host", "must be percent-encoded"),
            ("redis://:p@hunter2?w@host", "must be percent-encoded"),
            ("redis+sentinel://:hunter2@host:x/main", "cannot be parsed"),
            (
                "redis+sentinel://host/main?password=hunter2",
                "sentinel_username and",
            ),
            (
                "redis+sentinel://host/main?sentinel_username=me",
                "needs a sentinel_password",
            ),
            ("redis+cluster://:hunter2@host/3", "no databases"),
            ("redis+cluster://", "cannot be parsed"),
            ("redis+cluster://a,,b", "cannot be parsed"),
        ] {
            let error = url.parse::<RedisUrl>().expect_err(url);
            assert!(error.contains(message), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
    }
}
