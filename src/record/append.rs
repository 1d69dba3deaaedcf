//! Writing what was counted into the tables.

use std::ops::Deref;

use super::{
    chunk::{Entry, Reason},
    plan::Plan,
    table::{
        identities::{self, Kind},
        marks,
        recordings::Recording,
        runs, texts, visits,
    },
};
use crate::storage::sql::{Connection, DatabaseError};

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appended {
    /// Visits that are recorded now.
    pub recorded: u64,
    /// Visits of which nothing will be recorded, by [`Reason`].
    pub unrecorded: [u64; Reason::ALL.len()],
    /// Visits that carry something.
    pub carried: u64,
}

/// Appends entries, in the order of their numbers, to what is recorded of a counter. What is recorded
/// already is ignored, so the same may be read and appended any number of times. What is missing
/// between two entries becomes a run that says why.
///
/// The recording must be as it was [taken](super::table::recordings::take) in this transaction, and the
/// transaction of its company or of all. After an error nothing of it is to be committed.
///
/// # Errors
///
/// Those of the database; [`DatabaseError::Refused`] if the recording is not as it was read.
pub async fn append<T: Deref<Target = str> + Sync>(
    connection: &mut Connection<'_>,
    recording: &mut Recording,
    entries: &[Entry<T>],
) -> Result<Appended, DatabaseError> {
    let tail = runs::tail(connection, recording).await?;
    let plan = Plan::of(recording.position(tail), entries);
    match write(connection, recording, &plan).await? {
        true => Ok(plan.appended()),
        false => Err(DatabaseError::Refused(format!(
            "the record of {} is not as it was read",
            recording.counter
        ))),
    }
}

/// Writes what is planned. False, and nothing is done, if the recording is not as it was read.
pub(super) async fn write(
    connection: &mut Connection<'_>,
    recording: &mut Recording,
    plan: &Plan<'_>,
) -> Result<bool, sqlx::Error> {
    if plan.is_empty() {
        return Ok(true);
    }
    // First, since nothing must be done if the plan is for another state than there is.
    let before = recording.last_text;
    if !recording.advance(connection, plan).await? {
        return Ok(false);
    }
    runs::write(connection, recording, plan).await?;
    marks::raise(connection, recording, &plan.marks).await?;
    let ids = texts::name(connection, recording, before, &plan.carried).await?;
    visits::write(connection, recording, &plan.carried, &ids).await?;
    let at = plan.to.through_at;
    identities::write(connection, recording, Kind::Request, &plan.requests, at).await?;
    identities::write(connection, recording, Kind::Key, &plan.keys, at).await?;
    Ok(true)
}

impl Plan<'_> {
    fn appended(&self) -> Appended {
        Appended {
            recorded: self.recorded,
            unrecorded: self.unrecorded,
            carried: self.carried.visits.len() as u64,
        }
    }
}
