//! Where counts are kept: one seam, two stores.
//!
//! Counting and remembering identities are one atomic step in both. What is kept of a company is
//! apart from all others': counts, identities, the list of its counters, and how many there may be.

use std::{
    collections::HashMap,
    sync::{Arc, Once},
    time::{Duration, Instant},
};

use tokio::sync::watch;

mod monitor;
mod recorded;
mod recorder;
mod redis;
mod sqlite;
mod undrained;

pub use self::{
    monitor::monitor,
    recorded::Recorded,
    recorder::{Numbered, Recorder},
    redis::{RecordKeys, SCRIPT},
    undrained::Undrained,
};

use self::{redis::RedisCounts, sqlite::SqliteCounts};
use super::{
    Batch, Company, CounterId, CounterName, DEFAULT_COUNTER, Outcome, Page, carried::Visitors,
    identity::IdentityKind,
};
use crate::{
    config::{IDEMPOTENCY_WINDOW, StoreSettings},
    storage::{Backend, Operation, Store, StoreError, StoreHealth},
};

/// How a batch ended: one outcome per visit, in their order.
pub type BatchResult = Result<Vec<Outcome>, StoreError>;

/// What a store may refuse that is no counter: no counter can have this name.
const READING: &str = "reading counters";

/// The part of a probe that only reads. Each step has the time limit for itself,
/// as a count has: together they are more round trips than one, and a slow store
/// would never be found to be back.
async fn read(store: &Store, up: bool, suspected: bool) -> Result<(), StoreError> {
    store.run(Operation::Ping, store.follow()).await?;
    let checked = store.run(Operation::Ping, store.check()).await;
    let refusals = &store.health.refusals;
    refusals.note(|| READING.to_owned(), &checked);
    if up && checked.as_ref().is_err_and(StoreError::is_denied) {
        if !suspected {
            store.health.suspect();
        }
        // Its data was found to be for this version before, and counting needs no reading. What
        // may be read and is no layout is another matter: a newer version may have put it there.
        return Ok(());
    }
    checked
}

/// How long identities are remembered, by kind, and how much is kept at most.
#[derive(Debug, Clone, Copy)]
struct Memory {
    requests: Duration,
    keys: Duration,
    /// Per counter and kind. What all counters may have together is bounded by the store's own
    /// room: Redis' memory, the disk.
    identities: u64,
    /// Per company.
    counters: u32,
    /// Whether a counter that Redis knows nothing of is recorded.
    records: bool,
    /// Visits of a counter that may wait to be recorded, before those that carry something are
    /// refused. With twice as many its recording stops.
    backlog: u64,
}

impl Memory {
    fn window(&self, kind: IdentityKind) -> Duration {
        match kind {
            IdentityKind::Request => self.requests,
            IdentityKind::Key => self.keys,
        }
    }

    /// How many counters its company may have before this one. Whatever names others
    /// make up, there is room for the default counter.
    fn counters_before(&self, counter: &CounterId) -> u32 {
        match counter.name.as_str() {
            DEFAULT_COUNTER => u32::MAX,
            _ => self.counters,
        }
    }
}

/// The name of a counter as a store has it. Somebody else may have written there: what
/// is no name is left out of lists, and that is said once, not at each list.
fn readable_name(stored: &[u8]) -> Option<CounterName> {
    static SAID: Once = Once::new();
    let text = std::str::from_utf8(stored).unwrap_or_default();
    let name = text.parse().ok();
    if name.is_none() {
        SAID.call_once(|| {
            let entry = stored.escape_ascii().to_string();
            tracing::warn!(
                entry,
                "the store lists something that is no counter's name; this, and others like it, are left out of GET /api/counters"
            );
        });
    }
    name
}

/// What a store needs to record visits.
#[derive(Clone)]
pub struct Recording {
    /// What is stored of who came.
    pub visitors: Visitors,
    /// Who is told what there is to record.
    pub undrained: Arc<Undrained>,
    /// What says what is recorded.
    pub recorded: Option<Arc<dyn Recorded>>,
    /// What records visits as they are counted, where the store has the record as well.
    pub recorder: Option<Arc<dyn Recorder>>,
}

#[derive(Clone)]
enum Counts {
    Redis(Box<RedisCounts>),
    Sqlite(SqliteCounts),
}

/// The store of the counters, as one worker thread uses it.
#[derive(Clone)]
pub struct CounterStore {
    store: Store,
    counts: Counts,
}

impl CounterStore {
    /// Keeps counts in `store`.
    pub fn new(store: Store, settings: &StoreSettings) -> Self {
        let memory = Memory {
            records: false,
            backlog: settings.record_backlog,
            requests: settings.dedup_window,
            keys: IDEMPOTENCY_WINDOW,
            identities: settings.dedup_limit,
            counters: settings.counter_limit,
        };
        let counts = match &store.backend {
            Backend::Redis(redis) => {
                let counts = RedisCounts::new(redis.clone(), memory, settings.wait_replicas);
                Counts::Redis(Box::new(counts))
            }
            Backend::Sqlite(sqlite) => Counts::Sqlite(SqliteCounts::new(sqlite.clone(), memory)),
        };
        Self { store, counts }
    }

    /// Has visits recorded: there is a database for them.
    #[must_use]
    pub fn recording(mut self, recording: Recording) -> Self {
        match &mut self.counts {
            Counts::Redis(redis) => redis.record(recording),
            Counts::Sqlite(sqlite) => sqlite.record(recording),
        }
        self
    }

    /// The longest an operation takes.
    pub fn timeout(&self) -> Duration {
        self.store.timeout
    }

    /// Whether the store can be reached.
    pub fn health(&self) -> &Arc<StoreHealth> {
        &self.store.health
    }

    /// Counts batches, each of another counter: one result per batch. A counter that the store
    /// refuses does not take the others along.
    pub async fn count(&mut self, batches: &[Batch]) -> Vec<BatchResult> {
        let (store, started) = (&self.store, Instant::now());
        let results = match &mut self.counts {
            Counts::Redis(redis) => redis.count(batches, &store.health).await,
            Counts::Sqlite(sqlite) => sqlite.count(batches, store.timeout, &store.health).await,
        };
        let failures = || results.iter().filter_map(|result| result.as_ref().err());
        if failures().any(StoreError::may_concern_all) {
            store.health.suspect();
        }
        if let Counts::Redis(redis) = &mut self.counts
            && failures().any(|error| !matches!(error, StoreError::Refused(_)))
        {
            // After a timeout replies may still be on their way; a new connection has none.
            redis.disconnect();
        }
        self.store.observe_count(started, &results);
        results
    }

    /// Counts batches of the past, each at its time (Unix milliseconds), in one transaction of the embedded store.
    ///
    /// # Errors
    ///
    /// If they are not counted, which Redis does not do.
    pub async fn count_past(&self, batches: &[(i64, Batch)]) -> Result<(), StoreError> {
        match &self.counts {
            Counts::Sqlite(sqlite) => sqlite.count_past(batches).await,
            Counts::Redis(_) => Err(StoreError::Refused("Redis counts now".to_owned())),
        }
    }

    /// Asks the store whether visits can be counted, and notes the answer. One
    /// that is up is only read from, unless it has refused something; one that
    /// is not must do all that counting does to be up again: a full disk still
    /// answers reads.
    ///
    /// # Errors
    ///
    /// If they cannot.
    pub async fn probe(&mut self) -> Result<(), StoreError> {
        let (store, counts) = (&self.store, &mut self.counts);
        let (health, outages) = (&store.health, store.health.outages());
        let (up, suspected) = (health.ready().is_ok(), health.take_suspicion());
        if suspected {
            health.refusals.asking();
        }
        let mut result = read(store, up, suspected).await;
        if let (Counts::Redis(redis), Ok(())) = (&mut *counts, &result) {
            redis.look_at_memory().await;
        }
        if (suspected || !up) && result.is_ok() {
            let work = async {
                match counts {
                    Counts::Redis(redis) => redis.probe().await,
                    Counts::Sqlite(sqlite) => sqlite.probe().await,
                }
            };
            result = store.run(Operation::Ping, work).await;
        }
        if let (Counts::Sqlite(sqlite), Ok(())) = (&*counts, &result)
            && (suspected || !up || !matches!(health.record(), Some(Ok(()))))
            && let Ok(Some(probed)) = store.run(Operation::Ping, sqlite.probe_record()).await
        {
            health.note_record(probed);
        }
        match &result {
            // If a count has failed since the question was put, the answer is an old one.
            Ok(()) if up => health.mark_up_since(outages),
            Ok(()) => health.mark_up(),
            // Others are reading: that is no sign of its absence.
            Err(StoreError::Busy) => {}
            Err(error) => health.mark_away(error),
        }
        match &result {
            Ok(()) => health.refusals.alone(),
            Err(StoreError::Busy) if suspected => health.suspect(),
            Err(StoreError::Busy) => {}
            Err(_) => health.refusals.forget(),
        }
        result
    }

    /// How far away the store is; `None` if it is on this machine.
    pub fn distance(&self) -> Option<watch::Receiver<Option<Duration>>> {
        let distance = self.store.distance.as_ref()?;
        Some(distance.watch())
    }

    /// To be called now and then while there is nothing to count: notices a
    /// connection that has died, so that no visit has to.
    pub async fn check_connection(&mut self) {
        if let Counts::Redis(redis) = &mut self.counts {
            redis.check_connection(self.store.timeout).await;
        }
    }

    /// The visits of one counter.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn get(&self, counter: &CounterId) -> Result<Option<u64>, StoreError> {
        self.read(Operation::Get, async {
            match &self.counts {
                Counts::Redis(redis) => redis.get(counter).await,
                Counts::Sqlite(sqlite) => sqlite.get(counter).await,
            }
        })
        .await
    }

    /// The visits of several counters: of those on which something was counted.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn get_all(
        &self,
        counters: &[CounterId],
    ) -> Result<HashMap<CounterId, u64>, StoreError> {
        self.read(Operation::List, async {
            match &self.counts {
                Counts::Redis(redis) => redis.get_all(counters).await,
                Counts::Sqlite(sqlite) => sqlite.get_all(counters).await,
            }
        })
        .await
    }

    /// Up to `limit` counters of a company after `after`, in the order of their names.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list(
        &self,
        company: Company,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.read(Operation::List, async {
            match &self.counts {
                Counts::Redis(redis) => redis.list(company, after, limit).await,
                Counts::Sqlite(sqlite) => sqlite.list(company, after, limit).await,
            }
        })
        .await
    }

    /// Lists a counter that is not counted now: whoever finds a count takes it for one that is listed. Says
    /// whether there was room.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list_again(&self, counter: &CounterId) -> Result<bool, StoreError> {
        match &self.counts {
            Counts::Redis(redis) => redis.list_counter(counter).await,
            // A counter is listed by its row.
            Counts::Sqlite(_) => Ok(true),
        }
    }

    /// The companies that have counters, and `default` in any case.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn companies(&self) -> Result<Vec<Company>, StoreError> {
        self.read(Operation::List, async {
            match &self.counts {
                Counts::Redis(redis) => redis.companies().await,
                Counts::Sqlite(sqlite) => sqlite.companies().await,
            }
        })
        .await
    }

    async fn read<T>(
        &self,
        operation: Operation,
        reading: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let read = self.store.run(operation, reading).await;
        read.map_err(StoreError::of_reading)
    }
}
