//! A batch: the visits of one counter.

use sqlx::SqliteConnection;

use super::{
    SqliteCounts,
    identities::{Room, remember, remembered},
};
use crate::{
    counting::{Batch, Counted, NotCounted, Outcome, carried::VisitorMode, counts::Numbered},
    storage::StoreError,
};

/// Why nothing was done.
pub(super) enum Failure {
    /// Visits cannot be counted.
    Count(StoreError),
    /// What is to be recorded of them cannot be written.
    Record(StoreError),
}

impl Failure {
    /// What is wrong.
    pub fn into_error(self) -> StoreError {
        match self {
            Self::Count(error) | Self::Record(error) => error,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Count(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Count(error.into())
    }
}

/// When batches are counted, and what is found out meanwhile.
pub(super) struct Moment {
    /// Unix milliseconds.
    pub now: i64,
    /// Whether visits are recorded, where their counter records any.
    pub recorded: bool,
    /// How many were.
    pub written: u64,
    /// Up to where something was revoked, once it is known.
    pub epoch: Option<i64>,
}

impl Moment {
    /// The time it is.
    pub fn new(now: i64) -> Self {
        Self {
            now,
            recorded: true,
            written: 0,
            epoch: None,
        }
    }
}

impl SqliteCounts {
    /// Notes the epoch of what was revoked where it learns it.
    pub(super) async fn count_batch(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
        moment: &mut Moment,
    ) -> Result<Vec<Outcome>, Failure> {
        let (counter, now) = (batch.counter.text(), moment.now);
        let mut room = Room::of(self, db, batch, &counter, now).await?;
        let mode = self.mode(db, batch, moment.recorded).await?;
        let mut outcomes = Vec::with_capacity(batch.visits.len());
        let mut fresh = Vec::new();
        for (position, visit) in batch.visits.iter().enumerate() {
            let known = match &visit.identity {
                None => None,
                Some(identity) => remembered(db, &counter, identity, now).await?.map(Ok),
            };
            let known = match (known, &visit.identity) {
                (Some(known), _) => Some(known),
                _ if let (Some(_), Err(refused)) = (&visit.carried, mode) => Some(Err(refused)),
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
        moment.epoch = Some(added.epoch);
        let mut carried = Vec::new();
        for (number, position) in (added.last + 1 - visits..).zip(fresh) {
            let visit = &batch.visits[position];
            if let Some(identity) = &visit.identity {
                let window = self.memory.window(identity.kind).as_millis() as i64;
                remember(db, &counter, identity, number, now + window).await?;
            }
            if let (Some(said), Ok(mode), Some(record)) = (&visit.carried, mode, &self.record) {
                let stored = record.visitors.stored(batch.counter.company, mode, said);
                carried.push((number, stored));
            }
            let replayed = false;
            outcomes[position] = Ok(Counted { number, replayed });
        }
        if let Some(record) = self.record.as_ref().filter(|_| moment.recorded) {
            let counter = &batch.counter;
            let numbered = Numbered {
                counter,
                last: added.last,
                visits,
                at: now,
                carried,
            };
            let recorded = record.recorder.record(db, numbered).await;
            if recorded.map_err(Failure::Record)? {
                moment.written += visits;
            }
        }
        Ok(outcomes)
    }

    /// How visitors of the counter are stored, if any of its visits carries anything; why those that do
    /// are not counted, if it is not recorded.
    async fn mode(
        &self,
        db: &mut SqliteConnection,
        batch: &Batch,
        recorded: bool,
    ) -> Result<Result<VisitorMode, NotCounted>, Failure> {
        let Some(record) = &self.record else {
            return Ok(Err(NotCounted::RecordingOff));
        };
        if !recorded {
            return Ok(Err(NotCounted::RecordingBehind));
        }
        if batch.visits.iter().all(|visit| visit.carried.is_none()) {
            return Ok(Err(NotCounted::RecordingOff));
        }
        let mode = record.recorder.mode(db, &batch.counter).await;
        let mode = mode.map_err(Failure::Record)?;
        Ok(mode.ok_or(NotCounted::RecordingOff))
    }
}
