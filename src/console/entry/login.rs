//! Logging in, and out.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
};
use secrecy::SecretString;

use super::sheet::Sheet;
use crate::{
    accounts::{Accounts, origin::Origin, sessions::Sessions},
    config::Registration,
    console::{
        exchange::Exchange,
        form::{Field, Form},
        place,
        response::{again, see_other},
        sent::{Typed, body},
        view::Anybody,
    },
    edge::{Code, Problem},
};

/// `GET /console/login`
pub async fn show(
    State(sessions): State<Arc<Sessions>>,
    anybody: Anybody,
) -> Result<Response<Body>, Problem> {
    let exchange = &anybody.exchange;
    let query = Typed::new(exchange.query().as_bytes());
    match anybody.reader {
        Some(_) => on(exchange, &query),
        None => form(&sessions.accounts, exchange, &query, None),
    }
}

/// `POST /console/login`
pub async fn send(
    State(sessions): State<Arc<Sessions>>,
    exchange: Exchange,
    origin: Origin,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let headers = request.headers().clone();
    let typed = Typed::new(&body(request).await?);
    let username = typed.get("username").to_owned();
    let password = SecretString::from(typed.get("password"));
    let logged_in = sessions.log_in_by_page(&headers, &origin, username, password);
    match logged_in.await {
        Ok(cookies) => {
            exchange.set(cookies);
            on(&exchange, &typed)
        }
        Err(problem) if problem.code == Code::EmailUnconfirmed => unconfirmed(&exchange),
        Err(problem) => again(problem, |problem| {
            form(&sessions.accounts, &exchange, &typed, Some(problem))
        }),
    }
}

/// `POST /console/logout`
pub async fn leave(
    State(sessions): State<Arc<Sessions>>,
    exchange: Exchange,
    origin: Origin,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let headers = request.headers().clone();
    let typed = Typed::new(&body(request).await?);
    let token = typed.get("csrf_token").to_owned();
    exchange.set(sessions.log_out_by_page(&headers, &origin, token).await?);
    see_other(&exchange, "login?done=signed-out")
}

/// Where they wanted to go.
fn on(exchange: &Exchange, typed: &Typed) -> Result<Response<Body>, Problem> {
    let place = place::after_login(typed.get("next"));
    see_other(exchange, &place.unwrap_or_default())
}

/// Only after the right password.
fn unconfirmed(exchange: &Exchange) -> Result<Response<Body>, Problem> {
    Sheet::new(exchange, "Confirm your address first")
        .saying("Your password is right, but your e\u{2011}mail address is not confirmed yet.")
        .saying("Follow the link in the mail that was sent to you, or have it sent again.")
        .leading("forgot", "Send the mail again")
        .leading("login", "Back to the login")
        .show(Code::EmailUnconfirmed.status())
}

fn form(
    accounts: &Accounts,
    exchange: &Exchange,
    typed: &Typed,
    problem: Option<&Problem>,
) -> Result<Response<Body>, Problem> {
    let name = Field::text("username", "Name or e\u{2011}mail address").filled_by("username");
    let name = Field {
        focused: problem.is_none(),
        ..name.filled(typed)
    };
    let password = Field {
        focused: problem.is_some(),
        ..Field::password("password", "Password", "current-password")
    };
    let form = Form::new("login", "Log in", vec![name, password]).hiding("next", typed.get("next"));
    let form = match problem {
        Some(problem) => form.refused(problem),
        None => form,
    };
    let mut sheet = Sheet::new(exchange, "Log in").asking(form);
    if accounts.database.is_some() {
        sheet = sheet.leading("forgot", "Forgot your password?");
        if accounts.registration == Registration::Open {
            sheet = sheet.leading("register", "Register a company");
        }
    }
    sheet.show(StatusCode::OK)
}
