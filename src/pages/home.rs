//! The home page: what this is, and what to try first.

use askama::Template;
use axum::{
    body::Body,
    http::{Response, header},
    response::{Html, IntoResponse},
};

use crate::{
    edge::{Address, Code, DescribedRouter, Problem},
    routes,
};

/// The page is one file with its styles inside and no script.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

/// The page, with lines to copy for the address that it was asked under.
#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    address: &'a str,
}

/// Its route.
pub fn router<S: Clone + Send + Sync + 'static>() -> DescribedRouter<S> {
    DescribedRouter::new().routes(routes!(get_home))
}

crate::problem_responses!(HomeProblems: MethodNotAllowed);

/// What this is, with links.
#[utoipa::path(
    get,
    path = "/",
    tag = "service",
    responses((status = 200, description = "A small page", body = String, content_type = "text/html"), HomeProblems)
)]
async fn get_home(address: Address) -> Result<Response<Body>, Problem> {
    let home = Home {
        address: address.for_curl(),
    };
    let html = home.render();
    let html = html.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    Ok((headers, Html(html)).into_response())
}
