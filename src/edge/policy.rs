//! How the requests of a route are treated.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, Response, Uri},
};

use super::{Code, Problem};

/// Largest body, unless the route says something else: a login is far below.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// What a browser asked for that is to be shown an error as a page.
#[derive(Debug)]
pub struct Asked {
    /// The target of its request.
    pub uri: Uri,
    /// The header fields.
    pub headers: HeaderMap,
}

/// Turns an error into a page, given the request's id and what was asked.
pub type ErrorPage = fn(Problem, &str, &Asked) -> Response<Body>;

/// How the requests of a route are treated. Each room says so for its own routes.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// The longest a request may take, if that is not `FOOTFALL_REQUEST_TIMEOUT`.
    pub timeout: Option<Duration>,
    /// Turns an error into what the client sees, given the request's id.
    pub render: fn(Problem, &str) -> Response<Body>,
    /// Does the same for a browser, which is shown a page where there is one.
    pub page: Option<ErrorPage>,
}

impl Default for Policy {
    /// Small bodies, and problem documents.
    fn default() -> Self {
        Self {
            max_body: MAX_BODY_BYTES,
            timeout: None,
            render: Problem::into_document,
            page: None,
        }
    }
}

impl Policy {
    /// An error as the client of this route sees it; `asked` is there of a browser only.
    pub fn show(
        &self,
        mut problem: Problem,
        request_id: &str,
        asked: Option<&Asked>,
    ) -> Response<Body> {
        if problem.code == Code::PayloadTooLarge {
            let limit = match self.max_body.div_ceil(1024) {
                kib if kib.is_multiple_of(1024) => format!("{} MiB", kib / 1024),
                kib => format!("{kib} KiB"),
            };
            problem = problem.with_detail(format!("The body is larger than {limit}."));
        }
        match (self.page, asked) {
            (Some(page), Some(asked)) => page(problem, request_id, asked),
            _ => (self.render)(problem, request_id),
        }
    }
}
