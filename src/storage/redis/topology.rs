//! Which server has which keys: asked of the sentinels, or of the cluster.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, select_ok};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, FromRedisValue, Value,
    aio::MultiplexedConnection,
};

use super::container::explain;
use crate::{
    config::{RedisUrl, redis_url::Topology},
    storage::StoreError,
};

/// Hash slots of a cluster
/// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/>).
pub const HASH_SLOTS: u16 = 16384;

const LAST_HASH_SLOT: u16 = HASH_SLOTS - 1;

/// A server, by its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    /// Reached by TCP, with TLS or without.
    Tcp {
        /// Name or address; an IPv6 address without brackets.
        host: Arc<str>,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Unix(Arc<Path>),
}

impl Node {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self::Tcp {
            host: host.into(),
            port,
        }
    }

    fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } => Some(host),
            Self::Unix(_) => None,
        }
    }

    /// Reads `HOST:PORT` as redirections have it. Without a host it is the one that was asked.
    pub(super) fn redirected(&self, address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        let host = known(host).or_else(|| self.host())?;
        Some(Self::new(host, port.parse().ok()?))
    }

    pub(super) fn connection_info(&self, url: &RedisUrl) -> ConnectionInfo {
        match self {
            Self::Tcp { host, port } => url.server(host, *port),
            Self::Unix(path) => url.socket(path),
        }
    }

    fn of(info: &ConnectionInfo) -> Self {
        match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Self::new(host, *port)
            }
            ConnectionAddr::Unix(path) => Self::Unix(path.as_path().into()),
            // The crate may learn of others, which a `REDIS_URL` cannot name.
            address => Self::Unix(Path::new(&address.to_string()).into()),
        }
    }
}

/// A node that does not know its own address gives none, or `?`: it is the one that was asked.
fn known(host: &str) -> Option<&str> {
    (!matches!(host, "" | "?")).then_some(host)
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The hash slot of a key: of what is between its first braces, if there is
/// something, else of all of it.
pub fn hash_slot(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty());
    crc16::State::<crc16::XMODEM>::calculate(tag.unwrap_or(key).as_bytes()) % HASH_SLOTS
}

/// Which master has which hash slots. Without a cluster one has them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashSlots {
    /// The first and the last slot of each range and who has it, in the order of the slots.
    /// Between two there may be slots that nobody has.
    ranges: Vec<(u16, u16, Node)>,
}

impl HashSlots {
    fn one(master: Node) -> Self {
        Self {
            ranges: vec![(0, LAST_HASH_SLOT, master)],
        }
    }

    /// The master that has a key.
    pub fn master(&self, key: &str) -> Option<&Node> {
        if let [(0, LAST_HASH_SLOT, master)] = self.ranges.as_slice() {
            return Some(master);
        }
        let slot = hash_slot(key);
        let position = self.ranges.partition_point(|(_, last, _)| *last < slot);
        let (first, _, master) = self.ranges.get(position)?;
        (*first <= slot).then_some(master)
    }

    /// All masters, each once.
    pub fn masters(&self) -> Vec<&Node> {
        let mut masters: Vec<_> = self.ranges.iter().map(|(_, _, master)| master).collect();
        masters.sort_unstable();
        masters.dedup();
        masters
    }
}

/// Asks who has which hash slots: all nodes of the URL at once, so that those that
/// are gone cost no time. The first good answer counts.
pub async fn discover(url: &RedisUrl, limit: Duration) -> Result<HashSlots, StoreError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limit))
        .set_response_timeout(Some(limit));
    let (config, topology) = (&config, &url.topology);
    let answers = url.nodes.iter().map(|node| -> BoxFuture<'_, _> {
        Box::pin(async move {
            match topology {
                Topology::Single => Ok(HashSlots::one(Node::of(node))),
                Topology::Sentinel(name) => ask_sentinel(url, node, name, config).await,
                Topology::Cluster => ask_cluster(node, config).await,
            }
        })
    });
    Ok(select_ok(answers).await?.0)
}

pub(super) async fn connect(
    info: ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> Result<MultiplexedConnection, StoreError> {
    let address = info.addr().clone();
    let unavailable =
        |error| StoreError::Unavailable(format!("{address}: {}", explain(&error, &address)));
    Client::open(info)
        .map_err(unavailable)?
        .get_multiplexed_async_connection_with_config(config)
        .await
        .map_err(unavailable)
}

/// Only a server that itself says that it is the master will do: a sentinel may be behind.
async fn ask_sentinel(
    url: &RedisUrl,
    sentinel: &ConnectionInfo,
    name: &str,
    config: &AsyncConnectionConfig,
) -> Result<HashSlots, StoreError> {
    let mut connection = connect(sentinel.clone(), config).await?;
    let question = redis::cmd("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name)
        .take();
    let address: Option<(String, u16)> = question
        .query_async(&mut connection)
        .await
        .map_err(StoreError::from)
        .map_err(StoreError::of_reading)?;
    let Some((host, port)) = address else {
        return Err(StoreError::Unavailable(format!(
            "the sentinel {} knows no master named {name}",
            sentinel.addr()
        )));
    };
    let master = Node::new(&host, port);
    let mut connection = connect(master.connection_info(url), config).await?;
    match is_master(&mut connection).await? {
        true => Ok(HashSlots::one(master)),
        false => Err(StoreError::Unavailable(format!(
            "{master}, which is to be the master, says that it is none"
        ))),
    }
}

/// What a server itself says.
pub(super) async fn is_master(connection: &mut MultiplexedConnection) -> Result<bool, StoreError> {
    let role: Vec<Value> = redis::cmd("ROLE")
        .query_async(connection)
        .await
        .map_err(StoreError::from)
        .map_err(StoreError::of_reading)?;
    Ok(matches!(role.first(), Some(Value::BulkString(role)) if role == b"master"))
}

async fn ask_cluster(
    node: &ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> Result<HashSlots, StoreError> {
    let mut connection = connect(node.clone(), config).await?;
    let question = redis::cmd("CLUSTER").arg("SLOTS").take();
    let ranges: Vec<Vec<Value>> = question
        .query_async(&mut connection)
        .await
        .map_err(StoreError::from)
        .map_err(StoreError::of_reading)?;
    let asked = Node::of(node);
    let ranges: Option<Vec<_>> = ranges
        .iter()
        .map(|range| parse_range(range, &asked))
        .collect();
    let mut ranges = ranges.filter(|ranges| !ranges.is_empty()).ok_or_else(|| {
        StoreError::Unavailable(format!("the cluster node {asked} knows no hash slots"))
    })?;
    ranges.sort_unstable();
    Ok(HashSlots { ranges })
}

/// First and last slot, the master, its replicas; a server is host, port and more.
fn parse_range(range: &[Value], asked: &Node) -> Option<(u16, u16, Node)> {
    let [first, last, Value::Array(master), ..] = range else {
        return None;
    };
    let [host, port, ..] = master.as_slice() else {
        return None;
    };
    let port = u16::from_redis_value(port.clone()).ok()?;
    let host = Option::<String>::from_redis_value(host.clone()).ok()?;
    let host = host.as_deref().and_then(known).or_else(|| asked.host())?;
    let master = Node::new(host, port);
    let number = |value: &Value| u16::from_redis_value(value.clone()).ok();
    Some((number(first)?, number(last)?, master))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_slots_are_those_of_the_specification() {
        assert_eq!(hash_slot("123456789"), 0x31c3 % HASH_SLOTS);
        assert_eq!(hash_slot("footfall:{visits}:count"), hash_slot("visits"));
        assert_eq!(
            hash_slot("footfall:{visits}:keys:previous"),
            hash_slot("visits")
        );
        assert_eq!(
            hash_slot("{}a"),
            crc16::State::<crc16::XMODEM>::calculate(b"{}a") % HASH_SLOTS
        );
    }

    #[test]
    fn each_hash_slot_has_the_master_of_its_range() {
        let node = |port| Node::new("host", port);
        let map = HashSlots {
            ranges: vec![
                (0, 5460, node(1)),
                (5461, 10922, node(2)),
                (10923, LAST_HASH_SLOT, node(1)),
            ],
        };
        // CRC16 of "a" is 0x7c87, of "b" 0x4ce4, of "foo" 0xaf96
        for (key, slot, port) in [("a", 15495, 1), ("b", 3300, 1), ("foo", 12182, 1)] {
            assert_eq!(hash_slot(key), slot);
            assert_eq!(map.master(key), Some(&node(port)), "{key}");
        }
        assert_eq!(map.masters(), [&node(1), &node(2)]);
    }

    #[test]
    fn what_is_not_in_the_map_has_nobody() {
        // The slot of "a" is 15495.
        for ranges in [
            vec![(0, 10), (11, 20)],
            vec![(0, 15494), (15496, LAST_HASH_SLOT)],
            vec![(0, 15494)],
            vec![(15496, LAST_HASH_SLOT)],
        ] {
            let node = || Node::new("host", 1);
            let ranges = ranges.into_iter();
            let map = HashSlots {
                ranges: ranges.map(|(first, last)| (first, last, node())).collect(),
            };
            assert_eq!(map.master("a"), None, "{map:?}");
        }
    }

    #[test]
    fn redirections_without_a_host_mean_the_one_asked() {
        let asked = Node::new("10.0.0.1", 1);
        assert_eq!(asked.redirected(":2"), Some(Node::new("10.0.0.1", 2)));
        assert_eq!(asked.redirected("?:2"), Some(Node::new("10.0.0.1", 2)));
        assert_eq!(
            asked.redirected("10.0.0.2:2"),
            Some(Node::new("10.0.0.2", 2))
        );
        assert_eq!(asked.redirected("::1:2"), Some(Node::new("::1", 2)));
        assert_eq!(asked.redirected("rubbish"), None);
        let socket = Node::Unix(Path::new("/run/redis.sock").into());
        assert_eq!(socket.redirected(":2"), None);
        assert_eq!(socket.redirected("host:2"), Some(Node::new("host", 2)));
    }
}
