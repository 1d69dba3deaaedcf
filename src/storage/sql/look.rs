//! Long looks at the database: with a connection and a time limit of their own, and ended in the database when
//! nobody waits for them any more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use sqlx::Connection as _;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Connection, Database, DatabaseError, SqliteStore,
    database::{Embedded, Kind, Postgres},
    postgres::{Dialer, Limits},
};
use crate::supervision::Piece;

/// How often PostgreSQL looks whether who asked is still there: a query of one who is not ends by then.
const CHECKED: &str = "250ms";

/// `SET LOCAL` takes no parameters; `true` ends it with the transaction.
const LIMITS: &str = "SELECT set_config('statement_timeout', $1, true), set_config('client_connection_check_interval', $2, true)";

/// Instructions of SQLite's machine between two looks whether to go on: some tenths of a millisecond.
const INSTRUCTIONS: i32 = 20_000;

impl Database {
    /// Reads, all from one state of the database, and for longer than [`read`](Self::read): on a connection of
    /// its own, so that those who count, drain and log in never wait for it. When the future is dropped, the
    /// query that is running ends in the database as well.
    ///
    /// # Errors
    ///
    /// Those of the work; `Timeout` if it took longer than the limit, and that the database is away.
    pub async fn look<T, W>(
        &self,
        operation: &'static str,
        limit: Duration,
        work: W,
    ) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>
            + Send
            + 'static,
    {
        let gone = CancellationToken::new();
        let _waiting = gone.clone().drop_guard();
        let task = match &self.kind {
            Kind::Postgres(postgres) => {
                let postgres = postgres.clone();
                let work = async move { postgres.look(operation, limit, gone, work).await };
                Piece::Operation.spawn_on(&self.runtime, Box::pin(work))
            }
            Kind::Sqlite(embedded) => {
                let embedded = embedded.clone();
                let work = async move { embedded.look(limit, gone, work).await };
                Piece::Operation.spawn_on(&self.runtime, Box::pin(work))
            }
        };
        task.await
            .unwrap_or_else(|error| Err(DatabaseError::ConnectionLost(error.to_string())))
    }
}

/// Does it within its time, and for as long as somebody waits for it.
async fn bounded<T>(
    limit: Duration,
    gone: &CancellationToken,
    work: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    tokio::select! {
        biased;
        () = gone.cancelled() => Err(DatabaseError::Busy("nobody waits for it any more".into())),
        done = timeout(limit, work) => done.unwrap_or(Err(DatabaseError::Timeout)),
    }
}

impl Postgres {
    async fn look<T, W>(
        &self,
        operation: &'static str,
        limit: Duration,
        gone: CancellationToken,
        work: W,
    ) -> Result<T, DatabaseError>
    where
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>,
    {
        let started = Instant::now();
        self.health.ready().map_err(DatabaseError::Away)?;
        let limits = Limits::Operation(limit);
        let mut dialer = Dialer::new(Arc::clone(&self.url), limits, self.timeout);
        let looked = bounded(limit, &gone, async {
            let mut connection = dialer.connect().await?;
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
            let mut transaction = connection.begin_with(begin).await?;
            let limits = sqlx::query(LIMITS).bind(format!("{}ms", limit.as_millis()));
            limits.bind(CHECKED).execute(&mut *transaction).await?;
            let value = work(&mut Connection::Postgres(&mut transaction)).await?;
            transaction.commit().await?;
            // A query that somebody has gone from goes with the connection instead.
            let _ = connection.close().await;
            Ok(value)
        });
        let looked = match looked.await {
            // Of the server, which gave up first.
            Err(DatabaseError::Busy(_)) if !gone.is_cancelled() => Err(DatabaseError::Timeout),
            looked => looked,
        };
        if let Err(DatabaseError::Away(_) | DatabaseError::ConnectionLost(_)) = &looked {
            self.health.doubt();
        }
        self.metrics
            .observe(operation, started.elapsed(), looked.as_ref().err());
        looked
    }
}

impl Embedded {
    async fn look<T, W>(
        &self,
        limit: Duration,
        gone: CancellationToken,
        work: W,
    ) -> Result<T, DatabaseError>
    where
        W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>,
    {
        let deadline = Instant::now() + limit;
        let looked = bounded(limit, &gone, look_into(&self.file, deadline, &gone, work));
        match looked.await {
            Err(DatabaseError::Refused(_)) if Instant::now() >= deadline => {
                Err(DatabaseError::Timeout)
            }
            looked => looked,
        }
    }
}

async fn look_into<T, W>(
    file: &SqliteStore,
    deadline: Instant,
    gone: &CancellationToken,
    work: W,
) -> Result<T, DatabaseError>
where
    W: for<'c> FnOnce(&'c mut Connection<'_>) -> BoxFuture<'c, Result<T, DatabaseError>>,
{
    let mut connection = file.open_to_look().await?;
    let gone = gone.clone();
    let go_on = move || !gone.is_cancelled() && Instant::now() < deadline;
    let mut handle = connection.lock_handle().await?;
    handle.set_progress_handler(INSTRUCTIONS, go_on);
    drop(handle);
    let mut transaction = connection.begin().await?;
    let value = work(&mut Connection::Sqlite(&mut transaction)).await?;
    transaction.commit().await?;
    let _ = connection.close().await;
    Ok(value)
}
