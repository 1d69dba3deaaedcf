//! Redis: a pool of connections with explicit timeouts.

use std::{sync::Arc, time::Duration};

use deadpool_redis::{Connection, Manager, Pool, PoolError, Runtime};
use redis::{
    AsyncConnectionConfig, ConnectionInfo, IntoConnectionInfo, RedisError, io::tcp::TcpSettings,
};
use secrecy::{ExposeSecret, SecretString};

use super::StoreError;

/// Connections per thread: one is held for counting, the others are for reads
/// and the login throttle, which are rare.
const POOL_SIZE: usize = 4;

/// The layout of the keys. A process refuses a store with a newer one.
pub const SCHEMA_VERSION: u64 = 1;

/// The key that holds the layout's version.
pub const SCHEMA_KEY: &str = "footfall:schema";

/// One thread's connections to Redis.
#[derive(Clone)]
pub struct RedisStore {
    pool: Pool,
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
        // The crate's own response timeout is 500 ms unless set.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        let pool = Pool::builder(Manager::new_with_config((*info).clone(), config)?)
            .max_size(POOL_SIZE)
            .runtime(Runtime::Tokio1)
            .timeouts(deadpool_redis::Timeouts {
                wait: Some(timeout),
                create: Some(timeout),
                recycle: Some(timeout),
            })
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            pool,
            info,
            timeout,
        })
    }

    /// A connection from the pool, checked to be alive.
    ///
    /// # Errors
    ///
    /// If none can be had in time.
    pub async fn connection(&self) -> Result<Connection, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => StoreError::Unavailable(error.to_string()),
            PoolError::Timeout(_) => {
                StoreError::Unavailable("no connection within the time limit".to_owned())
            }
            error => StoreError::Unavailable(error.to_string()),
        })
    }

    /// Asks for the version of the layout: a store that answers is there, and
    /// one written by a newer Footfall is not for this process.
    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        let mut connection = self.connection().await?;
        let version: Option<u64> = redis::cmd("GET")
            .arg(SCHEMA_KEY)
            .query_async(&mut connection)
            .await?;
        match version {
            Some(version) if version > SCHEMA_VERSION => Err(StoreError::Unavailable(format!(
                "its data has layout {version}, and this version of Footfall knows layouts up to {SCHEMA_VERSION}; upgrade"
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_io_error()
            || error.is_connection_dropped()
            || error.is_unrecoverable_error()
        {
            Self::ConnectionLost(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// What `footfall doctor` wants to know of a Redis.
#[derive(Debug, Clone)]
pub struct Report {
    /// `redis_version`
    pub version: String,
    /// `master` or `slave`
    pub role: String,
    /// `maxmemory-policy`
    pub eviction: Option<String>,
    /// Whether there is an append-only file.
    pub append_only: bool,
    /// `appendfsync`, where `CONFIG GET` is allowed.
    pub fsync: Option<String>,
    /// Whether scripts may be run.
    pub scripts: bool,
}

impl RedisStore {
    /// Looks at what counting depends on.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn report(&self) -> Result<Report, StoreError> {
        let mut connection = self.connection().await?;
        let info: redis::InfoDict = redis::cmd("INFO").query_async(&mut connection).await?;
        let text = |key: &str| info.get::<String>(key);
        // Managed services commonly forbid CONFIG.
        let fsync: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("appendfsync")
            .query_async(&mut connection)
            .await
            .unwrap_or_default();
        let script = redis::Script::new("return 1");
        Ok(Report {
            version: text("redis_version").unwrap_or_default(),
            role: text("role").unwrap_or_default(),
            eviction: text("maxmemory_policy"),
            append_only: text("aof_enabled").as_deref() == Some("1"),
            fsync: fsync.into_iter().nth(1),
            scripts: script.invoke_async::<_, u64>(&mut connection).await.is_ok(),
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
