//! Redis: a pool of connections with explicit timeouts.

use std::{sync::Arc, time::Duration};

use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime, TimeoutType};
use redis::{
    AsyncConnectionConfig, ConnectionInfo, IntoConnectionInfo, RedisError, io::tcp::TcpSettings,
};
use secrecy::{ExposeSecret, SecretString};

use super::StoreError;

/// Connections per pool. Each thread has one for reads and the login throttle,
/// and one for counting, which needs a single connection.
const POOL_SIZE: usize = 4;

/// The layout of the keys. To a process, a store with a newer one is away.
pub const SCHEMA_VERSION: u64 = 1;

/// The key that holds the layout's version.
pub const SCHEMA_KEY: &str = "footfall:schema";

/// Answers that mean that Redis has executed nothing and would execute nothing
/// that writes: out of memory, a failing disk, a replica, not ready.
const CANNOT_WRITE: &[&str] = &[
    "OOM",
    "MISCONF",
    "READONLY",
    "NOREPLICAS",
    "MASTERDOWN",
    "LOADING",
    "BUSY",
    "CLUSTERDOWN",
    "NOAUTH",
];

/// One thread's connections to Redis.
#[derive(Clone)]
pub struct RedisStore {
    pool: Pool,
    /// Apart from the other, so that no number of reads can keep a visit waiting.
    counting: Pool,
    info: Arc<ConnectionInfo>,
    timeout: Duration,
}

impl RedisStore {
    /// Prepares a pool; connections are opened when they are needed.
    ///
    /// # Errors
    ///
    /// If the URL cannot be used.
    pub fn new(url: &SecretString, timeout: Duration) -> Result<Self, StoreError> {
        let info = url.expose_secret().into_connection_info()?;
        // Batches are small and waited for: Nagle's algorithm would only delay them.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Self::with_pool(Arc::new(info), timeout)
    }

    /// The same store with connections of its own.
    ///
    /// # Errors
    ///
    /// If the pool cannot be built.
    pub fn for_another_thread(&self) -> Result<Self, StoreError> {
        Self::with_pool(self.info.clone(), self.timeout)
    }

    fn with_pool(info: Arc<ConnectionInfo>, timeout: Duration) -> Result<Self, StoreError> {
        // Every operation has its time limit in `Store::run`; the crate's own, 500 ms unless
        // set, would end some of them early.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(None);
        let pool = || {
            Pool::builder(Manager::new_with_config((*info).clone(), config.clone())?)
                .max_size(POOL_SIZE)
                .runtime(Runtime::Tokio1)
                .timeouts(deadpool_redis::Timeouts {
                    // Shorter than the whole operation may take, or nobody could tell a full pool
                    // from an absent store.
                    wait: Some(timeout * 3 / 4),
                    create: Some(timeout),
                    recycle: Some(timeout),
                })
                .build()
                .map_err(|error| StoreError::Unavailable(error.to_string()))
        };
        Ok(Self {
            pool: pool()?,
            counting: pool()?,
            info: info.clone(),
            timeout,
        })
    }

    /// A connection from the pool, checked to be alive.
    ///
    /// # Errors
    ///
    /// If none can be had in time.
    pub async fn connection(&self) -> Result<Connection, StoreError> {
        Self::from_pool(&self.pool).await
    }

    /// A connection for counting.
    ///
    /// # Errors
    ///
    /// If none can be had in time.
    pub async fn counting_connection(&self) -> Result<Connection, StoreError> {
        Self::from_pool(&self.counting).await
    }

    async fn from_pool(pool: &Pool) -> Result<Connection, StoreError> {
        pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => StoreError::Busy,
            PoolError::Timeout(_) => {
                StoreError::Unavailable("no connection within the time limit".to_owned())
            }
            PoolError::Backend(error) => StoreError::Unavailable(first_line(&error)),
            error => StoreError::Unavailable(error.to_string()),
        })
    }

    /// A store that answers is there, but one written by a newer Footfall is
    /// not for this process.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let schema = redis::cmd("GET").arg(SCHEMA_KEY).take();
        match schema.query_async::<Option<u64>>(&mut connection).await? {
            Some(version) if version > SCHEMA_VERSION => Err(StoreError::Unavailable(format!(
                "its data has layout {version}, and this version of Footfall knows layouts up to {SCHEMA_VERSION}; upgrade"
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn close(&self) {
        self.pool.close();
        self.counting.close();
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        let message = first_line(&error);
        if error
            .code()
            .is_some_and(|code| CANNOT_WRITE.contains(&code))
        {
            Self::Unavailable(message)
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_io_error()
            || error.is_connection_dropped()
            || error.is_unrecoverable_error()
        {
            Self::ConnectionLost(message)
        } else {
            Self::Refused(message)
        }
    }
}

/// What is no Redis at the other end gives an error of many lines.
fn first_line(error: &RedisError) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// What `footfall doctor` wants to know of a Redis, as far as it may be asked.
#[derive(Debug, Clone)]
pub struct Report {
    /// `redis_version`
    pub version: Option<String>,
    /// `maxmemory`; 0 is no limit
    pub max_memory: Option<u64>,
    /// `maxmemory-policy`
    pub eviction: Option<String>,
    /// Whether there is an append-only file.
    pub append_only: Option<bool>,
    /// `appendfsync`
    pub fsync: Option<String>,
}

impl RedisStore {
    /// Looks at what keeps counts from being lost.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn report(&self) -> Result<Report, StoreError> {
        let mut connection = self.connection().await?;
        // Managed services commonly forbid INFO or CONFIG.
        let info = redis::cmd("INFO")
            .query_async::<redis::InfoDict>(&mut connection)
            .await
            .ok();
        let text = |key: &str| info.as_ref()?.get::<String>(key);
        let fsync = redis::cmd("CONFIG").arg("GET").arg("appendfsync").take();
        let fsync: Vec<String> = fsync.query_async(&mut connection).await.unwrap_or_default();
        Ok(Report {
            version: text("redis_version"),
            max_memory: text("maxmemory").and_then(|bytes| bytes.parse().ok()),
            eviction: text("maxmemory_policy"),
            append_only: text("aof_enabled").map(|enabled| enabled == "1"),
            fsync: fsync.into_iter().nth(1),
        })
    }

    /// Notes the layout of the keys, unless it is noted already.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn write_schema_version(&self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        Ok(redis::cmd("SET")
            .arg(SCHEMA_KEY)
            .arg(SCHEMA_VERSION)
            .arg("NX")
            .query_async(&mut connection)
            .await?)
    }
}
