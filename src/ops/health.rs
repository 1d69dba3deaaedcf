//! `GET /api/ping` and `GET /healthz`: neither touches the store.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    edge::{Code, Problem},
    supervision::{Unwell, Vitals},
};

/// It is there.
#[derive(Serialize, ToSchema)]
pub struct Status {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Status = Status { status: "ok" };

crate::problem_responses!(PingProblems: MethodNotAllowed);

/// Answer.
#[utoipa::path(
    get,
    path = "/api/ping",
    tag = "service",
    responses((status = 200, description = "The service answers", body = Status), PingProblems)
)]
pub async fn get_ping() -> Json<Status> {
    Json(OK)
}

crate::problem_responses!(HealthProblems: MethodNotAllowed, Draining, ReplicaStuck);

/// Tell whether this replica is live.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    responses((status = 200, description = "Live", body = Status), HealthProblems)
)]
pub async fn get_healthz(State(state): State<AppState>) -> Result<Json<Status>, Problem> {
    health(&state.vitals)
}

/// Live, or shutting down, or a thread of it is stuck.
fn health(vitals: &Vitals) -> Result<Json<Status>, Problem> {
    vitals.check().map_err(Problem::from)?;
    Ok(Json(OK))
}

/// As on the public listener, but not before that can be reached.
pub fn started(vitals: &Vitals) -> Result<Json<Status>, Problem> {
    vitals.check_started().map_err(Problem::from)?;
    Ok(Json(OK))
}

impl From<Unwell> for Problem {
    fn from(unwell: Unwell) -> Self {
        match unwell {
            Unwell::Starting => Code::Starting,
            Unwell::Draining => Code::Draining,
            Unwell::Stuck => Code::ReplicaStuck,
        }
        .into()
    }
}
