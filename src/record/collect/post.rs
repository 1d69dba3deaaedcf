//! `POST /collect`

use std::sync::Arc;

use axum::{
    extract::{FromRef, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Collect, origin,
    visit::{Around, Ended},
};
use crate::{
    counting::carried::Page,
    edge::{
        Code, DescribedRouter, Problem,
        body::{check, is_json_or_text, text, whole},
    },
    routes,
};

/// The route.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Collect>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(post_collect))
}

/// A visit of a web page. No more than 2 KiB of JSON.
#[derive(Serialize, ToSchema)]
#[schema(as = CollectedVisit)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only documents the body")]
struct Sent {
    /// A write key.
    #[schema(example = "ffw_0hJYsnnVbMnTpyzGh4Fd7C8nNz1k3b2yFqRkq0A9vWx3tPq1Zd")]
    key: String,
    /// One of the counters of the key; left out, its first.
    #[schema(required = false, example = "signup.page")]
    counter: String,
    /// Makes a visit that is sent again the same one, as an `Idempotency-Key` does.
    #[schema(required = false, max_length = 255, pattern = "^[!-~]{0,255}$")]
    id: String,
    /// What was visited.
    #[schema(required = false, max_length = 512, example = "/pricing")]
    path: String,
    /// Where the visitor came from.
    #[schema(
        required = false,
        max_length = 512,
        example = "https://search.example/"
    )]
    referrer: String,
    /// Which campaign brought them.
    #[schema(required = false, max_length = 512, example = "spring")]
    campaign: String,
    /// Who came. Left out, visitors are told apart for a day by their address and `User-Agent`, neither of
    /// which is stored.
    #[schema(required = false, max_length = 512)]
    visitor: String,
}

crate::problem_responses!(CollectProblems:
    InvalidJson, InvalidWriteKey, OriginNotAllowed, Forbidden, MethodNotAllowed, UnsupportedMediaType, UnsupportedContentEncoding,
    InvalidVisit, TooManyRequests, Overloaded, StoreUnavailable, OutcomeUnknown, IdentitiesFull, RecordingBehind, NoDatabase,
    DatabaseUnavailable, CountersFull);

/// Count a visit of a web page.
///
/// For pages of other origins, by a write key, which is public. Only pages of the key's origins are
/// admitted, as their browser says in `Origin`; they may read the answer. JSON declared as `text/plain` needs no preflight.
/// Prefetches and robots that say so are not counted, and `Footfall-Not-Counted` says that.
#[utoipa::path(
    post,
    path = "/collect",
    tag = "collect",
    request_body(content((Sent = "text/plain"), (Sent = "application/json"))),
    responses(
        (status = 204, description = "It is counted, or was before, or is not to be",
         headers(("Footfall-Not-Counted" = String, description = "`prefetch` or `robot`, if it was not counted; else absent"))),
        CollectProblems
    )
)]
async fn post_collect(
    State(collect): State<Arc<Collect>>,
    around: Around,
    request: Request,
) -> Response {
    let page = read(&around, request).await;
    let origin = origin::sent(&around.headers);
    let ended = collect.take(page, origin, &around).await;
    let headers = ended.headers();
    let Ended { done, .. } = ended;
    (headers, done.map(|_| StatusCode::NO_CONTENT)).into_response()
}

async fn read(around: &Around, request: Request) -> Result<Page, Problem> {
    check(&around.headers, is_json_or_text).map_err(|problem| match problem.code {
        Code::UnsupportedMediaType => problem.with_detail(
            "The body must be JSON in UTF-8, sent as `Content-Type: text/plain` or `application/json`.",
        ),
        _ => problem,
    })?;
    Ok(Page::from_json(text(&whole(request).await?)?)?)
}
