//! How much of Redis' memory identities may take, all counters of a server together.
//!
//! A full Redis refuses every visit, so identities leave room: keys, which are remembered for a
//! day or two, more than a proxy's request ids, which are forgotten within minutes. No script can
//! add up what all counters remember (in a cluster they are on many servers), so each process asks
//! each server once a second how full it is, and closes it to new identities of a kind above that
//! kind's share. What is remembered is still found.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;

use super::RedisCounts;
use crate::{
    config::IDEMPOTENCY_WINDOW,
    counting::identity::IdentityKind,
    storage::{
        StoreError,
        redis::{Fill, Node},
    },
};

/// Hundredths of `maxmemory` in use up to which new keys are remembered. A set that grows gets a
/// larger table at once, before the old one is given back: a fifth more for what it holds. With
/// that, and with what comes within a second, request ids still have room.
const KEYS_PERCENT: u64 = 70;

/// The same for request ids. What is above is for visits without identity and for new counters.
const REQUESTS_PERCENT: u64 = 90;

/// The same for what visits carry: all of it waits in memory while the database is away.
const CARRIED_PERCENT: u64 = 70;

/// The same for the record of visits that carry nothing. Above, counting goes on without it.
const RECORD_PERCENT: u64 = 85;

/// What an identity takes at least, in bytes (`bench/identities.sh`).
const IDENTITY_BYTES: u64 = 64;

/// The longest it is looked for when a full server gets room.
const LOOKING_LIMIT: Duration = Duration::from_millis(300);

/// The least pause between two such searches, since each goes through the names of many keys.
const LOOKING_INTERVAL: Duration = Duration::from_secs(10);

/// Names of keys asked for at a time: Redis answers nobody else meanwhile.
const NAMES: usize = 500;

/// A set of identities: how long it still lives, and how many there are in it.
type Set = (Duration, u64);

/// For how long a server is closed to new identities, by kind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Closed {
    requests: Option<Duration>,
    keys: Option<Duration>,
    /// To what is recorded.
    pub record: ClosedRecord,
}

/// What is not recorded any more, as the script knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ClosedRecord {
    /// All is recorded.
    #[default]
    Open = 0,
    /// Visits that carry something are refused.
    Carried = 1,
    /// And others are counted without a record.
    All = 2,
}

impl Closed {
    fn new(fill: Fill, requests_window: Duration) -> Self {
        // With nothing left nobody has room. That is found by writing, and the store is away then.
        // Behind a proxy each visit has an identity: were it closed to all of them, none would write.
        let closed = |percent| fill.used < fill.limit && fill.above(percent) > 0;
        let relief = fill.relief.map_or(IDEMPOTENCY_WINDOW, |relief| {
            relief.saturating_duration_since(Instant::now())
        });
        Self {
            // A set of them expires in each window.
            requests: closed(REQUESTS_PERCENT).then_some(requests_window),
            keys: closed(KEYS_PERCENT).then_some(relief),
            record: match () {
                () if fill.above(RECORD_PERCENT) > 0 => ClosedRecord::All,
                () if fill.above(CARRIED_PERCENT) > 0 => ClosedRecord::Carried,
                () => ClosedRecord::Open,
            },
        }
    }

    /// For how long, if it is closed to this kind.
    pub fn to(self, kind: IdentityKind) -> Option<Duration> {
        match kind {
            IdentityKind::Request => self.requests,
            IdentityKind::Key => self.keys,
        }
    }
}

impl RedisCounts {
    /// What the server that has this key is closed to.
    pub(super) async fn closed(&self, key: &str) -> Closed {
        // With room everywhere, which is nearly always, this is all that a visit pays.
        if !self.redis.any_full() {
            return Closed::default();
        }
        let place = self.redis.place(key).await;
        let fill = place.ok().and_then(|place| self.redis.fill(&place.node));
        fill.map(|fill| Closed::new(fill, self.memory.requests))
            .unwrap_or_default()
    }

    /// Asks each master how full it is. Where that is forbidden, and where there is no `maxmemory`, each
    /// counter's own limit is the only bound; `footfall doctor` says so.
    pub async fn look_at_memory(&mut self) {
        let Ok(hash_slots) = self.redis.hash_slots().await else {
            return;
        };
        let mut full = HashMap::new();
        for node in hash_slots.masters() {
            let asking = tokio::time::timeout(self.redis.timeout(), self.redis.ask_fill(node));
            let before = self.redis.fill(node);
            let answer = asking.await.unwrap_or(Err(StoreError::Timeout));
            let Some(mut fill) = too_full(before, answer) else {
                if before.is_some() {
                    tracing::info!(server = %node, "Redis has room for more Idempotency-Keys again");
                }
                continue;
            };
            if before.is_none() {
                tracing::warn!(
                    server = %node,
                    used = fill.used,
                    maxmemory = fill.limit,
                    "Redis is too full for more Idempotency-Keys; visits with new ones are answered 503"
                );
            }
            fill.relief = before.and_then(|before| before.relief);
            if fill.relief.is_none_or(|relief| relief <= Instant::now()) && self.may_look_again() {
                fill.relief = self.find_relief(node, &fill).await;
            }
            full.insert(node.clone(), fill);
        }
        self.redis.note_full(full);
    }

    fn may_look_again(&mut self) -> bool {
        let now = Instant::now();
        let may = self
            .looked
            .is_none_or(|looked| now >= looked + LOOKING_INTERVAL);
        if may {
            self.looked = Some(now);
        }
        may
    }

    /// When enough expires on a server, if it can be found out.
    async fn find_relief(&self, node: &Node, fill: &Fill) -> Option<Instant> {
        let now = Instant::now();
        let mut sets = Vec::new();
        let looking = find_sets(self, node, &mut sets);
        // What was found by then has been chosen by chance.
        let _ = tokio::time::timeout(LOOKING_LIMIT, looking).await;
        Some(now + relief(sets, fill.above(KEYS_PERCENT))?)
    }
}

/// How full a server is, if that matters, by what was known and by what it answers now.
fn too_full(before: Option<Fill>, answer: Result<Option<Fill>, StoreError>) -> Option<Fill> {
    match answer {
        Ok(fill) => fill.filter(|fill| fill.above(KEYS_PERCENT) > 0),
        // Who may not ask any more would never hear of room.
        Err(error) if error.is_denied() => None,
        // That it does not answer gives it no room.
        Err(_) => before,
    }
}

/// Collects the sets of keys of a server.
async fn find_sets(
    counts: &RedisCounts,
    node: &Node,
    sets: &mut Vec<Set>,
) -> Result<(), StoreError> {
    let mut connection = MultiplexedConnection::clone(&*counts.redis.connection(node).await?);
    let mut cursor = 0_u64;
    loop {
        let (next, names): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg("footfall:{*}:keys*")
            .arg("COUNT")
            .arg(NAMES)
            .query_async(&mut connection)
            .await?;
        if !names.is_empty() {
            let mut questions = redis::pipe();
            for name in &names {
                questions.pttl(name).hlen(name);
            }
            let answers: Vec<i64> = questions.query_async(&mut connection).await?;
            sets.extend(answers.chunks_exact(2).filter_map(|answer| {
                // Negative, if it has expired by now.
                let lives = Duration::from_millis(answer[0].try_into().ok()?);
                Some((lives, answer[1].try_into().ok()?))
            }));
        }
        cursor = next;
        if cursor == 0 {
            return Ok(());
        }
    }
}

/// How long it is until so many bytes of what these sets hold have expired, and a hundredth of it
/// at least; `None` if they hold nothing.
fn relief(mut sets: Vec<Set>, bytes: u64) -> Option<Duration> {
    sets.sort_unstable();
    let all: u64 = sets.iter().map(|(_, identities)| identities).sum();
    let wanted = (bytes / IDENTITY_BYTES).max(all / 100).min(all);
    let mut expired = 0;
    let enough = sets.iter().find(|(_, identities)| {
        expired += identities;
        expired >= wanted
    });
    enough.map(|(lives, _)| *lives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_relief_when_enough_has_expired() {
        let set = |seconds, identities| (Duration::from_secs(seconds), identities);
        let sets = || vec![set(30, 5000), set(10, 1), set(20, 2000), set(40, 3000)];
        for (bytes, seconds) in [
            // A few identities of yesterday are no relief.
            (0, 20),
            (2001 * IDENTITY_BYTES, 20),
            (2002 * IDENTITY_BYTES, 30),
            (8000 * IDENTITY_BYTES, 40),
            // Others than identities take the memory: what identities can give is all there is.
            (1_000_000 * IDENTITY_BYTES, 40),
        ] {
            assert_eq!(
                relief(sets(), bytes),
                Some(Duration::from_secs(seconds)),
                "{bytes}"
            );
        }
        assert_eq!(relief(Vec::new(), 1), None);
    }

    #[test]
    fn only_an_answer_says_that_there_is_room() {
        let used = |used| {
            Some(Fill {
                used,
                limit: 100,
                relief: None,
            })
        };
        let denied = || Err(StoreError::Refused("NOPERM".to_owned()));
        for (answer, known) in [
            (Ok(used(80)), used(80)),
            (Ok(used(70)), None),
            (Ok(None), None),
            (Err(StoreError::Timeout), used(90)),
            (Err(StoreError::Refused("LOADING".to_owned())), used(90)),
            (denied(), None),
        ] {
            assert_eq!(too_full(used(90), answer), known);
        }
        assert_eq!(too_full(None, Err(StoreError::Timeout)), None);
    }

    #[test]
    fn each_kind_is_closed_above_its_share() {
        let window = Duration::from_secs(60);
        use ClosedRecord::{All, Carried, Open};
        for (used, requests, keys, record) in [
            (70, false, false, Open),
            (71, false, true, Carried),
            (85, false, true, Carried),
            (86, false, true, All),
            (90, false, true, All),
            (91, true, true, All),
            (100, false, false, All),
            (150, false, false, All),
        ] {
            let fill = Fill {
                used: used << 20,
                limit: 100 << 20,
                relief: None,
            };
            let closed = Closed::new(fill, window);
            let open = (
                closed.to(IdentityKind::Request),
                closed.to(IdentityKind::Key),
            );
            assert_eq!(
                (open.0.is_some(), open.1.is_some(), closed.record),
                (requests, keys, record),
                "{used}"
            );
        }
    }
}
