//! The counters that are recorded. The row of one is the lock of all that is recorded of it.

use std::collections::HashSet;

use sqlx::Error;
use uuid::Uuid;

use crate::{
    counting::{Company, CounterId, carried::VisitorMode},
    record::plan::{Plan, Position, Tail},
    storage::sql::{Connection, of_company, on_either},
};

/// How long visits are kept unless somebody says otherwise, in days.
pub const RETENTION_DAYS: u16 = 400;

/// A row of `recordings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its id.
    pub id: i64,
    /// The counter.
    pub counter: CounterId,
    /// Whether visits are recorded.
    pub recorded: bool,
    /// For how many days.
    pub retention_days: u16,
    /// How visitors are stored.
    pub visitor: VisitorMode,
    /// Grows with each change of these three.
    pub version: i64,
    /// Numbers up to it were counted before recording began.
    pub began: u64,
    /// What was recorded of numbers up to it has been removed.
    pub base: u64,
    /// Up to where visits are recorded, or known not to be.
    pub through: u64,
    /// When it was counted, in Unix milliseconds.
    pub through_at: i64,
    /// The first number of the last run, while times may be added to it.
    pub tail: Option<u64>,
    /// The greatest id that a text of this counter was given.
    pub last_text: i64,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
}

/// As it is read: the columns in their order.
type Row = (
    i64,
    bool,
    i32,
    String,
    i64,
    i64,
    i64,
    i64,
    i64,
    Option<i64>,
    i64,
    i64,
);

/// What is read, in the order of [`Row`].
macro_rules! columns {
    () => {
        "id, recorded, retention_days, visitor, version, began, base, through, through_at, tail, last_text, created_at"
    };
}

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM recordings WHERE company_id = $1 AND counter = $2"
);

const NAMES: &str = "SELECT counter FROM recordings WHERE company_id = $1 ORDER BY id LIMIT $2";

/// One that was never recorded will be, as [`CREATE`] says, if its company is there.
const MODE: &str = "SELECT coalesce(recorded, $3), coalesce(visitor, $4)
     FROM companies LEFT JOIN recordings ON company_id = $1 AND counter = $2 WHERE companies.id = $1";

/// Not `FOR UPDATE`: rows that refer to it may be written by others.
const LOCK: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM recordings WHERE company_id = $1 AND counter = $2 FOR NO KEY UPDATE SKIP LOCKED"
);

/// A counter of a company that is not there is not recorded.
const CREATE: &str = concat!(
    "INSERT INTO recordings (company_id, counter, recorded, retention_days, visitor, began, base, through, through_at, created_at)
     SELECT id, $2, $3, $4, $5, $6, $6, $6, $7, $7 FROM companies
     WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM recordings WHERE company_id = $1 AND counter = $2)
     ON CONFLICT (company_id, counter) DO NOTHING RETURNING ",
    columns!()
);

/// Only from where it was read to be, whoever has written it since.
const ADVANCE: &str =
    "UPDATE recordings SET through = $3, through_at = $4, tail = $5, last_text = $6
     WHERE company_id = $1 AND id = $2 AND through = $7 AND through_at = $8
       AND tail IS NOT DISTINCT FROM $9 AND last_text = $10 AND version = $11";

fn recording(counter: &CounterId, row: Row) -> Result<Recording, Error> {
    let (id, recorded, days, visitor, version, began, base, through, at, tail, text, created) = row;
    let visitor = stored_mode(&visitor)?;
    Ok(Recording {
        id,
        counter: counter.clone(),
        recorded,
        retention_days: u16::try_from(days).unwrap_or(u16::MAX),
        visitor,
        version,
        began: began.unsigned_abs(),
        base: base.unsigned_abs(),
        through: through.unsigned_abs(),
        through_at: at,
        tail: tail.map(i64::unsigned_abs),
        last_text: text,
        created_at: created,
    })
}

/// As the table has it.
pub fn visitor_text(mode: VisitorMode) -> &'static str {
    match mode {
        VisitorMode::Hashed => "hashed",
        VisitorMode::Daily => "daily",
        VisitorMode::Given => "given",
    }
}

fn stored_mode(text: &str) -> Result<VisitorMode, Error> {
    [VisitorMode::Hashed, VisitorMode::Daily, VisitorMode::Given]
        .into_iter()
        .find(|mode| visitor_text(*mode) == text)
        .ok_or_else(|| {
            Error::InvalidArgument(format!(
                "recordings.visitor is {text:?}, and should be daily, hashed or given"
            ))
        })
}

/// Reads how far a counter is recorded; `None` if it never was. Others may be writing.
///
/// # Errors
///
/// Those of the database.
pub async fn find(
    connection: &mut Connection<'_>,
    counter: &CounterId,
) -> Result<Option<Recording>, Error> {
    select(connection, FIND, counter).await
}

/// How visitors of a counter are stored when its next visit is recorded; `None` if nothing will be.
///
/// # Errors
///
/// Those of the database.
pub async fn mode(
    connection: &mut Connection<'_>,
    counter: &CounterId,
) -> Result<Option<VisitorMode>, Error> {
    let found: Option<(bool, String)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(MODE))
            .bind(counter.company.id())
            .bind(counter.name.as_str())
            .bind(true)
            .bind(visitor_text(VisitorMode::default()))
            .fetch_optional(&mut **database)
            .await
    })?;
    match found {
        Some((true, visitor)) => stored_mode(&visitor).map(Some),
        _ => Ok(None),
    }
}

/// Takes a counter, which is recorded from now on if it never was: nobody else writes what is recorded
/// of it until the transaction ends. `None` if somebody else has it, or if its company is not there.
///
/// Of a counter that is new to the record, `began` visits were counted before, until `at`.
///
/// # Errors
///
/// Those of the database.
pub async fn take(
    connection: &mut Connection<'_>,
    counter: &CounterId,
    began: u64,
    at: i64,
) -> Result<Option<Recording>, Error> {
    let lock = match connection {
        Connection::Postgres(_) => LOCK,
        // Who may write at all is alone.
        Connection::Sqlite(_) => FIND,
    };
    match select(connection, lock, counter).await? {
        Some(recording) => Ok(Some(recording)),
        None => create(connection, counter, began, at).await,
    }
}

/// The counters, of all companies, of which visits were recorded since this time.
///
/// # Errors
///
/// Those of the database.
pub async fn since(connection: &mut Connection<'_>, at: i64) -> Result<HashSet<CounterId>, Error> {
    let rows: Vec<(Uuid, String)> = on_either!(connection, |database| {
        sqlx::query_as("SELECT company_id, counter FROM recordings WHERE through_at >= $1")
            .bind(at)
            .fetch_all(&mut **database)
            .await
    })?;
    let rows = rows.into_iter();
    Ok(rows
        .filter_map(|(company, name)| {
            let (company, name) = (company.into(), name.parse().ok()?);
            Some(CounterId { company, name })
        })
        .collect())
}

/// All counters of a company that are recorded, by their ids, as many at most.
///
/// # Errors
///
/// Those of the database.
pub async fn all(
    connection: &mut Connection<'_>,
    company: Company,
    most: i64,
) -> Result<Vec<Recording>, Error> {
    let names: Vec<(String,)> = on_either!(&mut *connection, |database| {
        sqlx::query_as(of_company(NAMES))
            .bind(company.id())
            .bind(most)
            .fetch_all(&mut **database)
            .await
    })?;
    let mut recordings = Vec::with_capacity(names.len());
    for (name,) in names {
        if let Ok(name) = name.parse() {
            recordings.extend(find(connection, &CounterId { company, name }).await?);
        }
    }
    Ok(recordings)
}

async fn select(
    connection: &mut Connection<'_>,
    text: &'static str,
    counter: &CounterId,
) -> Result<Option<Recording>, Error> {
    let row: Option<Row> = on_either!(connection, |database| {
        sqlx::query_as(of_company(text))
            .bind(counter.company.id())
            .bind(counter.name.as_str())
            .fetch_optional(&mut **database)
            .await
    })?;
    row.map(|row| recording(counter, row)).transpose()
}

async fn create(
    connection: &mut Connection<'_>,
    counter: &CounterId,
    began: u64,
    at: i64,
) -> Result<Option<Recording>, Error> {
    let row: Option<Row> = on_either!(connection, |database| {
        sqlx::query_as(of_company(CREATE))
            .bind(counter.company.id())
            .bind(counter.name.as_str())
            .bind(true)
            .bind(i32::from(RETENTION_DAYS))
            .bind(visitor_text(VisitorMode::default()))
            .bind(began as i64)
            .bind(at)
            .fetch_optional(&mut **database)
            .await
    })?;
    row.map(|row| recording(counter, row)).transpose()
}

impl Recording {
    /// To which company it belongs.
    pub fn company(&self) -> Uuid {
        self.counter.company.id()
    }

    /// Where the record goes on; the length of the times of its last run is in that one's row.
    pub(in crate::record) fn position(&self, tail: Option<Tail>) -> Position {
        Position {
            through: self.through,
            through_at: self.through_at,
            tail,
        }
    }

    /// Moves on by a plan, with an id for each text that it names. False, and nothing is done, if the row
    /// is not what this is.
    pub(in crate::record) async fn advance(
        &mut self,
        connection: &mut Connection<'_>,
        plan: &Plan<'_>,
    ) -> Result<bool, Error> {
        let last_text = self.last_text + plan.carried.texts.len() as i64;
        let (from, to) = (&plan.from, &plan.to);
        let tail = |position: &Position| position.tail.map(|tail| tail.first as i64);
        let done = on_either!(connection, |database| {
            sqlx::query(of_company(ADVANCE))
                .bind(self.company())
                .bind(self.id)
                .bind(to.through as i64)
                .bind(to.through_at)
                .bind(tail(to))
                .bind(last_text)
                .bind(from.through as i64)
                .bind(from.through_at)
                .bind(tail(from))
                .bind(self.last_text)
                .bind(self.version)
                .execute(&mut **database)
                .await
                .map(|done| done.rows_affected())
        })?;
        if done == 1 {
            self.through = to.through;
            self.through_at = to.through_at;
            self.tail = to.tail.map(|tail| tail.first);
            self.last_text = last_text;
        }
        Ok(done == 1)
    }
}
