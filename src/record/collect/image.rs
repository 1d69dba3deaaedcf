//! `GET /collect.gif`, for pages whose scripts do not run.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRef, RawQuery, State},
    http::{
        HeaderValue, Method,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Collect, origin,
    visit::{Around, NOT_COUNTED},
};
use crate::{
    counting::carried::Page,
    edge::{DescribedRouter, Policy, Problem},
    routes,
};

/// One transparent pixel (GIF 89a).
const PIXEL: &[u8; 43] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

const GIF: HeaderValue = HeaderValue::from_static("image/gif");

/// The route.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Collect>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_image))
}

/// Errors are images, too: a page must not show that something is broken.
pub fn policy() -> Policy {
    Policy {
        render: refused,
        ..Policy::default()
    }
}

fn refused(problem: Problem, request_id: &str) -> Response<Body> {
    let code = HeaderValue::from_static(problem.code.as_str());
    let mut response = problem.into_document(request_id);
    *response.body_mut() = Body::from(&PIXEL[..]);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, GIF);
    headers.insert(NOT_COUNTED, code);
    response
}

/// The same fields as those of `POST /collect`. What is empty says nothing.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only documents the query")]
struct ImageQuery {
    /// A write key.
    key: String,
    /// One of the counters of the key; left out, its first.
    #[param(required = false)]
    counter: String,
    /// Makes a visit that is sent again the same one.
    #[param(required = false, max_length = 255)]
    id: String,
    /// What was visited.
    #[param(required = false, max_length = 512)]
    path: String,
    /// Where the visitor came from.
    #[param(required = false, max_length = 512)]
    referrer: String,
    /// Which campaign brought them.
    #[param(required = false, max_length = 512)]
    campaign: String,
    /// Who came.
    #[param(required = false, max_length = 512)]
    visitor: String,
}

/// Count a visit of a web page by an image.
///
/// For `<noscript>`. The page must be of one of the key's origins, as `Referer` says. The answer is a transparent pixel in any case;
/// where nothing was counted, `Footfall-Not-Counted` says why: `prefetch`, `robot` or the `code` of a problem, and its status is that
/// of the problem. `HEAD` does not count.
#[utoipa::path(
    get,
    path = "/collect.gif",
    tag = "collect",
    params(ImageQuery),
    responses(
        (status = 200, description = "It is counted, or was before, or is not to be", body = Vec<u8>, content_type = "image/gif",
         headers(("Footfall-Not-Counted" = String, description = "`prefetch` or `robot`, if it was not counted; else absent"))),
        (status = "4XX", description = "It was not counted", body = Vec<u8>, content_type = "image/gif",
         headers(("Footfall-Not-Counted" = String, description = "The `code` of the problem"))),
        (status = "5XX", description = "It was not counted, or may have been: `outcome_unknown`", body = Vec<u8>, content_type = "image/gif",
         headers(("Footfall-Not-Counted" = String, description = "The `code` of the problem")))
    )
)]
async fn get_image(
    State(collect): State<Arc<Collect>>,
    method: Method,
    around: Around,
    RawQuery(query): RawQuery,
) -> Response {
    let image = || ([(CONTENT_TYPE, GIF)], &PIXEL[..]);
    // The router has no other handler for it.
    if method == Method::HEAD {
        return image().into_response();
    }
    let page = Page::from_query(&query.unwrap_or_default()).map_err(Problem::from);
    let origin = origin::of_image(&around.headers);
    let ended = collect.take(page, origin, &around).await;
    let headers = ended.headers();
    (headers, ended.done.map(|_| image())).into_response()
}
