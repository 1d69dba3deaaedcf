//! The record of the embedded store, written in the transaction that counts.
//!
//! That of most batches is three rows that are there already, and one call: each is a way to the thread
//! of the connection and back.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use lru::LruCache;
use sqlx::{Error, SqliteConnection, types::Json};
use uuid::Uuid;

use super::{
    append,
    chunk::{Entry, Reason},
    metrics::RecordMetrics,
    plan::{Plan, Tail},
    table::{
        recordings::{self, Recording},
        runs,
    },
};
use crate::{
    counting::{
        Company, CounterId, CounterName,
        carried::{Attributes, Stored, VisitorMode},
        counts::{Numbered, Recorder},
    },
    storage::{
        StoreError,
        sql::{Connection, DatabaseError, of_company},
    },
};

/// How many counters are known at most. Of any other one two rows are read at each batch.
const COUNTERS: NonZero<usize> = NonZero::new(10_000).expect("it is not 0");

/// Adds times to the last run, for visits that carry nothing. All of it is done, three rows, or nothing:
/// if somebody else has written since, the first row is not found, and the others only go on from it.
const EXTEND: &str = "
    UPDATE recordings SET through = $3, through_at = $4
    WHERE company_id = $1 AND id = $2 AND through = $5 AND through_at = $6
        AND tail = $7 AND last_text = $8 AND version = $9;
    UPDATE runs SET last = $3, last_at = $4, times = CAST(times || $10 AS BLOB)
    WHERE recording_id = $2 AND first = $7 AND last = $5
        AND EXISTS (SELECT 1 FROM recordings WHERE id = $2 AND through = $3 AND through_at = $4);
    INSERT INTO marks (company_id, recording_id, minute, number)
    SELECT $1, $2, $11, $3 FROM recordings WHERE id = $2 AND through = $3 AND through_at = $4
    ON CONFLICT (recording_id, minute) DO UPDATE SET number = excluded.number";

const KEEP: &str = "INSERT INTO missed_counters (company_id, counter)
     SELECT $1, value FROM json_each($2) WHERE true ON CONFLICT DO NOTHING";

const TAKE_KEPT: &str =
    "DELETE FROM missed_counters WHERE company_id = $1 AND counter = $2 RETURNING counter";

/// Rows that [`EXTEND`] writes.
const EXTENDED: u64 = 3;

/// Writes the record into the file that has the counts, for all threads of a process.
pub struct EmbeddedRecorder {
    noted: Mutex<Noted>,
    metrics: Arc<RecordMetrics>,
}

/// What a process notes of counters.
struct Noted {
    /// As they were after the last batch of this process. Others write to the same file, and what was
    /// written may have been rolled back: each use finds out.
    known: LruCache<CounterId, Known>,
    /// Those of which visits were counted lately that could not be recorded, and whether the database says so.
    missed: HashMap<CounterId, bool>,
}

/// How far the record of a counter was.
#[derive(Clone)]
struct Known {
    recording: Recording,
    tail: Option<Tail>,
}

impl EmbeddedRecorder {
    /// One that knows nothing yet.
    pub fn new(metrics: Arc<RecordMetrics>) -> Self {
        let noted = Noted {
            known: LruCache::new(COUNTERS),
            missed: HashMap::new(),
        };
        Self {
            noted: Mutex::new(noted),
            metrics,
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, counter: &CounterId) -> Option<Known> {
        self.noted().known.get(counter).cloned()
    }

    /// Why visits that were counted are not recorded.
    async fn reason(&self, db: &mut SqliteConnection, counter: &CounterId) -> Option<Reason> {
        let kept = sqlx::query(of_company(TAKE_KEPT))
            .bind(counter.company.id())
            .bind(counter.name.as_str());
        // Where this table is damaged as well, the others may not be.
        let is_kept = matches!(kept.fetch_optional(db).await, Ok(Some(_)));
        // Else another process has counted them that knows nothing of the record.
        let missed = is_kept || self.noted().missed.contains_key(counter);
        missed.then_some(Reason::Behind)
    }

    async fn keep(&self, db: &mut SqliteConnection) {
        let mut missed = HashMap::<_, Vec<_>>::new();
        for (counter, is_kept) in &self.noted().missed {
            if !is_kept {
                let of = missed.entry(counter.company.id()).or_default();
                of.push(counter.clone());
            }
        }
        for (company, counters) in missed {
            let names: Vec<_> = counters.iter().map(|it| it.name.as_str()).collect();
            let keep = sqlx::query(KEEP).bind(company).bind(Json(names));
            if keep.execute(&mut *db).await.is_err() {
                // The next look tries again.
                return;
            }
            let mut noted = self.noted();
            for counter in counters {
                noted.missed.entry(counter).and_modify(|kept| *kept = true);
            }
        }
    }

    /// Notes how far a counter is recorded, and whether all was before.
    fn note(&self, known: Known, joins: bool) {
        let counter = known.recording.counter.clone();
        let mut noted = self.noted();
        if joins {
            noted.missed.remove(&counter);
        }
        noted.known.put(counter, known);
    }

    async fn write(
        &self,
        db: &mut SqliteConnection,
        visits: Numbered<'_>,
    ) -> Result<bool, StoreError> {
        let before = visits.last.saturating_sub(visits.visits);
        // One that records nothing may be recorded again: that is in its row alone. And what is known
        // of visits with these numbers was rolled back.
        let goes_on = |known: &Known| known.recording.recorded && known.recording.through == before;
        if let Some(known) = self.known(visits.counter).filter(goes_on)
            && self.go_on(db, known, &visits).await?
        {
            return Ok(true);
        }
        let connection = &mut Connection::Sqlite(db);
        let taken = recordings::take(connection, visits.counter, before, visits.at).await?;
        let Some(recording) = taken.filter(|recording| recording.recorded) else {
            return Ok(false);
        };
        let tail = runs::tail(connection, &recording).await?;
        let known = Known { recording, tail };
        match self.go_on(db, known, &visits).await? {
            true => Ok(true),
            false => Err(StoreError::Refused(format!(
                "the record of {} is not as it was read",
                visits.counter
            ))),
        }
    }

    /// Records visits, if the record is still as far as it was known to be.
    async fn go_on(
        &self,
        db: &mut SqliteConnection,
        mut known: Known,
        visits: &Numbered<'_>,
    ) -> Result<bool, Error> {
        let recording = &mut known.recording;
        let before = recording.through;
        let joins = before == visits.last.saturating_sub(visits.visits);
        let entries = [Entry {
            last: visits.last,
            visits: visits.visits,
            at: visits.at,
            before,
            reason: match joins {
                true => None,
                false => self.reason(db, visits.counter).await,
            },
            carried: visits.carried.clone(),
            ..Entry::default()
        }];
        let plan = Plan::of(recording.position(known.tail), &entries);
        let done = match plan.only_extends() {
            true => extend(db, recording, &plan).await?,
            false => append::write(&mut Connection::Sqlite(db), recording, &plan).await?,
        };
        if done {
            known.tail = plan.to.tail;
            self.note(known, joins);
        }
        Ok(done)
    }
}

async fn extend(
    db: &mut SqliteConnection,
    recording: &mut Recording,
    plan: &Plan<'_>,
) -> Result<bool, Error> {
    let (from, to) = (plan.from, plan.to);
    let minute = plan.marks.first().map(|(minute, _)| *minute);
    let done = sqlx::query(of_company(EXTEND))
        .bind(recording.company())
        .bind(recording.id)
        .bind(to.through as i64)
        .bind(to.through_at)
        .bind(from.through as i64)
        .bind(from.through_at)
        .bind(from.tail.map(|tail| tail.first as i64))
        .bind(recording.last_text)
        .bind(recording.version)
        .bind(&plan.extension)
        .bind(minute)
        .execute(db)
        .await?;
    match done.rows_affected() {
        EXTENDED => {
            (recording.through, recording.through_at) = (to.through, to.through_at);
            Ok(true)
        }
        0 => Ok(false),
        _ => Err(runs::does_not_join(recording, &from)),
    }
}

impl Recorder for EmbeddedRecorder {
    fn mode<'a>(
        &'a self,
        db: &'a mut SqliteConnection,
        counter: &'a CounterId,
    ) -> BoxFuture<'a, Result<Option<VisitorMode>, StoreError>> {
        Box::pin(async move {
            let mode = recordings::mode(&mut Connection::Sqlite(db), counter).await?;
            Ok(mode)
        })
    }

    fn record<'a>(
        &'a self,
        db: &'a mut SqliteConnection,
        visits: Numbered<'a>,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.write(db, visits))
    }

    fn recorded(&self, visits: u64) {
        self.metrics.recorded.inc_by(visits);
    }

    fn missed(&self, counter: &CounterId, visits: u64) {
        let behind = self.metrics.unrecorded.of(Reason::Behind.into());
        behind.inc_by(visits);
        self.noted().missed.entry(counter.clone()).or_default();
    }

    fn keep_missed<'a>(&'a self, db: &'a mut SqliteConnection) -> BoxFuture<'a, ()> {
        Box::pin(self.keep(db))
    }

    fn probe<'a>(&'a self, db: &'a mut SqliteConnection) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let probed = probe(&mut Connection::Sqlite(db)).await;
            probed.map_err(|error| StoreError::Refused(error.to_string()))
        })
    }
}

/// Writes all that is recorded of a visit, and adds to it, as of a counter that nobody has.
async fn probe(connection: &mut Connection<'_>) -> Result<(), DatabaseError> {
    let (company, name) = (Company::Default, CounterName::probe(Uuid::nil(), 0));
    let counter = CounterId { company, name };
    recordings::mode(connection, &counter).await?;
    let Some(mut recording) = recordings::take(connection, &counter, 0, 0).await? else {
        let none = "the row of the company `default` is missing; restore a backup";
        return Err(DatabaseError::Refused(none.to_owned()));
    };
    for last in 1..=2 {
        let attributes = Attributes {
            path: Some("/"),
            ..Attributes::default()
        };
        let visitor = Some("");
        let entry = Entry {
            last,
            visits: 1,
            before: last - 1,
            carried: vec![(
                last,
                Stored {
                    visitor,
                    attributes,
                },
            )],
            ..Entry::default()
        };
        append::append(connection, &mut recording, &[entry]).await?;
    }
    Ok(())
}
