//! Errors as pages: for browsers, in the console and where there is no route at all.

use askama::Template;
use axum::{
    body::Body,
    http::{Method, Response, StatusCode, header},
};

use super::{exchange::Exchange, frame::Frame, response::page_of, shown::said};
use crate::edge::{Asked, Code, Problem};

/// An error, with the navigation of who is signed in around it.
#[derive(Template)]
#[template(path = "console/error.html")]
struct Inside {
    frame: Frame,
    error: Shown,
}

/// An error by itself.
#[derive(Template)]
#[template(path = "console/entry/error.html")]
struct Alone {
    frame: Frame,
    error: Shown,
}

/// What is said of an error.
struct Shown {
    title: &'static str,
    said: String,
    /// What works all the same, or helps.
    then: Option<&'static str>,
    status: u16,
    request_id: String,
}

impl Shown {
    fn new(problem: &Problem, request_id: &str) -> Self {
        let (title, then) = words(problem.code);
        let said = match problem.code {
            Code::NotFound => "There is no page at this address: it was moved, or removed, or mistyped.".to_owned(),
            Code::DatabaseUnavailable => "The database does not answer, or not in time: what was asked may or may not have been done.".to_owned(),
            Code::CounterNotFound => "Nothing was ever counted under this name: a counter is there with its first visit.".to_owned(),
            Code::MethodNotAllowed => "This address is not for what was tried here.".to_owned(),
            Code::Internal => "This is a mistake of ours, and is in the log of the service.".to_owned(),
            Code::CsrfFailed => "The form did not come from a page of this service, or is of a session that is over. Nothing was changed.".to_owned(),
            _ => said(problem),
        };
        Self {
            title,
            said,
            then,
            status: problem.code.status().as_u16(),
            request_id: request_id.to_owned(),
        }
    }
}

/// What an error is called, and what to do then.
fn words(code: Code) -> (&'static str, Option<&'static str>) {
    match code {
        Code::DatabaseUnavailable => (
            "Accounts and records are away",
            Some(
                "Visits are counted all the same, and you stay signed in. This page works again when the database does.",
            ),
        ),
        Code::StoreUnavailable | Code::OutcomeUnknown | Code::Overloaded => (
            "The store is away",
            Some("It is where visits are counted. What was counted before is safe."),
        ),
        Code::NoDatabase => (
            "There is no database here",
            Some("Counting and reading counters works without one."),
        ),
        Code::CsrfFailed => (
            "Not done",
            Some("Open the page again, and send the form from there."),
        ),
        Code::TooManyRequests | Code::TooManyLogins => ("Too much at once", None),
        code => match code.status() {
            StatusCode::UNAUTHORIZED => ("Log in first", None),
            StatusCode::FORBIDDEN => (
                "This is not for you",
                Some("If you need it, ask an admin of your company for another role."),
            ),
            StatusCode::NOT_FOUND => ("Nothing here", None),
            StatusCode::SERVICE_UNAVAILABLE => ("Not now", Some("Try again in a moment.")),
            status if status.is_server_error() => (
                "Something went wrong",
                Some("Try again; if it stays so, tell whoever runs this service the number below."),
            ),
            _ => ("That did not work", None),
        },
    }
}

/// The answer to a browser, where a handler gave a problem. It keeps the problem, for the log.
pub fn shown(mut response: Response<Body>, exchange: &Exchange) -> Response<Body> {
    // Which methods there are the edge knows better.
    if !exchange.is_for_page() || response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let error = Shown::new(&problem, exchange.request_id());
    let frame = Frame::new(exchange, error.title);
    let status = problem.code.status();
    let made = match frame.reader.is_some() {
        true => page_of(status, &Inside { frame, error }),
        false => page_of(status, &Alone { frame, error }),
    };
    match made {
        Ok(page) => with_problem(page, problem),
        Err(_) => {
            response.extensions_mut().insert(problem);
            response
        }
    }
}

/// The same where no page was asked, or it took too long: nobody has looked who is signed in.
pub fn page(problem: Problem, request_id: &str, asked: &Asked) -> Response<Body> {
    let exchange = Exchange::new(&Method::GET, &asked.uri, &asked.headers, request_id);
    let error = Shown::new(&problem, request_id);
    let frame = Frame::new(&exchange, error.title);
    let made = page_of(problem.code.status(), &Alone { frame, error });
    match made {
        Ok(page) => with_problem(page, problem),
        Err(_) => problem.into_document(request_id),
    }
}

fn with_problem(mut page: Response<Body>, problem: Problem) -> Response<Body> {
    if let Some(wait) = problem.wait() {
        page.headers_mut().insert(header::RETRY_AFTER, wait.into());
    }
    page.extensions_mut().insert(problem);
    page
}
