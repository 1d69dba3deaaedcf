//! Counts in SQLite: one transaction per round, in the tables of `migrations/`.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use tokio::time::timeout;
use uuid::Uuid;

mod counters;
mod identities;

use self::identities::{Room, purge, remember, remembered};
use super::{BatchResult, Memory, Numbered, Recorder, Recording};
use crate::{
    auth::revocation::{EPOCH_QUERY, Known},
    counting::{
        Batch, Company, Counted, CounterId, CounterName, Identity, NotCounted, Outcome,
        carried::{VisitorMode, Visitors},
        identity::IdentityKind,
    },
    storage::{SqliteStore, StoreError, StoreHealth, sql::sqlite::unix_millis},
};

/// Whether more was revoked than is known to any of the batches. All that a transaction reads is
/// from one moment, so what it has found out on the way (`epoch`) holds for all of them.
async fn is_outdated(
    db: &mut SqliteConnection,
    batches: &[Batch],
    epoch: Option<i64>,
) -> Result<bool, StoreError> {
    let mut known = batches.iter().filter_map(|batch| batch.known.as_ref());
    let Some(first) = known.next() else {
        return Ok(false);
    };
    let epoch = match epoch {
        Some(epoch) => epoch,
        None => sqlx::query_scalar(EPOCH_QUERY).fetch_one(db).await?,
    };
    let is_other = |known: &Known| known.epoch.parse() != Ok(epoch);
    Ok(is_other(first) || known.any(is_other))
}

/// Counts in an embedded database.
#[derive(Clone)]
pub(super) struct SqliteCounts {
    sqlite: SqliteStore,
    memory: Memory,
    record: Option<Arc<Record>>,
}

/// The record of visits, in the same file.
struct Record {
    visitors: Visitors,
    recorder: Arc<dyn Recorder>,
}

impl SqliteCounts {
    pub fn new(sqlite: SqliteStore, memory: Memory) -> Self {
        Self {
            sqlite,
            memory,
            record: None,
        }
    }

    pub fn record(&mut self, recording: Recording) {
        let visitors = recording.visitors;
        let recorder = recording.recorder;
        self.record = recorder.map(|recorder| Arc::new(Record { visitors, recorder }));
    }

    /// Counts all batches in one transaction, within `limit`.
    pub async fn count(
        &self,
        batches: &[Batch],
        limit: Duration,
        health: &StoreHealth,
    ) -> Vec<BatchResult> {
        let committing = AtomicBool::new(false);
        let mut counting = pin!(self.count_within(batches, &committing));
        let early = limit * 7 / 8;
        let counted = match timeout(early, &mut counting).await {
            Ok(counted) => counted,
            Err(_) if committing.load(Ordering::Relaxed) => timeout(limit - early, counting)
                .await
                .unwrap_or(Err(StoreError::Timeout)),
            // What has not come to its COMMIT is rolled back. The visits wait for `limit` as well, and
            // began before: told only then, it would come too late for them.
            Err(_) => Err(StoreError::Unavailable(
                "it could not be written to within the time limit".to_owned(),
            )),
        };
        let results = counted.unwrap_or_else(|error| vec![Err(error); batches.len()]);
        for (batch, result) in batches.iter().zip(&results) {
            health.refusals.note(|| batch.counter.to_string(), result);
        }
        results
    }

    async fn count_within(
        &self,
        batches: &[Batch],
        committing: &AtomicBool,
    ) -> Result<Vec<BatchResult>, StoreError> {
        match self.transact(batches, false, committing).await {
            // One counter that is refused must not take the others' visits with it.
            Err(StoreError::Refused(_)) if batches.len() > 1 => {
                self.transact(batches, true, committing).await
            }
            done => done,
        }
    }

    /// One transaction. With `apart` a counter that is refused is left out, at
    /// the cost of a savepoint for each.
    async fn transact(
        &self,
        batches: &[Batch],
        apart: bool,
        committing: &AtomicBool,
    ) -> Result<Vec<BatchResult>, StoreError> {
        let mut writer = self.sqlite.writer().await?;
        let mut transaction = writer.begin().await?;
        let now = unix_millis();
        // First, since what has expired must not take the room of new identities.
        if batches
            .iter()
            .any(|batch| batch.identities().next().is_some())
        {
            purge(&mut transaction, now).await?;
        }
        let mut results = Vec::with_capacity(batches.len());
        let mut epoch = None;
        for batch in batches {
            let counting = &mut transaction;
            results.push(match apart {
                false => Ok(self.count_batch(counting, batch, now, &mut epoch).await?),
                true => self.count_apart(counting, batch, now, &mut epoch).await?,
            });
        }
        // Last, since adding to a counter tells the epoch, and a question of its own would cost a
        // visit a tenth more. Nobody has seen yet what is undone here.
        if is_outdated(&mut transaction, batches, epoch).await? {
            transaction.rollback().await?;
            let all = batches.iter();
            let outdated = all.map(|batch| Ok(vec![Err(NotCounted::Outdated); batch.visits.len()]));
            return Ok(outdated.collect());
        }
        committing.store(true, Ordering::Relaxed);
        transaction.commit().await.map_err(StoreError::of_commit)?;
        Ok(results)
    }

    async fn count_apart(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        batch: &Batch,
        now: i64,
        epoch: &mut Option<i64>,
    ) -> Result<BatchResult, StoreError> {
        let mut savepoint = transaction.begin().await?;
        match self.count_batch(&mut savepoint, batch, now, epoch).await {
            Ok(result) => {
                savepoint.commit().await?;
                Ok(Ok(result))
            }
            Err(StoreError::Refused(reason)) => {
                savepoint.rollback().await?;
                Ok(Err(StoreError::Refused(reason)))
            }
            Err(error) => Err(error),
        }
    }

    /// Writes to every table that counting writes to, and leaves nothing but identities that have
    /// expired already, and a company that is nobody's and has no counters.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let mut writer = self.sqlite.writer().await?;
        let mut transaction = writer.begin().await?;
        for company in [Company::Default, Company::Id(Uuid::nil())] {
            let name = CounterName::probe(Uuid::nil(), 0);
            let counter = CounterId { company, name };
            counters::probe(&mut transaction, &counter).await?;
            let identity = Identity::new(IdentityKind::Request, "", b"");
            let now = unix_millis();
            remember(&mut transaction, &counter.text(), &identity, 0, now).await?;
        }
        transaction.commit().await.map_err(StoreError::of_commit)
    }

    /// Notes the epoch of what was revoked where it learns it.
    async fn count_batch(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
        now: i64,
        epoch: &mut Option<i64>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let counter = batch.counter.text();
        let mut room = Room::of(self, db, batch, &counter, now).await?;
        let mode = self.mode(db, batch).await?;
        let mut outcomes = Vec::with_capacity(batch.visits.len());
        let mut fresh = Vec::new();
        for (position, visit) in batch.visits.iter().enumerate() {
            let known = match &visit.identity {
                None => None,
                Some(identity) => remembered(db, &counter, identity, now).await?.map(Ok),
            };
            let known = match (known, &visit.identity) {
                (Some(known), _) => Some(known),
                _ if visit.carried.is_some() && mode.is_none() => {
                    Some(Err(NotCounted::RecordingOff))
                }
                (None, Some(identity)) => room.take(db, identity.kind).await?.map(Err),
                (None, None) => None,
            };
            outcomes.push(known.unwrap_or_else(|| {
                fresh.push(position);
                // Until it has its number.
                Err(NotCounted::CountersFull)
            }));
        }
        let visits = fresh.len() as u64;
        if visits == 0 {
            return Ok(outcomes);
        }
        let Some(added) = self.add(db, &batch.counter, visits).await? else {
            return Ok(outcomes);
        };
        *epoch = Some(added.epoch);
        let mut carried = Vec::new();
        for (number, position) in (added.last + 1 - visits..).zip(fresh) {
            let visit = &batch.visits[position];
            if let Some(identity) = &visit.identity {
                let window = self.memory.window(identity.kind).as_millis() as i64;
                remember(db, &counter, identity, number, now + window).await?;
            }
            if let (Some(said), Some(mode), Some(record)) = (&visit.carried, mode, &self.record) {
                let stored = record.visitors.stored(batch.counter.company, mode, said);
                carried.push((number, stored));
            }
            let replayed = false;
            outcomes[position] = Ok(Counted { number, replayed });
        }
        if let Some(record) = &self.record {
            let counter = &batch.counter;
            let numbered = Numbered {
                counter,
                last: added.last,
                visits,
                at: now,
                carried,
            };
            record.recorder.record(db, numbered).await?;
        }
        Ok(outcomes)
    }

    /// How visitors of the counter are stored, if any of its visits carries anything and that is recorded.
    async fn mode(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
    ) -> Result<Option<VisitorMode>, StoreError> {
        match &self.record {
            Some(record) if batch.visits.iter().any(|visit| visit.carried.is_some()) => {
                record.recorder.mode(db, &batch.counter).await
            }
            _ => Ok(None),
        }
    }
}
