//! Takes out of the database what nobody asks for any more.

use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use crate::storage::sql::{Database, DatabaseError, on_either, schema};

/// Between two times. What is left over is not much, and in nobody's way.
const PAUSE: Duration = Duration::from_hours(1);

/// Before the first time, at the least: a process that starts has other things to do.
const FIRST_AT_LEAST: Duration = Duration::from_mins(1);

/// And at the most. Each replica chooses a moment of its own, so that those that were started together do not
/// all do it at once; and one that is restarted every half hour still does it.
const FIRST_AT_MOST: Duration = Duration::from_mins(5);

/// How long what is over is kept, in milliseconds: for whoever asks what has become of it.
const KEPT: i64 = 24 * 60 * 60 * 1000;

/// How long a filter that no audience has any more is kept: for whoever asks again what was answered with it.
const FILTERS_KEPT: i64 = 30 * KEPT;

/// Rows that one transaction takes out at most: visits that are counted in the same file wait for it.
pub const MOST: u64 = 1000;

/// What is over, how long it is kept, by the time before which it is, and how much of it goes at once. A
/// registration takes its links along. A filter that an audience has again meanwhile stays: hence its time is
/// asked for twice.
const OVER: &[(&str, i64)] = &[
    (
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)",
        KEPT,
    ),
    (
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended_at < $1 LIMIT $2)",
        KEPT,
    ),
    (
        "DELETE FROM links WHERE id IN (SELECT id FROM links WHERE expires_at < $1 LIMIT $2)",
        KEPT,
    ),
    (
        "DELETE FROM registrations WHERE id IN
             (SELECT id FROM registrations WHERE expires_at < $1 LIMIT $2)",
        KEPT,
    ),
    (
        "DELETE FROM request_ids WHERE key IN
             (SELECT key FROM request_ids WHERE created_at < $1 LIMIT $2)",
        KEPT,
    ),
    (
        "DELETE FROM audience_filters WHERE replaced_at < $1 AND (company_id, hash) IN
             (SELECT company_id, hash FROM audience_filters WHERE replaced_at < $1 LIMIT $2)",
        FILTERS_KEPT,
    ),
];

/// Does so soon after the start and then once an hour, for as long as the process runs. That several replicas
/// do does no harm.
pub async fn run(database: Database) {
    let mut pause = first_pause(Uuid::now_v7());
    loop {
        sleep(pause).await;
        pause = PAUSE;
        if let Err(error) = tidy(&database).await {
            tracing::warn!(%error, "what is over is still in the database; the next try is in an hour");
        }
    }
}

/// By the random bits of an id.
fn first_pause(id: Uuid) -> Duration {
    // The last bytes of a UUIDv7 are random.
    let [.., high, low] = *id.as_bytes();
    let share = f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX);
    FIRST_AT_LEAST + (FIRST_AT_MOST - FIRST_AT_LEAST).mul_f64(share)
}

/// Does so once, in steps.
///
/// # Errors
///
/// Those of the database. What was taken out in earlier steps stays out.
pub async fn tidy(database: &Database) -> Result<(), DatabaseError> {
    for (statement, kept) in OVER {
        while forget(database, statement, *kept).await? == MOST {}
    }
    Ok(())
}

/// One step; how many rows it took out.
async fn forget(
    database: &Database,
    statement: &'static str,
    kept: i64,
) -> Result<u64, DatabaseError> {
    let step = database.write("tidy_accounts", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            let before = schema::now(connection).await? - kept;
            Ok(on_either!(connection, |database| {
                sqlx::query(statement)
                    .bind(before)
                    .bind(MOST.cast_signed())
                    .execute(&mut **database)
                    .await
                    .map(|done| done.rows_affected())
            })?)
        })
    });
    step.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_soon_and_another_one_for_each_replica() {
        let pauses: Vec<_> = (0..200).map(|_| first_pause(Uuid::now_v7())).collect();
        let (first, last) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*first >= Duration::from_mins(1) && *last <= Duration::from_mins(5));
        assert!(
            *last - *first > Duration::from_mins(2),
            "{first:?} {last:?}"
        );
        assert_eq!(first_pause(Uuid::nil()), FIRST_AT_LEAST);
        assert_eq!(first_pause(Uuid::max()), FIRST_AT_MOST);
    }
}
