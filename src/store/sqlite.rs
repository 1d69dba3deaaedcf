//! SQLite: one writing and a few reading connections on one file.

use std::{fs, path::Path, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::StoreError;

/// The schema of the embedded database.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// Reading connections: lists and single counters, beside the writer.
const READERS: u32 = 2;

/// An embedded database. SQLite blocks, so sqlx runs each connection on a
/// thread of its own, and all worker threads share these.
#[derive(Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, creates it if need be, and brings it up to date.
    ///
    /// # Errors
    ///
    /// If it cannot be opened, or was written by a newer version.
    pub async fn open(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let describe = |error: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!("{}: {error}", path.display()))
        };
        if let Some(directory) = path
            .parent()
            .filter(|directory| !directory.as_os_str().is_empty())
        {
            fs::create_dir_all(directory).map_err(|error| describe(&error))?;
        }
        // Several processes may start on one file at once, and neither the switch to
        // write-ahead logging nor sqlx's migrations wait for another process.
        let lock = fs::File::create(path.with_added_extension("lock"))
            .map_err(|error| describe(&error))?;
        lock.lock().map_err(|error| describe(&error))?;

        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL would lose the last acknowledged visits when the machine loses power.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(timeout);
        // SQLite has one writer at a time; more connections would only fail each other.
        let writer = pool(1, timeout)
            .connect_with(options.clone())
            .await
            .map_err(|error| describe(&error))?;
        MIGRATIONS.run(&writer).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) => describe(&format!(
                "the file has schema {version}, which this version of Footfall does not know; upgrade"
            )),
            error => describe(&error),
        })?;
        let reader = pool(READERS, timeout)
            .connect_with(options)
            .await
            .map_err(|error| describe(&error))?;
        Ok(Self { writer, reader })
    }

    /// For transactions that change something; there is one at a time.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// For reading.
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM counters LIMIT 1")
            .execute(&self.reader)
            .await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

fn pool(connections: u32, timeout: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .acquire_timeout(timeout)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Now, as the database keeps it: Unix milliseconds.
pub fn unix_millis() -> i64 {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Timeout,
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(error.to_string())
            }
            // "database is locked": another process wrote for longer than the timeout.
            sqlx::Error::Database(error) if error.message().contains("locked") => Self::Timeout,
            error => Self::Refused(error.to_string()),
        }
    }
}
