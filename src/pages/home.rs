//! The home page: what this is, and what to try first.

use axum::{
    http::header,
    response::{Html, IntoResponse},
};

/// The page is one file with its styles inside and no script.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

crate::problem_responses!(HomeProblems: MethodNotAllowed);

/// What this is, with links.
#[utoipa::path(
    get,
    path = "/",
    tag = "service",
    responses((status = 200, description = "A small page", body = String, content_type = "text/html"), HomeProblems)
)]
pub async fn get_home() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, Html(include_str!("home.html")))
}
