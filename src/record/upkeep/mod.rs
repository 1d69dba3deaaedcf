//! What is done to the record in the background: marks are thinned, days that are over are summed up, what is
//! older than its retention goes, partitions are made ahead.
//!
//! Each step is a transaction of its own and may be repeated, so any number of replicas may do it at once, and
//! it does not matter where one was killed.

use std::time::Duration;

use sqlx::Error;
use tokio::time::sleep;
use uuid::Uuid;

mod retention;
pub mod thinning;

use super::{
    table::recordings::{self, Recording},
    values::summing,
};
use crate::{
    counting::{Company, CounterId, CounterName},
    storage::sql::{Connection, Database, DatabaseError, on_either, schema},
};

/// Between two times. Until a day is summed up it is answered from its rows, which takes longer.
const PAUSE: Duration = Duration::from_mins(10);

/// Counters that are read at a time.
const PAGE: i64 = 100;

/// Milliseconds of a month, the longest there is.
const MONTH: i64 = 31 * 86_400_000;

const COUNTERS: &str =
    "SELECT id, company_id, counter FROM recordings WHERE id > $1 ORDER BY id LIMIT $2";

const MAKE: &str =
    "SELECT footfall_make_visits_partition($1 + months * $2) FROM generate_series(0, 2) AS months";

const DROP: &str = "SELECT footfall_drop_visits_partitions($1)";

/// Does so again and again, for as long as the process runs.
pub async fn run(database: Database) {
    loop {
        sleep(PAUSE).await;
        if let Err(error) = once(&database).await {
            tracing::warn!(%error, "the record was not tidied; the next try is in ten minutes");
        }
    }
}

/// Does all of it once. A counter for which it cannot be done does not keep the others waiting.
///
/// # Errors
///
/// Those of the database, the first of them. What was done by then stays done.
pub async fn once(database: &Database) -> Result<(), DatabaseError> {
    let now = database
        .write("record_partitions", |connection| {
            Box::pin(make_ahead(connection))
        })
        .await?;
    let (mut after, mut failed) = (0, None);
    loop {
        let counters = page(database, after).await?;
        let Some((last, _)) = counters.last() else {
            break;
        };
        after = *last;
        for (_, recording) in &counters {
            let Some(recording) = recording else { continue };
            match tidy(database, recording, now).await {
                Ok(()) => {}
                Err(error @ DatabaseError::Away(_)) => return Err(error),
                Err(error) => {
                    tracing::warn!(counter = %recording.counter, %error, "the record of this counter was not tidied");
                    failed.get_or_insert(error);
                }
            }
        }
    }
    retention::forget_identities(database, now).await?;
    drop_partitions(database, now).await?;
    failed.map_or(Ok(()), Err)
}

async fn tidy(database: &Database, recording: &Recording, now: i64) -> Result<(), DatabaseError> {
    thinning::thin(database, recording, now).await?;
    retention::retain(database, recording, now).await?;
    summing::sum_up(database, recording).await
}

/// Makes the partitions of this month and of the two that follow; the time.
async fn make_ahead(connection: &mut Connection<'_>) -> Result<i64, DatabaseError> {
    let now = schema::now(connection).await?;
    if let Connection::Postgres(database) = connection {
        let make = sqlx::query(MAKE).bind(now).bind(MONTH);
        make.execute(&mut **database).await?;
    }
    Ok(now)
}

async fn drop_partitions(database: &Database, now: i64) -> Result<(), DatabaseError> {
    let dropped = database.write("record_partitions", move |connection| {
        Box::pin(async move {
            if let Connection::Postgres(database) = connection {
                sqlx::query(DROP).bind(now).execute(&mut **database).await?;
            }
            Ok(())
        })
    });
    dropped.await
}

/// Some counters of all companies, by their ids.
async fn page(
    database: &Database,
    after: i64,
) -> Result<Vec<(i64, Option<Recording>)>, DatabaseError> {
    let read = database.read("record_counters", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            Ok(counters(connection, after).await?)
        })
    });
    read.await
}

async fn counters(
    connection: &mut Connection<'_>,
    after: i64,
) -> Result<Vec<(i64, Option<Recording>)>, Error> {
    let rows: Vec<(i64, Uuid, String)> = on_either!(&mut *connection, |database| {
        sqlx::query_as(COUNTERS)
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut **database)
            .await
    })?;
    let mut counters = Vec::with_capacity(rows.len());
    for (id, company, name) in rows {
        let recording = match name.parse::<CounterName>() {
            Ok(name) => {
                let company = Company::from(company);
                recordings::find(connection, &CounterId { company, name }).await?
            }
            Err(_) => None,
        };
        counters.push((id, recording));
    }
    Ok(counters)
}
