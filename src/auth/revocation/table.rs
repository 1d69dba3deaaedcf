//! The table of revocations: what holds, whatever becomes of a Redis.

use uuid::Uuid;

use super::entry::{Columns, Entry, Revocation};
use crate::storage::{
    SqliteStore, StoreError,
    sql::{Connection, DatabaseError, on_either, schema},
};

/// Rows that are read or removed at once: visits that are counted in the same file wait for what is
/// removed. More of them are next.
const PAGE: i64 = 1000;

/// Notes revocations in the transaction that causes them, to hold for so many milliseconds; the
/// numbers of their rows come with them.
///
/// # Errors
///
/// Those of the database.
pub async fn note(
    connection: &mut Connection<'_>,
    revocations: &[Revocation],
    lifetime: i64,
) -> Result<Vec<(i64, Entry)>, DatabaseError> {
    if revocations.is_empty() {
        return Ok(Vec::new());
    }
    let noted_at = schema::now(connection).await?;
    let until = noted_at.saturating_add(lifetime);
    // Where the table is beside the counters, it is what they compare with: committed is published.
    let published = matches!(connection, Connection::Sqlite(_));
    let mut noted = Vec::with_capacity(revocations.len());
    for &revocation in revocations {
        let (kind, subject, below, except) = revocation.columns();
        let seq: i64 = on_either!(connection, |database| {
            sqlx::query_scalar(
                "INSERT INTO revocations
                     (kind, subject, below, except_session, noted_at, until, published)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING seq",
            )
            .bind(kind)
            .bind(subject)
            .bind(below)
            .bind(except)
            .bind(noted_at)
            .bind(until)
            .bind(published)
            .fetch_one(&mut **database)
            .await
        })?;
        let entry = Entry {
            revocation,
            noted_at,
            until,
        };
        noted.push((seq, entry));
    }
    Ok(noted)
}

type Row = (i64, String, Uuid, Option<i64>, Option<Uuid>, i64, i64);

fn entry((seq, kind, subject, below, except, noted_at, until): Row) -> (i64, Option<Entry>) {
    let columns: Columns = (kind, subject, below, except);
    let entry = Revocation::from_columns(columns).map(|revocation| Entry {
        revocation,
        noted_at,
        until,
    });
    (seq, entry)
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All that has not ended.
    Living,
    /// Of these, what nobody has published yet.
    Unpublished,
}

/// Up to [`PAGE`] rows after one, in the order of their numbers.
///
/// # Errors
///
/// Those of the database.
async fn page(
    connection: &mut Connection<'_>,
    wanted: Wanted,
    now: i64,
    after: i64,
) -> Result<Vec<Row>, DatabaseError> {
    let text = match wanted {
        Wanted::Living => {
            "SELECT seq, kind, subject, below, except_session, noted_at, until FROM revocations
             WHERE seq > $1 AND until > $2 ORDER BY seq LIMIT $3"
        }
        Wanted::Unpublished => {
            "SELECT seq, kind, subject, below, except_session, noted_at, until FROM revocations
             WHERE NOT published AND seq > $1 AND until > $2 ORDER BY seq LIMIT $3"
        }
    };
    Ok(on_either!(connection, |database| {
        sqlx::query_as(text)
            .bind(after)
            .bind(now)
            .bind(PAGE)
            .fetch_all(&mut **database)
            .await
    })?)
}

/// All rows that are wanted after one. Those of a kind that this version does not know are left
/// out: they are for newer replicas.
///
/// # Errors
///
/// Those of the database.
pub async fn read(
    connection: &mut Connection<'_>,
    wanted: Wanted,
    after: i64,
) -> Result<Vec<(i64, Entry)>, DatabaseError> {
    let now = schema::now(connection).await?;
    let (mut found, mut last) = (Vec::new(), after);
    loop {
        let rows = page(connection, wanted, now, last).await?;
        let is_last = rows.len() < PAGE as usize;
        for (seq, entry) in rows.into_iter().map(entry) {
            last = seq;
            found.extend(entry.map(|entry| (seq, entry)));
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// The text of [`EPOCH`], to be made part of another statement.
macro_rules! epoch_query {
    () => {
        "SELECT coalesce(max(seq), 0) FROM revocations"
    };
}
pub(crate) use epoch_query;

/// The number of the newest row, 0 if there is none: what is compared where visits are counted in
/// the same file. Numbers are never given twice.
pub const EPOCH: &str = epoch_query!();

/// That number.
///
/// # Errors
///
/// Those of the database.
pub async fn epoch(connection: &mut Connection<'_>) -> Result<i64, DatabaseError> {
    Ok(on_either!(connection, |database| {
        sqlx::query_scalar(EPOCH).fetch_one(&mut **database).await
    })?)
}

/// That number, asked for by itself: four times a second a transaction would be felt.
///
/// # Errors
///
/// Those of the store.
pub async fn epoch_in(file: &SqliteStore) -> Result<i64, StoreError> {
    let epoch = sqlx::query_scalar(EPOCH).fetch_one(file.reader());
    Ok(epoch.await?)
}

/// Notes that these rows were published.
///
/// # Errors
///
/// Those of the database.
pub async fn mark(connection: &mut Connection<'_>, rows: &[i64]) -> Result<(), DatabaseError> {
    for seq in rows {
        on_either!(connection, |database| {
            sqlx::query("UPDATE revocations SET published = TRUE WHERE seq = $1")
                .bind(seq)
                .execute(&mut **database)
                .await
                .map(drop)
        })?;
    }
    Ok(())
}

/// Removes some of what has ended; whether there may be more.
///
/// # Errors
///
/// Those of the database.
pub async fn trim(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    let now = schema::now(connection).await?;
    let removed = on_either!(connection, |database| {
        sqlx::query(
            "DELETE FROM revocations WHERE seq IN
                 (SELECT seq FROM revocations WHERE until <= $1 ORDER BY until LIMIT $2)",
        )
        .bind(now)
        .bind(PAGE)
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(removed == PAGE.cast_unsigned())
}
