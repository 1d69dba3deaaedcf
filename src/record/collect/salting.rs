//! The salts that tell visitors apart for a day: made ahead, the same for all replicas, and really
//! deleted. Afterwards nobody can say any more which visitor of one day was one of another, nor try out
//! who a visitor may have been.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::sleep;

use super::metrics::CollectMetrics;
use crate::{
    counting::carried::{SALT_BYTES, Salt, Salts},
    storage::sql::{Connection, Database, DatabaseError, on_either, schema},
};

/// Between two looks while all is well: the salt of tomorrow is known a day ahead.
const PAUSE: Duration = Duration::from_mins(1);

/// Between two tries while it is not.
const RETRY: Duration = Duration::from_secs(1);

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Days for which a salt is kept from its beginning on: 48 hours.
const KEPT: i64 = 2;

/// Keeps the salts of today and tomorrow, and no other.
pub struct Salting {
    database: Database,
    salts: Salts,
    metrics: Arc<CollectMetrics>,
    /// Whether what was deleted may still be in SQLite's log.
    owes: bool,
}

/// What is in the database.
type Rows = BTreeMap<i64, Salt>;

impl Salting {
    /// Of this database, for all who share these salts.
    pub fn new(database: Database, salts: Salts, metrics: Arc<CollectMetrics>) -> Self {
        Self {
            database,
            salts,
            metrics,
            // Whoever ran before may have died in between.
            owes: true,
        }
    }

    /// Does so for as long as the process runs.
    pub async fn run(mut self) {
        loop {
            let pause = match self.keep(None).await {
                Ok(()) => PAUSE,
                Err(error) => {
                    tracing::debug!(%error, "the salts of visitors could not be looked after");
                    RETRY
                }
            };
            sleep(pause).await;
        }
    }

    /// Makes those that are missing, knows what is in the database, and deletes what is too old. It
    /// is so late, in Unix milliseconds, as the database says unless it is told.
    ///
    /// # Errors
    ///
    /// Those of the database. What is too old is forgotten by this process all the same.
    pub async fn keep(&mut self, now: Option<i64>) -> Result<(), DatabaseError> {
        let kept = match self.look(now).await {
            Ok((today, rows)) if is_whole(&rows, today) => Ok((today, rows)),
            Ok((today, _)) => self.mend(today).await.map(|rows| (today, rows)),
            Err(error) => Err(error),
        };
        let (today, known, failed) = match kept {
            Ok((today, rows)) => (today, rows, None),
            Err(error) => {
                let today = now.map_or_else(Salts::today, day);
                (today, self.still_known(today), Some(error))
            }
        };
        let ahead = known.range(today..).count();
        self.metrics.salts.set(ahead as i64);
        self.salts.set(known);
        if let Some(error) = failed {
            return Err(error);
        }
        if self.owes && self.database.empty_log().await? {
            self.owes = false;
        }
        Ok(())
    }

    fn still_known(&self, today: i64) -> Rows {
        let days = today - KEPT + 1..=today + 1;
        days.filter_map(|day| Some((day, self.salts.of(day)?)))
            .collect()
    }

    async fn look(&self, now: Option<i64>) -> Result<(i64, Rows), DatabaseError> {
        let looking = self.database.read("visitor_salts", move |connection| {
            Box::pin(async move {
                let now = match now {
                    Some(now) => now,
                    None => schema::now(connection).await?,
                };
                Ok((day(now), read(connection).await?))
            })
        });
        looking.await
    }

    async fn mend(&mut self, today: i64) -> Result<Rows, DatabaseError> {
        // Also if it is not known whether it was done.
        self.owes = true;
        let mending = self.database.write("visitor_salts", move |connection| {
            Box::pin(async move {
                delete(connection, today - KEPT).await?;
                for day in [today, today + 1] {
                    make(connection, day).await?;
                }
                // Another replica may have made them before.
                read(connection).await
            })
        });
        mending.await
    }
}

fn day(unix_millis: i64) -> i64 {
    unix_millis.div_euclid(DAY)
}

/// Whether none is missing, and none too old.
fn is_whole(rows: &Rows, today: i64) -> bool {
    let needed = [today, today + 1];
    needed.iter().all(|day| rows.contains_key(day)) && rows.range(..=today - KEPT).count() == 0
}

async fn read(connection: &mut Connection<'_>) -> Result<Rows, DatabaseError> {
    let rows: Vec<(i64, Vec<u8>)> = on_either!(connection, |database| {
        sqlx::query_as("SELECT day, salt FROM visitor_salts")
            .fetch_all(&mut **database)
            .await
    })?;
    let known = |(day, salt): (i64, Vec<u8>)| Some((day, salt.try_into().ok()?));
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Makes the salt of a day, if there is none.
async fn make(connection: &mut Connection<'_>, day: i64) -> Result<(), DatabaseError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| DatabaseError::Refused(error.to_string()))?;
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO visitor_salts (day, salt) VALUES ($1, $2) ON CONFLICT (day) DO NOTHING",
        )
        .bind(day)
        .bind(&salt[..])
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Deletes those of a day and of all before it.
async fn delete(connection: &mut Connection<'_>, last: i64) -> Result<(), DatabaseError> {
    // SQLite leaves what is deleted where it was, unless it is told to overwrite it.
    overwriting(connection, "PRAGMA secure_delete = ON").await?;
    on_either!(connection, |database| {
        sqlx::query("DELETE FROM visitor_salts WHERE day <= $1")
            .bind(last)
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    // What counting deletes need not be.
    overwriting(connection, "PRAGMA secure_delete = OFF").await
}

/// What is deleted from here on, and until this is turned off, is overwritten: only SQLite is to be told so.
pub(in crate::record) async fn overwriting(
    connection: &mut Connection<'_>,
    pragma: &'static str,
) -> Result<(), DatabaseError> {
    if let Connection::Sqlite(database) = connection {
        sqlx::query(pragma).execute(&mut **database).await?;
    }
    Ok(())
}
