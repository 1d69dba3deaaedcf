//! The routes of the internal listener. nginx never routes here.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse},
    routing::get,
};
use serde_json::{Value, json};

use super::liveness;
use crate::{
    edge::{Code, Problem},
    release::{REVISION, VERSION},
    storage::{Store, sql::Database},
    supervision::{Unwell, Vitals},
    telemetry::metrics::Registry,
};

/// What the internal handlers use.
#[derive(Clone)]
pub struct OpsState {
    /// The metrics.
    pub registry: Arc<Registry>,
    /// Whether the process is live.
    pub vitals: Vitals,
    /// The store.
    pub store: Store,
    /// The database, if there is one.
    pub database: Option<Database>,
}

/// The patterns of [`router`].
pub const PATTERNS: [&str; 4] = ["/metrics", "/healthz", "/readyz", "/version"];

/// The routes of the internal listener.
pub fn router() -> Router<OpsState> {
    Router::new()
        .route("/metrics", get(get_metrics))
        .route(
            "/healthz",
            get(async |State(state): State<OpsState>| liveness::started(&state.vitals)),
        )
        .route("/readyz", get(get_readyz))
        .route(
            "/version",
            get(async || Json(json!({ "version": VERSION, "revision": REVISION }))),
        )
}

async fn get_metrics(State(state): State<OpsState>) -> Result<impl IntoResponse, Problem> {
    let text = state
        .registry
        .render()
        .map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

/// Names each dependency and its state. What is known is told; nothing is
/// asked for the sake of a probe. Without its database, or with a record in the
/// store that cannot be written, a replica still counts, and is ready.
async fn get_readyz(State(state): State<OpsState>) -> impl IntoResponse {
    let store = state.store.health.ready();
    let database = state.database.as_ref().and_then(Database::health);
    let database = database.map(|health| health.ready().map(drop));
    let record = state.store.health.record().filter(Result::is_err);
    let (status, text) = match (state.vitals.check_started(), &store) {
        (Err(Unwell::Starting), _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        (Err(Unwell::Draining), _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (Err(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "stuck"),
        (Ok(()), Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
        (Ok(()), Ok(())) if matches!(database, Some(Err(_))) || record.is_some() => {
            (StatusCode::OK, "degraded")
        }
        (Ok(()), Ok(())) => (StatusCode::OK, "ready"),
    };
    let mut dependencies = json!({ "store": described(state.store.name(), store) });
    if let Some(database) = database {
        dependencies["database"] = described("postgres", database);
    }
    if let Some(record) = record {
        dependencies["record"] = described(state.store.name(), record);
    }
    // RFC 9110, 10.2.3: with a 503 it says when to come back, in seconds.
    let retry_after =
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some((header::RETRY_AFTER, "1"));
    (
        status,
        AppendHeaders(retry_after),
        Json(json!({ "status": text, "dependencies": dependencies })),
    )
}

fn described(kind: &str, ready: Result<(), String>) -> Value {
    match ready {
        Ok(()) => json!({ "state": "up", "kind": kind }),
        Err(reason) => json!({ "state": "down", "kind": kind, "reason": reason }),
    }
}
