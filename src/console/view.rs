//! Who looks at a page, and that they may.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, Response, request::Parts},
    response::IntoResponse,
};

pub use super::reader::Reader;
use super::{
    exchange::Exchange,
    form::{Field, Form},
    frame::Frame,
    place,
    response::{bounce, see_other},
};
use crate::{
    accounts::{
        origin::Origin,
        sessions::{Found, Sessions, SignedIn},
        user::User,
    },
    auth::{Caller, May, permission::Permission},
    company::Zone,
    edge::{Code, Problem},
};

/// A page that its reader may see. A handler that takes one is closed to everyone else: who is not
/// signed in is sent to log in, and comes back.
pub struct View<P> {
    /// Who reads it.
    pub reader: Reader,
    /// The request.
    pub exchange: Exchange,
    permission: May<P>,
}

impl<P: Permission> View<P> {
    /// What a handler of the API takes that asks for the same permission.
    pub fn may(&self) -> May<P> {
        self.permission.again()
    }

    /// The same for another permission.
    ///
    /// # Errors
    ///
    /// `forbidden`, or `not_found` of what is for operators.
    pub fn may_also<Q: Permission>(&self) -> Result<May<Q>, Problem> {
        May::of(self.reader.caller.clone())
    }

    /// What the page has around it.
    pub fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::new(&self.exchange, title)
    }

    /// A form that this page gets itself.
    pub fn form(&self, button: &'static str, fields: Vec<Field>) -> Form {
        let form = Form::new(self.exchange.itself(), button, fields);
        form.of_reader(&self.reader)
    }
}

/// Why there is no page.
pub enum Refusal {
    /// It is said so.
    Problem(Box<Problem>),
    /// The browser goes elsewhere first.
    Elsewhere(Box<Response<Body>>),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Elsewhere(response) => *response,
        }
    }
}

impl<S, P> FromRequestParts<S> for View<P>
where
    S: Send + Sync,
    P: Permission,
    Arc<Sessions>: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let sessions = Arc::<Sessions>::from_ref(state);
        let Ok(exchange) = Exchange::from_request_parts(parts, state).await;
        let Some(reader) = reader(&sessions, parts, &exchange).await? else {
            return Err(not_signed_in(&exchange, &parts.headers));
        };
        let permission = sessions.callers.admit(reader.caller.clone(), parts)?;
        Ok(Self {
            reader,
            exchange,
            permission,
        })
    }
}

/// Who is signed in, if anybody is: for pages that are for everyone.
pub struct Anybody {
    /// Who is.
    pub reader: Option<Reader>,
    /// The request.
    pub exchange: Exchange,
}

impl<S> FromRequestParts<S> for Anybody
where
    S: Send + Sync,
    Arc<Sessions>: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let sessions = Arc::<Sessions>::from_ref(state);
        let exchange = Exchange::from_request_parts(parts, state).await?;
        // Who cannot be known now is nobody here.
        let reader = reader(&sessions, parts, &exchange)
            .await
            .unwrap_or_default();
        Ok(Self { reader, exchange })
    }
}

async fn reader(
    sessions: &Sessions,
    parts: &mut Parts,
    exchange: &Exchange,
) -> Result<Option<Reader>, Problem> {
    let Ok(origin) = Origin::from_request_parts(parts, &()).await;
    let found = match sessions.by_page(&parts.headers, &origin).await? {
        Found::SignedIn(found) => found,
        Found::Nobody(cookies) => {
            exchange.set(cookies);
            return Ok(None);
        }
    };
    let SignedIn {
        caller,
        csrf_token,
        cookies,
    } = found;
    exchange.set(cookies);
    let (name, company, zone) = names(sessions, &caller).await;
    let reader = Reader {
        caller,
        name,
        company,
        zone,
        csrf_token,
    };
    exchange.read_by(&reader);
    Ok(Some(reader))
}

/// What they and their company are called, and its time zone, which only the database knows. Pages that do without it are
/// shown while it is away.
async fn names(sessions: &Sessions, caller: &Caller) -> (String, String, Zone) {
    let (company, user) = (caller.company.id(), caller.user);
    let of_settings = || sessions.accounts.settings_username().to_owned();
    let found = sessions.accounts.read("reader", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            User::find(connection, company, user).await
        })
    });
    match found.await {
        Ok(Some(user)) => (
            user.username.unwrap_or_else(of_settings),
            user.company_name,
            user.company_zone,
        ),
        _ if caller.is_of_settings() => (of_settings(), String::new(), Zone::default()),
        _ => (String::new(), String::new(), Zone::default()),
    }
}

/// Cookies are `SameSite=Strict`: a browser that comes from a page of another site, a mail's say, sends
/// none. It is sent to the same place again, from here, before it is told to log in. Browsers say where they come
/// from over HTTPS, and on this machine.
fn not_signed_in(exchange: &Exchange, headers: &HeaderMap) -> Refusal {
    if !exchange.is_for_page() {
        return Problem::from(Code::MissingToken).into();
    }
    let site = headers.get("sec-fetch-site");
    let comes_from_elsewhere = site.is_some_and(|site| site == "cross-site" || site == "same-site");
    let response = match comes_from_elsewhere && exchange.is_look() {
        true => bounce(exchange),
        false => see_other(exchange, &place::login(exchange)),
    };
    match response {
        Ok(response) => Refusal::Elsewhere(response.into()),
        Err(problem) => problem.into(),
    }
}
