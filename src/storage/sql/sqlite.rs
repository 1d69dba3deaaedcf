//! SQLite: one writing and a few reading connections on one file.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    migrations::{SQLITE, TABLES, newest},
    schema,
    sqlite_error::{BUSY, primary_code},
    turns::{Turn, Turns},
};
use crate::{
    file_lock,
    storage::{Layout, StoreError},
};

/// The longest another process may take to open and migrate the file.
const OPEN_LIMIT: Duration = Duration::from_secs(30);

/// Reading connections, beside the writer. One of them is for counters, and for what was revoked.
pub(super) const READERS: u32 = 3;

/// How far the schema of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// There is no file.
    Missing,
    /// Of an older version of Footfall.
    Older,
    /// Of this version.
    Current,
    /// Of a newer version. [`Layout::admits`] says whether this one can use it.
    Newer(Layout),
}

/// An embedded database. SQLite blocks, so sqlx runs each connection on a
/// thread of its own, and all worker threads share these.
#[derive(Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    reader: SqlitePool,
    turns: Arc<Turns>,
    file: Arc<Path>,
}

/// The one connection that writes, and this process' turn to do so. It is other processes' turn
/// when it is dropped.
pub struct Writer {
    connection: PoolConnection<Sqlite>,
    _turn: Option<Turn>,
}

impl Writer {
    /// Begins a transaction that may write: a deferred one would fail at its first write if
    /// another process wrote in between.
    ///
    /// # Errors
    ///
    /// If another process writes for longer than the time limit, or the file cannot be written.
    pub async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        Ok(self.connection.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// For what is one statement, which is a transaction of its own.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// The disk that a file is on, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Disk {
    /// What an ordinary user may still write.
    pub free: u64,
    /// All there is.
    pub size: u64,
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
            // With the wait for a turn shorter than the whole operation may take: what waited in
            // vain was not done, and who is told so in time knows.
            .busy_timeout(timeout / 2);
        // A file may be locked, or have a long log to recover, for longer than a visit may take.
        let patient = options.clone().busy_timeout(OPEN_LIMIT);
        let first = opened(pool(1, OPEN_LIMIT), patient).await;
        let first = first.map_err(|error| describe(&error))?;
        let brought = bring_up_to_date(first.clone()).await;
        if let Err(error) = brought {
            // A process that ends while it closes a file may leave a log without its index, and then
            // that would be what the next one finds wrong.
            first.close().await;
            return Err(describe(&error));
        }
        // SQLite has one writer at a time; more connections would only fail each other.
        let writer = pool(1, timeout)
            // SQLite ends a transaction by itself when the disk is full, and sqlx then takes the
            // connection to be in one for ever.
            .before_acquire(|connection, _| {
                Box::pin(async { Ok(!connection.is_in_transaction()) })
            });
        let writer = opened(writer, options.clone()).await;
        let writer = writer.map_err(|error| describe(&error))?;
        let reader = opened(pool(READERS, timeout), options).await;
        let reader = reader.map_err(|error| describe(&error))?;
        // Only now: the last connection to close would merge the log and remove it.
        first.close().await;
        Ok(Self {
            writer,
            reader,
            // Half of the time is for the wait of SQLite itself, and a quarter for what is written.
            turns: Arc::new(Turns::open(&path.with_added_extension("turn"), timeout / 4)),
            file: path.into(),
        })
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
        let found = layout(&mut database).await?;
        if found.is_none() {
            let other = of_others(&mut database).await;
            let shown = path.display();
            other.map_err(|error| StoreError::Unavailable(format!("{shown}: {error}")))?;
        }
        Ok(match found {
            Some(layout) if layout.version > newest() => Schema::Newer(layout),
            Some(layout) if layout.version == newest() => Schema::Current,
            _ => Schema::Older,
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
            Schema::Missing => Some("there is no such database".to_owned()),
            Schema::Older => Some(
                "the file is of an older version of Footfall; its next start, or `footfall migrate`, brings it up to date".to_owned(),
            ),
            Schema::Newer(layout) => layout.admits(newest()).err(),
            Schema::Current => None,
        };
        if let Some(problem) = problem {
            let shown = path.display();
            return Err(StoreError::Unavailable(format!("{shown}: {problem}")));
        }
        let reader = pool(READERS, timeout).connect_with(reading(path)?).await?;
        Ok(Self {
            writer: reader.clone(),
            reader,
            turns: Arc::new(Turns::none()),
            file: path.into(),
        })
    }

    /// For a transaction that changes something. There is one at a time, and whoever has waited
    /// longest is next, here and among the processes.
    ///
    /// # Errors
    ///
    /// If others of this process have it for too long.
    pub async fn writer(&self) -> Result<Writer, StoreError> {
        // First within the process, so that only one of its threads waits for the others.
        let connection = self.writer.acquire().await?;
        Ok(Writer {
            connection,
            _turn: self.turns.take().await,
        })
    }

    /// For reading.
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// A connection for one long look, beside those that others wait for.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub async fn open_to_look(&self) -> Result<SqliteConnection, StoreError> {
        let options = (*self.reader.connect_options()).clone();
        Ok(options.pragma("query_only", "ON").connect().await?)
    }

    /// Moves all of the log into the file and empties it, so that what was overwritten in the file is in
    /// the log no more either. `false` if somebody reads or writes at this moment.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or written.
    pub async fn empty_log(&self) -> Result<bool, StoreError> {
        // A connection of its own, which does not wait: nobody who counts has to wait for readers then.
        let options = (*self.writer.connect_options()).clone();
        let mut database = options.busy_timeout(Duration::ZERO).connect().await?;
        let emptied = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)");
        let (busy, ..): (i64, i64, i64) = emptied.fetch_one(&mut database).await?;
        database.close().await?;
        Ok(busy == 0)
    }

    /// How much room the file has to grow; `None` if that cannot be found out.
    pub fn disk(&self) -> Option<Disk> {
        let found = rustix::fs::statvfs(&*self.file).ok()?;
        Some(Disk {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            size: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }

    pub(in crate::storage) async fn check(&self) -> Result<(), StoreError> {
        let mut database = self.reader.acquire().await?;
        if let Some(layout) = layout(&mut database).await? {
            // Another process may have brought the file further than this one can follow.
            let usable = layout.admits(newest());
            usable.map_err(StoreError::Unavailable)?;
        }
        let read = sqlx::query("SELECT 1 FROM counters LIMIT 1");
        read.execute(&mut *database).await?;
        Ok(())
    }

    pub(in crate::storage) async fn close(&self) {
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

/// A pool with an open connection. On a busy machine one may take longer to open than a visit may
/// wait for one, which is no reason not to start.
async fn opened(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> Result<SqlitePool, String> {
    let deadline = Instant::now() + OPEN_LIMIT;
    let pool = pool.connect_lazy_with(options);
    loop {
        let error = match pool.acquire().await {
            Ok(_) => return Ok(pool),
            Err(error) => error,
        };
        let busy = match &error {
            sqlx::Error::Database(error) => primary_code(error.as_ref()) == Some(BUSY),
            error => matches!(error, sqlx::Error::PoolTimedOut),
        };
        if !busy {
            return Err(error.to_string());
        }
        if Instant::now() >= deadline {
            let limit = humantime::format_duration(OPEN_LIMIT);
            return Err(format!(
                "it could not be opened within {limit} ({error}); look who else has it open, and at the disk"
            ));
        }
    }
}

/// Refuses a file that has tables and none of Footfall's: somebody else's.
async fn of_others(database: &mut SqliteConnection) -> Result<(), String> {
    let [first, later] = TABLES;
    let table = sqlx::query_scalar(
        "SELECT name FROM sqlite_master
         WHERE type = 'table' AND name NOT IN ($1, $2) AND substr(name, 1, 7) <> 'sqlite_'",
    );
    let table: Result<Option<String>, _> =
        table.bind(first).bind(later).fetch_optional(database).await;
    match table.map_err(|error| error.to_string())? {
        Some(table) => Err(format!(
            "it is not Footfall's: it has a table {table} and no migrations; name another file in DATABASE_URL or FOOTFALL_DATA_DIR"
        )),
        None => Ok(()),
    }
}

/// Runs the migrations that a file lacks. One that a newer version has brought further lacks none,
/// and is used as it is if it can be.
async fn bring_up_to_date(database: SqlitePool) -> Result<(), String> {
    let found = async {
        // The pool's only one: the migrations need it next.
        let mut database = database
            .acquire()
            .await
            .map_err(|error| error.to_string())?;
        let found = layout(&mut database).await;
        let found = found.map_err(|error| error.to_string())?;
        if found.is_none() {
            of_others(&mut database).await?;
        }
        Ok::<_, String>(found)
    };
    match found.await? {
        Some(layout) if layout.version > newest() => layout.admits(newest()),
        _ => {
            for steps in SQLITE.iter() {
                let ran = steps.run(&database).await;
                ran.map_err(|error| error.to_string())?;
            }
            Ok(())
        }
    }
}

async fn layout(database: &mut SqliteConnection) -> Result<Option<Layout>, sqlx::Error> {
    schema::layout(&mut super::Connection::Sqlite(database)).await
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
        // sqlx looks at each connection when it is given back, and no server can hang up meanwhile.
        .test_before_acquire(false)
}

/// Now, as the database keeps it: Unix milliseconds.
pub fn unix_millis() -> i64 {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
