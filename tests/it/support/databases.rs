//! Both databases, opened as a process opens its own: every test of a repository runs on both.

use std::{path::Path, sync::Arc};

use footfall::{
    config::{Settings, Sources},
    storage::metrics::StoreMetrics,
    storage::{Store, sql::Database},
    telemetry::metrics::Registry,
};
use tokio::task::JoinHandle;

use super::{postgres, process::until};

/// An open database with its newest schema.
pub struct Opened {
    /// `sqlite` or `postgres`.
    pub kind: &'static str,
    pub database: Database,
    pub registry: Arc<Registry>,
    monitor: Option<JoinHandle<()>>,
    folder: Arc<tempfile::TempDir>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(monitor) = &self.monitor {
            monitor.abort();
        }
    }
}

/// One of each, with patience: machines that test are slow at times, and some tests write a thousand rows.
pub async fn both() -> [Opened; 2] {
    let postgres = postgres::Database::migrated();
    let postgres = at(&postgres.url(), &[("FOOTFALL_DATABASE_TIMEOUT", "8s")]).await;
    [sqlite().await, postgres.up().await]
}

/// A SQLite file.
pub async fn sqlite() -> Opened {
    open("sqlite", &[("FOOTFALL_STORE_TIMEOUT", "8s")]).await
}

/// The PostgreSQL of this URL, up or not, with more settings.
pub async fn at(url: &str, settings: &[(&str, &str)]) -> Opened {
    let redis = ("REDIS_URL", "redis://127.0.0.1:1");
    let settings = [&[redis, ("DATABASE_URL", url)], settings].concat();
    open("postgres", &settings).await
}

async fn open(kind: &'static str, environment: &[(&str, &str)]) -> Opened {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    open_in(folder, kind, environment).await
}

async fn open_in(
    folder: Arc<tempfile::TempDir>,
    kind: &'static str,
    environment: &[(&str, &str)],
) -> Opened {
    let data = folder.path().display().to_string();
    let environment = [environment, &[("FOOTFALL_DATA_DIR", data.as_str())]].concat();
    let settings = Settings::load(&Sources {
        environment: environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        directory: folder.path().to_owned(),
        ..Sources::default()
    });
    let settings = settings.unwrap();
    let registry = Arc::new(Registry::new().unwrap());
    let metrics = Arc::new(StoreMetrics::register(&registry).unwrap());
    let store = Store::open(&settings.store, metrics).await.unwrap();
    let database = Database::open(&settings.database, &store, &registry);
    let database = database.unwrap().unwrap();
    Opened {
        kind,
        monitor: database
            .monitor()
            .map(|monitor| tokio::spawn(monitor.run())),
        database,
        registry,
        folder,
    }
}

impl Opened {
    /// Where a SQLite file is.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same SQLite file once more, as another process has it.
    pub async fn again(&self) -> Self {
        assert_eq!(self.kind, "sqlite");
        open_in(self.folder.clone(), self.kind, &[]).await
    }

    /// Waits until it can be used.
    pub async fn up(self) -> Self {
        if let Some(health) = self.database.health() {
            until("the database is up", async || health.ready().ok()).await;
        }
        self
    }
}
