//! What the rooms above use: noting, publishing, asking.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    entry::{Entry, Revocation},
    knowledge::{Knowledge, Known, Look},
    pass::Pass,
    redis::{self, ANY, NONE},
    table::{self, Wanted},
};
use crate::{
    config::Settings,
    storage::{
        Backend, Operation, RedisStore, SqliteStore, Store, StoreError,
        redis::Node,
        sql::{Connection, Database, DatabaseError},
    },
};

/// A revocation is kept for at least as long, and a token that was issued on a session is good for no
/// longer than this or the `FOOTFALL_TOKEN_TTL` of the replica that looks at it: replicas with
/// another setting may have issued or revoked it.
pub const SHORTEST_LIFETIME: Duration = Duration::from_hours(1);

/// By how much the clocks of replicas and of the database may differ.
const CLOCKS: Duration = Duration::from_mins(5);

/// How often it is tried to publish what is missing while others publish at the same time.
const REPAIRS: u32 = 8;

/// What was revoked, as one thread uses it. Without a database there is nothing to revoke, and
/// nothing is asked.
#[derive(Clone)]
pub struct Revocations {
    pub(super) knowledge: Arc<Knowledge>,
    pub(super) reach: Option<Reach>,
}

/// Where it is kept.
#[derive(Clone)]
pub(super) struct Reach {
    pub store: Store,
    pub database: Database,
    wait_replicas: u32,
    lifetime: Duration,
}

/// What was noted in a transaction. Once that is committed it must be published.
#[derive(Debug)]
#[must_use = "what is noted has to be published before anybody is told that it is done"]
pub struct Noted {
    rows: Vec<i64>,
    entries: Vec<Entry>,
}

impl Revocations {
    /// What was revoked, for the thread that has this store. What is known all threads share.
    pub fn new(
        knowledge: Arc<Knowledge>,
        store: Store,
        database: Option<Database>,
        settings: &Settings,
    ) -> Self {
        let longest = settings.auth.token_ttl + settings.auth.token_leeway;
        let reach = database.map(|database| Reach {
            store,
            database,
            wait_replicas: settings.store.wait_replicas,
            lifetime: longest.max(SHORTEST_LIFETIME) + CLOCKS,
        });
        Self { knowledge, reach }
    }

    /// Nothing, ever.
    pub fn none(knowledge: Arc<Knowledge>) -> Self {
        let reach = None;
        Self { knowledge, reach }
    }

    /// Whether a pass is known to be good no longer. A visit is looked at again when it is counted;
    /// what does not count learns of a revocation within a second.
    pub fn is_revoked(&self, pass: &Pass) -> bool {
        self.knowledge.revokes(pass)
    }

    /// What is known, all from one moment.
    pub fn look(&self) -> Look<'_> {
        self.knowledge.look()
    }

    /// Whether the store compares what is known with what there is when it counts.
    pub fn are_compared(&self) -> bool {
        match self.reach.as_ref().map(|reach| &reach.store.backend) {
            Some(Backend::Redis(redis)) => !redis.is_cluster(),
            Some(Backend::Sqlite(_)) => true,
            None => false,
        }
    }

    /// Notes revocations in the transaction that causes them.
    ///
    /// # Errors
    ///
    /// Those of the database, or that there is none.
    pub async fn note(
        &self,
        connection: &mut Connection<'_>,
        revocations: &[Revocation],
    ) -> Result<Noted, DatabaseError> {
        let reach = self.reach.as_ref();
        let reach = reach.ok_or_else(|| DatabaseError::Away("there is none".to_owned()))?;
        let lifetime = i64::try_from(reach.lifetime.as_millis()).unwrap_or(i64::MAX);
        let noted = table::note(connection, revocations, lifetime).await?;
        let (rows, entries) = noted.into_iter().unzip();
        Ok(Noted { rows, entries })
    }

    /// Publishes what was noted, after the commit. Once this has succeeded, no visit that begins
    /// later is counted with what it revokes.
    ///
    /// # Errors
    ///
    /// If the store did not take it, too few replicas have it, or there may be another master that
    /// does not know of it. It is published later, by whoever finds it in the table; but nobody must
    /// be told before that it is done.
    pub async fn publish(&self, noted: Noted) -> Result<(), StoreError> {
        if noted.entries.is_empty() {
            return Ok(());
        }
        let metrics = &self.knowledge.metrics;
        let count = noted.entries.len() as u64;
        metrics.noted.inc_by(count);
        self.knowledge.learn(&noted.entries, None);
        let Some(reach) = &self.reach else {
            return Ok(());
        };
        if let Backend::Redis(redis) = &reach.store.backend {
            reach.publish_to_masters(redis, &noted.entries).await?;
            // If this fails it is published once more, which changes nothing.
            let _ = reach.mark(noted.rows).await;
        }
        metrics.published.inc_by(count);
        Ok(())
    }

    /// Reads what is new, unless another thread has done so since this was known.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn catch_up(&self, outdated: &Known) -> Result<(), StoreError> {
        let Some(reach) = &self.reach else {
            return Ok(());
        };
        let reading = async {
            let _turn = self.knowledge.turn.lock().await;
            if self.look().known() != outdated {
                return Ok(());
            }
            match &reach.store.backend {
                Backend::Redis(redis) => self.read_redis(reach, redis, outdated).await,
                Backend::Sqlite(file) => self.read_table(file, outdated).await,
            }
        };
        let read = reach.store.run(Operation::Revoke, reading).await;
        read.map_err(StoreError::of_reading)
    }

    async fn read_redis(
        &self,
        reach: &Reach,
        redis: &RedisStore,
        known: &Known,
    ) -> Result<(), StoreError> {
        let changes = redis::changes(redis, &known.epoch).await?;
        // The same epoch is not known well enough: a connection has been opened since.
        let is_whole = changes.is_same || changes.is_everything;
        if is_whole || known.from.as_ref() != Some(&changes.from) {
            return self.read_all(reach, redis).await;
        }
        let read = Known {
            epoch: changes.epoch.into(),
            ..known.clone()
        };
        self.knowledge.learn(&changes.entries, Some(read));
        Ok(())
    }

    /// Reads everything, and publishes what is missing of what the database and this process know.
    pub(super) async fn read_all(
        &self,
        reach: &Reach,
        redis: &RedisStore,
    ) -> Result<(), StoreError> {
        for _ in 0..REPAIRS {
            let begun = Instant::now();
            let all = redis::changes(redis, NONE).await?;
            let living = reach.living().await;
            self.knowledge
                .owed
                .store(living.is_none(), Ordering::Relaxed);
            let missing = self.missing(&all.entries, living.unwrap_or_default());
            if missing.is_empty() {
                let read = Known {
                    epoch: all.epoch.into(),
                    whole_at: Some(begun),
                    from: Some(all.from),
                };
                self.knowledge.learn(&all.entries, Some(read));
                return Ok(());
            }
            self.knowledge.learn(&missing, None);
            let publishing = redis::publish(redis, &all.epoch, &missing, reach.wait_replicas);
            if publishing.await?.is_some() {
                let count = missing.len();
                self.knowledge.metrics.published.inc_by(count as u64);
                tracing::warn!(
                    count,
                    "the store had lost revocations; they are published again"
                );
            }
        }
        let busy = "what was revoked changes faster than it can be read";
        Err(StoreError::Unavailable(busy.to_owned()))
    }

    fn missing(&self, in_store: &[Entry], living: Vec<Entry>) -> Vec<Entry> {
        let mut missing = HashMap::new();
        for entry in self.knowledge.entries().into_iter().chain(living) {
            missing.insert(entry.revocation, entry);
        }
        for entry in in_store {
            missing.remove(&entry.revocation);
        }
        missing.into_values().collect()
    }

    /// As the store that it is: visits wait for it, and not for those who look at accounts.
    async fn read_table(&self, file: &SqliteStore, known: &Known) -> Result<(), StoreError> {
        let begun = Instant::now();
        let after = known.epoch.parse().unwrap_or(0);
        let mut transaction = file.reader().begin().await?;
        let mut connection = Connection::Sqlite(&mut transaction);
        let rows = table::read(&mut connection, Wanted::Living, after).await;
        let rows = rows.map_err(unavailable)?;
        let epoch = table::epoch(&mut connection).await.map_err(unavailable)?;
        let entries: Vec<_> = rows.into_iter().map(|(_, entry)| entry).collect();
        let read = Known {
            epoch: epoch.to_string().into(),
            whole_at: Some(begun),
            from: None,
        };
        self.knowledge.learn(&entries, Some(read));
        Ok(())
    }
}

pub(super) fn unavailable(error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::Busy(_) => StoreError::Busy,
        error => StoreError::Unavailable(error.to_string()),
    }
}

impl Reach {
    pub async fn publish(
        &self,
        redis: &RedisStore,
        expected: &str,
        entries: &[Entry],
    ) -> Result<Option<Node>, StoreError> {
        let publishing = redis::publish(redis, expected, entries, self.wait_replicas);
        self.store.run(Operation::Revoke, publishing).await
    }

    /// Publishes on the master, and on any other server that says that it is one: on which of them
    /// another process counts nobody can say. A server that becomes a master after it was asked
    /// needs nothing: whoever goes there compares with the database first, which has it by now.
    async fn publish_to_masters(
        &self,
        redis: &RedisStore,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        if let Some(master) = self.publish(redis, ANY, entries).await? {
            let publishing = redis::publish_on_others(redis, &master, entries);
            self.store.run(Operation::Revoke, publishing).await?;
        }
        Ok(())
    }

    pub async fn mark(&self, rows: Vec<i64>) -> Result<(), DatabaseError> {
        let marking = self.database.write("revocations", move |connection| {
            Box::pin(async move { table::mark(connection, &rows).await })
        });
        marking.await
    }

    /// What the database has; `None` if it cannot be asked in time. Visits do not wait for it.
    async fn living(&self) -> Option<Vec<Entry>> {
        let reading = self.database.read("revocations", |connection| {
            Box::pin(async move { table::read(connection, Wanted::Living, 0).await })
        });
        let rows = timeout(self.store.timeout / 2, reading).await.ok()?;
        let rows = rows.inspect_err(|error| {
            tracing::debug!(%error, "what was revoked could not be compared with the database");
        });
        Some(rows.ok()?.into_iter().map(|(_, entry)| entry).collect())
    }
}
