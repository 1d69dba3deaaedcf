//! Redis: which server has what, and connections to each with explicit timeouts.
//!
//! One server, the master that sentinels name and the masters of a cluster are
//! used the same way: a map says which server has a key, and each server has
//! its pools. The map is asked for at the first use and after every failure.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime, TimeoutType};
use futures_util::future::try_join_all;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue, Pipeline,
    RedisError, ServerErrorKind,
};

mod answer;
mod container;
mod distance;
mod layout;
mod masters;
mod memory;
mod report;
mod shared_map;
mod topology;

pub use self::{
    distance::{Distance, Measuring},
    layout::LAYOUT,
    memory::Fill,
    report::Report,
    topology::{HASH_SLOTS, HashSlots, Node},
};
use self::{memory::Fills, shared_map::SharedMap};
use super::StoreError;
use crate::config::{RedisUrl, redis_url::Topology};

/// Batches that a thread has under way where Redis is at a distance, each over a connection of its
/// own.
pub const BATCHES: usize = 4;

/// Connections to each server that a thread has for reads and the login throttle.
const READING: usize = 4;

/// How often a command is sent until it is given up: others wait for it meanwhile.
pub const REDIRECTIONS: u32 = 6;

/// Between two questions while a hash slot is on its way from one node to another.
const REDIRECTION_PAUSE: Duration = Duration::from_millis(10);

/// One thread's connections to Redis.
#[derive(Clone)]
pub struct RedisStore {
    url: Arc<RedisUrl>,
    timeout: Duration,
    /// Shared by all threads: what one of them finds out holds for all.
    hash_slots: Arc<SharedMap<HashSlots>>,
    /// Shared by all threads, likewise.
    fills: Arc<Fills>,
    pools: Arc<Mutex<HashMap<Node, Pools>>>,
}

/// The connections to one server.
#[derive(Clone)]
struct Pools {
    reading: Pool,
    /// Apart from the other, so that no number of reads can keep a visit waiting.
    counting: Pool,
}

/// Where a command goes.
#[derive(Debug, Clone)]
pub struct Place {
    /// The server.
    pub node: Node,
    /// Whether `ASKING` has to precede it: the hash slot is on its way there.
    pub asking: bool,
}

impl RedisStore {
    /// Nothing is asked or opened before it is needed.
    pub fn new(url: &RedisUrl, timeout: Duration) -> Self {
        Self {
            url: Arc::new(url.clone()),
            timeout,
            hash_slots: Arc::new(SharedMap::new()),
            fills: Arc::default(),
            pools: Arc::default(),
        }
    }

    /// The same store with connections of its own.
    #[must_use]
    pub fn for_another_thread(&self) -> Self {
        Self {
            pools: Arc::default(),
            ..self.clone()
        }
    }

    /// Whether keys are on many servers, so that no script can have any two of them.
    pub fn is_cluster(&self) -> bool {
        matches!(self.url.topology, Topology::Cluster)
    }

    /// Whether it may be on another machine.
    pub fn may_be_distant(&self) -> bool {
        let mut addresses = self.url.nodes.iter().map(ConnectionInfo::addr);
        !addresses.all(|address| matches!(address, ConnectionAddr::Unix(_)))
    }

    /// The longest an operation may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Which server has what.
    ///
    /// # Errors
    ///
    /// If nobody can say.
    pub async fn hash_slots(&self) -> Result<Arc<HashSlots>, StoreError> {
        self.hash_slots.get(async || self.discover().await).await
    }

    async fn discover(&self) -> Result<HashSlots, StoreError> {
        topology::discover(&self.url, self.timeout).await
    }

    /// Asks again at the next use: what failed may be elsewhere by now.
    pub fn forget_hash_slots(&self) {
        self.hash_slots.forget();
    }

    /// Asks the sentinels again. A master that is cut off from them goes on
    /// answering, so no failure would ever tell.
    pub(super) async fn follow_master(&self) -> Result<(), StoreError> {
        if matches!(self.url.topology, Topology::Sentinel(_)) {
            let (before, now) = self
                .hash_slots
                .ask_again(async || self.discover().await)
                .await?;
            if before.is_some_and(|before| before != now) {
                tracing::warn!(master = ?now.masters(), "the sentinels name another master");
            }
        }
        Ok(())
    }

    /// Where a command on this key goes.
    ///
    /// # Errors
    ///
    /// If nobody has the key, or nobody can say.
    pub async fn place(&self, key: &str) -> Result<Place, StoreError> {
        match self.hash_slots().await?.master(key) {
            Some(node) => Ok(Place {
                node: node.clone(),
                asking: false,
            }),
            None => {
                self.forget_hash_slots();
                let missing = "no node of the cluster has the counter's hash slot";
                Err(StoreError::Refused(missing.to_owned()))
            }
        }
    }

    /// Where to send a command that was refused, and so not executed, where it
    /// was sent; `None` if the error is no redirection.
    pub async fn redirection(&self, key: &str, from: &Place, error: &RedisError) -> Option<Place> {
        let errors = error.clone().into_server_errors()?;
        let (_, error) = errors.first()?;
        let target = || from.node.redirected(error.details()?.split(' ').nth(1)?);
        match error.kind()? {
            ServerErrorKind::Moved => {
                self.forget_hash_slots();
                Some(Place {
                    node: target()?,
                    asking: false,
                })
            }
            ServerErrorKind::Ask => Some(Place {
                node: target()?,
                asking: true,
            }),
            // Some keys of the counter have moved and some have not.
            ServerErrorKind::TryAgain => self.place(key).await.ok(),
            // The node that had the hash slot has it no longer, and knows of nobody who has.
            ServerErrorKind::ClusterDown => {
                self.forget_hash_slots();
                None
            }
            _ => None,
        }
    }

    /// Runs one command, or one transaction, on one key, wherever that is. What
    /// is sent again was not executed before.
    ///
    /// # Errors
    ///
    /// Those of the connection and of Redis.
    pub async fn query<T: FromRedisValue>(
        &self,
        key: &str,
        command: &Pipeline,
    ) -> Result<T, StoreError> {
        Ok(self.query_at(key, command).await?.1)
    }

    /// [`Self::query`], with the server that has answered.
    ///
    /// # Errors
    ///
    /// Those of the connection and of Redis.
    pub async fn query_at<T: FromRedisValue>(
        &self,
        key: &str,
        command: &Pipeline,
    ) -> Result<(Node, T), StoreError> {
        let mut place = self.place(key).await?;
        for attempt in 0..REDIRECTIONS {
            pause_before(attempt).await;
            let mut connection = self.connection(&place.node).await?;
            if place.asking {
                let asking = redis::cmd("ASKING");
                asking.query_async::<()>(&mut connection).await?;
            }
            let error = match command.query_async(&mut connection).await {
                Ok(value) => return Ok((place.node, value)),
                Err(error) => error,
            };
            place = match self.redirection(key, &place, &error).await {
                Some(place) => place,
                None => return Err(error.into()),
            };
        }
        Err(moving())
    }

    /// A connection for reading from the pool, checked to be alive.
    ///
    /// # Errors
    ///
    /// If none can be had in time.
    pub async fn connection(&self, node: &Node) -> Result<Connection, StoreError> {
        let pool = self.pools(node)?.reading;
        self.borrow(node, &pool).await
    }

    /// A connection for counting.
    ///
    /// # Errors
    ///
    /// If none can be had in time.
    pub async fn counting_connection(&self, node: &Node) -> Result<Connection, StoreError> {
        let pool = self.pools(node)?.counting;
        self.borrow(node, &pool).await
    }

    fn pools(&self, node: &Node) -> Result<Pools, StoreError> {
        let mut pools = lock(&self.pools);
        if let Some(pools) = pools.get(node) {
            return Ok(pools.clone());
        }
        // Servers that are masters no longer.
        if let Some(hash_slots) = self.hash_slots.known() {
            let masters = hash_slots.masters();
            pools.retain(|node, _| masters.contains(&node));
        }
        let new = Pools {
            reading: self.pool(node, READING)?,
            counting: self.pool(node, BATCHES)?,
        };
        pools.insert(node.clone(), new.clone());
        Ok(new)
    }

    fn pool(&self, node: &Node, size: usize) -> Result<Pool, StoreError> {
        let timeout = self.timeout;
        // Every operation has its time limit in `Store::run`; the crate's own, 500 ms unless
        // set, would end some of them early.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(None);
        let info = node.connection_info(&self.url);
        Pool::builder(Manager::new_with_config(info, config)?)
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .timeouts(deadpool_redis::Timeouts {
                // Shorter than the whole operation may take, or nobody could tell a full pool
                // from an absent store.
                wait: Some(timeout * 3 / 4),
                create: Some(timeout),
                recycle: Some(timeout),
            })
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    async fn borrow(&self, node: &Node, pool: &Pool) -> Result<Connection, StoreError> {
        pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => StoreError::Busy,
            PoolError::Timeout(_) => {
                StoreError::Unavailable("no connection within the time limit".to_owned())
            }
            PoolError::Backend(error) => {
                let address = node.connection_info(&self.url);
                StoreError::Unavailable(container::explain(&error, address.addr()))
            }
            error => StoreError::Unavailable(error.to_string()),
        })
    }

    /// A store that answers is there, but one whose layout is too new is not for this process. The
    /// layout comes last: who may not read it still has to know whether each master answers.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let hash_slots = self.hash_slots().await?;
        if let masters @ [_, _, ..] = hash_slots.masters().as_slice() {
            // To take a connection from the pool is to ask for a PING.
            try_join_all(masters.iter().map(|node| self.connection(node))).await?;
        }
        match self.layout().await? {
            Some(layout) => layout
                .admits(LAYOUT.version)
                .map_err(StoreError::Unavailable),
            None => Ok(()),
        }
    }

    pub(super) fn close(&self) {
        for pools in lock(&self.pools).values() {
            pools.reading.close();
            pools.counting.close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits before a command is sent for the third time and more: the cluster needs a moment.
pub async fn pause_before(attempt: u32) {
    if attempt > 1 {
        tokio::time::sleep(REDIRECTION_PAUSE).await;
    }
}

/// A command was sent from node to node too often, and executed by none.
pub fn moving() -> StoreError {
    let moving = "the cluster is moving this counter to another node; try again";
    StoreError::Refused(moving.to_owned())
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        // Of several commands at once the error itself tells only some of the codes.
        let answers = error.clone().into_server_errors();
        if let Some((_, answer)) = answers.as_ref().and_then(|answers| answers.first()) {
            return answer::meaning(answer);
        }
        let message = first_line(&error);
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_io_error()
            || error.is_connection_dropped()
            || error.is_unrecoverable_error()
        {
            Self::ConnectionLost(message)
        } else {
            match error.kind() {
                // Found before anything was sent.
                ErrorKind::AuthenticationFailed
                | ErrorKind::InvalidClientConfig
                | ErrorKind::Client
                | ErrorKind::RESP3NotSupported => Self::Refused(message),
                // It was executed, and the answer is not what such a command answers.
                _ => Self::Failed(message),
            }
        }
    }
}

/// What is no Redis at the other end gives an error of many lines.
fn first_line(error: &RedisError) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_understood_was_given_by_who_has_executed() {
        for (kind, unknown) in [
            (ErrorKind::UnexpectedReturnType, true),
            (ErrorKind::Extension, true),
            (ErrorKind::Parse, true),
            (ErrorKind::Io, true),
            (ErrorKind::Client, false),
            (ErrorKind::InvalidClientConfig, false),
        ] {
            let error = StoreError::from(RedisError::from((kind, "said")));
            assert_eq!(error.outcome_is_unknown(), unknown, "{kind:?}: {error:?}");
        }
    }
}
