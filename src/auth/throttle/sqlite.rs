//! Failed logins in SQLite, all in one table: a row per subject with its known failures, and
//! one per attempt under way, `SUBJECT/ID`, which is deleted when the attempt is settled.
//!
//! What would be remembered for longer than one window is from before the clock was set back,
//! and counts for nothing: else it would lock people out for as long as the clock was wrong.

use std::time::Duration;

use sqlx::{SqliteConnection, SqliteExecutor};

use super::{Charge, Standing, Subject, UNDER_WAY, Verdict, WINDOW};
use crate::storage::{SqliteStore, StoreError, sql::sqlite::unix_millis};

/// When what is written at this moment is forgotten.
fn latest_expiry(now: i64) -> i64 {
    now + WINDOW.as_millis() as i64
}

fn attempt(subject: &Subject, id: &str) -> String {
    format!("{}/{id}", subject.name)
}

/// How a subject stands. Its attempts are those between `SUBJECT/` and `SUBJECT0`: no
/// byte lies between `/` and `0`, so these begin with `SUBJECT/`, whatever other subjects hold.
async fn standing(
    db: impl SqliteExecutor<'_>,
    subject: &Subject,
    now: i64,
) -> Result<Standing, StoreError> {
    let began_lately = latest_expiry(now) - UNDER_WAY.as_millis() as i64;
    let (known, attempts, under_way, expiry): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT
             coalesce(sum(failures) FILTER (WHERE subject = ?1), 0),
             count(*) FILTER (WHERE subject > ?1),
             count(*) FILTER (WHERE subject > ?1 AND expires_at >= ?2),
             coalesce(max(expires_at) FILTER (WHERE subject = ?1), max(expires_at), ?3)
         FROM login_failures
         WHERE (subject = ?1 OR (subject > ?1 || '/' AND subject < ?1 || '0'))
             AND expires_at > ?3 AND expires_at <= ?4",
    )
    .bind(&subject.name)
    .bind(began_lately)
    .bind(now)
    .bind(latest_expiry(now))
    .fetch_one(db)
    .await?;
    Ok(Standing {
        failures: (known + attempts - under_way).unsigned_abs(),
        under_way: under_way.unsigned_abs(),
        remembered_for: Duration::from_millis((expiry - now).unsigned_abs()),
    })
}

/// Charges all subjects; says why not, if one of them refuses.
pub async fn charge(sqlite: &SqliteStore, charge: &Charge) -> Result<Option<Verdict>, StoreError> {
    // Who waits asks again and again, and does so without keeping visits from being written.
    for subject in &charge.subjects {
        let standing = standing(sqlite.reader(), subject, unix_millis()).await?;
        if let Some(refusal) = standing.refusal(subject.limit) {
            return Ok(Some(refusal));
        }
    }
    let mut writer = sqlite.writer().await?;
    let mut transaction = writer.begin().await?;
    let now = unix_millis();
    for subject in &charge.subjects {
        let standing = standing(&mut *transaction, subject, now).await?;
        if let Some(refusal) = standing.refusal(subject.limit) {
            return Ok(Some(refusal));
        }
        add(&mut transaction, &attempt(subject, &charge.id), now).await?;
    }
    transaction.commit().await?;
    Ok(None)
}

/// Ends the attempt for all subjects.
pub async fn settle(
    sqlite: &SqliteStore,
    charge: &Charge,
    succeeded: bool,
) -> Result<(), StoreError> {
    let mut writer = sqlite.writer().await?;
    let mut transaction = writer.begin().await?;
    let now = unix_millis();
    sqlx::query("DELETE FROM login_failures WHERE expires_at <= ? OR expires_at > ?")
        .bind(now)
        .bind(latest_expiry(now))
        .execute(&mut *transaction)
        .await?;
    for subject in &charge.subjects {
        sqlx::query("DELETE FROM login_failures WHERE subject = ?")
            .bind(attempt(subject, &charge.id))
            .execute(&mut *transaction)
            .await?;
        if !succeeded {
            add(&mut transaction, &subject.name, now).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// One failure more, or the first of a window.
async fn add(db: &mut SqliteConnection, name: &str, now: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO login_failures (subject, failures, expires_at) VALUES (?, 1, ?)
         ON CONFLICT (subject) DO UPDATE SET failures = failures + 1",
    )
    .bind(name)
    .bind(latest_expiry(now))
    .execute(db)
    .await?;
    Ok(())
}
