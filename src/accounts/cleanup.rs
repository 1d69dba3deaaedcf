//! Takes out of the database what nobody asks for any more.

use std::time::Duration;

use tokio::time::sleep;

use super::once::Once;
use crate::storage::sql::{Connection, Database, DatabaseError, on_either, schema};

/// Between two times. What is left over is not much, and in nobody's way.
const PAUSE: Duration = Duration::from_hours(1);

/// How long what is over is kept, in milliseconds: for whoever asks what has become of it.
const KEPT: i64 = 24 * 60 * 60 * 1000;

/// What is over, by the time before which it is. A registration takes its links along.
const OVER: &[&str] = &[
    "DELETE FROM sessions WHERE expires_at < $1",
    "DELETE FROM sessions WHERE ended_at < $1",
    "DELETE FROM links WHERE expires_at < $1",
    "DELETE FROM registrations WHERE expires_at < $1",
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

/// Does so once.
///
/// # Errors
///
/// Those of the database.
pub async fn tidy(database: &Database) -> Result<(), DatabaseError> {
    let done = database.write("tidy_accounts", |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            forget(connection).await
        })
    });
    done.await
}

async fn forget(connection: &mut Connection<'_>) -> Result<(), DatabaseError> {
    let before = schema::now(connection).await? - KEPT;
    for statement in OVER {
        on_either!(connection, |database| {
            sqlx::query(*statement)
                .bind(before)
                .execute(&mut **database)
                .await
                .map(drop)
        })?;
    }
    Once::forget(connection).await
}
