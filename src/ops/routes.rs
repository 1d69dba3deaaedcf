//! The routes of the internal listener. nginx never routes here.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse},
    routing::get,
};
use serde_json::json;

use super::health;
use crate::{
    edge::{Code, Problem},
    release::{REVISION, VERSION},
    storage::Store,
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
}

/// The patterns of [`router`].
pub const PATTERNS: [&str; 4] = ["/metrics", "/healthz", "/readyz", "/version"];

/// The routes of the internal listener.
pub fn router() -> Router<OpsState> {
    Router::new()
        .route("/metrics", get(get_metrics))
        .route(
            "/healthz",
            get(async |State(state): State<OpsState>| health::started(&state.vitals)),
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
/// asked for the sake of a probe.
async fn get_readyz(State(state): State<OpsState>) -> impl IntoResponse {
    let store = state.store.health.ready();
    let (status, text) = match (state.vitals.check_started(), &store) {
        (Err(Unwell::Starting), _) => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        (Err(Unwell::Draining), _) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (Err(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "stuck"),
        (Ok(()), Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
        (Ok(()), Ok(())) => (StatusCode::OK, "ready"),
    };
    let store = match store {
        Ok(()) => json!({ "state": "up", "kind": state.store.name() }),
        Err(reason) => json!({ "state": "down", "kind": state.store.name(), "reason": reason }),
    };
    // RFC 9110, 10.2.3: with a 503 it says when to come back, in seconds.
    let retry_after =
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some((header::RETRY_AFTER, "1"));
    (
        status,
        AppendHeaders(retry_after),
        Json(json!({ "status": text, "dependencies": { "store": store } })),
    )
}
