//! Failed logins in SQLite.
//!
//! What would be remembered for longer than one window is from before the clock was set back,
//! and counts for nothing: else it would lock people out for as long as the clock was wrong.

use std::time::Duration;

use super::{Failures, Subject, WINDOW};
use crate::store::{SqliteStore, StoreError, sqlite::unix_millis};

/// When a failure of this moment is forgotten.
fn latest_expiry(now: i64) -> i64 {
    now + WINDOW.as_millis() as i64
}

pub async fn read(sqlite: &SqliteStore, subjects: &[Subject]) -> Result<Vec<Failures>, StoreError> {
    let now = unix_millis();
    let mut found = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let row: Option<(i64, i64)> = sqlx::query_as(
            "SELECT failures, expires_at FROM login_failures
             WHERE subject = ? AND expires_at > ? AND expires_at <= ?",
        )
        .bind(&subject.name)
        .bind(now)
        .bind(latest_expiry(now))
        .fetch_optional(sqlite.reader())
        .await?;
        let (count, expires_at) = row.unwrap_or((0, now));
        found.push(Failures {
            count: count.unsigned_abs(),
            remembered_for: Duration::from_millis((expires_at - now).unsigned_abs()),
        });
    }
    Ok(found)
}

pub async fn record(sqlite: &SqliteStore, subjects: &[Subject]) -> Result<(), StoreError> {
    let now = unix_millis();
    let mut writer = sqlite.writer().await?;
    let mut transaction = writer.begin().await?;
    sqlx::query("DELETE FROM login_failures WHERE expires_at <= ? OR expires_at > ?")
        .bind(now)
        .bind(latest_expiry(now))
        .execute(&mut *transaction)
        .await?;
    for subject in subjects {
        sqlx::query(
            "INSERT INTO login_failures (subject, failures, expires_at) VALUES (?, 1, ?)
             ON CONFLICT (subject) DO UPDATE SET failures = failures + 1",
        )
        .bind(&subject.name)
        .bind(latest_expiry(now))
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}
