//! Counts in SQLite: one transaction per round, in the tables of `migrations/`.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::timeout;
use uuid::Uuid;

mod batch;
mod counters;
mod identities;
mod past;
mod round;

use self::{identities::remember, round::Done};
use super::{BatchResult, Memory, Recorder, Recording};
use crate::{
    counting::{
        Batch, Company, CounterId, CounterName, Identity, carried::Visitors, identity::IdentityKind,
    },
    storage::{SqliteStore, StoreError, StoreHealth, sql::sqlite::unix_millis},
};

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
    /// Whether something of the last round could not be recorded. The next is counted with savepoints
    /// at once then.
    failed: AtomicBool,
}

impl Record {
    fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Notes what was recorded of a round.
    fn note(&self, batches: &[Batch], round: &[Done], health: &StoreHealth) {
        let fails = round.iter().any(|done| done.unrecorded.is_some());
        if !fails && !self.failed() && !health.refusals.any() {
            return;
        }
        self.failed.store(fails, Ordering::Relaxed);
        for (batch, done) in batches.iter().zip(round) {
            let outcomes = done.result.iter().flatten().flatten();
            let counted = outcomes.filter(|counted| !counted.replayed).count();
            if counted > 0 {
                let recorded = done.unrecorded.as_ref().map_or(Ok(()), |reason| {
                    self.recorder.missed(&batch.counter, counted as u64);
                    Err(StoreError::Refused(reason.to_string()))
                });
                let subject = || format!("the record of {}", batch.counter);
                health.refusals.note(subject, &recorded);
            }
        }
        if fails {
            health.suspect();
        }
    }
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
        self.record = recorder.map(|recorder| {
            Arc::new(Record {
                visitors,
                recorder,
                failed: AtomicBool::new(false),
            })
        });
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
        let done = counted.unwrap_or_else(|error| {
            let all = batches.iter();
            all.map(|_| Err(error.clone()).into()).collect()
        });
        if let Some(record) = &self.record {
            record.note(batches, &done, health);
        }
        let results: Vec<_> = done.into_iter().map(|done| done.result).collect();
        for (batch, result) in batches.iter().zip(&results) {
            health.refusals.note(|| batch.counter.to_string(), result);
        }
        results
    }

    /// Writes to every table of the record, if there is one, and undoes it. Fails inside if that cannot
    /// be done, and outside if nobody can say, since others are writing.
    ///
    /// # Errors
    ///
    /// If the file cannot be written at all.
    pub async fn probe_record(&self) -> Result<Option<Result<(), StoreError>>, StoreError> {
        let Some(record) = &self.record else {
            return Ok(None);
        };
        let mut writer = self.sqlite.writer().await?;
        let mut transaction = writer.begin().await?;
        let probed = record.recorder.probe(&mut transaction).await;
        // SQLite may have ended it.
        let _ = transaction.rollback().await;
        if probed.is_err() {
            record.recorder.keep_missed(writer.connection()).await;
        }
        Ok(Some(probed))
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
}
