//! The record of the embedded store: written in the transaction that counts.

use futures_util::future::BoxFuture;
use sqlx::SqliteConnection;

use crate::{
    counting::{
        CounterId,
        carried::{Stored, VisitorMode},
    },
    storage::StoreError,
};

/// Visits of a batch that were counted now, and so have numbers that follow each other.
#[derive(Debug)]
pub struct Numbered<'a> {
    /// The counter.
    pub counter: &'a CounterId,
    /// The number of the last of them.
    pub last: u64,
    /// How many they are.
    pub visits: u64,
    /// When, in Unix milliseconds, by the clock of this machine: it may go back.
    pub at: i64,
    /// Those that carry something, by their numbers.
    pub carried: Vec<(u64, Stored)>,
}

/// Writes the record of visits into the database that has the counts.
pub trait Recorder: Send + Sync {
    /// How visitors of this counter are stored; `None` if it records nothing.
    fn mode<'a>(
        &'a self,
        db: &'a mut SqliteConnection,
        counter: &'a CounterId,
    ) -> BoxFuture<'a, Result<Option<VisitorMode>, StoreError>>;

    /// Records visits, unless the counter records nothing: whether it does.
    fn record<'a>(
        &'a self,
        db: &'a mut SqliteConnection,
        visits: Numbered<'a>,
    ) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Notes that so many visits are recorded, once that is sure.
    fn recorded(&self, visits: u64);

    /// Notes that so many visits of a counter were counted that could not be recorded.
    fn missed(&self, counter: &CounterId, visits: u64);

    /// Notes in the database on which counters that was so, if it can be written at all: whoever records again
    /// may be another process.
    fn keep_missed<'a>(&'a self, db: &'a mut SqliteConnection) -> BoxFuture<'a, ()>;

    /// Writes to every table, in a transaction that is to be rolled back.
    fn probe<'a>(&'a self, db: &'a mut SqliteConnection) -> BoxFuture<'a, Result<(), StoreError>>;
}
