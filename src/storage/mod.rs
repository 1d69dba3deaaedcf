//! Connections to the store, and whether it can be reached.
//!
//! This room knows how to talk to Redis or SQLite within bounded time. What is
//! kept there is the business of the rooms that use it: `counting` and `auth`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub mod health;
mod layout;
pub mod metrics;
pub mod redis;
mod refusals;
pub mod sql;

pub use self::{health::StoreHealth, layout::Layout, redis::RedisStore, sql::SqliteStore};
use self::{metrics::StoreMetrics, redis::Distance};
use crate::config::{StoreLocation, StoreSettings};

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached; nothing was sent.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// It did not answer in time. What was asked may or may not have been done.
    #[error("the store did not answer in time")]
    Timeout,
    /// The connection broke. What was asked may or may not have been done.
    #[error("the connection to the store was lost: {0}")]
    ConnectionLost(String),
    /// It failed in the middle. What was asked may have been done in part.
    #[error("the store failed: {0}")]
    Failed(String),
    /// It was done, but it is not known that as many replicas as demanded have it.
    #[error("the store's replicas do not have it for certain: {0}")]
    Unconfirmed(String),
    /// It answered that it did not do it.
    #[error("the store refused: {0}")]
    Refused(String),
    /// All connections for reading are in use. Says nothing about the store.
    #[error("too many requests are waiting for the store")]
    Busy,
}

impl StoreError {
    /// The same error where nothing was to be changed: no outcome is unknown then.
    #[must_use]
    pub fn of_reading(self) -> Self {
        match self {
            unknown if unknown.outcome_is_unknown() => Self::Unavailable(unknown.to_string()),
            other => other,
        }
    }

    /// Whether what was asked may or may not have been done.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Timeout | Self::ConnectionLost(_) | Self::Failed(_) | Self::Unconfirmed(_) => {
                true
            }
            Self::Unavailable(_) | Self::Refused(_) | Self::Busy => false,
        }
    }

    /// Whether nothing would come of asking again at once: the store is away.
    pub fn means_away(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_) | Self::Timeout | Self::Unconfirmed(_)
        )
    }

    /// Whether it takes a question to know if the store does this to all that
    /// is asked, or to this alone.
    pub fn may_concern_all(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Failed(_))
    }

    /// Whether it refused since its user may not do that: Redis' `NOPERM`.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Refused(reason) if reason.starts_with("NOPERM"))
    }

    /// The value of the `outcome` label.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Timeout => "timeout",
            Self::ConnectionLost(_) => "connection_lost",
            Self::Failed(_) => "failed",
            Self::Unconfirmed(_) => "unconfirmed",
            Self::Refused(_) => "refused",
            Self::Busy => "busy",
        }
    }
}

/// What a store operation is for: the value of the `operation` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Counting a batch of visits.
    Count,
    /// Reading one counter.
    Get,
    /// Reading a page of counters.
    List,
    /// Reading or recording failed logins.
    Throttle,
    /// Publishing what was revoked, or reading it.
    Revoke,
    /// Asking whether it is there.
    Ping,
}

impl Operation {
    /// The value of the `operation` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Get => "get",
            Self::List => "list",
            Self::Throttle => "throttle",
            Self::Revoke => "revoke",
            Self::Ping => "ping",
        }
    }
}

/// Which store it is.
#[derive(Clone)]
pub enum Backend {
    /// Shared by all replicas.
    Redis(RedisStore),
    /// A file, shared by the processes of one machine.
    Sqlite(SqliteStore),
}

/// The store as one thread uses it.
#[derive(Clone)]
pub struct Store {
    /// Its connections.
    pub backend: Backend,
    /// Shared by all threads.
    pub health: Arc<StoreHealth>,
    /// The longest an operation may take.
    pub timeout: Duration,
    /// Of the way to it, as all threads know it; `None` if it is on this machine.
    pub distance: Option<Arc<Distance>>,
    metrics: Arc<StoreMetrics>,
}

impl Store {
    /// Opens the store. Redis may be away; an embedded database is created and
    /// brought up to date.
    ///
    /// # Errors
    ///
    /// If the embedded database cannot be opened.
    pub async fn open(
        settings: &StoreSettings,
        metrics: Arc<StoreMetrics>,
    ) -> Result<Self, StoreError> {
        let backend = match &settings.location {
            StoreLocation::Redis(url) => Backend::Redis(RedisStore::new(url, settings.timeout)),
            StoreLocation::Sqlite(path) => {
                Backend::Sqlite(SqliteStore::open(path, settings.timeout).await?)
            }
        };
        Ok(Self::on(backend, settings, metrics))
    }

    /// Opens the store to look at it: an embedded database is neither created
    /// nor brought up to date.
    ///
    /// # Errors
    ///
    /// If the embedded database cannot be read, or is not of this version.
    pub async fn open_to_read(
        settings: &StoreSettings,
        metrics: Arc<StoreMetrics>,
    ) -> Result<Self, StoreError> {
        let backend = match &settings.location {
            StoreLocation::Redis(url) => Backend::Redis(RedisStore::new(url, settings.timeout)),
            StoreLocation::Sqlite(path) => {
                Backend::Sqlite(SqliteStore::open_to_read(path, settings.timeout).await?)
            }
        };
        Ok(Self::on(backend, settings, metrics))
    }

    fn on(backend: Backend, settings: &StoreSettings, metrics: Arc<StoreMetrics>) -> Self {
        let may_be_distant = matches!(&backend, Backend::Redis(redis) if redis.may_be_distant());
        Self {
            backend,
            distance: may_be_distant.then(|| Arc::new(Distance::new(metrics.distance.clone()))),
            health: Arc::new(StoreHealth::new(metrics.up.clone())),
            timeout: settings.timeout,
            metrics,
        }
    }

    /// The same store for another thread: a Redis connection is driven by the
    /// runtime that opened it, so each thread has its own.
    #[must_use]
    pub fn for_another_thread(&self) -> Self {
        let backend = match &self.backend {
            Backend::Redis(redis) => Backend::Redis(redis.for_another_thread()),
            Backend::Sqlite(sqlite) => Backend::Sqlite(sqlite.clone()),
        };
        Self {
            backend,
            ..self.clone()
        }
    }

    /// `redis` or `sqlite`.
    pub fn name(&self) -> &'static str {
        match &self.backend {
            Backend::Redis(_) => "redis",
            Backend::Sqlite(_) => "sqlite",
        }
    }

    /// Runs one operation within the time limit and measures it.
    ///
    /// # Errors
    ///
    /// Those of the operation, and [`StoreError::Timeout`].
    pub async fn run<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let started = Instant::now();
        let result = match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Timeout),
        };
        self.observe(operation, started, result.as_ref().err());
        if let (Backend::Redis(redis), Err(error)) = (&self.backend, &result)
            && !matches!(error, StoreError::Refused(_) | StoreError::Busy)
        {
            // What failed may be elsewhere by now.
            redis.forget_hash_slots();
        }
        result
    }

    fn observe(&self, operation: Operation, started: Instant, error: Option<&StoreError>) {
        let outcome = error.map_or("ok", StoreError::outcome);
        self.metrics
            .duration
            .with_label_values(&[operation.name(), outcome])
            .observe(started.elapsed().as_secs_f64());
    }

    /// Notes how the parts of one count ended: each outcome once, for one
    /// counter that is refused says nothing of the others. Counting decides
    /// whether the store is away: slow reads do not take it down.
    pub fn observe_count<T>(&self, started: Instant, parts: &[Result<T, StoreError>]) {
        if parts.iter().any(Result::is_ok) {
            self.observe(Operation::Count, started, None);
        }
        let errors = || parts.iter().filter_map(|part| part.as_ref().err());
        let mut seen = Vec::new();
        for error in errors() {
            if !seen.contains(&error.outcome()) {
                seen.push(error.outcome());
                self.observe(Operation::Count, started, Some(error));
            }
        }
        if let Some(error) = errors().find(|error| error.means_away()) {
            self.health.mark_away(error);
        }
    }

    /// Finds out whether the store is elsewhere by now.
    ///
    /// # Errors
    ///
    /// If nobody can say.
    pub async fn follow(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Redis(redis) => redis.follow_master().await,
            Backend::Sqlite(_) => Ok(()),
        }
    }

    /// Reads, and checks that the data is of a layout this version knows.
    ///
    /// # Errors
    ///
    /// If the store is not there, or not for this version.
    pub async fn check(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Redis(redis) => redis.check().await,
            Backend::Sqlite(sqlite) => sqlite.check().await,
        }
    }

    /// Closes the connections; SQLite merges its write-ahead log on the way.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Redis(redis) => redis.close(),
            Backend::Sqlite(sqlite) => sqlite.close().await,
        }
    }
}
