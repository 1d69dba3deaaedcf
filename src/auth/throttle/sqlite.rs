//! What is limited, in SQLite, all in one table. Failures: a row per bucket with those that are
//! known, and one per attempt under way, `BUCKET/ID`, which is deleted when the attempt is settled.
//! Actions: a row for each, `BUCKET/ID`.
//!
//! What would be remembered for longer than one window is from before the clock was set back,
//! and counts for nothing: else it would lock people out for as long as the clock was wrong.

use std::time::Duration;

use sqlx::{SqliteConnection, SqliteExecutor};

use super::{Bucket, Charge, Excess, LONGEST_WINDOW, Standing, UNDER_WAY, Verdict};
use crate::storage::{SqliteStore, StoreError, sql::sqlite::unix_millis};

/// When what is written at this moment is forgotten.
fn latest_expiry(now: i64, window: Duration) -> i64 {
    now + window.as_millis() as i64
}

fn row(bucket: &Bucket, id: &str) -> String {
    format!("{}/{id}", bucket.name)
}

/// How a bucket stands. Its attempts are those between `BUCKET/` and `BUCKET0`: no
/// byte lies between `/` and `0`, so these begin with `BUCKET/`, whatever other buckets hold.
async fn standing(
    db: impl SqliteExecutor<'_>,
    bucket: &Bucket,
    now: i64,
) -> Result<Standing, StoreError> {
    let latest_expiry = latest_expiry(now, bucket.window);
    let began_lately = latest_expiry - UNDER_WAY.as_millis() as i64;
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
    .bind(&bucket.name)
    .bind(began_lately)
    .bind(now)
    .bind(latest_expiry)
    .fetch_one(db)
    .await?;
    Ok(Standing {
        failures: (known + attempts - under_way).unsigned_abs(),
        under_way: under_way.unsigned_abs(),
        remembered_for: Duration::from_millis((expiry - now).unsigned_abs()),
    })
}

/// Charges all buckets; says why not, if one of them refuses.
pub async fn charge(sqlite: &SqliteStore, charge: &Charge) -> Result<Option<Verdict>, StoreError> {
    // Who waits asks again and again, and does so without keeping visits from being written.
    for bucket in &charge.buckets {
        let standing = standing(sqlite.reader(), bucket, unix_millis()).await?;
        if let Some(refusal) = standing.refusal(bucket.limit) {
            return Ok(Some(refusal));
        }
    }
    let mut writer = sqlite.writer().await?;
    let mut transaction = writer.begin().await?;
    let now = unix_millis();
    for bucket in &charge.buckets {
        let standing = standing(&mut *transaction, bucket, now).await?;
        if let Some(refusal) = standing.refusal(bucket.limit) {
            return Ok(Some(refusal));
        }
        let attempt = row(bucket, &charge.id);
        add(
            &mut transaction,
            &attempt,
            latest_expiry(now, bucket.window),
        )
        .await?;
    }
    transaction.commit().await?;
    Ok(None)
}

/// Ends the attempt for all buckets.
pub async fn settle(
    sqlite: &SqliteStore,
    charge: &Charge,
    succeeded: bool,
) -> Result<(), StoreError> {
    let mut writer = sqlite.writer().await?;
    let mut transaction = writer.begin().await?;
    let now = unix_millis();
    forget(&mut transaction, now).await?;
    for bucket in &charge.buckets {
        let latest_expiry = latest_expiry(now, bucket.window);
        sqlx::query(
            "DELETE FROM login_failures WHERE subject = ? OR subject = ? AND expires_at > ?",
        )
        .bind(row(bucket, &charge.id))
        .bind(&bucket.name)
        .bind(latest_expiry)
        .execute(&mut *transaction)
        .await?;
        if !succeeded {
            add(&mut transaction, &bucket.name, latest_expiry).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Counts an action in one bucket after the other, up to the first that is full.
pub async fn count(
    sqlite: &SqliteStore,
    id: &str,
    buckets: &[Bucket],
) -> Result<Option<Excess>, StoreError> {
    // As above: who is refused keeps nobody from writing. Only the first of them, since the next
    // is asked about only when this one has taken it.
    if let Some(bucket) = buckets.first()
        && let Some(excess) = excess(sqlite.reader(), bucket, unix_millis()).await?
    {
        return Ok(Some(excess));
    }
    let mut writer = sqlite.writer().await?;
    let mut transaction = writer.begin().await?;
    let now = unix_millis();
    forget(&mut transaction, now).await?;
    let mut refusal = None;
    for bucket in buckets {
        refusal = excess(&mut *transaction, bucket, now).await?;
        if refusal.is_some() {
            break;
        }
        let action = row(bucket, id);
        add(&mut transaction, &action, latest_expiry(now, bucket.window)).await?;
    }
    transaction.commit().await?;
    Ok(refusal)
}

/// Whether a bucket of actions is full.
async fn excess(
    db: impl SqliteExecutor<'_>,
    bucket: &Bucket,
    now: i64,
) -> Result<Option<Excess>, StoreError> {
    let (actions, first_expiry): (i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(min(expires_at), ?2) FROM login_failures
         WHERE subject > ?1 || '/' AND subject < ?1 || '0' AND expires_at > ?2 AND expires_at <= ?3",
    )
    .bind(&bucket.name)
    .bind(now)
    .bind(latest_expiry(now, bucket.window))
    .fetch_one(db)
    .await?;
    let wait = Duration::from_millis((first_expiry - now).unsigned_abs());
    Ok((actions.unsigned_abs() >= bucket.limit).then(|| Excess::of(bucket, wait)))
}

/// Deletes what counts for nothing any more.
async fn forget(db: &mut SqliteConnection, now: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM login_failures WHERE expires_at <= ? OR expires_at > ?")
        .bind(now)
        .bind(latest_expiry(now, LONGEST_WINDOW))
        .execute(db)
        .await?;
    Ok(())
}

/// One more, or the first of a window.
async fn add(db: &mut SqliteConnection, name: &str, expires_at: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO login_failures (subject, failures, expires_at) VALUES (?, 1, ?)
         ON CONFLICT (subject) DO UPDATE SET failures = failures + 1",
    )
    .bind(name)
    .bind(expires_at)
    .execute(db)
    .await?;
    Ok(())
}
