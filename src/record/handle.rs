//! What the routes of this room use.

use std::sync::Arc;

use super::{
    drain::{State, Streams},
    overview::Past,
    table::recordings::{self, RETENTION_DAYS, Recording},
};
use crate::{
    counting::{CounterId, carried::VisitorMode, counts::CounterStore},
    edge::{Code, Problem},
    storage::sql::Database,
};

/// The record of visits, as one worker thread uses it.
#[derive(Clone)]
pub struct Record {
    /// Where it is; without a database there is none.
    pub database: Option<Database>,
    /// What waits to be recorded, where visits are counted in Redis.
    pub streams: Option<Streams>,
    /// The counts.
    pub counts: Arc<CounterStore>,
    /// What lists of counters know already.
    pub past: Past,
    /// How many counters a company may have, besides `visits`.
    pub counter_limit: u32,
}

impl Record {
    /// Where the record is.
    ///
    /// # Errors
    ///
    /// `no_database` if there is none.
    pub fn database(&self) -> Result<&Database, Problem> {
        self.database.as_ref().ok_or(Code::NoDatabase.into())
    }

    /// How far a counter is in Redis; `None` if nothing is known there, or if it is not counted there.
    ///
    /// # Errors
    ///
    /// Those of Redis, as problems.
    pub async fn state(&self, counter: &CounterId) -> Result<Option<State>, Problem> {
        match &self.streams {
            Some(streams) => Ok(streams.state(counter).await?),
            None => Ok(None),
        }
    }

    /// What is known of a counter that has no row: all that was counted on it is not recorded.
    ///
    /// # Errors
    ///
    /// `counter_not_found` if nothing was ever counted on it.
    pub async fn never_recorded(&self, counter: &CounterId) -> Result<Recording, Problem> {
        let began = match self.state(counter).await? {
            Some(state) => state.through,
            None => {
                let visits = self.counts.get(counter).await?;
                visits.ok_or(Code::CounterNotFound)?
            }
        };
        Ok(new(counter, began))
    }

    /// What is known of a counter.
    ///
    /// # Errors
    ///
    /// `counter_not_found` if nothing was ever counted on it, `no_database`, and those of the database.
    pub async fn of(&self, counter: &CounterId) -> Result<Recording, Problem> {
        if let Some(recording) = self.find(counter).await? {
            return Ok(recording);
        }
        let never = self.never_recorded(counter).await?;
        // What was recorded meanwhile is gone from Redis.
        Ok(self.find(counter).await?.unwrap_or(never))
    }

    /// How far a counter is that records nothing now; `None` if it does, or if nobody can say.
    pub async fn off(&self, recording: &Recording) -> Option<Off> {
        if recording.recorded {
            return None;
        }
        let counter = &recording.counter;
        if let Ok(Some(State { count, top, .. })) = self.state(counter).await {
            return Some(Off { count, top });
        }
        let count = self.counts.get(counter).await.ok().flatten()?;
        Some(Off { count, top: 0 })
    }

    /// The row of a counter, if it has one.
    ///
    /// # Errors
    ///
    /// `no_database`, and those of the database.
    pub async fn find(&self, counter: &CounterId) -> Result<Option<Recording>, Problem> {
        let counter = counter.clone();
        let found = self.database()?.read("recording", move |connection| {
            Box::pin(async move {
                connection.within(counter.company.id()).await?;
                Ok(recordings::find(connection, &counter).await?)
            })
        });
        Ok(found.await?)
    }
}

/// How far a counter was at a moment at which it recorded nothing.
#[derive(Debug, Clone, Copy)]
pub struct Off {
    /// The number of its last visit.
    count: u64,
    /// Up to which number visits are recorded, now or when those that wait are.
    top: u64,
}

impl Off {
    /// Up to which number visits after all that are recorded were counted while recording was off, if this is
    /// so still.
    pub fn through(self, recording: &Recording) -> Option<u64> {
        let is_off = !recording.recorded && self.top <= recording.through;
        (is_off && self.count > recording.through).then_some(self.count)
    }
}

/// A counter before its first visit is recorded. No row has its id.
pub fn new(counter: &CounterId, began: u64) -> Recording {
    Recording {
        id: 0,
        counter: counter.clone(),
        recorded: true,
        retention_days: RETENTION_DAYS,
        visitor: VisitorMode::default(),
        version: 0,
        began,
        base: began,
        through: began,
        through_at: 0,
        tail: None,
        last_text: 0,
        created_at: 0,
    }
}

impl Recording {
    /// Whether it has a row: something was recorded, or told to be.
    pub fn is_there(&self) -> bool {
        self.id != 0
    }
}
