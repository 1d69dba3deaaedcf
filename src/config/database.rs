//! The database: people, and the record of visits. Counting needs none of it.

use std::{path::PathBuf, time::Duration};

use secrecy::ExposeSecret;

use super::{
    PostgresUrl, ServerSettings,
    reader::{Reader, Secret},
    values::HumanDuration,
};

/// Most connections one process may keep: more would only wait for each other in PostgreSQL.
const MAX_POOL: u32 = 100;

/// Which database it is.
#[derive(Debug, Clone)]
pub enum DatabaseLocation {
    /// None: beside Redis, when `DATABASE_URL` is not set.
    None,
    /// The embedded database, which keeps the counts as well.
    Sqlite,
    /// Shared by all replicas, as Redis is.
    Postgres(Box<PostgresUrl>),
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`.
    pub location: DatabaseLocation,
    /// `FOOTFALL_DATABASE_TIMEOUT` (`3s`): what an operation of PostgreSQL may take in all. Of the
    /// 10 s that a request has, it leaves the time to say so.
    pub timeout: Duration,
    /// `FOOTFALL_DATABASE_POOL` (2): connections to PostgreSQL that a process works on; the
    /// monitor has one more. 32 replicas, as many as there are slots, have 96 together: what 100
    /// (PostgreSQL's default of `max_connections`) leaves to ordinary roles is 97. Questions about
    /// audiences open up to two more in each process for as long as they take: 19 replicas have
    /// room for those, and more want a higher `max_connections`.
    pub pool: u32,
}

/// What `DATABASE_URL` says.
pub(super) enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(Box<PostgresUrl>),
}

impl DatabaseSettings {
    /// Reads the settings, and the path of the embedded database where one is set. `has_redis`
    /// says whether counts are kept in Redis.
    pub(super) fn read(
        reader: &mut Reader,
        server: Option<&ServerSettings>,
        has_redis: bool,
    ) -> (Option<Self>, Option<PathBuf>) {
        let url = reader.secret("database_url");
        let password = reader.secret("database_password");
        let is_set = url.is_some() || reader.is_broken("database_url");
        let url = url.and_then(|url| parse_url(reader, &url, password, has_redis));
        let timeout = reader.parse::<HumanDuration>("database_timeout");
        let pool = reader.parse::<u32>("database_pool");
        if let (Some(timeout), Some(DatabaseUrl::Postgres(_))) = (timeout, &url) {
            check_timeout(reader, timeout.0, server);
        }
        if pool.is_some_and(|pool| !(1..=MAX_POOL).contains(&pool)) {
            let what = format!("expected a whole number from 1 to {MAX_POOL}");
            reader.reject("database_pool", what);
        }
        let (location, path) = match url {
            Some(DatabaseUrl::Postgres(url)) => (DatabaseLocation::Postgres(url), None),
            Some(DatabaseUrl::Sqlite(path)) => (DatabaseLocation::Sqlite, Some(path)),
            None if has_redis || is_set => (DatabaseLocation::None, None),
            None => (DatabaseLocation::Sqlite, None),
        };
        let settings = || {
            Some(Self {
                location,
                timeout: timeout?.0,
                pool: pool?,
            })
        };
        (settings(), path)
    }
}

fn check_timeout(reader: &mut Reader, timeout: Duration, server: Option<&ServerSettings>) {
    if timeout < Duration::from_millis(100) {
        // A connection with TLS takes several round trips and a few milliseconds of computing.
        reader.reject("database_timeout", "must not be shorter than 100ms");
    } else if server.is_some_and(|server| timeout >= server.request_timeout) {
        // Otherwise the request would be cut before the database's own answer could be given.
        reader.reject(
            "database_timeout",
            "must be shorter than FOOTFALL_REQUEST_TIMEOUT",
        );
    }
}

/// `None` when an error was recorded.
fn parse_url(
    reader: &mut Reader,
    url: &Secret,
    password: Option<Secret>,
    has_redis: bool,
) -> Option<DatabaseUrl> {
    let parsed = match scheme_of(url.value.expose_secret()) {
        Some("sqlite") => parse_sqlite(url.value.expose_secret(), has_redis, password.is_some()),
        Some("postgres" | "postgresql") => {
            parse_postgres(url.value.expose_secret(), has_redis, password)
        }
        _ => Err("expected postgres://USER:PASSWORD@HOST/DATABASE beside Redis, or sqlite:PATH without it; \
                  `jdbc:`, `+asyncpg` and the like, capitals and quotes do not belong to it".into()),
    };
    parsed
        .map_err(|error| reader.reject("database_url", error))
        .ok()
}

fn scheme_of(url: &str) -> Option<&str> {
    url.split_once(':').map(|(scheme, _)| scheme)
}

/// The path of `sqlite:PATH`. As elsewhere, `sqlite://` introduces a path too:
/// `sqlite:///absolute`, `sqlite://relative`.
fn parse_sqlite(url: &str, has_redis: bool, has_password: bool) -> Result<DatabaseUrl, String> {
    let path = url.strip_prefix("sqlite:").unwrap_or_default();
    let path = path.strip_prefix("//").unwrap_or(path);
    let problem = if has_redis {
        "REDIS_URL is set too, so nothing would be kept in this SQLite file; set only one of the two, \
         or name a PostgreSQL here (postgres://…), which is the database that goes with Redis"
    } else if path.is_empty() || path.contains('?') || path.contains(":memory:") {
        "expected the path of a file; options and :memory: are not supported"
    } else if has_password {
        "an SQLite file has no password; leave FOOTFALL_DATABASE_PASSWORD out"
    } else {
        return Ok(DatabaseUrl::Sqlite(PathBuf::from(path)));
    };
    Err(problem.into())
}

fn parse_postgres(
    url: &str,
    has_redis: bool,
    password: Option<Secret>,
) -> Result<DatabaseUrl, String> {
    let mut url: PostgresUrl = url.parse()?;
    match password {
        Some(_) if url.password.is_some() => {
            return Err("it holds a password, and FOOTFALL_DATABASE_PASSWORD is set too; set only one of the two".into());
        }
        Some(password) => url.password = Some(password.value),
        None => {}
    }
    if !has_redis {
        return Err("PostgreSQL keeps no counts, and REDIS_URL, which names the Redis that does, is not set; \
                    set it, or use sqlite:PATH, which keeps both".into());
    }
    Ok(DatabaseUrl::Postgres(Box::new(url)))
}
