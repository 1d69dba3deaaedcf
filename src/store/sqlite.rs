//! SQLite: one writing and a few reading connections on one file.

use std::{cmp::Ordering, fs, path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, SqlitePool,
    migrate::MigrateError,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{StoreError, migrations::MIGRATIONS};
use crate::file_lock;

/// The longest another process may take to open and migrate the file.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

/// Reading connections: lists and single counters, beside the writer.
const READERS: u32 = 2;

/// How far the schema of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// There is no file.
    Missing,
    /// Of an older version of Footfall.
    Older,
    /// Of this version.
    Current,
    /// Of a newer version; its number.
    Newer(i64),
}

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
        file_lock::within(&lock, OPEN_LIMIT).map_err(|error| describe(&error))?;

        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL would lose the last acknowledged visits when the machine loses power.
            .synchronous(SqliteSynchronous::Full)
            // Shorter than the whole operation may take: what it waited for in vain was not done.
            .busy_timeout(timeout * 3 / 4);
        // A file may be locked, or have a long log to recover, for longer than a visit may take.
        let first = pool(1, OPEN_LIMIT)
            .connect_with(options.clone().busy_timeout(OPEN_LIMIT))
            .await
            .map_err(|error| describe(&error))?;
        MIGRATIONS.run(&first).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) => describe(&format!(
                "the file has schema {version}, which this version of Footfall does not know; upgrade"
            )),
            error => describe(&error),
        })?;
        // SQLite has one writer at a time; more connections would only fail each other.
        let writer = pool(1, timeout)
            // SQLite ends a transaction by itself when the disk is full, and sqlx then takes the
            // connection to be in one for ever.
            .before_acquire(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await
            .map_err(|error| describe(&error))?;
        let reader = pool(READERS, timeout)
            .connect_with(options)
            .await
            .map_err(|error| describe(&error))?;
        // Only now: the last connection to close would merge the log and remove it.
        first.close().await;
        Ok(Self { writer, reader })
    }

    /// How far the schema of a file is, without changing anything.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no database.
    pub async fn schema(path: &Path) -> Result<Schema, StoreError> {
        if !path.exists() {
            return Ok(Schema::Missing);
        }
        let mut database = reading(path)?.connect().await?;
        let applied: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut database)
            .await?;
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max();
        Ok(match applied.cmp(&newest) {
            Ordering::Less => Schema::Older,
            Ordering::Equal => Schema::Current,
            Ordering::Greater => Schema::Newer(applied.unwrap_or_default()),
        })
    }

    /// Opens a file to look at it, whoever uses it. Nothing is created, brought
    /// up to date or written.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not of this version.
    pub async fn open_to_read(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let problem = match Self::schema(path).await? {
            Schema::Current => {
                let reader = pool(READERS, timeout).connect_with(reading(path)?).await?;
                let writer = reader.clone();
                return Ok(Self { writer, reader });
            }
            Schema::Missing => "there is no such database".to_owned(),
            Schema::Older => {
                "the file is of an older version of Footfall; its next start, or `footfall migrate`, brings it up to date".to_owned()
            }
            Schema::Newer(version) => format!(
                "the file has schema {version}, which this version of Footfall does not know; upgrade"
            ),
        };
        Err(StoreError::Unavailable(format!(
            "{}: {problem}",
            path.display()
        )))
    }

    /// For transactions that change something; there is one at a time.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    /// For reading.
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let read = sqlx::query("SELECT 1 FROM counters LIMIT 1");
        read.execute(&self.reader).await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// How to read a file without changing or creating anything. A reader would
/// otherwise write to the index of the log (`-shm`), or create it.
fn reading(path: &Path) -> Result<SqliteConnectOptions, StoreError> {
    let beside = |suffix| {
        path.with_file_name({
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(suffix);
            name
        })
    };
    let options = SqliteConnectOptions::new().read_only(true);
    if !beside("-wal").exists() {
        // Nobody writes.
        return Ok(options.filename(path).immutable(true));
    }
    if !beside("-shm").exists() {
        return Err(StoreError::Unavailable(format!(
            "{path}: it has a log ({path}-wal) and no index of it ({path}-shm), as a copy may have; the next start, or `footfall migrate`, recovers it",
            path = path.display()
        )));
    }
    let bytes = path.as_os_str().as_encoded_bytes();
    let encoded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    Ok(options.filename(format!("file:{encoded}?readonly_shm=1")))
}

fn pool(connections: u32, timeout: Duration) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        // Shorter than the whole operation may take, or nobody could tell a full pool from an
        // absent store.
        .acquire_timeout(timeout * 3 / 4)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Now, as the database keeps it: Unix milliseconds.
pub fn unix_millis() -> i64 {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

impl StoreError {
    /// What an error of COMMIT means.
    ///
    /// The frames of a commit are in the log before it is synced. When that
    /// fails (IOERR), SQLite forgets them; but if the process dies before
    /// others are written in their place, whoever opens the file next recovers
    /// them (<https://www.sqlite.org/walformat.html>). Only a commit whose last
    /// frame was never written is not there for certain: BUSY began nothing,
    /// and at FULL a frame found no room.
    pub fn of_commit(error: sqlx::Error) -> Self {
        match error.as_database_error().map(primary_code) {
            Some(Some(BUSY | FULL)) => Self::from(error),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Another process has it locked.
const BUSY: u32 = 5;

/// The disk is full.
const FULL: u32 = 13;

impl From<sqlx::Error> for StoreError {
    /// What an error means before COMMIT: nothing was done.
    fn from(error: sqlx::Error) -> Self {
        let message = error.to_string();
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
                Self::Unavailable(message)
            }
            sqlx::Error::Database(error) => match primary_code(error.as_ref()) {
                // BUSY, LOCKED: another process wrote for longer than the timeout.
                // READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB: no write would succeed.
                Some(BUSY | 6 | 8 | 10 | 11 | FULL | 14 | 26) => Self::Unavailable(message),
                _ => Self::Refused(message),
            },
            _ => Self::Refused(message),
        }
    }
}

/// The primary result code (<https://www.sqlite.org/rescode.html>); sqlx gives the extended one.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    let extended: u32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}
