//! Counts in Redis.
//!
//! Keys of the counter `NAME`, all in one Cluster slot:
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `footfall:{NAME}:count` | string | the number of its last visit |
//! | `footfall:{NAME}:requests`, `…:requests:previous` | hash | identities from proxies and their numbers |
//! | `footfall:{NAME}:keys`, `…:keys:previous` | hash | `Idempotency-Key`s and their numbers |
//!
//! `footfall:counters` is a sorted set of all names. A name is put there before
//! its first visit is counted, so that no counted visit is ever missing from it.

use std::{sync::LazyLock, time::Duration};

use deadpool_redis::Connection;
use futures_util::future::join_all;
use redis::{AsyncCommands, Script, aio::MultiplexedConnection};

use super::{Batch, BatchResult, Memory};
use crate::{
    counting::{Counted, CounterName, Identity, Page, Tally, identity::IdentityKind},
    store::{RedisStore, StoreError},
};

static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("count.lua")));

/// A sorted set whose members all have score 0, and so are in the order of their bytes.
const INDEX_KEY: &str = "footfall:counters";

/// What a probe has written lives about this long.
const PROBE_WINDOW: Duration = Duration::from_secs(1);

/// What the script answers for a counter that is not in the index yet.
const UNLISTED: i64 = -1;

/// Counts in Redis, over one connection that is held for good: pipelining
/// needs no second one, and a pool would ask it for a PING before each use.
pub(super) struct RedisCounts {
    redis: RedisStore,
    memory: Memory,
    held: Option<Held>,
}

struct Held {
    connection: Connection,
    /// [`StoreHealth::outages`](crate::store::StoreHealth::outages) when it was opened.
    outages: u64,
}

impl Clone for RedisCounts {
    /// A clone opens a connection of its own when it needs one.
    fn clone(&self) -> Self {
        Self::new(self.redis.clone(), self.memory)
    }
}

impl RedisCounts {
    pub fn new(redis: RedisStore, memory: Memory) -> Self {
        Self {
            redis,
            memory,
            held: None,
        }
    }

    pub async fn count(
        &mut self,
        batches: &[Batch],
        outages: u64,
    ) -> Result<Vec<Result<BatchResult, StoreError>>, StoreError> {
        if self
            .held
            .as_ref()
            .is_some_and(|held| held.outages != outages)
        {
            self.disconnect();
        }
        let held = match &mut self.held {
            Some(held) => held,
            slot => {
                let connection = self.redis.counting_connection().await?;
                slot.insert(Held {
                    connection,
                    outages,
                })
            }
        };
        // Sent at once, these calls share one round trip: the connection pipelines them.
        let connection: &MultiplexedConnection = &held.connection;
        let calls = batches
            .iter()
            .map(|batch| count_batch(connection.clone(), batch, self.memory));
        Ok(join_all(calls).await)
    }

    /// Gives the held connection up; the next batch opens another.
    pub fn disconnect(&mut self) {
        self.held
            .take()
            .map(|held| Connection::take(held.connection));
    }

    /// Does all that counting does, on a connection of its own. What it writes
    /// expires.
    pub async fn probe(&mut self) -> Result<(), StoreError> {
        let mut connection = Connection::take(self.redis.counting_connection().await?);
        let nonce = uuid::Uuid::now_v7();
        let identity = |kind| Identity::new(kind, "", nonce.as_bytes());
        let batch = Batch {
            counter: CounterName::probe(),
            anonymous: 1,
            identities: vec![identity(IdentityKind::Request), identity(IdentityKind::Key)],
        };
        let memory = Memory {
            requests: PROBE_WINDOW,
            keys: PROBE_WINDOW,
            limit: self.memory.limit,
        };
        call(&mut connection, &batch, memory, true).await?;
        let window = PROBE_WINDOW.as_millis() as i64;
        Ok(connection
            .pexpire(count_key(&batch.counter), window)
            .await?)
    }

    /// Gives the held connection up if it has died.
    pub async fn check_connection(&mut self, limit: Duration) {
        if let Some(held) = &mut self.held {
            let ping = redis::cmd("PING");
            let reply = ping.query_async::<()>(&mut held.connection);
            if !matches!(tokio::time::timeout(limit, reply).await, Ok(Ok(()))) {
                self.disconnect();
            }
        }
    }

    pub async fn get(&self, counter: &CounterName) -> Result<Option<u64>, StoreError> {
        Ok(self
            .redis
            .connection()
            .await?
            .get(count_key(counter))
            .await?)
    }

    pub async fn list(
        &self,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut connection = self.redis.connection().await?;
        let from = after.map_or("-".to_owned(), |name| format!("({name}"));
        let one_more = limit as isize + 1;
        let names: Vec<String> = connection
            .zrangebylex_limit(INDEX_KEY, from, "+", 0, one_more)
            .await?;
        let mut names: Vec<CounterName> =
            names.iter().filter_map(|name| name.parse().ok()).collect();
        let more = names.len() > limit;
        names.truncate(limit);
        let next = names.last().filter(|_| more).cloned();
        if names.is_empty() {
            return Ok(Page {
                counters: Vec::new(),
                next,
            });
        }
        let keys: Vec<String> = names.iter().map(count_key).collect();
        let visits: Vec<Option<u64>> = connection.mget(keys).await?;
        // A name is listed a moment before its first visit is counted.
        let counted = names.into_iter().zip(visits).filter_map(|(name, visits)| {
            Some(Tally {
                name,
                visits: visits?,
            })
        });
        Ok(Page {
            counters: counted.collect(),
            next,
        })
    }
}

fn count_key(counter: &CounterName) -> String {
    format!("footfall:{{{counter}}}:count")
}

async fn count_batch(
    mut connection: MultiplexedConnection,
    batch: &Batch,
    memory: Memory,
) -> Result<BatchResult, StoreError> {
    let mut numbers = call(&mut connection, batch, memory, false).await?;
    if numbers == [UNLISTED] {
        let _: u64 = connection
            .zadd(INDEX_KEY, batch.counter.as_str(), 0)
            .await?;
        numbers = call(&mut connection, batch, memory, true).await?;
    }
    interpret(batch, &numbers)
}

/// Calls the script. Where Redis has forgotten it, nothing was executed, and
/// the crate loads it and calls again; nothing else is ever repeated.
async fn call(
    connection: &mut MultiplexedConnection,
    batch: &Batch,
    memory: Memory,
    listed: bool,
) -> Result<Vec<i64>, StoreError> {
    let name = &batch.counter;
    let mut call = COUNT.prepare_invoke();
    call.key(count_key(name))
        .key(format!("footfall:{{{name}}}:requests"))
        .key(format!("footfall:{{{name}}}:requests:previous"))
        .key(format!("footfall:{{{name}}}:keys"))
        .key(format!("footfall:{{{name}}}:keys:previous"))
        .arg(batch.anonymous)
        .arg(memory.limit)
        .arg(u8::from(listed));
    for kind in [IdentityKind::Request, IdentityKind::Key] {
        let packed: Vec<u8> = of_kind(batch, kind)
            .flat_map(|identity| identity.digest)
            .collect();
        call.arg(memory.window(kind).as_millis() as u64).arg(packed);
    }
    let numbers = call
        .invoke_async(connection)
        .await
        .map_err(StoreError::from);
    numbers.map_err(|error| match error {
        // A script that fails, for want of a permission perhaps, leaves what it has done.
        StoreError::Refused(message) => StoreError::Failed(message),
        error => error,
    })
}

fn of_kind(batch: &Batch, kind: IdentityKind) -> impl Iterator<Item = &Identity> {
    batch
        .identities
        .iter()
        .filter(move |identity| identity.kind == kind)
}

/// Brings the script's answer, which is sorted by kind, into the order of the batch.
fn interpret(batch: &Batch, numbers: &[i64]) -> Result<BatchResult, StoreError> {
    let wrong = || {
        StoreError::Failed(format!(
            "the counting script gave {} numbers",
            numbers.len()
        ))
    };
    let (first, identified) = numbers.split_first().ok_or_else(wrong)?;
    if identified.len() != batch.identities.len() {
        return Err(wrong());
    }
    let requests = of_kind(batch, IdentityKind::Request).count();
    let (requests, keys) = identified.split_at(requests);
    let (mut requests, mut keys) = (requests.iter(), keys.iter());
    let next = |identity: &Identity| match identity.kind {
        IdentityKind::Request => requests.next(),
        IdentityKind::Key => keys.next(),
    };
    let counted = |number: &i64| {
        (*number != 0).then_some(Counted {
            number: number.unsigned_abs(),
            replayed: *number < 0,
        })
    };
    Ok(BatchResult {
        first: first.unsigned_abs(),
        identified: batch
            .identities
            .iter()
            .map(next)
            .map(|number| number.and_then(counted))
            .collect(),
    })
}
