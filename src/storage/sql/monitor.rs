//! Asks PostgreSQL whether it can be used, for as long as the process runs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::PgConnection;
use tokio::time::{sleep, timeout};

use super::{
    Connection, DatabaseError,
    database::Postgres,
    postgres::{Dialer, Limits},
    reasons, schema,
};

/// The time between two questions while it is up.
const PAUSE: Duration = Duration::from_secs(1);

/// The time between two questions while it is away.
const PAUSE_AWAY: Duration = Duration::from_millis(500);

/// Asks on a connection of its own, so that it need not wait for those who work.
pub struct Monitor {
    database: Arc<Postgres>,
    dialer: Dialer,
    connection: Option<PgConnection>,
}

impl Monitor {
    pub(super) fn new(database: Arc<Postgres>) -> Self {
        let limit = database.timeout;
        Self {
            dialer: Dialer::new(database.url.clone(), Limits::Operation(limit), limit),
            database,
            connection: None,
        }
    }

    /// Asks again and again: every second, and when an operation has failed; twice a second while
    /// it is away.
    pub async fn run(mut self) {
        loop {
            let answer = self.ask().await;
            let is_up = answer.is_ok();
            self.database.health.note(answer);
            self.database.note_connections();
            match is_up {
                true => self.database.health.doubted_within(PAUSE).await,
                false => sleep(PAUSE_AWAY).await,
            }
        }
    }

    /// Asks once.
    ///
    /// # Errors
    ///
    /// If it cannot be used, with a sentence for people.
    pub async fn ask(&mut self) -> Result<(), DatabaseError> {
        let started = Instant::now();
        let mut answer = self.ask_within().await;
        // A connection that has broken since the last question says only that it has.
        if let Err(DatabaseError::ConnectionLost(_)) = &answer {
            answer = self.ask_within().await;
        }
        let metrics = &self.database.metrics;
        metrics.observe("ping", started.elapsed(), answer.as_ref().err());
        // Whatever it is, it cannot be used.
        answer.map_err(|error| match error {
            DatabaseError::Away(_) => error,
            error => {
                let server = self.database.url.server();
                DatabaseError::Away(format!("{server}: {error}"))
            }
        })
    }

    async fn ask_within(&mut self) -> Result<(), DatabaseError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.dialer.connect().await?,
        };
        match timeout(self.database.timeout, question(&mut connection)).await {
            Ok(Ok(problem)) => {
                self.connection = Some(connection);
                problem.map_or(Ok(()), |problem| Err(DatabaseError::Away(problem)))
            }
            // Not kept: what it has prepared may be for a schema that is no more.
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let limit = self.database.timeout;
                let silence = reasons::of_silence(&self.database.url, limit);
                Err(DatabaseError::Away(silence))
            }
        }
    }
}

/// Whether it is a server that Footfall can work with, that takes writes, with a schema that this
/// version knows; else what it is.
async fn question(connection: &mut PgConnection) -> Result<Option<String>, DatabaseError> {
    let (version, is_standby, takes_no_writes): (i32, bool, bool) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
                current_setting('transaction_read_only')::bool",
    )
    .fetch_one(&mut *connection)
    .await?;
    if let Some(old) = reasons::of_old_server(version) {
        return Ok(Some(old));
    }
    if is_standby {
        let standby = "it is a standby, which takes no writes; name the primary in DATABASE_URL";
        return Ok(Some(standby.into()));
    }
    if takes_no_writes {
        let read_only = "it takes no writes (default_transaction_read_only is on); look who has set it, on the server, the database or the role, and why";
        return Ok(Some(read_only.into()));
    }
    let layout = schema::layout(&mut Connection::Postgres(connection)).await;
    Ok(schema::judge(layout.map_err(of_schema)?).err())
}

/// A schema that cannot be read makes the database of no use, whatever the reason.
fn of_schema(error: sqlx::Error) -> DatabaseError {
    match DatabaseError::from(error) {
        DatabaseError::Refused(reason) => DatabaseError::Away(format!(
            "its schema cannot be read: {reason}; look at _sqlx_migrations and footfall_layout, and at what this user may read (docs/database.md)"
        )),
        error => error,
    }
}
