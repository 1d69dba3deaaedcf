//! The public routes, and the state they share on a worker thread.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Router, extract::FromRef};
use utoipa::OpenApi;

use crate::{
    accounts::{self, Accounts, sessions::Sessions},
    audiences::{self, evaluate::Engine},
    audit::{self, routes::AuditState},
    auth::Callers,
    console::{self, InForce, live::Live},
    counting::{self, routes::CountingState},
    edge::{Code, Describe, DescribedRouter, Policy},
    ops,
    pages::{self, Description, Document, openapi, swagger},
    record::{
        self, Record,
        collect::{self, Collect},
        erase::{self, Erasure},
    },
    supervision::Vitals,
};

/// The state of the public router, on one worker thread.
#[derive(Clone)]
pub struct AppState(pub Arc<Parts>);

/// What it is made of.
pub struct Parts {
    /// Visits.
    pub counting: Arc<CountingState>,
    /// Visits that web pages send.
    pub collect: Arc<Collect>,
    /// People.
    pub accounts: Arc<Accounts>,
    /// The audit trail.
    pub audit: AuditState,
    /// The record of visits.
    pub record: Record,
    /// Who is in an audience.
    pub engine: Engine,
    /// Numbers that move while somebody looks.
    pub live: Arc<Live>,
    /// Erasing visitors.
    pub erasure: Arc<Erasure>,
    /// Who calls.
    pub callers: Arc<Callers>,
    /// Logging in, and staying so.
    pub sessions: Arc<Sessions>,
    /// Whether the process is well.
    pub vitals: Vitals,
    /// The OpenAPI document.
    pub document: Document,
    /// What pages show of the settings.
    pub in_force: Arc<InForce>,
}

/// Each room takes the parts it needs by their types.
macro_rules! parts {
    ($($part:ident: $kind:ty),+) => {
        $(impl FromRef<AppState> for $kind {
            fn from_ref(state: &AppState) -> Self {
                state.0.$part.clone()
            }
        })+
    };
}

parts!(accounts: Arc<Accounts>, audit: AuditState, collect: Arc<Collect>, counting: Arc<CountingState>, callers: Arc<Callers>, engine: Engine, erasure: Arc<Erasure>, live: Arc<Live>, record: Record, sessions: Arc<Sessions>, vitals: Vitals, document: Document, in_force: Arc<InForce>);

/// The public routes.
pub struct Public {
    /// All of them.
    pub router: Router<AppState>,
    /// What describes those that are for programs.
    pub descriptions: Descriptions,
    /// How each is treated.
    pub patterns: Vec<(String, Policy)>,
}

/// What describes routes.
pub struct Descriptions(Vec<Describe<AppState>>);

impl Descriptions {
    /// What the OpenAPI document says of them.
    pub fn put_together(&self) -> Description {
        let mut description = Description::new(openapi::Frame::openapi());
        for routes in &self.0 {
            description.add(routes.part());
        }
        description
    }
}

impl Public {
    /// Every public route. One that is for programs has its entry in the document: there is no
    /// other way in.
    pub fn new() -> Self {
        let swagger = swagger::router().with_state(());
        let (console, console_patterns) = console::pages().into_parts();
        Self {
            router: Router::new().fallback(async || Code::NotFound),
            descriptions: Descriptions(Vec::new()),
            patterns: Vec::new(),
        }
        .documented(pages::router(), Policy::default())
        .documented(ops::liveness::router(), Policy::default())
        .documented(accounts::sessions::router(), Policy::default())
        .documented(accounts::api_tokens::routes::router(), Policy::default())
        .documented(accounts::users::routes::router(), Policy::default())
        .documented(accounts::companies::routes::router(), Policy::default())
        .documented(audit::routes::router(), Policy::default())
        .documented(accounts::registration::routes::router(), Policy::default())
        .documented(accounts::own::routes::router(), Policy::default())
        .with(console, console_patterns, console::policy())
        .documented(counting::routes::router(), Policy::default())
        .documented(
            counting::routes::lines::router(),
            counting::routes::lines::policy(),
        )
        .documented(collect::routes::router(), Policy::default())
        .documented(collect::routes::images(), collect::routes::image_policy())
        .documented(record::routes::router(), Policy::default())
        .documented(erase::routes::router(), Policy::default())
        .documented(audiences::build::router(), audiences::policy())
        .documented(audiences::saved::routes::router(), audiences::policy())
        .documented(audiences::members::router(), audiences::policy())
        .documented(audiences::presets::router(), audiences::policy())
        .with(swagger, swagger::ROUTES, Policy::default())
    }

    fn documented(mut self, room: DescribedRouter<AppState>, policy: Policy) -> Self {
        let (router, routes) = room.into_parts();
        // Methods of one pattern may be in two files.
        let (patterns, descriptions): (BTreeSet<_>, Vec<_>) = routes.into_iter().unzip();
        self.descriptions.0.extend(descriptions);
        self.with(router, patterns, policy)
    }

    fn with(
        mut self,
        router: Router<AppState>,
        patterns: impl IntoIterator<Item = impl Into<String>>,
        policy: Policy,
    ) -> Self {
        self.router = self.router.merge(router);
        let patterns = patterns.into_iter();
        self.patterns
            .extend(patterns.map(|pattern| (pattern.into(), policy)));
        self
    }
}
