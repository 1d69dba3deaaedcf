//! Plain pages, for what mails lead to: a form and its button. A link that is only looked at, by a
//! mail program say, does nothing.

mod forms;
mod link_pages;
mod page;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{FromRef, RawForm, RawQuery, State, rejection::RawFormRejection},
    http::{Response, StatusCode},
    routing::{MethodRouter, get},
};
use url::form_urlencoded;

use self::{
    forms::{forgot, register},
    link_pages::{CONFIRM, EMAIL, INVITATION, LinkPage, RESET},
};
use super::{Accounts, origin::Origin};
use crate::edge::{Code, Policy, Problem};

/// The patterns of [`router`].
pub const ROUTES: &[&str] = &[
    "/console/confirm",
    "/console/invitation",
    "/console/email",
    "/console/reset",
    "/console/register",
    "/console/forgot",
];

/// Errors are pages, too.
pub fn policy() -> Policy {
    Policy {
        render: page::error,
        ..Policy::default()
    }
}

/// The pages.
pub fn router<S>() -> Router<S>
where
    Arc<Accounts>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/console/confirm", of_link(&CONFIRM))
        .route("/console/invitation", of_link(&INVITATION))
        .route("/console/email", of_link(&EMAIL))
        .route("/console/reset", of_link(&RESET))
        .route(
            "/console/register",
            get(register::show).post(register::send),
        )
        .route("/console/forgot", get(forgot::show).post(forgot::send))
}

/// What was typed into a form, or stands in a query; of a name that is there twice, the last.
struct Typed(HashMap<String, String>);

impl Typed {
    fn new(urlencoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(urlencoded);
        let owned = |text: Cow<'_, str>| text.into_owned();
        Self(
            pairs
                .map(|(name, value)| (owned(name), owned(value)))
                .collect(),
        )
    }

    fn of(form: Result<RawForm, RawFormRejection>) -> Result<Self, Problem> {
        let RawForm(bytes) = form.map_err(|rejection| {
            let problem = Problem::of_status(rejection.status()).unwrap_or(Code::BadRequest.into());
            match problem.code {
                Code::UnsupportedMediaType => {
                    problem.with_detail("This is for the form of the page.")
                }
                _ => problem,
            }
        })?;
        Ok(Self::new(&bytes))
    }

    fn get(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

fn of_link<S>(page: &'static LinkPage) -> MethodRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    get(
        async |State(accounts): State<Arc<Accounts>>, RawQuery(query)| {
            let query = Typed::new(query.unwrap_or_default().as_bytes());
            page.show(&accounts, &query.get("token"))
        },
    )
    .post(
        async |State(accounts): State<Arc<Accounts>>, origin: Origin, form: Result<RawForm, _>| {
            page.send(&accounts, &origin, &Typed::of(form)?).await
        },
    )
}

/// The page again with what is wrong, or the problem if no other input helps.
fn again(page: page::Page, problem: Problem) -> Result<Response<Body>, Problem> {
    let status = problem.code.status();
    match status.is_client_error() && status != StatusCode::FORBIDDEN {
        true => Ok(page.refused(&problem).into_response(status)),
        false => Err(problem),
    }
}
