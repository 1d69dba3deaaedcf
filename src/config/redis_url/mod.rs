//! `REDIS_URL`: one server, the master that sentinels name, or a cluster.

use std::{fmt, path::Path, str::FromStr};

use redis::{ConnectionAddr, ConnectionInfo};

mod parts;

use self::parts::{Kind, Parts, scheme_of};

/// The forms of `REDIS_URL`.
const FORMS: &str = "expected redis://[USER:PASSWORD@]HOST[:PORT][/DB], \
    unix:///PATH[?db=DB&user=USER&pass=PASSWORD], \
    redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB] or \
    redis+cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]; for TLS rediss instead of redis; \
    valkey means the same as redis";

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
    fn single(server: ConnectionInfo) -> Self {
        Self {
            topology: Topology::Single,
            nodes: vec![server.clone()],
            server,
        }
    }

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

    /// How to reach a server by its Unix socket.
    pub fn socket(&self, path: &Path) -> ConnectionInfo {
        let address = ConnectionAddr::Unix(path.to_owned());
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
        // The library would leave them out, and the password would be another.
        if url.contains(char::is_control) || url.trim() != url {
            return Err(
                "there is a tab, a line end or the like in it, or a blank at its start or end; \
                 one that is meant must be percent-encoded (%20, %09, %0A)"
                    .into(),
            );
        }
        let (scheme, rest) = url.split_once("://").ok_or(FORMS)?;
        let (security, kind) = scheme_of(&scheme.to_ascii_lowercase()).ok_or(FORMS)?;
        let parts = Parts::of(security, rest);
        // Else a part of a password would be taken for something else, and shown.
        if [parts.path, parts.query, parts.fragment]
            .iter()
            .any(|part| part.contains('@'))
        {
            return Err(
                "'@', '/', '?' and '#' in a user, a password or a path must be percent-encoded \
                 (%40, %2F, %3F, %23)"
                    .into(),
            );
        }
        let is_known = security == "rediss" && parts.fragment == "insecure";
        if !parts.fragment.is_empty() && !is_known {
            return Err(
                "only `insecure` can follow a '#', and only with TLS (rediss://HOST#insecure)"
                    .into(),
            );
        }
        match kind {
            Kind::Server => parts.server(),
            Kind::Socket => parts.socket(),
            Kind::Sentinel => parts.sentinel(),
            Kind::Cluster => parts.cluster(),
        }
    }
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
    fn a_unix_socket() {
        for (url, path, db, user, password) in [
            ("unix:///run/redis.sock", "/run/redis.sock", 0, None, None),
            ("UNIX:///run/redis.sock?", "/run/redis.sock", 0, None, None),
            ("redis+unix:///r.sock?db=3", "/r.sock", 3, None, None),
            (
                "valkey+unix:///run/a%20b.sock?user=me&pass=p%40s%26s+s&db=15",
                "/run/a b.sock",
                15,
                Some("me"),
                Some("p@s&s+s"),
            ),
            ("unix:///r.sock?pass=%20", "/r.sock", 0, None, Some(" ")),
        ] {
            let parsed = parse(url);
            assert_eq!(parsed.topology, Topology::Single);
            let [info] = parsed.nodes.as_slice() else {
                panic!("{url}");
            };
            assert_eq!(*info.addr(), ConnectionAddr::Unix(path.into()), "{url}");
            let redis = info.redis_settings();
            assert_eq!(
                (redis.db(), redis.username(), redis.password()),
                (db, user, password),
                "{url}"
            );
            let path = Path::new("/other.sock");
            let other = parsed.socket(path);
            assert_eq!(*other.addr(), ConnectionAddr::Unix(path.into()));
            assert_eq!(other.redis_settings().password(), password);
        }
    }

    #[test]
    fn schemes_in_every_spelling() {
        for (url, same) in [
            ("REDIS://host/1", "redis://host/1"),
            ("Rediss://host", "rediss://host"),
            ("valkey://host:7000/1", "redis://host:7000/1"),
            ("valkeys://host", "rediss://host"),
            (
                "valkey+sentinel://a,b/main/1",
                "redis+sentinel://a,b/main/1",
            ),
            ("VALKEYS+Sentinel://a/main", "rediss+sentinel://a/main"),
            ("valkey+cluster://a,b", "redis+cluster://a,b"),
            ("valkeys+cluster://a", "rediss+cluster://a"),
            ("redis://host/1/", "redis://host/1"),
        ] {
            let (url, same) = (parse(url), parse(same));
            assert_eq!(url.topology, same.topology);
            let described = |url: &RedisUrl| {
                let nodes = url.nodes.iter().chain([&url.server]);
                let described =
                    nodes.map(|node| format!("{:?} {}", node.addr(), node.redis_settings().db()));
                described.collect::<Vec<_>>()
            };
            assert_eq!(described(&url), described(&same));
        }
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
            ("redis://:hunter2\t@host", "there is a tab"),
            ("redis://:x\nhunter2@host", "there is a tab"),
            ("redis://127.0.0\t.1", "there is a tab"),
            ("redis+cluster://a,b\r", "there is a tab"),
            (
                "unix:///r.sock?pass=hunter2 ",
                "a blank at its start or end",
            ),
            (" redis://host", "a blank at its start or end"),
            ("redis://me@host", "a user needs a password"),
            ("redis://me:@host", "a user needs a password"),
            ("rediss://hunter2@host", "redis://:PASSWORD@HOST"),
            ("redis+cluster://me@a,b", "a user needs a password"),
            ("redis+sentinel://me:@a/main", "a user needs a password"),
            (
                "redis+sentinel://a/main?sentinel_username=me&sentinel_password=",
                "needs a sentinel_password",
            ),
            ("unix:///r.sock?user=me&pass=", "user needs a pass"),
            ("redis+galaxy://host", "expected redis://"),
            ("host:6379", "expected redis://"),
            ("redis+sentinel://:hunter2@host", "master's name is missing"),
            ("redis+sentinel://host/main/x", "must be a number"),
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
            ("redis://host?db=1", "the database goes after the host"),
            (
                "redis://host/0?db=hunter2",
                "the database goes after the host",
            ),
            ("redis://host?protocol=resp3", "options are not understood"),
            (
                "redis://host?ssl_cert_reqs=none",
                "options are not understood",
            ),
            ("rediss://host?x", "options are not understood"),
            ("redis://host/hunter2", "must be a number"),
            ("redis://host/-1", "must be a number"),
            ("redis://host/+1", "must be a number"),
            ("redis://host/1/2", "must be a number"),
            ("redis://host/99999999999", "must be a number"),
            ("redis://a,b", "one server has one host"),
            ("redis://host#insecure", "only with TLS"),
            ("rediss://host#hunter2", "only `insecure` can follow"),
            ("redis+sentinel://host/main#insecure", "only with TLS"),
            ("redis+cluster://host#0", "only with TLS"),
            ("redis+sentinel://host/main?db=1", "sentinel_username and"),
            (
                "redis+sentinel://host/main?sentinel_password=hunter2&sentinel_password=x",
                "each once",
            ),
            ("rediss+unix:///run/redis.sock", "expected redis://"),
            ("valkey+galaxy://host", "expected redis://"),
            ("unix:/run/redis.sock", "expected redis://"),
            ("unix://run/redis.sock", "its path is absolute"),
            ("unix://localhost/run/redis.sock", "its path is absolute"),
            (
                "redis+unix://:hunter2@/run/redis.sock",
                "a user is an option",
            ),
            ("unix://", "the path of the socket is missing"),
            ("unix:///", "the path of the socket is missing"),
            ("unix:///run/", "the path of the socket is missing"),
            (
                "unix:///run/redis.sock/?db=1",
                "the path of the socket is missing",
            ),
            ("unix:///run/redis.sock?db=x", "must be a number"),
            ("unix:///run/redis.sock?db=1&db=2", "each once"),
            (
                "unix:///run/redis.sock?password=hunter2",
                "are db, user and pass",
            ),
            ("unix:///run/redis.sock?protocol=3", "are db, user and pass"),
            (
                "unix:///run/redis.sock?pass=p@hunter2",
                "must be percent-encoded",
            ),
            ("unix:///run/redis.sock?user=me", "user needs a pass"),
            ("unix:///run/redis.sock#insecure", "only with TLS"),
        ] {
            let error = url.parse::<RedisUrl>().expect_err(url);
            assert!(error.contains(message), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
    }
}
