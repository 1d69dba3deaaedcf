//! Revocations in Redis: what all replicas compare with, and what they read.
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `footfall:revocations` | sorted set | what was revoked, in the order of its epochs; expires by itself |
//! | `footfall:epoch:{footfall:revocations}` | string | the epoch of the last one; expires with it |
//!
//! The braces put both into one slot of a cluster: what is in them is the whole first key. The
//! truth is the database's: what a Redis loses is published again.

use futures_util::future::try_join_all;
use redis::Cmd;
use uuid::Uuid;

use super::entry::Entry;
use crate::storage::{RedisStore, StoreError, redis::Node, sql::sqlite::unix_millis};

const HISTORY: &str = "footfall:revocations";

/// The key of the epoch.
pub const EPOCH: &str = "footfall:epoch:{footfall:revocations}";

const PUBLISH: &str = include_str!("publish.lua");
const CHANGES: &str = include_str!("changes.lua");

/// Entries that are read at once: Redis runs nothing else meanwhile.
const PAGE: usize = 1000;

/// Entries that are published at once: Lua's `unpack` ends at some thousand values.
const PUBLISHED_AT_ONCE: usize = 1000;

/// What the script answers for the epoch that was known, and for everything.
const SAME: i64 = 0;
const EVERYTHING: i64 = 2;

/// What was read.
#[derive(Debug)]
pub struct Changes {
    /// The epoch by then.
    pub epoch: String,
    /// Who was asked.
    pub from: Node,
    /// Whether it is the epoch that was known.
    pub is_same: bool,
    /// Whether it is all there is, since the known epoch is not in the history.
    pub is_everything: bool,
    /// What there is.
    pub entries: Vec<Entry>,
}

/// Publishes whatever the epoch is.
pub const ANY: &str = "*";

/// An epoch that no store has: all there is came after it.
pub const NONE: &str = "?";

/// What was revoked after an epoch.
pub async fn changes(redis: &RedisStore, known: &str) -> Result<Changes, StoreError> {
    let (mut after, mut entries, mut first_kind) = (String::new(), Vec::new(), None);
    loop {
        let mut call = redis::pipe();
        call.cmd("EVAL").arg(CHANGES).arg(2).arg(HISTORY).arg(EPOCH);
        call.arg(known).arg(&after).arg(PAGE);
        let (from, ((epoch, kind, page),)): (Node, ((String, i64, Vec<String>),)) =
            redis.query_at(EPOCH, &call).await?;
        let kind = *first_kind.get_or_insert(kind);
        // What is none of ours, or of a newer version, ends nothing that this one knows of.
        let payload = |member: &String| Entry::parse(member.split_once('|')?.1);
        entries.extend(page.iter().filter_map(payload));
        match page.last() {
            Some(last) if page.len() == PAGE => after.clone_from(last),
            _ => {
                return Ok(Changes {
                    epoch,
                    from,
                    is_same: kind == SAME,
                    is_everything: kind == EVERYTHING,
                    entries,
                });
            }
        }
    }
}

/// The epoch alone.
pub async fn epoch(redis: &RedisStore) -> Result<String, StoreError> {
    let mut read = redis::pipe();
    read.get(EPOCH);
    let (epoch,): (Option<String>,) = redis.query(EPOCH, &read).await?;
    Ok(epoch.unwrap_or_default())
}

/// Publishes entries where the epoch is this one, and waits for so many replicas; on which server that
/// was, `None` if it has another epoch. Without entries only what has ended is removed.
pub async fn publish(
    redis: &RedisStore,
    expected: &str,
    entries: &[Entry],
    wait_replicas: u32,
) -> Result<Option<Node>, StoreError> {
    let (mut expected, mut all_on) = (expected.to_owned(), None);
    // Once for no entries.
    let rest = entries.chunks(PUBLISHED_AT_ONCE);
    let all = rest.chain(entries.is_empty().then_some(entries));
    for some in all {
        let (node, epoch) = publish_some(redis, &expected, some, wait_replicas).await?;
        let Some(epoch) = epoch else {
            return Ok(None);
        };
        if expected != ANY {
            expected = epoch;
        }
        if all_on.replace(node.clone()).is_some_and(|on| on != node) {
            let moved = "the master was replaced while revocations were published";
            return Err(StoreError::Unavailable(moved.to_owned()));
        }
    }
    Ok(all_on)
}

/// Publishes entries on all masters but this one, whatever their epoch is. No replica is waited for:
/// what one of them loses is looked for in the database.
pub async fn publish_on_others(
    redis: &RedisStore,
    than: &Node,
    entries: &[Entry],
) -> Result<(), StoreError> {
    let masters = redis.other_masters(than).await?;
    let publishing = masters.into_iter().map(async |mut master| {
        for some in entries.chunks(PUBLISHED_AT_ONCE) {
            let (command, _) = publishing(ANY, some);
            command.query_async::<()>(&mut master).await?;
        }
        Ok::<_, StoreError>(())
    });
    try_join_all(publishing).await?;
    Ok(())
}

/// The call of the script, and for how many milliseconds what it writes is kept.
fn publishing(expected: &str, entries: &[Entry]) -> (Cmd, i64) {
    let now = unix_millis();
    let life = entries.iter().map(|entry| entry.until - now).max();
    let life = life.unwrap_or_default().max(1);
    let mut publish = redis::cmd("EVAL");
    publish.arg(PUBLISH).arg(2).arg(HISTORY).arg(EPOCH);
    publish
        .arg(expected)
        .arg(Uuid::now_v7().simple().to_string())
        .arg(now)
        .arg(life);
    for entry in entries {
        publish.arg(entry.to_string());
    }
    (publish, life)
}

async fn publish_some(
    redis: &RedisStore,
    expected: &str,
    entries: &[Entry],
    wait_replicas: u32,
) -> Result<(Node, Option<String>), StoreError> {
    let (publish, life) = publishing(expected, entries);
    let mut call = redis::pipe();
    call.add_command(publish);
    if wait_replicas == 0 || entries.is_empty() {
        let (node, (epoch,)): (Node, (Option<String>,)) = redis.query_at(EPOCH, &call).await?;
        if epoch.is_some() && !entries.is_empty() {
            wait_for_one(redis, life).await;
        }
        return Ok((node, epoch));
    }
    call.add_command(wait(redis, wait_replicas));
    let (node, (epoch, replicas)): (Node, (Option<String>, u32)) =
        redis.query_at(EPOCH, &call).await?;
    if epoch.is_some() && replicas < wait_replicas {
        return Err(StoreError::Unconfirmed(format!(
            "{replicas} of {wait_replicas} replicas answered in time"
        )));
    }
    Ok((node, epoch))
}

fn wait(redis: &RedisStore, replicas: u32) -> Cmd {
    // Shorter than the whole operation may take, so that it is known how many there were.
    let limit = redis.timeout() / 2;
    redis::cmd("WAIT")
        .arg(replicas)
        .arg(limit.as_millis() as u64)
        .take()
}

/// Where replicas follow, one of them should have it: the next master is likely to be the one that
/// is furthest. Nobody asked for it, so nothing depends on it.
async fn wait_for_one(redis: &RedisStore, life: i64) {
    let mut question = redis::pipe();
    // Without any, waiting for one would take until the time is over.
    question.cmd("WAIT").arg(0).arg(1);
    let following: Result<(u32,), _> = redis.query(EPOCH, &question).await;
    if !matches!(following, Ok((1..,))) {
        return;
    }
    let mut call = redis::pipe();
    // WAIT waits for what its own connection has written, which may be another one.
    call.pexpire(EPOCH, life).ignore();
    call.add_command(wait(redis, 1));
    let waited: Result<(u32,), _> = redis.query(EPOCH, &call).await;
    tracing::debug!(?waited, "a revocation was sent to replicas");
}
