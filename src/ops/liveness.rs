//! `GET /api/ping` and `GET /healthz`: neither touches the store.

use axum::{
    Json,
    body::Body,
    extract::{FromRef, State},
    http::{HeaderValue, Response, header},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    edge::{Code, DescribedRouter, Problem},
    routes,
    supervision::{Unwell, Vitals},
};

/// The routes that tell whether a replica is there.
pub fn router<S>() -> DescribedRouter<S>
where
    Vitals: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_ping))
        .routes(routes!(get_healthz))
}

/// It is there.
#[derive(Serialize, ToSchema)]
pub struct Status {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

const OK: Status = Status { status: "ok" };

/// It, as JSON: a ping is not to pay for writing the same once more.
const OK_AS_JSON: &str = r#"{"status":"ok"}"#;

crate::problem_responses!(PingProblems: MethodNotAllowed);

/// Answer.
#[utoipa::path(
    get,
    path = "/api/ping",
    tag = "service",
    responses((status = 200, description = "The service answers", body = Status), PingProblems)
)]
async fn get_ping() -> Response<Body> {
    let mut response = Response::new(OK_AS_JSON.into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

crate::problem_responses!(HealthProblems: MethodNotAllowed, Draining, ReplicaStuck);

/// Tell whether this replica is live.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "service",
    responses((status = 200, description = "Live", body = Status), HealthProblems)
)]
async fn get_healthz(State(vitals): State<Vitals>) -> Result<Json<Status>, Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_answers_what_is_documented() {
        assert_eq!(serde_json::to_string(&OK).unwrap(), OK_AS_JSON);
    }
}
