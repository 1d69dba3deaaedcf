//! `/api/count`, `/api/counters` and `/api/visits`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub mod lines;
mod schemas;
mod state;
mod visit_body;
mod visit_identity;

pub use self::state::CountingState;
use self::{schemas::CarriedVisit, visit_body::VisitBody, visit_identity::VisitIdentity};
use super::{CountError, Counted, CounterId, CounterName, InvalidName};
use crate::{
    auth::{Callers, CsrfForm, May, MayByForm, permission},
    edge::{
        Code, DescribedRouter, Problem, QueryOf,
        page::{Cursor, Page},
    },
    routes,
    storage::StoreError,
};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The routes of this room.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<CountingState>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_count, head_count))
        .routes(routes!(get_counters))
        .routes(routes!(get_counter, post_counter))
}

/// The number of a visit.
#[derive(Serialize, ToSchema)]
struct Visits {
    /// 1, 2, 3, …: no two visits have the same one.
    #[schema(example = 42, minimum = 1)]
    visits: u64,
}

/// A counter and its visits.
#[derive(Serialize, ToSchema)]
struct Counter {
    /// Its name.
    #[schema(value_type = String, example = "signup.page", pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    name: CounterName,
    /// The number of its last visit, or of the one just counted.
    #[schema(example = 42, minimum = 0)]
    visits: u64,
}

/// A page of counters.
#[derive(Serialize, ToSchema)]
struct Counters {
    /// In the order of their names.
    counters: Vec<Counter>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    next: Option<Cursor<CounterName>>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
struct IdentityHeaders {
    /// Makes a repeated request the same visit: it gets the same number, is
    /// not counted again and is marked `Idempotent-Replayed: true`. Remembered
    /// for at least 24 hours.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]{1,255}$",
        value_type = String,
        required = false
    )]
    #[allow(dead_code, reason = "only documents the header")]
    idempotency_key: Option<String>,
}

/// The name in the path.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct NameInPath {
    /// Name of the counter.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[a-z0-9][a-z0-9._-]{0,63}$",
        example = "signup.page"
    )]
    name: String,
}

/// Which page of counters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    /// `next` of the page before, as it is; empty for the first page.
    #[param(
        pattern = "^(1-(3[0-9]|6[1-9a-f]|7[0-9a])(3[0-9]|6[1-9a-f]|7[0-9a]|2d|2e|5f){0,63})?$"
    )]
    cursor: Option<String>,
    /// Counters on the page; empty for the default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

crate::problem_responses!(CountProblems:
    InvalidIdempotencyKey, MissingToken, InvalidToken, ExpiredToken, Forbidden, MethodNotAllowed,
    Overloaded, StoreUnavailable, OutcomeUnknown, IdentitiesFull);

/// Count a visit.
///
/// Counts one visit on the counter `visits` and returns its number.
#[utoipa::path(
    get,
    path = "/api/count",
    tag = "counting",
    security(("bearer" = [])),
    params(IdentityHeaders),
    responses(
        (status = 200, description = "The number of this visit", body = Visits,
         headers(("Idempotent-Replayed" = bool, description = "`true` if this visit had been counted before; else absent"))),
        CountProblems
    )
)]
async fn get_count(
    State(state): State<Arc<CountingState>>,
    caller: May<permission::Count>,
    identity: VisitIdentity,
) -> Result<impl IntoResponse, Problem> {
    let counter = CounterId {
        company: caller.company,
        name: state.default_counter.clone(),
    };
    let visit = identity.visit(&caller);
    let counted = state.counting.visit(counter, visit).await?;
    Ok((
        replayed(counted),
        Json(Visits {
            visits: counted.number,
        }),
    ))
}

crate::problem_responses!(HeadProblems: MissingToken, InvalidToken, ExpiredToken, Forbidden);

/// Check a token.
///
/// Answers as `GET` would, without a number: `HEAD` never counts.
#[utoipa::path(
    head,
    path = "/api/count",
    tag = "counting",
    security(("bearer" = [])),
    responses((status = 200, description = "The token is valid; nothing was counted"), HeadProblems)
)]
async fn head_count(_caller: May<permission::Count>) -> impl IntoResponse {
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")])
}

crate::problem_responses!(ListProblems:
    InvalidQuery, MissingToken, InvalidToken, ExpiredToken, Forbidden, MethodNotAllowed, StoreUnavailable, Overloaded);

/// List the counters.
#[utoipa::path(
    get,
    path = "/api/counters",
    tag = "counting",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of counters, in the order of their names", body = Counters), ListProblems)
)]
async fn get_counters(
    State(state): State<Arc<CountingState>>,
    caller: May<permission::Read>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<Counters>, Problem> {
    let asked = Page::new(query.cursor.as_deref(), query.limit.as_deref())?;
    let page = state
        .counting
        .list(caller.company, asked.after.as_ref(), asked.limit)
        .await?;
    let counters = page
        .counters
        .into_iter()
        .map(|tally| Counter {
            name: tally.name,
            visits: tally.visits,
        })
        .collect();
    Ok(Json(Counters {
        counters,
        next: page.next.map(Cursor),
    }))
}

crate::problem_responses!(ReadProblems:
    InvalidCounterName, MissingToken, InvalidToken, ExpiredToken, Forbidden, CounterNotFound, MethodNotAllowed,
    StoreUnavailable, Overloaded);

/// Read a counter.
///
/// Does not count.
#[utoipa::path(
    get,
    path = "/api/counters/{name}",
    tag = "counting",
    security(("bearer" = [])),
    params(NameInPath),
    responses((status = 200, description = "The counter", body = Counter), ReadProblems)
)]
async fn get_counter(
    State(state): State<Arc<CountingState>>,
    caller: May<permission::Read>,
    Path(path): Path<NameInPath>,
) -> Result<Json<Counter>, Problem> {
    let counter = CounterId {
        company: caller.company,
        name: path.name.parse()?,
    };
    let visits = state.counting.get(&counter).await?;
    let visits = visits.ok_or(Code::CounterNotFound)?;
    let name = counter.name;
    Ok(Json(Counter { name, visits }))
}

crate::problem_responses!(VisitProblems:
    InvalidCounterName, InvalidIdempotencyKey, InvalidJson, UnsupportedMediaType, UnsupportedContentEncoding, InvalidBody, InvalidVisit,
    MissingToken, InvalidToken, ExpiredToken, Forbidden, MethodNotAllowed, RecordingOff, RecordingBehind, NoDatabase,
    Overloaded, StoreUnavailable, OutcomeUnknown, IdentitiesFull, CountersFull);

/// Count a visit on a counter.
///
/// Counts one visit and returns its number. The first visit creates the counter. What is sent as its body is recorded under that
/// number; many at once are taken by `POST /api/visits`.
#[utoipa::path(
    post,
    path = "/api/counters/{name}",
    tag = "counting",
    security(("bearer" = [])),
    params(NameInPath, IdentityHeaders),
    request_body(
        content(
            (Option<CarriedVisit> = "application/json"),
            (Option<CsrfForm> = "application/x-www-form-urlencoded")
        ),
        description = "What the visit carries, at most 2048 bytes of JSON. Without a body, or with an empty object, it is counted and no more. A form is only what a page's form sends, with cookies and no header"
    ),
    responses(
        (status = 200, description = "The counter, with the number of this visit", body = Counter,
         headers(("Idempotent-Replayed" = bool, description = "`true` if this visit had been counted before; else absent"))),
        VisitProblems
    )
)]
async fn post_counter(
    State(state): State<Arc<CountingState>>,
    caller: MayByForm<permission::Count>,
    Path(path): Path<NameInPath>,
    identity: VisitIdentity,
    body: VisitBody,
) -> Result<impl IntoResponse, Problem> {
    let caller = caller.proven(&body.form)?;
    let name: CounterName = path.name.parse()?;
    let counter = CounterId {
        company: caller.company,
        name: name.clone(),
    };
    let mut visit = identity.visit(&caller);
    visit.carried = state.kept(body.carried)?;
    let counted = state.counting.visit(counter, visit).await?;
    Ok((
        replayed(counted),
        Json(Counter {
            name,
            visits: counted.number,
        }),
    ))
}

fn replayed(counted: Counted) -> AppendHeaders<Option<(HeaderName, HeaderValue)>> {
    AppendHeaders(
        counted
            .replayed
            .then_some((REPLAYED, HeaderValue::from_static("true"))),
    )
}

impl From<CountError> for Problem {
    fn from(error: CountError) -> Self {
        match error {
            CountError::Overloaded => Code::Overloaded.into(),
            CountError::IdentitiesFull(room_in) => {
                Self::from(Code::IdentitiesFull).retry_after(room_in)
            }
            CountError::CountersFull => Code::CountersFull.into(),
            CountError::RecordingOff => Code::RecordingOff.into(),
            CountError::RecordingBehind => Code::RecordingBehind.into(),
            CountError::Revoked => Code::InvalidToken.into(),
            CountError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Busy => Code::Overloaded,
            ref error if error.outcome_is_unknown() => Code::OutcomeUnknown,
            _ => Code::StoreUnavailable,
        };
        Self::from(code).with_cause(error)
    }
}

impl From<InvalidName> for Problem {
    fn from(_: InvalidName) -> Self {
        Code::InvalidCounterName.into()
    }
}
