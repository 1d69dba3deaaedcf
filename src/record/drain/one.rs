//! One counter, in one transaction.

use super::{State, Streams, again, fields::Borrowed, stream::Taught};
use crate::{
    counting::CounterId,
    record::{
        Appended, Reason, append,
        metrics::RecordMetrics,
        table::{
            identities::{self, Kind},
            recordings::{self, Recording},
            repeated,
        },
    },
    storage::{
        StoreError,
        sql::{Connection, DatabaseError},
    },
};

/// For how long before a loss the identities of visits are remembered again, in milliseconds. What
/// Redis loses is what came after its last synchronisation: seconds, and with it a good deal more.
const TAUGHT: i64 = 600_000;

/// What became of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// There was no more to read.
    All,
    /// There is more.
    More,
    /// Another replica is at it.
    Taken,
}

/// What a transaction did, for when it has been committed.
#[derive(Debug)]
pub enum One {
    /// Another replica has its row.
    Taken,
    /// Its company is gone, so nothing of it is recorded any more.
    Nobodys,
    /// It was read.
    Read(Box<Read>),
    /// Redis did not answer.
    Unread(StoreError),
}

/// What was read and written of a counter.
#[derive(Debug)]
pub struct Read {
    recording: Recording,
    state: State,
    appended: Appended,
    /// The bytes ever written to the stream up to what is recorded.
    bytes: u64,
    more: bool,
    /// Visits under numbers that are recorded for others.
    repeated: u64,
    /// What Redis may have forgotten, where it knows of fewer visits than the database did.
    taught: Option<Taught>,
}

/// Takes the row of a counter, reads what comes after it, some `most` visits, and writes that.
pub async fn drain(
    connection: &mut Connection<'_>,
    streams: &Streams,
    counter: &CounterId,
    state: State,
    most: u64,
) -> Result<One, DatabaseError> {
    // Nobody knows when what came before it was counted: in Redis is the time of the last entry, and those
    // that wait are older.
    let recording = recordings::take(connection, counter, state.through, 0).await?;
    let Some(mut recording) = recording else {
        return Ok(match recordings::find(connection, counter).await? {
            Some(_) => One::Taken,
            None => One::Nobodys,
        });
    };
    // From where the stream begins: what is recorded already should be the same.
    let after = state.through.min(recording.through);
    let chunk = match streams.read(counter, after, most, state.bytes).await {
        Ok(chunk) => chunk,
        Err(error) => return Ok(One::Unread(error)),
    };
    let mut entries = chunk.entries(counter);
    let known = recording.through;
    let mut repeated = 0;
    for entry in again::others(connection, &recording, &entries).await? {
        repeated += repeated::keep(connection, &recording, &entry).await?;
    }
    entries.extend(gone(&state, &entries, chunk.more));
    let appended = append(connection, &mut recording, &entries).await?;
    let taught = match known > state.top || known > state.count {
        true => Some(taught(connection, &recording, state.through).await?),
        false => None,
    };
    Ok(One::Read(Box::new(Read {
        recording,
        state,
        appended,
        bytes: chunk.bytes,
        more: chunk.more,
        repeated,
        taught,
    })))
}

/// Says that the stream has lost its end. Until they are recorded, which only who has the row of the
/// counter does, entries stay in it: all up to `top`, as that was before it was read.
fn gone<'a>(state: &State, entries: &[Borrowed<'a>], more: bool) -> Option<Borrowed<'a>> {
    let last = entries.last().map_or(0, |entry| entry.last);
    let is_gone = !more && last < state.top && state.through < state.top;
    is_gone.then(|| Borrowed {
        last: state.top,
        at: state.at,
        before: state.top,
        ..Borrowed::default()
    })
}

/// The identities of visits after this number, which Redis may have forgotten.
pub async fn taught(
    connection: &mut Connection<'_>,
    recording: &Recording,
    after: u64,
) -> Result<Taught, DatabaseError> {
    let since = recording.through_at - TAUGHT;
    let mut taught = Taught::default();
    for (kind, into) in [
        (Kind::Request, &mut taught.requests),
        (Kind::Key, &mut taught.keys),
    ] {
        let remembered = identities::since(connection, recording, kind, since).await?;
        let all = remembered.into_iter().flat_map(|some| some.identities);
        into.extend(all.filter(|(number, _)| *number > after));
    }
    Ok(taught)
}

impl One {
    /// Counts what was done.
    pub fn note(&self, counter: &CounterId, metrics: &RecordMetrics) {
        let Self::Read(read) = self else { return };
        metrics.recorded.inc_by(read.appended.recorded);
        for reason in Reason::ALL {
            let visits = read.appended.unrecorded[reason as usize];
            metrics.unrecorded.of(reason.into()).inc_by(visits);
        }
        let lost = read.appended.unrecorded[Reason::Lost as usize];
        if lost > 0 {
            tracing::error!(
                %counter,
                visits = lost,
                "visits were gone from Redis before they were recorded; their numbers stay"
            );
        }
        if read.repeated > 0 {
            metrics.repeated.inc_by(read.repeated);
            tracing::error!(
                %counter,
                visits = read.repeated,
                "Redis gave numbers again that were given before, since it had lost them: these visits are kept aside, in the table repeated_visits"
            );
        }
    }

    /// Tells Redis what is recorded.
    pub async fn settle(
        self,
        streams: &Streams,
        counter: &CounterId,
    ) -> Result<Drained, StoreError> {
        let read = match self {
            Self::Taken => return Ok(Drained::Taken),
            Self::Nobodys => return Ok(Drained::All),
            Self::Unread(error) => return Err(error),
            Self::Read(read) => read,
        };
        let recording = &read.recording;
        if recording.version > read.state.version {
            streams.switch(counter, recording).await?;
        }
        if let Some(taught) = &read.taught {
            let (through, at) = (recording.through, recording.through_at);
            let raised = streams.raise(counter, through, at, taught).await?;
            if raised > 0 {
                tracing::error!(
                    %counter,
                    raised,
                    through,
                    "Redis had lost visits that are recorded: the count was raised to them"
                );
            }
            // Under the numbers that it had lost visits may have been counted since the stream was read:
            // trimmed now, they would be gone. There will be no more of them.
            return Ok(Drained::More);
        }
        if recording.through > read.state.through {
            streams.trim(counter, recording.through, read.bytes).await?;
        }
        Ok(match read.more {
            true => Drained::More,
            false => Drained::All,
        })
    }
}
