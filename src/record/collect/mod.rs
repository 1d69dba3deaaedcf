//! Visits that web pages send, by a public write key: `POST /collect`, `GET /collect.gif`, and the
//! script that does it, `GET /footfall.js`.
//!
//! Nobody waits for the database here: replicas have all [keys](known) in memory.

use std::sync::Arc;

use self::{known::WriteKeys, metrics::CollectMetrics};
use crate::{auth::revocation::Revocations, counting::Counting};

mod budget;
mod image;
mod key;
pub mod known;
pub mod making;
pub mod metrics;
mod origin;
mod post;
pub mod routes;
pub mod salting;
mod script;
mod table;
mod unwanted;
mod visit;

/// What the routes of this room work with, on one worker thread.
pub struct Collect {
    /// The write keys.
    pub keys: Arc<WriteKeys>,
    /// Where visits go.
    pub counting: Counting,
    /// What was ended.
    pub revocations: Revocations,
    /// Whether a proxy's `X-Request-ID` identifies a visit.
    pub request_ids_identify: bool,
    /// What is measured.
    pub metrics: Arc<CollectMetrics>,
}
