//! The database as the rooms above use it: one of two, the same calls.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use sqlx::{
    Connection as _, PgPool, Postgres as Pg, pool::PoolConnection, postgres::PgPoolOptions,
};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

use super::{
    Connection, DatabaseError, DatabaseHealth, DatabaseMetrics, Monitor, SqliteStore,
    postgres::{self, Limits},
    reasons,
    sqlite::READERS,
};
use crate::{
    config::{DatabaseLocation, DatabaseSettings, PostgresUrl},
    storage::{Backend, Store, StoreError},
    supervision::Piece,
    telemetry::metrics::Registry,
};

/// A connection that nobody has used for this long is closed: most are only needed at times.
const IDLE: Duration = Duration::from_mins(1);

/// A connection is replaced after this long, so that none outlives a change of the server's
/// address, of its certificate or of a role's settings for long.
const LIFETIME: Duration = Duration::from_mins(30);

/// A PostgreSQL.
pub struct Postgres {
    pub(super) url: Arc<PostgresUrl>,
    pub(super) timeout: Duration,
    pub(super) health: Arc<DatabaseHealth>,
    pub(super) metrics: DatabaseMetrics,
    pool: PgPool,
}

#[derive(Clone)]
pub(super) enum Kind {
    Postgres(Arc<Postgres>),
    Sqlite(Embedded),
}

/// A SQLite file, in which visits are counted as well.
#[derive(Clone)]
pub(super) struct Embedded {
    pub(super) file: SqliteStore,
    timeout: Duration,
    /// One piece of work at a time asks for the writer: whoever counts waits for one of them at
    /// most, and not for all that came before.
    turn: Arc<Semaphore>,
    /// All but one of the readers: a long look at an audit trail must not keep those waiting who
    /// count, and ask what was revoked.
    looks: Arc<Semaphore>,
}

/// The database, for all threads of a process.
///
/// What it is asked runs as a task on the runtime that opened it, within bounded time, also when
/// who asked has gone: a transaction is never left half done on a connection that others get next.
#[derive(Clone)]
pub struct Database {
    pub(super) kind: Kind,
    pub(super) runtime: Handle,
}

/// Whether an operation may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Database {
    /// Opens the database on the current runtime, `None` if there is none. PostgreSQL may be away:
    /// nothing is connected to yet.
    ///
    /// # Errors
    ///
    /// If there are metrics of another database already.
    pub fn open(
        settings: &DatabaseSettings,
        store: &Store,
        registry: &Registry,
    ) -> prometheus::Result<Option<Self>> {
        let kind = match (&settings.location, &store.backend) {
            (DatabaseLocation::Postgres(url), _) => {
                let metrics = DatabaseMetrics::register(registry)?;
                Kind::Postgres(Arc::new(Postgres::new(url, settings, metrics)))
            }
            (DatabaseLocation::Sqlite, Backend::Sqlite(file)) => Kind::Sqlite(Embedded {
                file: file.clone(),
                timeout: store.timeout,
                turn: Arc::new(Semaphore::new(1)),
                looks: Arc::new(Semaphore::new(READERS as usize - 1)),
            }),
            _ => return Ok(None),
        };
        let runtime = Handle::current();
        Ok(Some(Self { kind, runtime }))
    }

    /// What watches it: nothing where the store is the database, which is watched as such.
    pub fn monitor(&self) -> Option<Monitor> {
        match &self.kind {
            Kind::Postgres(postgres) => Some(Monitor::new(postgres.clone())),
            Kind::Sqlite(..) => None,
        }
    }

    /// Whether PostgreSQL can be used; `None` where the store is the database.
    pub fn health(&self) -> Option<&DatabaseHealth> {
        match &self.kind {
            Kind::Postgres(postgres) => Some(&postgres.health),
            Kind::Sqlite(..) => None,
        }
    }

    /// Reads, all from one state of the database.
    ///
    /// # Errors
    ///
    /// Those of the work, and that the database is away, busy or too slow.
    pub async fn read<T, W>(&self, operation: &'static str, work: W) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>
            + Send
            + 'static,
    {
        self.run(operation, Access::Read, work).await
    }

    /// Changes something, in one transaction: all of it is done, or nothing.
    ///
    /// # Errors
    ///
    /// Those of the work, and that the database is away, busy or too slow;
    /// [`DatabaseError::outcome_is_unknown`] says whether it may have been done all the same.
    pub async fn write<T, W>(&self, operation: &'static str, work: W) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>
            + Send
            + 'static,
    {
        self.run(operation, Access::Write, work).await
    }

    async fn run<T, W>(
        &self,
        operation: &'static str,
        access: Access,
        work: W,
    ) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>
            + Send
            + 'static,
    {
        // Boxed, since it takes kilobytes, and a task is moved several times as it begins and ends.
        let task = match &self.kind {
            Kind::Postgres(postgres) => {
                let postgres = postgres.clone();
                let work = async move { postgres.run(operation, access, work).await };
                Piece::Operation.spawn_on(&self.runtime, Box::pin(work))
            }
            Kind::Sqlite(embedded) => {
                let embedded = embedded.clone();
                let work = async move {
                    let done = timeout(embedded.timeout, embedded.transact(access, work)).await;
                    done.unwrap_or(Err(DatabaseError::Timeout))
                };
                Piece::Operation.spawn_on(&self.runtime, Box::pin(work))
            }
        };
        // It has panicked, which is in the log, or the process ends.
        task.await
            .unwrap_or_else(|error| Err(DatabaseError::ConnectionLost(error.to_string())))
    }

    /// What was deleted with SQLite's `secure_delete` is in the file no more, but still in its log:
    /// empties that. `false` if somebody is in the way now. PostgreSQL's log is the server's matter.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub async fn empty_log(&self) -> Result<bool, DatabaseError> {
        match &self.kind {
            Kind::Postgres(_) => Ok(true),
            Kind::Sqlite(embedded) => {
                let emptied = timeout(embedded.timeout, embedded.file.empty_log()).await;
                Ok(emptied.unwrap_or(Ok(false))?)
            }
        }
    }

    /// Closes its connections; those of a file are the store's.
    pub async fn close(&self) {
        if let Kind::Postgres(postgres) = &self.kind {
            postgres.pool.close().await;
        }
    }
}

impl Postgres {
    fn new(url: &PostgresUrl, settings: &DatabaseSettings, metrics: DatabaseMetrics) -> Self {
        let health = Arc::new(DatabaseHealth::new(metrics.up.clone()));
        let limit = settings.timeout;
        let watched = health.clone();
        let pool = PgPoolOptions::new()
            .max_connections(settings.pool)
            // Shorter than the whole operation may take, or nobody could tell a full pool from an
            // absent server.
            .acquire_timeout(limit * 3 / 4)
            .idle_timeout(IDLE)
            .max_lifetime(LIFETIME)
            .test_before_acquire(false)
            .before_acquire(move |connection, known| {
                // One from before the last outage may lead nowhere, and asking it would take until
                // the time is over.
                let is_fresh = watched
                    .ready()
                    .is_ok_and(|since| known.age < since.elapsed());
                Box::pin(async move {
                    if is_fresh {
                        connection.ping().await?;
                    }
                    Ok(is_fresh)
                })
            })
            .connect_lazy_with(postgres::options(url, Limits::Operation(limit)));
        Self {
            url: Arc::new(url.clone()),
            timeout: limit,
            health,
            metrics,
            pool,
        }
    }

    pub(super) fn note_connections(&self) {
        self.metrics
            .note_connections(self.pool.size(), self.pool.num_idle());
    }

    async fn run<T, W>(
        &self,
        operation: &'static str,
        access: Access,
        work: W,
    ) -> Result<T, DatabaseError>
    where
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>,
    {
        let started = Instant::now();
        let result = match self.connection().await {
            Ok(connection) => {
                let rest = self.timeout.saturating_sub(started.elapsed());
                self.transact(connection, rest, access, work).await
            }
            Err(error) => Err(error),
        };
        if let Err(
            DatabaseError::Away(_) | DatabaseError::Timeout | DatabaseError::ConnectionLost(_),
        ) = &result
        {
            self.health.doubt();
        }
        self.metrics
            .observe(operation, started.elapsed(), result.as_ref().err());
        result
    }

    /// A connection, unless it is known that there is none to be had.
    async fn connection(&self) -> Result<PoolConnection<Pg>, DatabaseError> {
        self.health.ready().map_err(DatabaseError::Away)?;
        match self.pool.acquire().await {
            Ok(connection) => Ok(connection),
            Err(error @ (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed)) => {
                // Or one that hangs, or is refused, while it is opened: the monitor finds out, and
                // may have.
                self.health.doubt();
                self.health.ready().map_err(DatabaseError::Away)?;
                Err(error.into())
            }
            Err(error) => {
                let reason = reasons::of_connecting(&error, &self.url);
                Err(DatabaseError::Away(reason))
            }
        }
    }

    async fn transact<T, W>(
        &self,
        mut connection: PoolConnection<Pg>,
        limit: Duration,
        access: Access,
        work: W,
    ) -> Result<T, DatabaseError>
    where
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>,
    {
        let begin = match access {
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            Access::Write => "BEGIN",
        };
        let done = timeout(limit, async {
            let mut transaction = connection.begin_with(begin).await?;
            let value = work(&mut Connection::Postgres(&mut transaction)).await?;
            if access == Access::Write {
                // PostgreSQL answers COMMIT as if all were well when a statement before it has
                // failed, and does nothing of it. It says so when it is asked for anything else.
                sqlx::query("SELECT").execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(value)
        })
        .await
        .unwrap_or(Err(DatabaseError::Timeout));
        if done.as_ref().is_err_and(DatabaseError::outcome_is_unknown) {
            // Its answer may still come, and would be taken for that to the next question.
            drop(connection.detach());
        } else {
            self.give_back(connection);
        }
        done
    }

    /// Gives a connection back to the pool, which asks it first whether it lives. What the pool
    /// does by itself has no end where nothing comes back: as many such connections as it may have,
    /// and nobody gets one until the system gives them up, a quarter of an hour later.
    fn give_back(&self, mut connection: PoolConnection<Pg>) {
        let limit = self.timeout;
        Piece::Operation.spawn(async move {
            let _ = timeout(limit, connection.return_to_pool()).await;
        });
    }
}

impl Embedded {
    /// The same on a SQLite file.
    async fn transact<T, W>(&self, access: Access, work: W) -> Result<T, DatabaseError>
    where
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>,
    {
        let turns = match access {
            Access::Read => &self.looks,
            Access::Write => &self.turn,
        };
        // Shorter than the whole may take: who gets no turn has done nothing.
        let turn = timeout(self.timeout / 2, turns.acquire()).await;
        let _turn = turn.map_err(|_| DatabaseError::from(sqlx::Error::PoolTimedOut))?;
        match access {
            Access::Read => {
                let mut transaction = self.file.reader().begin().await?;
                work(&mut Connection::Sqlite(&mut transaction)).await
            }
            Access::Write => {
                let mut writer = self.file.writer().await?;
                let mut transaction = writer.begin().await?;
                let value = work(&mut Connection::Sqlite(&mut transaction)).await?;
                let committed = transaction.commit().await;
                committed.map_err(StoreError::of_commit)?;
                Ok(value)
            }
        }
    }
}
