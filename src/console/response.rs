//! How pages are sent.

use askama::Template;
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::{Html, IntoResponse},
};

use super::{exchange::Exchange, frame::Frame, place};
use crate::edge::{Code, Problem, Rendered};

/// Scripts, styles and requests of ours alone, none of them within the page.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// To pages of our own a browser tells where it comes from: without, its forms would come from nowhere, and be
/// refused over plain HTTP, where it says nothing else of it.
const REFERRER_POLICY: HeaderValue = HeaderValue::from_static("same-origin");

/// A page.
///
/// # Errors
///
/// If its template fails, which is a bug.
pub fn page(template: &impl Template) -> Result<Response<Body>, Problem> {
    page_of(StatusCode::OK, template)
}

/// A page that says with its status that something is wrong.
///
/// # Errors
///
/// If its template fails, which is a bug.
pub fn page_of(status: StatusCode, template: &impl Template) -> Result<Response<Body>, Problem> {
    let html = template.render();
    let html = html.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, REFERRER_POLICY),
    ];
    let mut response = (status, headers, Html(html)).into_response();
    response.extensions_mut().insert(Rendered);
    Ok(response)
}

/// A form again that was not right, with the status of what is wrong with it; or the problem itself, where no
/// other input helps.
///
/// # Errors
///
/// The problem.
pub fn again(
    problem: Problem,
    show: impl FnOnce(&Problem) -> Result<Response<Body>, Problem>,
) -> Result<Response<Body>, Problem> {
    let status = problem.code.status();
    let may_be_mended = status.is_client_error()
        && !matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
    if !may_be_mended {
        return Err(problem);
    }
    let mut response = show(&problem)?;
    *response.status_mut() = status;
    if let Some(wait) = problem.wait() {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, wait.into());
    }
    Ok(response)
}

/// On to a place below `/console/`, after something was done (RFC 9110, 15.4.4): a page that is loaded
/// again does it no second time. One that is not there is the beginning.
///
/// # Errors
///
/// If it cannot be written into a header, which is a bug.
pub fn see_other(exchange: &Exchange, to: &str) -> Result<Response<Body>, Problem> {
    let to = place::within(to).unwrap_or_default();
    let location = format!("./{}{to}", exchange.root());
    let location = HeaderValue::try_from(location);
    let location = location.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// The same page again, asked for by a page of ours.
#[derive(Template)]
#[template(path = "console/entry/bounce.html")]
struct Bounce {
    frame: Frame,
    to: String,
}

/// Has the browser ask for the same again.
///
/// # Errors
///
/// If the template fails, which is a bug.
pub fn bounce(exchange: &Exchange) -> Result<Response<Body>, Problem> {
    let query = match exchange.query() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    page(&Bounce {
        frame: Frame::new(exchange, "One moment"),
        to: format!("{}{query}", exchange.itself()),
    })
}
