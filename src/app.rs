//! The application: state and routes of both kinds of listeners.
//!
//! Production and tests build it here, so that they cannot drift apart. It is
//! the only place that knows all rooms.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use tokio_util::task::TaskTracker;

mod mail;
mod metrics;
mod public;
mod record;

pub use self::metrics::Metrics;
use self::{
    mail::link_token,
    public::{AppState, Parts, Public},
};
use crate::{
    accounts::{Accounts, cleanup, sessions::Sessions, undelivered::RecordUndelivered},
    audiences::evaluate::Engine,
    audit::{Audit, Keeper, denied::denied, routes::AuditState},
    auth::{
        Callers,
        api_token::ApiTokens,
        cookies::Cookies,
        csrf::{Csrf, Origins},
        keys::Keys,
        password::Passwords,
        revocation::{self, Knowledge, Revocations},
        throttle::Throttle,
        token::Tokens,
    },
    config::{PublicUrl, ServerSettings, Settings, values::Environment},
    console::{
        self, InForce,
        live::{self, Live},
    },
    counting::{
        Counting,
        carried::Salts,
        counts::{CounterStore, Recorder, Undrained},
        routes::CountingState,
    },
    edge::{Code, Edge, Policy, Routes},
    listen::Fitness,
    mail::{Mailer, Sender},
    ops::{self, OpsState},
    pages::{Description, Document},
    record::{
        EmbeddedRecorder,
        collect::{Collect, known::WriteKeys, salting::Salting},
        overview::Past,
        upkeep,
    },
    storage::{Store, sql::Database},
    supervision::{Part, Supervisor, Vitals},
};

/// The application as all worker threads share it.
pub struct Application {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    passwords: Passwords,
    keys: Keys,
    database: Option<Database>,
    audit: Audit,
    /// Until somebody runs it.
    keeper: Mutex<Option<Keeper>>,
    vitals: Vitals,
    api_tokens: Arc<ApiTokens>,
    /// Of the embedded store.
    recorder: Option<Arc<dyn Recorder>>,
    write_keys: Arc<WriteKeys>,
    /// As many questions at a time as the process may ask, and not each thread.
    engine: Engine,
    mailer: Mailer,
    live: Arc<Live>,
    knowledge: Arc<Knowledge>,
    undrained: Arc<Undrained>,
    /// By which visitors are told apart for a day.
    salts: Salts,
    /// What lists of counters know already, whichever thread has read it.
    past: Past,
    document: Document,
    in_force: Arc<InForce>,
    routes: Arc<Routes>,
    ops_routes: Arc<Routes>,
    /// Made once and cloned.
    router: Router<AppState>,
}

impl Application {
    /// Prepares what is made once per process.
    pub fn new(
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        vitals: Vitals,
        database: Option<Database>,
    ) -> Self {
        let public = Public::new();
        let descriptions = public.descriptions;
        let (audit, keeper) = Audit::new(database.as_ref(), &metrics.audit);
        let ops = ops::routes::PATTERNS.map(|pattern| (pattern.to_owned(), Policy::default()));
        Self {
            passwords: Passwords::new(&settings.auth, metrics.auth.password_hashes.clone()),
            keys: Keys::new(&settings.auth),
            api_tokens: Arc::new(ApiTokens::new(database.clone(), &settings.auth)),
            recorder: database
                .as_ref()
                .and_then(|database| recorder(database, &metrics)),
            write_keys: Arc::new(WriteKeys::new(database.clone())),
            engine: Engine::new(
                database.clone(),
                settings.server.request_timeout,
                metrics.audiences.clone(),
            ),
            database,
            audit,
            keeper: Mutex::new(keeper),
            document: Document::new(move || descriptions.put_together().to_json()),
            in_force: Arc::new(InForce::new(&settings)),
            routes: Arc::new(
                Routes::new(public.patterns, Some(&metrics.http)).otherwise(unmatched()),
            ),
            ops_routes: Arc::new(Routes::new(ops, None)),
            router: public.router,
            knowledge: Arc::new(Knowledge::new(metrics.revocation.clone())),
            live: Arc::new(Live::new(metrics.live.clone())),
            settings,
            metrics,
            vitals,
            mailer: Mailer::default(),
            undrained: Arc::default(),
            salts: Salts::default(),
            past: Past::default(),
        }
    }

    /// Listeners, limits and draining.
    pub fn server_settings(&self) -> &ServerSettings {
        &self.settings.server
    }

    /// What was revoked, for the thread that has this store.
    pub fn revocations(&self, store: Store) -> Revocations {
        let (knowledge, database) = (self.knowledge.clone(), self.database.clone());
        Revocations::new(knowledge, store, database, &self.settings)
    }

    /// The audit trail.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What writes the audit trail, to be run once, on the thread that opened the database.
    fn audit_keeper(&self) -> Option<Keeper> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.take()
    }

    /// The public service of one worker thread, on that thread's runtime and
    /// with its own connections to the store. What it runs there is supervised.
    pub fn public_edge(&self, store: Store, supervisor: &Supervisor) -> Edge {
        let settings = &self.settings;
        let counts = self.counts(store.clone());
        let record = self.record(&store);
        let erasure = Arc::new(self.erasure(&store));
        let revocations = self.revocations(store.clone());
        let tokens = Arc::new(Tokens::new(&settings.auth));
        let throttle = Throttle::new(store);
        let background = TaskTracker::new();
        let csrf = Arc::new(self.csrf());
        let audit = self.audit.clone();
        let callers = Callers::new(
            tokens.clone(),
            revocations.clone(),
            self.api_tokens.clone(),
            throttle.clone(),
            csrf.clone(),
        );
        let callers =
            callers.telling(move |caller, request, rule| audit.note(denied(caller, request, rule)));
        let callers = Arc::new(callers);
        let counting = Counting::start(
            counts,
            revocations.clone(),
            self.metrics.counting.clone(),
            supervisor,
        );
        let request_ids_identify = !settings.store.dedup_window.is_zero();
        let accounts = Arc::new(self.accounts(throttle, tokens, revocations.clone()));
        let parts = Parts {
            counting: Arc::new(CountingState::new(
                counting.clone(),
                request_ids_identify,
                self.database.is_some(),
            )),
            collect: Arc::new(Collect {
                keys: self.write_keys.clone(),
                counting,
                revocations,
                request_ids_identify,
                metrics: self.metrics.collect.clone(),
            }),
            sessions: Arc::new(Sessions {
                accounts: accounts.clone(),
                callers: callers.clone(),
                csrf,
                metrics: self.metrics.auth.clone(),
                audit: self.audit.clone(),
                mailer: self.mailer.clone(),
                request_timeout: settings.server.request_timeout,
                background: background.clone(),
            }),
            accounts,
            audit: AuditState {
                database: self.database.clone(),
            },
            callers,
            record,
            engine: self.engine.clone(),
            erasure,
            live: self.live.clone(),
            vitals: self.vitals.clone(),
            document: self.document.clone(),
            in_force: self.in_force.clone(),
        };
        let router = self.router.clone().with_state(AppState(Arc::new(parts)));
        let edge = self.edge(router, &self.routes, background);
        edge.with_cors(&settings.server.cors_origins)
    }

    /// People and companies, with what a thread has of its own.
    fn accounts(
        &self,
        throttle: Throttle,
        tokens: Arc<Tokens>,
        revocations: Revocations,
    ) -> Accounts {
        let settings = &self.settings.accounts;
        Accounts {
            database: self.database.clone(),
            keys: self.keys.clone(),
            passwords: self.passwords.clone(),
            throttle,
            tokens,
            revocations,
            registration: settings.registration,
            password_min_length: settings.password_min_length,
            mailer: self.mailer.clone(),
            audit: self.audit.clone(),
            metrics: self.metrics.accounts.clone(),
        }
    }

    /// Cookies are for HTTPS, but in development, where there may be none.
    fn csrf(&self) -> Csrf {
        let production = self.settings.environment == Environment::Production;
        let public_url = self.settings.mail.public_url.as_ref();
        let is_https = public_url.is_some_and(PublicUrl::is_https);
        let cors = self.settings.server.cors_origins.iter();
        let own = cors
            .map(ToString::to_string)
            .chain(public_url.map(PublicUrl::origin));
        Csrf {
            keys: self.keys.clone(),
            cookies: Cookies::new(production || is_https),
            origins: Origins {
                own: own.collect(),
                of_host: !production,
            },
        }
    }

    /// Starts what works in the background for all workers, once, on the thread that opened the database.
    ///
    /// # Errors
    ///
    /// If it was started already.
    pub fn start_background(
        &self,
        store: &Store,
        supervisor: &Supervisor,
    ) -> prometheus::Result<()> {
        let counts = CounterStore::new(store.clone(), &self.settings.store);
        supervisor.spawn(Part::LiveNumbers, live::run(self.live.clone(), counts));
        let Some(database) = self.database.clone() else {
            return Ok(());
        };
        if let Some(monitor) = database.monitor() {
            supervisor.spawn(Part::DatabaseMonitor, monitor.run());
        }
        let monitoring = revocation::monitor(self.revocations(store.clone()));
        supervisor.spawn(Part::Revocations, monitoring);
        supervisor.spawn(Part::Cleanup, cleanup::run(database.clone()));
        self.start_collecting(store, &database, supervisor);
        supervisor.spawn(Part::Upkeep, upkeep::run(database.clone()));
        if let Some(drain) = self.drain(store, database.clone()) {
            supervisor.spawn(Part::Drain, drain.run());
        }
        if let Some(keeper) = self.audit_keeper() {
            supervisor.spawn(Part::Audit, keeper.run());
        }
        let keys = self.keys.clone();
        let tokens = Arc::new(move |page, id| link_token(&keys, page, id));
        let on_failure = Some(Arc::new(RecordUndelivered) as _);
        let (settings, registry) = (&self.settings.mail, &self.metrics.registry);
        let sender = Sender::new(
            settings,
            database,
            registry,
            tokens,
            on_failure,
            &self.mailer,
        )?;
        supervisor.spawn(Part::MailSender, sender.run());
        Ok(())
    }

    /// What web pages need, and nothing of which a visit waits for.
    fn start_collecting(&self, store: &Store, database: &Database, supervisor: &Supervisor) {
        let metrics = &self.metrics.collect;
        let keys = self.write_keys.clone();
        let reading = keys.run(self.revocations(store.clone()), metrics.clone());
        supervisor.spawn(Part::WriteKeys, reading);
        let salting = Salting::new(database.clone(), self.salts.clone(), metrics.clone());
        supervisor.spawn(Part::VisitorSalts, salting.run());
    }

    /// How the sender of mails is told things, where there is one.
    pub fn mailer(&self) -> Option<&Mailer> {
        self.database.as_ref().map(|_| &self.mailer)
    }

    /// What tells whether this replica is fit to be sent visits.
    pub fn fitness(&self, store: &Store) -> Fitness {
        Fitness {
            vitals: self.vitals.clone(),
            store: store.health.clone(),
        }
    }

    /// The internal service: health, readiness, metrics, version.
    pub fn ops_edge(&self, store: &Store) -> Edge {
        let state = OpsState {
            registry: self.metrics.registry.clone(),
            vitals: self.vitals.clone(),
            store: store.clone(),
            database: self.database.clone(),
        };
        let router = ops::routes::router().with_state(state);
        let router = router.fallback(async || Code::NotFound);
        self.edge(router, &self.ops_routes, TaskTracker::new())
    }

    fn edge(&self, router: Router, routes: &Arc<Routes>, background: TaskTracker) -> Edge {
        Edge::new(
            router,
            routes.clone(),
            self.vitals.clone(),
            &self.settings.server,
            background,
        )
    }
}

/// What records visits in the transaction that counts them, where the database is the embedded file.
fn recorder(database: &Database, metrics: &Metrics) -> Option<Arc<dyn Recorder>> {
    let is_embedded = database.health().is_none();
    is_embedded.then(|| Arc::new(EmbeddedRecorder::new(metrics.record.clone())) as _)
}

/// What matches no route, a browser is shown as a page.
fn unmatched() -> Policy {
    Policy {
        page: Some(console::error_page),
        ..Policy::default()
    }
}

/// The OpenAPI description of the public routes.
pub fn description() -> Description {
    Public::new().descriptions.put_together()
}

/// The patterns of all pages of the console.
pub fn pages() -> Vec<String> {
    let patterns = Public::new().patterns.into_iter();
    let pages = patterns.filter(|(pattern, _)| pattern.starts_with("/console/"));
    pages.map(|(pattern, _)| pattern).collect()
}
