//! What is recorded, for those who count over a new connection.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::{Streams, one::taught};
use crate::{
    counting::{CounterId, counts::Recorded},
    record::table::recordings,
    storage::{
        RedisStore, StoreError,
        sql::{Database, DatabaseError},
    },
};

/// The longest that counting waits for what the database says: it does not need it.
const PATIENCE: Duration = Duration::from_millis(300);

/// A server of Redis that takes another's place lacks seconds at most; a backup is restored by hand,
/// with `footfall restore`.
const LATELY: Duration = Duration::from_mins(10);

/// What the database has.
pub struct RecordedInDatabase {
    database: Database,
    /// How long a proxy's request id is an identity.
    requests_window: Duration,
}

impl RecordedInDatabase {
    /// What this database has.
    pub fn new(database: Database, requests_window: Duration) -> Self {
        Self {
            database,
            requests_window,
        }
    }

    async fn ask(&self) -> Result<HashSet<CounterId>, DatabaseError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = now.unwrap_or_default().saturating_sub(LATELY).as_millis() as i64;
        let asking = self.database.read("recorded_lately", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                Ok(recordings::since(connection, since).await?)
            })
        });
        asking.await
    }

    async fn raise_one(&self, redis: &RedisStore, counter: &CounterId) -> Result<(), StoreError> {
        let streams = Streams::new(redis.clone(), self.requests_window);
        let state = streams.state(counter).await?;
        let of_counter = counter.clone();
        let after = state.map_or(0, |state| state.through);
        let asking = self.database.read("recorded", move |connection| {
            Box::pin(async move {
                connection.within(of_counter.company.id()).await?;
                let Some(recording) = recordings::find(connection, &of_counter).await? else {
                    return Ok(None);
                };
                let is_less = state.is_none_or(|state| {
                    state.count < recording.through || state.top < recording.through
                });
                if !is_less {
                    return Ok(None);
                }
                let taught = taught(connection, &recording, after).await?;
                Ok(Some((recording.through, recording.through_at, taught)))
            })
        });
        // Counting does not wait for a database that is away.
        let Ok(Ok(Some((through, at, taught)))) = timeout(PATIENCE, asking).await else {
            return Ok(());
        };
        let raised = streams.raise(counter, through, at, &taught).await?;
        if raised > 0 {
            tracing::error!(
                %counter,
                raised,
                through,
                "Redis had lost visits that are recorded: the count was raised to them before another was counted"
            );
        }
        Ok(())
    }
}

impl Recorded for RecordedInDatabase {
    fn lately(&self) -> BoxFuture<'_, HashSet<CounterId>> {
        Box::pin(async {
            let is_up = self
                .database
                .health()
                .is_none_or(|health| health.ready().is_ok());
            if !is_up {
                return HashSet::new();
            }
            let asked = timeout(PATIENCE, self.ask()).await;
            asked.ok().and_then(Result::ok).unwrap_or_default()
        })
    }

    fn raise<'a>(
        &'a self,
        redis: &'a RedisStore,
        counter: &'a CounterId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.raise_one(redis, counter))
    }
}
