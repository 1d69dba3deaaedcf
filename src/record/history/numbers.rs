//! How many visits were counted before some minutes: the marks.

use sqlx::{Error, types::Json};

use crate::{
    record::{Reason, table::recordings::Recording},
    storage::sql::{Connection, of_company, on_either},
};

/// For each minute one look into the index of the marks.
macro_rules! before {
    ($minutes:literal) => {
        concat!(
            "SELECT (SELECT number FROM marks
               WHERE company_id = $1 AND recording_id = $2 AND marks.minute < asked.minute
               ORDER BY marks.minute DESC LIMIT 1)
             FROM ",
            $minutes,
            " ORDER BY place"
        )
    };
}

/// What is asked of PostgreSQL, for a test to see its plan.
pub const BEFORE_IN_POSTGRES: &str = before!("unnest($3) WITH ORDINALITY AS asked (minute, place)");

const BEFORE_IN_SQLITE: &str =
    before!("(SELECT value AS minute, key AS place FROM json_each($3)) AS asked");

const FIRST: &str = "SELECT minute FROM marks WHERE company_id = $1 AND recording_id = $2
     ORDER BY minute LIMIT 1";

/// Backwards, since what is asked for is new. What it is looked up by is one value for PostgreSQL, since whoever may see
/// only some rows may not look into an index by what might tell of others.
pub const OF_NUMBER: &str = "SELECT minute FROM marks WHERE company_id = $1 AND recording_id = $2
       AND minute > (SELECT coalesce((SELECT minute FROM marks
         WHERE company_id = $1 AND recording_id = $2 AND number < $3
         ORDER BY minute DESC LIMIT 1), -1))
     ORDER BY minute LIMIT 1";

const UNRECORDED: &str = "SELECT first, last, reason, first_at, last_at FROM runs
     WHERE company_id = $1 AND recording_id = $2 AND reason IS NOT NULL AND last > $3 AND first <= $4
     ORDER BY first LIMIT $5";

const GAP: &str = "SELECT first FROM runs
     WHERE company_id = $1 AND recording_id = $2 AND reason IS NOT NULL AND first <= $3 AND last >= $3
     ORDER BY first DESC LIMIT 1";

/// Visits of which nothing is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// The number of the first of them.
    pub first: u64,
    /// That of the last.
    pub last: u64,
    /// Why.
    pub reason: &'static str,
    /// When the visit before them was counted, in Unix milliseconds; 0 if nobody knows.
    pub first_at: i64,
    /// When the one after them was.
    pub last_at: i64,
}

/// The numbers of the last visits before each of these minutes, in their order.
///
/// # Errors
///
/// Those of the database.
pub async fn before(
    connection: &mut Connection<'_>,
    recording: &Recording,
    minutes: &[i64],
) -> Result<Vec<u64>, Error> {
    let numbers: Vec<Option<i64>> = match connection {
        Connection::Postgres(database) => {
            let numbers = sqlx::query_scalar(of_company(BEFORE_IN_POSTGRES));
            let numbers = numbers.bind(recording.company()).bind(recording.id);
            numbers.bind(minutes).fetch_all(&mut **database).await?
        }
        Connection::Sqlite(database) => {
            let numbers = sqlx::query_scalar(of_company(BEFORE_IN_SQLITE));
            let numbers = numbers.bind(recording.company()).bind(recording.id);
            numbers
                .bind(Json(minutes))
                .fetch_all(&mut **database)
                .await?
        }
    };
    let numbers = numbers.into_iter();
    Ok(numbers
        .map(|number| number.map_or(recording.began, i64::unsigned_abs))
        .collect())
}

/// The minute of the first visit that is recorded.
///
/// # Errors
///
/// Those of the database.
pub async fn first_minute(
    connection: &mut Connection<'_>,
    recording: &Recording,
) -> Result<Option<i64>, Error> {
    on_either!(connection, |database| {
        sqlx::query_scalar(of_company(FIRST))
            .bind(recording.company())
            .bind(recording.id)
            .fetch_optional(&mut **database)
            .await
    })
}

/// The minute in which a number was given, or the end of its quarter of an hour if that is long past.
///
/// # Errors
///
/// Those of the database.
pub async fn minute_of(
    connection: &mut Connection<'_>,
    recording: &Recording,
    number: u64,
) -> Result<Option<i64>, Error> {
    on_either!(connection, |database| {
        sqlx::query_scalar(of_company(OF_NUMBER))
            .bind(recording.company())
            .bind(recording.id)
            .bind(number as i64)
            .fetch_optional(&mut **database)
            .await
    })
}

/// The last number up to this one of which more is recorded than that it was given: when it was.
///
/// # Errors
///
/// Those of the database.
pub async fn recorded_to(
    connection: &mut Connection<'_>,
    recording: &Recording,
    number: u64,
) -> Result<u64, Error> {
    let mut last = number.min(recording.through);
    while last > recording.began {
        let first: Option<i64> = on_either!(connection, |database| {
            sqlx::query_scalar(of_company(GAP))
                .bind(recording.company())
                .bind(recording.id)
                .bind(last as i64)
                .fetch_optional(&mut **database)
                .await
        })?;
        match first {
            Some(first) => last = first.unsigned_abs().saturating_sub(1),
            None => break,
        }
    }
    Ok(last)
}

/// Runs after one number and up to another of which nothing is recorded, as many at most.
///
/// # Errors
///
/// Those of the database.
pub async fn unrecorded(
    connection: &mut Connection<'_>,
    recording: &Recording,
    after: u64,
    through: u64,
    most: usize,
) -> Result<Vec<Unrecorded>, Error> {
    let rows: Vec<(i64, i64, String, i64, i64)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(UNRECORDED))
            .bind(recording.company())
            .bind(recording.id)
            .bind(after as i64)
            .bind(through as i64)
            .bind(most as i64)
            .fetch_all(&mut **database)
            .await
    })?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(first, last, reason, first_at, last_at)| Unrecorded {
            first: first.unsigned_abs().max(after + 1),
            last: last.unsigned_abs().min(through),
            reason: Reason::from_text(&reason).map_or("unknown", Reason::text),
            first_at,
            last_at,
        })
        .collect())
}
