//! Takes out of the database what nobody asks for any more.

use std::time::Duration;

use tokio::time::sleep;

use crate::storage::sql::{Database, DatabaseError, on_either, schema};

/// Between two times. What is left over is not much, and in nobody's way.
const PAUSE: Duration = Duration::from_hours(1);

/// How long what is over is kept, in milliseconds: for whoever asks what has become of it.
const KEPT: i64 = 24 * 60 * 60 * 1000;

/// Rows that one transaction takes out at most: visits that are counted in the same file wait for it.
pub const MOST: u64 = 1000;

/// What is over, by the time before which it is, and how much of it goes at once. A registration
/// takes its links along.
const OVER: &[&str] = &[
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ended_at < $1 LIMIT $2)",
    "DELETE FROM links WHERE id IN (SELECT id FROM links WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM registrations WHERE id IN
         (SELECT id FROM registrations WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM request_ids WHERE key IN
         (SELECT key FROM request_ids WHERE created_at < $1 LIMIT $2)",
];

/// Does so once an hour, for as long as the process runs. That several replicas do does no harm.
pub async fn run(database: Database) {
    loop {
        sleep(PAUSE).await;
        if let Err(error) = tidy(&database).await {
            tracing::warn!(%error, "what is over is still in the database; the next try is in an hour");
        }
    }
}

/// Does so once, in steps.
///
/// # Errors
///
/// Those of the database. What was taken out in earlier steps stays out.
pub async fn tidy(database: &Database) -> Result<(), DatabaseError> {
    for statement in OVER {
        while forget(database, statement).await? == MOST {}
    }
    Ok(())
}

/// One step; how many rows it took out.
async fn forget(database: &Database, statement: &'static str) -> Result<u64, DatabaseError> {
    let step = database.write("tidy_accounts", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            let before = schema::now(connection).await? - KEPT;
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
