//! Sums of days that are over: how far they are, and how they go.

use sqlx::Error;
use uuid::Uuid;

use crate::{
    record::table::recordings::Recording,
    storage::sql::{Connection, of_company, on_either},
};

const SUMMED: &str = "SELECT summed, erased FROM recordings WHERE company_id = $1 AND id = $2";

const UNRECORDED: &str = "SELECT CAST(coalesce(sum(
       CASE WHEN last > $4 THEN $4 ELSE last END - CASE WHEN first <= $3 THEN $3 ELSE first - 1 END), 0) AS BIGINT)
     FROM runs WHERE company_id = $1 AND recording_id = $2 AND reason IS NOT NULL AND last > $3 AND first <= $4";

const FORGET_VALUES: &str =
    "DELETE FROM value_days WHERE company_id = $1 AND recording_id = $2 AND day >= $3 AND day < $4";

const FORGET_VISITORS: &str = "DELETE FROM visitor_days WHERE company_id = $1 AND recording_id = $2 AND day >= $3 AND day < $4";

const FORGET_PROPERTIES: &str = "DELETE FROM property_days WHERE company_id = $1 AND recording_id = $2 AND day >= $3 AND day < $4";

const ERASED: &str = "UPDATE recordings SET erased = erased + 1, summed = CASE WHEN summed > $3 THEN $3 ELSE summed END
     WHERE company_id = $1 AND id = $2";

/// How far days are summed up, and how often something was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// Before which day sums are whole.
    pub summed: i64,
    /// How often something was erased.
    pub erased: i64,
}

pub(super) async fn progress(
    connection: &mut Connection<'_>,
    recording: &Recording,
) -> Result<Progress, Error> {
    let row: Option<(i64, i64)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(SUMMED))
            .bind(recording.company())
            .bind(recording.id)
            .fetch_optional(&mut **database)
            .await
    })?;
    let (summed, erased) = row.unwrap_or((0, 0));
    Ok(Progress { summed, erased })
}

/// Before which day (Unix) sums are whole.
///
/// # Errors
///
/// Those of the database.
pub async fn summed(connection: &mut Connection<'_>, recording: &Recording) -> Result<i64, Error> {
    Ok(progress(connection, recording).await?.summed)
}

/// Of how many visits after a number and up to another nothing is recorded.
///
/// # Errors
///
/// Those of the database.
pub async fn unrecorded(
    connection: &mut Connection<'_>,
    recording: &Recording,
    after: u64,
    through: u64,
) -> Result<u64, Error> {
    let missing: i64 = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(UNRECORDED))
            .bind(recording.company())
            .bind(recording.id)
            .bind(after as i64)
            .bind(through as i64)
            .fetch_one(&mut **database)
            .await
    })?;
    Ok(missing.unsigned_abs())
}

/// Forgets the sums of days from this one on, since what their visits carried is not there any more as it was.
/// They are made again in the background. Whoever erases calls this in the same transaction, with the row of
/// the counter locked.
///
/// # Errors
///
/// Those of the database.
pub async fn forget(
    connection: &mut Connection<'_>,
    company: Uuid,
    recording: i64,
    from: i64,
) -> Result<(), Error> {
    for statement in [FORGET_VALUES, FORGET_PROPERTIES, FORGET_VISITORS] {
        on_either!(&mut *connection, |database| {
            sqlx::query(of_company(statement))
                .bind(company)
                .bind(recording)
                .bind(from)
                .bind(i64::MAX)
                .execute(&mut **database)
                .await
                .map(drop)
        })?;
    }
    on_either!(connection, |database| {
        sqlx::query(of_company(ERASED))
            .bind(company)
            .bind(recording)
            .bind(from)
            .execute(&mut **database)
            .await
            .map(drop)
    })
}

/// Removes the sums of days from one on, before another.
///
/// # Errors
///
/// Those of the database.
pub async fn remove(
    connection: &mut Connection<'_>,
    recording: &Recording,
    from: i64,
    to: i64,
) -> Result<(), Error> {
    for statement in [FORGET_VALUES, FORGET_PROPERTIES, FORGET_VISITORS] {
        on_either!(&mut *connection, |database| {
            sqlx::query(of_company(statement))
                .bind(recording.company())
                .bind(recording.id)
                .bind(from)
                .bind(to)
                .execute(&mut **database)
                .await
        }
        .map(drop))?;
    }
    Ok(())
}
