//! Where counts are kept, and for how long identities are remembered.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::ExposeSecret;

use super::{
    RedisUrl, ServerSettings,
    reader::{Reader, Secret},
    values::{HumanDuration, Replicas},
};

/// How long an `Idempotency-Key` is remembered at least.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_hours(24);

/// Longest `FOOTFALL_DEDUP_WINDOW`: longer memory is what `Idempotency-Key` is for.
const MAX_DEDUP_WINDOW: Duration = IDEMPOTENCY_WINDOW;

/// More would not fit into any memory.
const MAX_RECORD_BACKLOG: u64 = 1_000_000_000;

/// Which store holds the counts.
#[derive(Debug, Clone)]
pub enum StoreLocation {
    /// `REDIS_URL`: shared by all replicas.
    Redis(Box<RedisUrl>),
    /// A SQLite file, shared by the processes of one machine.
    Sqlite(PathBuf),
}

/// The counters' store.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `REDIS_URL`, or `DATABASE_URL`, or `footfall.db` in `FOOTFALL_DATA_DIR`.
    pub location: StoreLocation,
    /// `FOOTFALL_STORE_TIMEOUT` (`1s`): the longest a request waits for the store.
    pub timeout: Duration,
    /// `FOOTFALL_DEDUP_WINDOW` (`60s`): how long a proxy's request id is an identity.
    pub dedup_window: Duration,
    /// `FOOTFALL_DEDUP_LIMIT` (10,000,000): identities remembered per counter and kind.
    pub dedup_limit: u64,
    /// `FOOTFALL_COUNTER_LIMIT` (1,000,000): counters kept of each company. They live for ever, so
    /// without a limit new names would fill the store.
    pub counter_limit: u32,
    /// `FOOTFALL_RECORD_BACKLOG` (1,000,000): visits of a counter that may wait to be recorded while
    /// the database is away, before those that carry something are refused.
    pub record_backlog: u64,
    /// `FOOTFALL_WAIT_REPLICAS` (0): how many of Redis' replicas must have a visit before it is
    /// acknowledged.
    pub wait_replicas: u32,
}

impl StoreSettings {
    /// Reads the settings. `file` is where `DATABASE_URL` has the embedded database, if not in
    /// `data_dir`.
    pub(super) fn read(
        reader: &mut Reader,
        server: Option<&ServerSettings>,
        redis_url: Option<Secret>,
        data_dir: Option<&Path>,
        file: Option<PathBuf>,
    ) -> Option<Self> {
        let timeout = reader.parse::<HumanDuration>("store_timeout");
        let dedup_window = reader.parse::<HumanDuration>("dedup_window");
        let dedup_limit = reader.parse::<u64>("dedup_limit");
        let counter_limit = reader.parse::<u32>("counter_limit");
        let record_backlog = reader.parse::<u64>("record_backlog");
        let wait_replicas = reader.parse::<Replicas>("wait_replicas");

        let redis = redis_url.map(|url| parse_redis_url(reader, &url));
        if let (Some(timeout), Some(server)) = (timeout, server) {
            if timeout.0.is_zero() {
                reader.reject("store_timeout", "must be longer than zero");
            } else if timeout.0 >= server.request_timeout {
                // Otherwise the request would be cut before the store's own answer could be given.
                reader.reject(
                    "store_timeout",
                    "must be shorter than FOOTFALL_REQUEST_TIMEOUT",
                );
            }
        }
        if dedup_window.is_some_and(|window| window.0 > MAX_DEDUP_WINDOW) {
            reader.reject("dedup_window", "must not be longer than 24h");
        }
        if dedup_limit == Some(0) {
            reader.reject("dedup_limit", "must be greater than zero");
        }
        if counter_limit == Some(0) {
            reader.reject("counter_limit", "must be greater than zero");
        }
        if record_backlog.is_some_and(|backlog| !(1..=MAX_RECORD_BACKLOG).contains(&backlog)) {
            let what = format!("expected a whole number from 1 to {MAX_RECORD_BACKLOG}");
            reader.reject("record_backlog", what);
        }
        let is_embedded = redis.is_none() && !reader.is_broken("redis_url");
        if is_embedded && wait_replicas.is_some_and(|replicas| replicas.0 > 0) {
            reader.reject("wait_replicas", "only Redis has replicas; set REDIS_URL");
        }
        Some(Self {
            location: match redis {
                Some(url) => StoreLocation::Redis(Box::new(url?)),
                None => StoreLocation::Sqlite(file.unwrap_or(data_dir?.join("footfall.db"))),
            },
            timeout: timeout?.0,
            dedup_window: dedup_window?.0,
            dedup_limit: dedup_limit?,
            counter_limit: counter_limit?,
            record_backlog: record_backlog?,
            wait_replicas: wait_replicas?.0,
        })
    }
}

fn parse_redis_url(reader: &mut Reader, url: &Secret) -> Option<RedisUrl> {
    let parsed = url.value.expose_secret().parse();
    parsed
        .map_err(|error: String| reader.reject("redis_url", error))
        .ok()
}
