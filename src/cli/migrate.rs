//! `footfall migrate`

use std::{
    fmt,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::{Arg, ArgMatches, Command};

use super::Failure;
use crate::{
    config::{DatabaseLocation, PostgresUrl, Settings, values::HumanDuration},
    counting::counts::CounterStore,
    storage::{
        Backend, Layout, Store, StoreError,
        metrics::StoreMetrics,
        sql::{DatabaseError, migrations, postgres, schema},
    },
};

/// The longest a migration waits for a lock that others hold, another `migrate` for instance.
/// Whoever comes later waits behind it.
const LOCK_LIMIT: Duration = Duration::from_mins(1);

/// The time between two tries to reach what is away.
const PAUSE: Duration = Duration::from_millis(500);

pub fn command() -> Command {
    let wait = Arg::new("wait")
        .long("wait")
        .value_name("DURATION")
        .default_value("0s")
        .value_parser(clap::value_parser!(HumanDuration))
        .help("How long to wait for what cannot be reached yet: 60s, say");
    Command::new("migrate")
        .about(
            "Prepare the store and the database; run once before the replicas of a new version start",
        )
        .arg(wait)
}

/// Why something could not be prepared.
enum Trouble {
    /// It cannot be reached: that may change.
    Away(String),
    /// Waiting would not help.
    Lasting(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Away(reason) | Self::Lasting(reason)) = self;
        f.write_str(reason)
    }
}

/// Brings the store and the database to the layout of this version: both, or the one that can be.
/// To run it again is safe, and so are two at once.
pub fn run(arguments: &ArgMatches, settings: &Settings) -> Result<ExitCode, Failure> {
    let wait = arguments.get_one::<HumanDuration>("wait");
    let deadline = Instant::now() + wait.map_or(Duration::ZERO, |wait| wait.0);
    super::block_on(async {
        let metrics = Arc::new(StoreMetrics::detached()?);
        let mut failures = Vec::new();
        let store = patiently(deadline, async || prepare_store(settings, &metrics).await);
        match store.await {
            Ok(name) => super::print(format_args!("the {name} store is ready"))?,
            Err(trouble) => failures.push(trouble.to_string()),
        }
        if let DatabaseLocation::Postgres(url) = &settings.database.location {
            let limit = settings.database.timeout;
            match patiently(deadline, async || migrate(url, limit).await).await {
                Ok(before) => super::print(Migrated { url, before })?,
                Err(trouble) => failures.push(format!(
                    "the PostgreSQL database is not migrated: {trouble}"
                )),
            }
        }
        match failures.is_empty() {
            true => Ok(ExitCode::SUCCESS),
            false => Err(failures.join("\nfootfall: ").into()),
        }
    })?
}

/// Tries again until the deadline as long as what is asked is away.
async fn patiently<T>(
    deadline: Instant,
    mut attempt: impl AsyncFnMut() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    loop {
        match attempt().await {
            Err(Trouble::Away(_)) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            result => return result,
        }
    }
}

async fn prepare_store(
    settings: &Settings,
    metrics: &Arc<StoreMetrics>,
) -> Result<&'static str, Trouble> {
    let prepared = async {
        // Opening an embedded database migrates it.
        let store = Store::open(&settings.store, metrics.clone()).await?;
        let mut counters = CounterStore::new(store.clone(), &settings.store);
        counters.probe().await?;
        if let Backend::Redis(redis) = &store.backend {
            redis.note_layout().await?;
        }
        store.close().await;
        Ok(store.name())
    };
    prepared.await.map_err(|error: StoreError| match error {
        StoreError::Refused(_) => Trouble::Lasting(error.to_string()),
        error => Trouble::Away(error.to_string()),
    })
}

/// What the layout was before.
async fn migrate(url: &PostgresUrl, limit: Duration) -> Result<Option<Layout>, Trouble> {
    let limits = postgres::Limits::Lock(LOCK_LIMIT);
    let mut dialer = postgres::Dialer::new(Arc::new(url.clone()), limits, limit);
    let connected = dialer.connect().await;
    let mut connection = connected.map_err(|error| Trouble::Away(error.to_string()))?;
    let ran = schema::migrate(&mut connection).await;
    let server = url.server();
    ran.map_err(|error| {
        let reason = match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
                return of_migrating(error, url);
            }
            error => error.to_string(),
        };
        Trouble::Lasting(format!("{server}: {reason}"))
    })
}

fn of_migrating(error: sqlx::Error, url: &PostgresUrl) -> Trouble {
    let server = url.server();
    let code = error.as_database_error().and_then(|error| {
        let code = error.code()?;
        Some(code.into_owned())
    });
    match DatabaseError::from(error) {
        error if code.as_deref() == Some("42501") => Trouble::Lasting(format!(
            "{server}: {error}; name its owner in DATABASE_URL, as docs/postgres.md says: user {} may not change the schema",
            url.user
        )),
        error @ DatabaseError::Refused(_) => Trouble::Lasting(format!("{server}: {error}")),
        error => Trouble::Away(format!("{server}: {error}")),
    }
}

/// What was done.
struct Migrated<'a> {
    url: &'a PostgresUrl,
    before: Option<Layout>,
}

impl fmt::Display for Migrated<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (database, server) = (&self.url.database, self.url.server());
        write!(f, "the database {database} at {server} is ready: ")?;
        let newest = migrations::newest();
        match self.before.map_or(0, |layout| layout.version) {
            version if version == newest => write!(f, "it had every migration up to {newest}"),
            version if version > newest => write!(
                f,
                "it has migration {version}, of a newer version of Footfall, and this one can use it"
            ),
            version => write!(f, "migrations {} to {newest} were run", version + 1),
        }
    }
}
