//! Counts in Redis. [`keys`] says which keys there are.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use deadpool_redis::Connection;
use futures_util::future::{join_all, try_join_all};
use lru::LruCache;
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    from_redis_value,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};

mod answer;
mod confirming;
mod keys;
mod listing;
mod probe;
mod reading;
mod recording;
mod room;
#[cfg(test)]
mod samples;
mod script;
mod sharing;

use self::room::Closed;
use self::{
    answer::{OTHER_MODE, OUTDATED, UNLISTED, interpret},
    script::Call,
};
pub use self::{keys::RecordKeys, script::SCRIPT};
use super::{BatchResult, Memory, Recording};
use crate::{
    auth::revocation::Known,
    counting::{Batch, CounterId, NotCounted, Outcome, carried::VisitorMode},
    storage::{
        RedisStore, StoreError, StoreHealth,
        redis::{Node, Place, REDIRECTIONS, moving, pause_before},
    },
};

/// Calls of the script for one batch at most: see [`RedisCounts::count_batch`].
const ROUNDS: usize = 4;

/// Counts in Redis, over one connection to each master that is held for good:
/// pipelining needs no second one, and a pool would ask it for a PING before
/// each use.
pub(super) struct RedisCounts {
    redis: RedisStore,
    memory: Memory,
    wait_replicas: u32,
    /// `None` where nothing is recorded.
    recording: Option<Recording>,
    /// Counters that may be recorded further than the servers of the held connections know, once
    /// that was asked.
    behind: Option<HashSet<CounterId>>,
    /// How visitors are stored, as far as it is known and not as for a new counter.
    modes: Mutex<LruCache<CounterId, VisitorMode>>,
    /// Each is opened once, whoever needs it first; one to a dead server keeps nobody else waiting.
    held: Mutex<Vec<(Node, Arc<OnceCell<Held>>)>>,
    /// [`StoreHealth::outages`](crate::storage::StoreHealth::outages) when they were opened.
    outages: u64,
    /// When it was last looked for when a full server gets room.
    looked: Option<std::time::Instant>,
    /// Whether the server has refused a call for several counters.
    apart: AtomicBool,
}

/// How a batch ended, and where.
type Ended = Result<(Node, Vec<Outcome>), StoreError>;

/// What bounds the counting of a batch, and who hears of what is refused.
#[derive(Clone, Copy)]
struct Limits<'a> {
    deadline: Instant,
    health: &'a StoreHealth,
}

/// A command, and the script that it needs.
#[derive(Clone, Copy)]
struct Sent<'a> {
    command: &'a Cmd,
    script: &'a str,
}

/// A connection, and since when it leads to the server as it is: one that has restarted, or another
/// that has taken its place, breaks it.
struct Held {
    connection: Connection,
    since: Instant,
}

impl Clone for RedisCounts {
    /// A clone opens connections of its own when it needs them.
    fn clone(&self) -> Self {
        let mut clone = Self::new(self.redis.clone(), self.memory, self.wait_replicas);
        clone.recording = self.recording.clone();
        clone
    }
}

impl RedisCounts {
    pub fn new(redis: RedisStore, memory: Memory, wait_replicas: u32) -> Self {
        Self {
            redis,
            memory,
            wait_replicas,
            recording: None,
            behind: None,
            // Not with its capacity, which would be allocated at once.
            modes: Mutex::new(LruCache::unbounded()),
            held: Mutex::default(),
            outages: 0,
            looked: None,
            apart: AtomicBool::new(false),
        }
    }

    pub async fn count(&mut self, batches: &[Batch], health: &StoreHealth) -> Vec<BatchResult> {
        let outages = health.outages();
        if self.outages != outages {
            self.disconnect();
            self.outages = outages;
        }
        let deadline = Instant::now() + self.redis.timeout();
        if self.may_be_behind() {
            // Apart: what is rare and large is not to be moved with every batch.
            Box::pin(self.catch_up(batches, deadline)).await;
        }
        // Sent at once, calls share one round trip: the connection pipelines them. One that
        // takes too long, on a server that hangs, does not take the others' numbers with it.
        let limits = Limits { deadline, health };
        let mut results = match self.may_share(batches) {
            true => self.count_shared(batches, limits).await,
            false => {
                let calls = batches.iter().map(|batch| self.count_alone(batch, limits));
                join_all(calls).await
            }
        };
        if self.wait_replicas > 0 {
            self.confirm(&mut results, deadline).await;
        }
        if let Some(recording) = &self.recording {
            for (batch, result) in batches.iter().zip(&results) {
                // Whatever became of it: an answer that did not come may be one of many visits.
                if !matches!(
                    result,
                    Err(StoreError::Unavailable(_) | StoreError::Refused(_))
                ) {
                    recording.undrained.note(&batch.counter);
                }
            }
        }
        results
            .into_iter()
            .map(|result| result.map(|(_, outcomes)| outcomes))
            .collect()
    }

    /// Gives the held connections up; the next batch opens others, where the
    /// masters are by then.
    pub fn disconnect(&mut self) {
        let held = std::mem::take(self.held.get_mut().unwrap_or_else(PoisonError::into_inner));
        for (_, cell) in held {
            // Nobody else has it: what used it has ended.
            let held = Arc::into_inner(cell).and_then(OnceCell::into_inner);
            held.map(|held| Connection::take(held.connection));
        }
        self.redis.forget_hash_slots();
        self.behind = None;
        *self.apart.get_mut() = false;
    }

    /// Gives the held connections up if one of them has died.
    pub async fn check_connection(&mut self, limit: Duration) {
        let ping = redis::cmd("PING");
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        let replies = held.iter().filter_map(|(_, cell)| {
            let mut connection = MultiplexedConnection::clone(&cell.get()?.connection);
            let ping = &ping;
            Some(async move {
                match ping.query_async::<()>(&mut connection).await {
                    // Who may not ask is answered all the same.
                    Err(error) if error.clone().into_server_errors().is_none() => Err(error),
                    _ => Ok(()),
                }
            })
        });
        if !matches!(
            tokio::time::timeout(limit, try_join_all(replies)).await,
            Ok(Ok(_))
        ) {
            self.disconnect();
        }
    }

    async fn count_alone(&self, batch: &Batch, limits: Limits<'_>) -> Ended {
        let counting = self.count_batch(batch, limits.health);
        let counting = timeout_at(limits.deadline, counting).await;
        counting.unwrap_or(Err(StoreError::Timeout))
    }

    /// The first call for a batch, on a server that is closed to so much.
    fn first_call<'a>(&'a self, batch: &'a Batch, closed: Closed) -> Call<'a> {
        let carries = batch.visits.iter().any(|visit| visit.carried.is_some());
        Call {
            batch,
            listed: false,
            waits: self.wait_replicas > 0,
            memory: &self.memory,
            closed,
            carried: carries.then(|| self.stored(batch, self.mode(&batch.counter))),
        }
    }

    async fn count_batch(&self, batch: &Batch, health: &StoreHealth) -> Ended {
        let key = keys::count(&batch.counter);
        let mut call = self.first_call(batch, self.closed(&key).await);
        // Each round but the last has learnt something, and counted nothing: that the counter is
        // new, and how its visitors are stored, which somebody may change meanwhile.
        for _ in 0..ROUNDS {
            let (node, numbers) = self.call(&key, &call, health).await?;
            match *numbers {
                [OUTDATED] => return Ok((node, outdated(batch))),
                [UNLISTED] => {
                    // As long as nothing is counted, nothing is unknown.
                    let listed = Box::pin(self.list_counter(&batch.counter)).await;
                    let listed = listed.map_err(StoreError::of_reading);
                    let subject = || listing::new_counters(batch.counter.company);
                    health.refusals.note(subject, &listed);
                    if !listed? {
                        let outcomes = vec![Err(NotCounted::CountersFull); batch.visits.len()];
                        return Ok((node, outcomes));
                    }
                    call.listed = true;
                }
                [OTHER_MODE, mode] => {
                    let mode = self.learn_mode(&batch.counter, mode)?;
                    call.carried = Some(self.stored(batch, mode));
                }
                ref numbers => return Ok((node, interpret(batch, numbers, call.closed)?)),
            }
        }
        let busy = "how its visitors are stored changes faster than it can be read";
        Err(StoreError::Unavailable(busy.to_owned()))
    }

    /// Calls the script, where this key is.
    async fn call(
        &self,
        key: &str,
        call: &Call<'_>,
        health: &StoreHealth,
    ) -> Result<(Node, Vec<i64>), StoreError> {
        let known = call.batch.known.as_ref();
        let sent = Sent {
            command: &call.command(),
            script: SCRIPT,
        };
        let result = self.send_if(key, sent, known).await;
        let result = result.map(|(node, numbers)| (node, numbers.unwrap_or(vec![OUTDATED])));
        let refusals = &health.refusals;
        refusals.note(|| call.batch.counter.to_string(), &result);
        result
    }

    /// Sends a command to the master that has the key, and says which that was.
    async fn send<T: FromRedisValue>(
        &self,
        key: &str,
        command: &Cmd,
    ) -> Result<(Node, T), StoreError> {
        let script = SCRIPT;
        let (node, value) = self.send_if(key, Sent { command, script }, None).await?;
        Ok((node, value.ok_or_else(moving)?))
    }

    /// The same, where what is known of revocations holds for the connection; else nothing is sent.
    /// It is sent again only where Redis says that it executed nothing: the script is not loaded, or
    /// the key is elsewhere.
    async fn send_if<T: FromRedisValue>(
        &self,
        key: &str,
        sent: Sent<'_>,
        known: Option<&Known>,
    ) -> Result<(Node, Option<T>), StoreError> {
        let mut place = self.redis.place(key).await?;
        let mut refused = moving();
        for attempt in 0..REDIRECTIONS {
            pause_before(attempt).await;
            let (mut connection, since) = self.connection(&place.node).await?;
            if known.is_some_and(|known| !known.holds_for(&place.node, since)) {
                return Ok((place.node, None));
            }
            let error = match send_to(&mut connection, &place, sent.command).await {
                Ok(value) => return Ok((place.node, Some(value))),
                Err(error) => error,
            };
            if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) {
                let loading = script::load(sent.script)
                    .query_async::<()>(&mut connection)
                    .await;
                loading.map_err(|error| StoreError::from(error).of_reading())?;
                refused = error.into();
            } else if let Some(next) = self.redis.redirection(key, &place, &error).await {
                place = next;
            } else {
                return Err(error.into());
            }
        }
        Err(refused)
    }

    async fn connection(
        &self,
        node: &Node,
    ) -> Result<(MultiplexedConnection, Instant), StoreError> {
        let cell = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            match held.iter().find(|(of, _)| of == node) {
                Some((_, cell)) => cell.clone(),
                None => {
                    let cell = Arc::default();
                    held.push((node.clone(), Arc::clone(&cell)));
                    cell
                }
            }
        };
        let open = async || {
            let connection = self.redis.counting_connection(node).await?;
            let since = Instant::now();
            Ok::<_, StoreError>(Held { connection, since })
        };
        let held = cell.get_or_try_init(open).await?;
        Ok(((*held.connection).clone(), held.since))
    }
}

fn outdated(batch: &Batch) -> Vec<Outcome> {
    vec![Err(NotCounted::Outdated); batch.visits.len()]
}

async fn send_to<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    place: &Place,
    command: &Cmd,
) -> Result<T, RedisError> {
    if !place.asking {
        let value = connection.req_packed_command(command).await?;
        // An error inside of an answer is not the answer.
        let value = match value {
            Value::ServerError(_) => value.extract_error()?,
            value => value,
        };
        return Ok(from_redis_value(value)?);
    }
    // The connection is shared, and ASKING holds for the next command alone.
    let mut both = redis::pipe();
    both.cmd("ASKING").ignore().add_command(command.clone());
    let (value,) = both.query_async(connection).await?;
    Ok(value)
}
