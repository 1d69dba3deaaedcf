//! The application as the process puts it together, without the process: no thread, no socket,
//! no signal. The fuzz targets have it from here, too.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use footfall::{
    app::{Application, Metrics},
    config::{Settings, Sources},
    storage::{Store, sql::Database},
    supervision::{Ends, Supervisor, Vitals},
    telemetry::metrics::Registry,
};

pub struct Assembly {
    pub application: Application,
    pub settings: Arc<Settings>,
    pub store: Store,
    #[allow(dead_code, reason = "fuzz/, which shares this file, has none")]
    pub database: Option<Database>,
    pub supervisor: Supervisor,
    /// What has ended in the background; nothing should.
    pub ends: Ends,
}

impl Assembly {
    /// With the settings of this environment alone; an embedded store is in this folder, unless
    /// they say otherwise.
    pub async fn new(environment: &BTreeMap<String, String>, folder: &Path) -> Self {
        let data = ("FOOTFALL_DATA_DIR".into(), folder.join("data").into());
        let told = environment.iter();
        let told = told.map(|(name, value)| (name.into(), value.into()));
        let sources = Sources {
            environment: [data].into_iter().chain(told).collect(),
            directory: folder.to_owned(),
            ..Sources::default()
        };
        let settings = Settings::load(&sources).unwrap_or_else(|errors| panic!("{errors}"));
        let settings = Arc::new(settings);
        let registry = Arc::new(Registry::new().expect("a registry"));
        let metrics = Arc::new(Metrics::register(registry).expect("each metric once"));
        let store = Store::open(&settings.store, metrics.store.clone()).await;
        let store = store.expect("a store");
        let database = Database::open(&settings.database, &store, &metrics.registry);
        let database = database.expect("each metric once");
        // Nothing has to be published first. There is no heartbeat: a test may hold its thread.
        let vitals = Vitals::default();
        vitals.have_started();
        let (supervisor, ends) = Supervisor::new();
        Self {
            application: Application::new(settings.clone(), metrics, vitals, database.clone()),
            settings,
            store,
            database,
            supervisor,
            ends,
        }
    }
}
