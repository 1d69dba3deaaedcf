//! A round: one transaction for batches of several counters.
//!
//! Counting needs no record. Where what is to be recorded cannot be written, the round is done again
//! without it: one in which all can be written costs nothing more for that.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};

use super::{
    SqliteCounts,
    batch::{Failure, Moment},
    identities::purge,
};
use crate::{
    auth::revocation::{EPOCH_QUERY, Known},
    counting::{Batch, NotCounted, Outcome, counts::BatchResult},
    storage::{StoreError, sql::sqlite::unix_millis},
};

/// Transactions that may end with one batch that cannot be recorded. After those nothing of the round
/// is.
const ENDED: usize = 3;

/// How a batch ended.
pub(super) struct Done {
    /// What its visits were given.
    pub result: BatchResult,
    /// Why those that were counted are not recorded, if that is not as it should be.
    pub unrecorded: Option<StoreError>,
}

impl From<BatchResult> for Done {
    fn from(result: BatchResult) -> Self {
        Self {
            result,
            unrecorded: None,
        }
    }
}

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

impl SqliteCounts {
    /// Counts all batches, in as many transactions as that takes: one, if nothing is refused.
    pub(super) async fn count_within(
        &self,
        batches: &[Batch],
        committing: &AtomicBool,
    ) -> Result<Vec<Done>, StoreError> {
        if !self.record.as_ref().is_some_and(|record| record.failed()) {
            match self.transact(batches, None, committing).await {
                Ok(done) => return Ok(done),
                // One counter that is refused must not take the others' visits with it.
                Err(Failure::Count(StoreError::Refused(_))) if batches.len() > 1 => {}
                Err(Failure::Record(_)) => {}
                Err(Failure::Count(error)) => return Err(error),
            }
        }
        let mut without = vec![None; batches.len()];
        for _ in 0..ENDED {
            match self.transact(batches, Some(&mut without), committing).await {
                Err(Failure::Record(_)) => {}
                done => return done.map_err(Failure::into_error),
            }
        }
        for reason in &mut without {
            let others = "others of its round cannot be recorded";
            reason.get_or_insert_with(|| StoreError::Refused(others.to_owned()));
        }
        let plain = self.transact(batches, Some(&mut without), committing).await;
        plain.map_err(Failure::into_error)
    }

    /// One transaction. With `without`, a counter that is refused is left out, at the cost of a savepoint
    /// for each, and so is what is to be recorded of one that has a reason there. Of one with which the
    /// transaction ends, the reason is put there.
    async fn transact(
        &self,
        batches: &[Batch],
        mut without: Option<&mut [Option<StoreError>]>,
        committing: &AtomicBool,
    ) -> Result<Vec<Done>, Failure> {
        let mut writer = self.sqlite.writer().await?;
        let mut transaction = writer.begin().await?;
        let mut moment = Moment::new(unix_millis());
        // First, since what has expired must not take the room of new identities.
        if batches
            .iter()
            .any(|batch| batch.identities().next().is_some())
        {
            purge(&mut transaction, moment.now).await?;
        }
        let mut results = Vec::with_capacity(batches.len());
        for (place, batch) in batches.iter().enumerate() {
            let counting = &mut transaction;
            results.push(match &mut without {
                None => Ok(self.count_batch(counting, batch, &mut moment).await?).into(),
                Some(without) => {
                    let reason = &mut without[place];
                    self.count_apart(counting, batch, &mut moment, reason)
                        .await?
                }
            });
        }
        // Last, since adding to a counter tells the epoch, and a question of its own would cost a
        // visit a tenth more. Nobody has seen yet what is undone here.
        if is_outdated(&mut transaction, batches, moment.epoch).await? {
            transaction.rollback().await?;
            let all = batches.iter();
            let outdated = all.map(|batch| vec![Err(NotCounted::Outdated); batch.visits.len()]);
            return Ok(outdated.map(|outcomes| Ok(outcomes).into()).collect());
        }
        committing.store(true, Ordering::Relaxed);
        transaction.commit().await.map_err(StoreError::of_commit)?;
        if let Some(record) = &self.record {
            record.recorder.recorded(moment.written);
        }
        Ok(results)
    }

    /// Counts a batch whose failure is its own.
    async fn count_apart(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        batch: &Batch,
        moment: &mut Moment,
        without: &mut Option<StoreError>,
    ) -> Result<Done, Failure> {
        let mut unrecorded = without.clone();
        moment.recorded = unrecorded.is_none();
        let mut counted = self.in_savepoint(transaction, batch, moment).await;
        if let Ok(Err(Failure::Record(reason))) = counted {
            moment.recorded = false;
            unrecorded = Some(reason);
            counted = self.in_savepoint(transaction, batch, moment).await;
        }
        if let Err(Failure::Record(reason)) = &counted {
            *without = Some(reason.clone());
        }
        let result = counted?.map_err(Failure::into_error);
        Ok(Done { result, unrecorded })
    }

    /// Counts a batch, and undoes what was done if it is refused; fails if that cannot be undone alone.
    async fn in_savepoint(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        batch: &Batch,
        moment: &mut Moment,
    ) -> Result<Result<Vec<Outcome>, Failure>, Failure> {
        let written = moment.written;
        let mut savepoint = transaction.begin().await?;
        match self.count_batch(&mut savepoint, batch, moment).await {
            Ok(outcomes) => {
                savepoint.commit().await?;
                Ok(Ok(outcomes))
            }
            Err(failure @ (Failure::Record(_) | Failure::Count(StoreError::Refused(_)))) => {
                moment.written = written;
                // SQLite ends the whole transaction where there is no room.
                match savepoint.rollback().await {
                    Ok(()) => Ok(Err(failure)),
                    Err(_) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }
}
