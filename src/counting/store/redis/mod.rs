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

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use deadpool_redis::Connection;
use futures_util::future::{join_all, join4, try_join_all};
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, Script, ServerErrorKind, aio::MultiplexedConnection,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};

mod reading;
mod room;

use self::room::Closed;
use super::{Batch, BatchResult, Memory};
use crate::{
    counting::{Counted, CounterName, Identity, identity::IdentityKind},
    storage::{
        RedisStore, StoreError, StoreHealth,
        redis::{Node, Place, REDIRECTIONS, SLOTS, moving, pause_before},
    },
};

/// The script that counts a batch.
pub const SCRIPT: &str = include_str!("count.lua");

static SCRIPT_SHA1: LazyLock<String> = LazyLock::new(|| Script::new(SCRIPT).get_hash().to_owned());

/// The script that puts a counter into the index.
const LIST_SCRIPT: &str = include_str!("list.lua");

/// A sorted set whose members all have score 0, and so are in the order of their bytes.
const INDEX_KEY: &str = "footfall:counters";

/// The window of a probe's identities. All that it has written expires within four of them.
const PROBE_WINDOW: Duration = Duration::from_millis(500);

/// What a store may refuse that refuses no counter it has listed.
const NEW_COUNTERS: &str = "new counters";

/// What the script answers for a counter that is not in the index yet.
const UNLISTED: i64 = -1;

/// Counts in Redis, over one connection to each master that is held for good:
/// pipelining needs no second one, and a pool would ask it for a PING before
/// each use.
pub(super) struct RedisCounts {
    redis: RedisStore,
    memory: Memory,
    wait_replicas: u32,
    /// Each is opened once, whoever needs it first; one to a dead server keeps nobody else waiting.
    held: Mutex<HashMap<Node, Arc<OnceCell<Connection>>>>,
    /// [`StoreHealth::outages`](crate::storage::StoreHealth::outages) when they were opened.
    outages: u64,
    /// When it was last looked for when a full server gets room.
    looked: Option<std::time::Instant>,
}

impl Clone for RedisCounts {
    /// A clone opens connections of its own when it needs them.
    fn clone(&self) -> Self {
        Self::new(self.redis.clone(), self.memory, self.wait_replicas)
    }
}

impl RedisCounts {
    pub fn new(redis: RedisStore, memory: Memory, wait_replicas: u32) -> Self {
        Self {
            redis,
            memory,
            wait_replicas,
            held: Mutex::default(),
            outages: 0,
            looked: None,
        }
    }

    pub async fn count(
        &mut self,
        batches: &[Batch],
        health: &StoreHealth,
    ) -> Vec<Result<Option<BatchResult>, StoreError>> {
        let outages = health.outages();
        if self.outages != outages {
            self.disconnect();
            self.outages = outages;
        }
        let deadline = Instant::now() + self.redis.timeout();
        // Sent at once, these calls share one round trip: the connection pipelines them. One that
        // takes too long, on a server that hangs, does not take the others' numbers with it.
        let calls = batches.iter().map(async |batch| {
            let counting = timeout_at(deadline, self.count_batch(batch, health)).await;
            counting.unwrap_or(Err(StoreError::Timeout))
        });
        let mut results = join_all(calls).await;
        if self.wait_replicas > 0 {
            self.confirm(&mut results, deadline).await;
        }
        results
            .into_iter()
            .map(|result| result.map(|(_, numbers)| numbers))
            .collect()
    }

    /// Gives the held connections up; the next batch opens others, where the
    /// masters are by then.
    pub fn disconnect(&mut self) {
        let held = std::mem::take(self.held.get_mut().unwrap_or_else(PoisonError::into_inner));
        for cell in held.into_values() {
            // Nobody else has it: what used it has ended.
            let connection = Arc::into_inner(cell).and_then(OnceCell::into_inner);
            connection.map(Connection::take);
        }
        self.redis.forget_slots();
    }

    /// Does all that counting does on each master, on connections of its own.
    /// What it writes expires.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let mut counts = self.clone();
        let slots = self.redis.slots().await?;
        let mut unseen: HashSet<&Node> = slots.masters().into_iter().collect();
        // Not used before: what an earlier probe has left would change what this one does.
        let nonce = uuid::Uuid::now_v7();
        let mut counters = Vec::new();
        for number in 0..SLOTS {
            let counter = CounterName::probe(nonce, number);
            if let Some(master) = slots.master(&count_key(&counter))
                && unseen.remove(master)
            {
                counters.push(counter);
            }
            if unseen.is_empty() {
                break;
            }
        }
        try_join_all(counters.iter().map(|counter| counts.probe_with(counter))).await?;
        counts.disconnect();
        Ok(())
    }

    /// Counts twice, each time with identities of both kinds. A window so much
    /// longer makes it time for other sets at the second count, as it is for a
    /// counter now and then.
    async fn probe_with(&self, counter: &CounterName) -> Result<(), StoreError> {
        let key = count_key(counter);
        let count = |visit: u8, listed| {
            let kinds = [IdentityKind::Request, IdentityKind::Key];
            let batch = Batch {
                anonymous: 1,
                identities: kinds.map(|kind| Identity::new(kind, "", &[visit])).into(),
                ..Batch::new(counter.clone())
            };
            let window = PROBE_WINDOW * u32::from(visit);
            let memory = Memory {
                requests: window,
                keys: window,
                ..self.memory
            };
            self.command(&batch, listed, &memory, Closed::default())
        };
        let (first, second) = (count(1, true), count(2, false));
        let expire = redis::cmd("PEXPIRE")
            .arg(&key)
            .arg(PROBE_WINDOW.as_millis() as u64)
            .take();
        // In this order, in one round trip: the connection pipelines them. Were the script loaded
        // only when it is missed, it would write after the expiry was set. Who may not load it
        // needs not, as long as it is there.
        let load = load_script();
        let (_, first, second, mut expired) = join4(
            self.send::<()>(&key, &load),
            self.send::<Vec<i64>>(&key, &first),
            self.send::<Vec<i64>>(&key, &second),
            self.send::<i64>(&key, &expire),
        )
        .await;
        if matches!(expired, Ok((_, 0))) {
            // There was nothing to expire: the counts have followed their slot to another node, and
            // came later.
            expired = self.send(&key, &expire).await;
        }
        let (node, _) = first?;
        second?;
        expired?;
        if self.wait_replicas > 0 {
            self.wait(&node).await?;
        }
        Ok(())
    }

    /// Gives the held connections up if one of them has died.
    pub async fn check_connection(&mut self, limit: Duration) {
        let ping = redis::cmd("PING");
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        let replies = held.values().filter_map(|cell| {
            let mut connection = MultiplexedConnection::clone(cell.get()?);
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

    async fn count_batch(
        &self,
        batch: &Batch,
        health: &StoreHealth,
    ) -> Result<(Node, Option<BatchResult>), StoreError> {
        let closed = self.closed(batch).await;
        let (mut node, mut numbers) = self.call(batch, false, closed, health).await?;
        if numbers == [UNLISTED] {
            // As long as nothing is counted, nothing is unknown.
            let listed = self.list_counter(&batch.counter).await;
            let listed = listed.map_err(StoreError::of_reading);
            health.refusals.note(|| NEW_COUNTERS.to_owned(), &listed);
            if !listed? {
                return Ok((node, None));
            }
            (node, numbers) = self.call(batch, true, closed, health).await?;
        }
        Ok((node, Some(interpret(batch, &numbers, closed)?)))
    }

    fn command(&self, batch: &Batch, listed: bool, memory: &Memory, closed: Closed) -> Cmd {
        let name = &batch.counter;
        let mut call = redis::cmd("EVALSHA");
        call.arg(SCRIPT_SHA1.as_str())
            .arg(5)
            .arg(count_key(name))
            .arg(format!("footfall:{{{name}}}:requests"))
            .arg(format!("footfall:{{{name}}}:requests:previous"))
            .arg(format!("footfall:{{{name}}}:keys"))
            .arg(format!("footfall:{{{name}}}:keys:previous"))
            .arg(batch.anonymous)
            .arg(u8::from(listed))
            .arg(u8::from(self.wait_replicas > 0));
        for kind in [IdentityKind::Request, IdentityKind::Key] {
            let packed: Vec<u8> = of_kind(batch, kind)
                .flat_map(|identity| identity.digest)
                .collect();
            let limit = match closed.to(kind) {
                None => memory.identities,
                Some(_) => 0,
            };
            call.arg(memory.window(kind).as_millis() as u64)
                .arg(limit)
                .arg(packed);
        }
        call
    }

    /// Puts a counter into the index; says whether there was room. The index may
    /// be on another server than the counter, so it has replicas of its own.
    async fn list_counter(&self, counter: &CounterName) -> Result<bool, StoreError> {
        // With its text: a counter that is listed is never listed again.
        let list = redis::cmd("EVAL")
            .arg(LIST_SCRIPT)
            .arg(1)
            .arg(INDEX_KEY)
            .arg(counter.as_str())
            .arg(self.memory.counters_before(counter))
            .take();
        let (node, listed) = self.send(INDEX_KEY, &list).await?;
        if listed && self.wait_replicas > 0 {
            self.wait(&node).await?;
        }
        Ok(listed)
    }

    /// Calls the script.
    async fn call(
        &self,
        batch: &Batch,
        listed: bool,
        closed: Closed,
        health: &StoreHealth,
    ) -> Result<(Node, Vec<i64>), StoreError> {
        let call = self.command(batch, listed, &self.memory, closed);
        let result = self.send(&count_key(&batch.counter), &call).await;
        health.refusals.note(|| batch.counter.to_string(), &result);
        result
    }

    /// Sends a command to the master that has the key, and says which that
    /// was. It is sent again only where Redis says that it executed nothing: the
    /// script is not loaded, or the key is elsewhere.
    async fn send<T: FromRedisValue>(
        &self,
        key: &str,
        command: &Cmd,
    ) -> Result<(Node, T), StoreError> {
        let mut place = self.redis.place(key).await?;
        let mut refused = moving();
        for attempt in 0..REDIRECTIONS {
            pause_before(attempt).await;
            let mut connection = self.connection(&place.node).await?;
            let error = match send_to(&mut connection, &place, command).await {
                Ok(value) => return Ok((place.node, value)),
                Err(error) => error,
            };
            if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) {
                let loading = load_script().query_async::<()>(&mut connection).await;
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

    async fn connection(&self, node: &Node) -> Result<MultiplexedConnection, StoreError> {
        let cell = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            match held.get(node) {
                Some(cell) => cell.clone(),
                None => held.entry(node.clone()).or_default().clone(),
            }
        };
        let open = || self.redis.counting_connection(node);
        Ok((**cell.get_or_try_init(open).await?).clone())
    }

    /// Waits until enough replicas have what was counted, and what was counted
    /// by another and is replayed here. What was refused is on none of them.
    async fn confirm(
        &self,
        results: &mut [Result<(Node, Option<BatchResult>), StoreError>],
        deadline: Instant,
    ) {
        let nodes: HashSet<Node> = results
            .iter()
            .flatten()
            .filter(|(_, numbers)| numbers.is_some())
            .map(|(node, _)| node.clone())
            .collect();
        let waits = nodes.into_iter().map(async |node| {
            let waiting = timeout_at(deadline, self.wait(&node)).await;
            (node, waiting.unwrap_or(Err(StoreError::Timeout)))
        });
        for (node, confirmed) in join_all(waits).await {
            let Err(error) = confirmed else { continue };
            // It was counted, whatever WAIT says.
            let unconfirmed = if error.outcome_is_unknown() {
                error
            } else {
                StoreError::Unconfirmed(error.to_string())
            };
            for result in results.iter_mut() {
                if matches!(result, Ok((counted_by, Some(_))) if *counted_by == node) {
                    *result = Err(unconfirmed.clone());
                }
            }
        }
    }

    async fn wait(&self, node: &Node) -> Result<(), StoreError> {
        // Shorter than the whole operation may take, so that it is known how many there were.
        let limit = self.redis.timeout() * 3 / 4;
        let wait = redis::cmd("WAIT")
            .arg(self.wait_replicas)
            .arg(limit.as_millis() as u64)
            .take();
        let mut connection = self.connection(node).await?;
        let confirmed: u32 = wait.query_async(&mut connection).await?;
        if confirmed < self.wait_replicas {
            return Err(StoreError::Unconfirmed(format!(
                "{confirmed} of {} replicas answered in time",
                self.wait_replicas
            )));
        }
        Ok(())
    }
}

fn load_script() -> Cmd {
    redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).take()
}

async fn send_to<T: FromRedisValue>(
    connection: &mut MultiplexedConnection,
    place: &Place,
    command: &Cmd,
) -> Result<T, RedisError> {
    if !place.asking {
        return command.query_async(connection).await;
    }
    // The connection is shared, and ASKING holds for the next command alone.
    let mut both = redis::pipe();
    both.cmd("ASKING").ignore().add_command(command.clone());
    let (value,) = both.query_async(connection).await?;
    Ok(value)
}

fn count_key(counter: &CounterName) -> String {
    format!("footfall:{{{counter}}}:count")
}

fn of_kind(batch: &Batch, kind: IdentityKind) -> impl Iterator<Item = &Identity> {
    batch
        .identities
        .iter()
        .filter(move |identity| identity.kind == kind)
}

/// Brings the script's answer, which is sorted by kind, into the order of the batch.
fn interpret(batch: &Batch, numbers: &[i64], closed: Closed) -> Result<BatchResult, StoreError> {
    let wrong = || {
        StoreError::Failed(format!(
            "the counting script gave {} numbers",
            numbers.len()
        ))
    };
    let (first, rest) = numbers.split_first().ok_or_else(wrong)?;
    let identities = batch.identities.len();
    let (identified, waits) = rest.split_at_checked(identities).ok_or_else(wrong)?;
    let waits = match waits {
        [] => [0; 2],
        [requests, keys] => [*requests, *keys],
        _ => return Err(wrong()),
    };
    let requests = of_kind(batch, IdentityKind::Request).count();
    let (requests, keys) = identified.split_at(requests);
    let (mut requests, mut keys) = (requests.iter(), keys.iter());
    let counted = |identity: &Identity| {
        let number = match identity.kind {
            IdentityKind::Request => requests.next(),
            IdentityKind::Key => keys.next(),
        };
        match *number? {
            0 => {
                // Of the counter's own sets one may not even exist.
                let wait = waits[identity.kind as usize].max(0).unsigned_abs();
                let of_server = closed.to(identity.kind);
                Some(Err(of_server.unwrap_or(Duration::from_millis(wait))))
            }
            number => Some(Ok(Counted {
                number: number.unsigned_abs(),
                replayed: number < 0,
            })),
        }
    };
    Ok(BatchResult {
        first: first.unsigned_abs(),
        identified: batch.identities.iter().filter_map(counted).collect(),
    })
}
