//! What is erased of the tables.

use std::collections::BTreeMap;

use sqlx::Error;
use uuid::Uuid;

use super::aside;
use crate::{
    accounts::by::By,
    audit::{self, Action},
    record::{collect::salting::overwriting, values::days},
    storage::sql::{Connection, DatabaseError, of_company, on_either},
};

/// Visits that are erased in one transaction.
const SOME: i64 = 500;

const VISITOR: &str = "SELECT id FROM visitors WHERE company_id = $1 AND key = $2";

const RECORDINGS: &str =
    "SELECT DISTINCT recording_id FROM visits WHERE company_id = $1 AND visitor = $2";

/// Whoever writes anything of a counter has its row; in SQLite, nobody else writes.
const HOLD: &str = "SELECT id FROM recordings WHERE company_id = $1 AND id = $2 FOR NO KEY UPDATE";

/// In one order for all.
const HOLD_ALL: &str =
    "SELECT id FROM recordings WHERE company_id = $1 ORDER BY id FOR NO KEY UPDATE";

/// A visit without a row is one that carried nothing: its number and its time are in its run.
const ERASE: &str =
    "DELETE FROM visits WHERE company_id = $1 AND recording_id = $2 AND visitor = $3
       AND number IN (SELECT number FROM visits
         WHERE company_id = $1 AND recording_id = $2 AND visitor = $3 ORDER BY number LIMIT $4)
     RETURNING path, referrer, campaign, country, at";

const UNUSE: &str =
    "UPDATE texts SET uses = uses - $4 WHERE company_id = $1 AND recording_id = $2 AND id = $3";

const UNUSED: &str =
    "DELETE FROM texts WHERE company_id = $1 AND recording_id = $2 AND id = $3 AND uses = 0";

const FORGET: &str = "UPDATE visitors SET key = NULL WHERE company_id = $1 AND id = $2";

/// The four texts of a visit, and when it was counted.
type Texts = (Option<i64>, Option<i64>, Option<i64>, Option<i64>, i64);

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// The visitors who have these keys, each with the recordings that have visits of theirs.
pub(super) async fn find(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[Box<str>],
) -> Result<Vec<(i64, i64)>, Error> {
    let mut found = Vec::new();
    for visitor in visitors(connection, company, keys).await? {
        let recordings: Vec<i64> = on_either!(&mut *connection, |database| {
            sqlx::query_scalar(of_company(RECORDINGS))
                .bind(company)
                .bind(visitor)
                .fetch_all(&mut **database)
                .await
        })?;
        found.extend(recordings.into_iter().map(|recording| (visitor, recording)));
    }
    Ok(found)
}

async fn visitors(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[Box<str>],
) -> Result<Vec<i64>, Error> {
    let mut visitors = Vec::new();
    for key in keys {
        let found: Vec<i64> = on_either!(&mut *connection, |database| {
            sqlx::query_scalar(of_company(VISITOR))
                .bind(company)
                .bind(&**key)
                .fetch_all(&mut **database)
                .await
        })?;
        visitors.extend(found);
    }
    Ok(visitors)
}

/// Erases some visits of a visitor, and the texts that no other visit names. Whether there may be more.
pub(super) async fn erase_some(
    connection: &mut Connection<'_>,
    company: Uuid,
    recording: i64,
    visitor: i64,
) -> Result<bool, DatabaseError> {
    if let Connection::Postgres(database) = connection {
        let hold = sqlx::query(of_company(HOLD)).bind(company).bind(recording);
        hold.execute(&mut **database).await?;
    }
    overwriting(connection, "PRAGMA secure_delete = ON").await?;
    let erased: Vec<Texts> = on_either!(&mut *connection, |database| {
        sqlx::query_as(of_company(ERASE))
            .bind(company)
            .bind(recording)
            .bind(visitor)
            .bind(SOME)
            .fetch_all(&mut **database)
            .await
    })?;
    let more = erased.len() as i64 == SOME;
    let mut uses = BTreeMap::<i64, i64>::new();
    if let Some(first) = erased.iter().map(|(.., at)| at.div_euclid(DAY)).min() {
        // They say who came and what was named; they are made again from what is left.
        days::forget(connection, company, recording, first).await?;
    }
    for (path, referrer, campaign, country, _) in erased {
        for text in [path, referrer, campaign, country].into_iter().flatten() {
            *uses.entry(text).or_default() += 1;
        }
    }
    for (text, uses) in uses {
        on_either!(&mut *connection, |database| {
            sqlx::query(of_company(UNUSE))
                .bind(company)
                .bind(recording)
                .bind(text)
                .bind(uses)
                .execute(&mut **database)
                .await?;
            sqlx::query(of_company(UNUSED))
                .bind(company)
                .bind(recording)
                .bind(text)
                .execute(&mut **database)
                .await?;
        });
    }
    overwriting(connection, "PRAGMA secure_delete = OFF").await?;
    Ok(more)
}

/// Forgets who has these keys, unless there are visits of theirs. The number that a visitor had is nobody's
/// then. The trail says that it was done also where nobody had them: whoever reads it is not to learn who was
/// here.
pub(super) async fn forget(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[Box<str>],
    by: &By,
) -> Result<bool, DatabaseError> {
    if let Connection::Postgres(database) = connection {
        // Whoever is drained at this moment may have been looked up, and not be written yet.
        let hold = sqlx::query(of_company(HOLD_ALL)).bind(company);
        hold.execute(&mut **database).await?;
    }
    if !find(connection, company, keys).await?.is_empty() {
        return Ok(false);
    }
    overwriting(connection, "PRAGMA secure_delete = ON").await?;
    for visitor in visitors(connection, company, keys).await? {
        on_either!(&mut *connection, |database| {
            sqlx::query(of_company(FORGET))
                .bind(company)
                .bind(visitor)
                .execute(&mut **database)
                .await
                .map(drop)
        })?;
    }
    overwriting(connection, "PRAGMA secure_delete = OFF").await?;
    aside::erase(connection, company, keys).await?;
    audit::record(connection, &by.entry(company, Action::VisitorsErase)).await?;
    Ok(true)
}
