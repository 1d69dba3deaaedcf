//! The metrics of every room.

use std::sync::Arc;

use crate::{
    accounts::metrics::AccountsMetrics,
    audiences::evaluate::metrics::AudienceMetrics,
    audit::metrics::AuditMetrics,
    auth::{metrics::AuthMetrics, revocation::metrics::RevocationMetrics},
    console::live::metrics::LiveMetrics,
    counting::metrics::CountingMetrics,
    edge::metrics::HttpMetrics,
    record::{collect::metrics::CollectMetrics, metrics::RecordMetrics},
    storage::metrics::StoreMetrics,
    telemetry::metrics::Registry,
};

/// The metrics of every room.
#[derive(Debug)]
pub struct Metrics {
    /// Where they are registered.
    pub registry: Arc<Registry>,
    /// Requests.
    pub http: Arc<HttpMetrics>,
    /// Visits.
    pub counting: Arc<CountingMetrics>,
    /// Visits that web pages send.
    pub collect: Arc<CollectMetrics>,
    /// Logins.
    pub auth: Arc<AuthMetrics>,
    /// What was revoked.
    pub revocation: Arc<RevocationMetrics>,
    /// Accounts.
    pub accounts: Arc<AccountsMetrics>,
    /// The store.
    pub store: Arc<StoreMetrics>,
    /// The audit trail.
    pub audit: Arc<AuditMetrics>,
    /// The record of visits.
    pub record: Arc<RecordMetrics>,
    /// Numbers that move while somebody looks.
    pub live: Arc<LiveMetrics>,
    /// Questions about audiences.
    pub audiences: Arc<AudienceMetrics>,
}

impl Metrics {
    /// Adds them to the registry.
    ///
    /// # Errors
    ///
    /// If two metrics have the same name.
    pub fn register(registry: Arc<Registry>) -> prometheus::Result<Self> {
        Ok(Self {
            http: Arc::new(HttpMetrics::register(&registry)?),
            counting: Arc::new(CountingMetrics::register(&registry)?),
            collect: Arc::new(CollectMetrics::register(&registry)?),
            auth: Arc::new(AuthMetrics::register(&registry)?),
            revocation: Arc::new(RevocationMetrics::register(&registry)?),
            accounts: Arc::new(AccountsMetrics::register(&registry)?),
            store: Arc::new(StoreMetrics::register(&registry)?),
            audit: Arc::new(AuditMetrics::register(&registry)?),
            record: Arc::new(RecordMetrics::register(&registry)?),
            live: Arc::new(LiveMetrics::register(&registry)?),
            audiences: Arc::new(AudienceMetrics::register(&registry)?),
            registry,
        })
    }
}
