//! The application: state and routes of both kinds of listeners.
//!
//! Production and tests build it here, so that they cannot drift apart.

use std::{ops::Deref, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRef},
};
use tokio_util::task::TaskTracker;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::{self, Login, password::Passwords, throttle::Throttle, token::Tokens},
    config::{ServerSettings, Settings},
    counting::{self, CounterName, Counters, store::CounterStore},
    edge::{Code, Edge, route_metrics::RouteMetrics, service::MAX_BODY_BYTES},
    listen::Fitness,
    ops::{self, OpsState},
    pages::{home, openapi, swagger},
    storage::{Store, sql::Database},
    supervision::{Supervisor, Vitals},
    telemetry::metrics::Metrics,
};

/// What all worker threads share.
pub struct Shared {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    passwords: Passwords,
    vitals: Vitals,
    openapi: Bytes,
    routes: Arc<RouteMetrics>,
    /// Made once and cloned: collecting the routes makes the OpenAPI document on the way, and a
    /// thread's arena keeps the two megabytes that takes.
    router: Router<AppState>,
}

/// What the public handlers of one worker thread use.
pub struct App {
    /// The counters.
    pub counters: Counters,
    /// The counter behind `GET /api/count`.
    pub default_counter: CounterName,
    /// Whether a proxy's `X-Request-ID` identifies a visit.
    pub request_ids_identify: bool,
    /// Tokens.
    pub tokens: Arc<Tokens>,
    /// Logging in.
    pub login: Login,
    /// Whether the process is live.
    pub vitals: Vitals,
    /// What is finished even if the client has gone.
    pub background: TaskTracker,
    /// The OpenAPI document, in JSON.
    pub openapi: Bytes,
}

/// The state of the public router.
#[derive(Clone)]
pub struct AppState(Arc<App>);

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl FromRef<AppState> for Arc<Tokens> {
    fn from_ref(state: &AppState) -> Self {
        state.tokens.clone()
    }
}

impl Shared {
    /// Prepares what is made once per process.
    pub fn new(settings: Arc<Settings>, metrics: Arc<Metrics>, vitals: Vitals) -> Self {
        let (router, document) = public_router().split_for_parts();
        let patterns = document
            .paths
            .paths
            .keys()
            .map(String::as_str)
            .chain(swagger::ROUTES.iter().copied());
        let routes = Arc::new(RouteMetrics::new(patterns, &metrics));
        Self {
            passwords: Passwords::new(&settings.auth),
            openapi: document
                .to_json()
                .expect("the document is made of text and numbers")
                .into(),
            routes,
            router,
            settings,
            metrics,
            vitals,
        }
    }

    /// Listeners, limits and draining.
    pub fn server_settings(&self) -> &ServerSettings {
        &self.settings.server
    }

    /// The public service of one worker thread, on that thread's runtime and
    /// with its own connections to the store. What it runs there is supervised.
    pub fn public_edge(&self, store: Store, supervisor: &Supervisor) -> Edge {
        let settings = &self.settings;
        let counters = CounterStore::new(store.clone(), &settings.store);
        let tokens = Arc::new(Tokens::new(&settings.auth));
        let background = TaskTracker::new();
        let app = App {
            counters: Counters::start(counters, self.metrics.clone(), supervisor),
            default_counter: CounterName::default_counter(),
            request_ids_identify: !settings.store.dedup_window.is_zero(),
            tokens: tokens.clone(),
            login: Login::new(
                self.passwords.clone(),
                Throttle::new(store),
                tokens,
                self.metrics.clone(),
                settings.server.request_timeout,
            ),
            vitals: self.vitals.clone(),
            background: background.clone(),
            openapi: self.openapi.clone(),
        };
        let router = self
            .router
            .clone()
            .with_state(AppState(Arc::new(app)))
            .merge(swagger::router())
            .fallback(async || Code::NotFound)
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
        self.edge(router, Some(self.routes.clone()), background)
    }

    /// What tells whether this replica is fit to be sent visits.
    pub fn fitness(&self, store: &Store) -> Fitness {
        Fitness {
            vitals: self.vitals.clone(),
            store: store.health.clone(),
        }
    }

    /// The internal service: health, readiness, metrics, version.
    pub fn ops_edge(&self, store: &Store, database: Option<&Database>) -> Edge {
        let state = OpsState {
            metrics: self.metrics.clone(),
            vitals: self.vitals.clone(),
            store: store.clone(),
            database: database.cloned(),
        };
        let router: Router = ops::routes::router().with_state(state);
        let router = router.fallback(async || Code::NotFound);
        self.edge(router, None, TaskTracker::new())
    }

    fn edge(
        &self,
        router: Router,
        routes: Option<Arc<RouteMetrics>>,
        background: TaskTracker,
    ) -> Edge {
        Edge::new(
            router,
            routes,
            self.metrics.clone(),
            self.vitals.clone(),
            &self.settings.server,
            background,
        )
    }
}

/// Every public route with its entry in the document: there is no other way in.
fn public_router() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::Frame::openapi())
        .routes(routes!(home::get_home))
        .routes(routes!(openapi::get_openapi))
        .routes(routes!(ops::health::get_ping))
        .routes(routes!(ops::health::get_healthz))
        .merge(auth::routes::router())
        .merge(counting::routes::router())
}

/// The OpenAPI document of the public routes.
pub fn document() -> utoipa::openapi::OpenApi {
    public_router().into_openapi()
}
