//! The pages of who has no link yet.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
};

use super::{links::new_password, sheet::Sheet};
use crate::{
    accounts::{
        Accounts, fields,
        origin::Origin,
        registration::{Registration, Wanted},
    },
    console::{
        exchange::Exchange,
        form::{Field, Form},
        response::again,
        sent::{Typed, body},
    },
    edge::Problem,
};

/// Where a mail is on its way to.
fn on_its_way(exchange: &Exchange, address: &str) -> Result<Response<Body>, Problem> {
    Sheet::new(exchange, "Look into your mail")
        .saying(format!(
            "A mail is on its way to {address}. Its link brings you further."
        ))
        .saying("If none comes within a few minutes, look whether it was taken for spam.")
        .leading("login", "Log in")
        .show(StatusCode::ACCEPTED)
}

/// `/console/register`
pub mod register {
    use super::*;

    /// The form.
    pub async fn show(
        State(accounts): State<Arc<Accounts>>,
        exchange: Exchange,
    ) -> Result<Response<Body>, Problem> {
        accounts.may_register()?;
        sheet(&accounts, &exchange, &Typed::default(), None)
    }

    /// What its button does.
    pub async fn send(
        State(accounts): State<Arc<Accounts>>,
        exchange: Exchange,
        origin: Origin,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        accounts.may_register()?;
        let typed = Typed::new(&body(request).await?);
        let [company, email, username, password] =
            ["company", "email", "username", "password"].map(|name| typed.get(name));
        let registered = match Registration::new(company, email, username, password.into()) {
            Ok(registration) => accounts.register(&origin, registration).await,
            Err(problem) => Err(problem),
        };
        match registered {
            Ok(()) => on_its_way(&exchange, email),
            Err(problem) => again(problem, |problem| {
                sheet(&accounts, &exchange, &typed, Some(problem))
            }),
        }
    }

    fn sheet(
        accounts: &Accounts,
        exchange: &Exchange,
        typed: &Typed,
        problem: Option<&Problem>,
    ) -> Result<Response<Body>, Problem> {
        let fields = vec![
            Field::text("company", "Company").filled_by("organization"),
            Field::email("email", "E\u{2011}mail address"),
            Field::text("username", "Your name in the company")
                .filled_by("username")
                .hint("Letters, digits, dots and hyphens, without blanks."),
            Field {
                label: "Password".to_owned(),
                ..new_password(accounts)
            },
        ];
        let form = Form::new("register", "Register", fields).filled(typed);
        let form = match problem {
            Some(problem) => form.refused(problem),
            None => form,
        };
        Sheet::new(exchange, "Register a company")
            .saying("You will be its first admin, and can invite others.")
            .asking(form)
            .leading("forgot", "I have registered before")
            .leading("login", "Log in")
            .show(StatusCode::OK)
    }
}

/// `/console/forgot`
pub mod forgot {
    use super::*;

    /// The form.
    pub async fn show(
        State(accounts): State<Arc<Accounts>>,
        exchange: Exchange,
    ) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        sheet(&exchange, &Typed::default(), None)
    }

    /// What its button does.
    pub async fn send(
        State(accounts): State<Arc<Accounts>>,
        exchange: Exchange,
        origin: Origin,
        request: Request,
    ) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        let typed = Typed::new(&body(request).await?);
        let email = typed.get("email");
        let asked = match fields::email(email, "email") {
            Ok(address) => accounts.send_link(&origin, Wanted::Password, address).await,
            Err(problem) => Err(problem),
        };
        match asked {
            Ok(()) => on_its_way(&exchange, email),
            Err(problem) => again(problem, |problem| sheet(&exchange, &typed, Some(problem))),
        }
    }

    fn sheet(
        exchange: &Exchange,
        typed: &Typed,
        problem: Option<&Problem>,
    ) -> Result<Response<Body>, Problem> {
        let field = Field::email("email", "E\u{2011}mail address");
        let form = Form::new("forgot", "Send the link", vec![field]).filled(typed);
        let form = match problem {
            Some(problem) => form.refused(problem),
            None => form,
        };
        Sheet::new(exchange, "Have a link sent")
            .saying("It lets you choose a new password, or confirms your address if you have not done that yet.")
            .asking(form)
            .leading("login", "Back to the login")
            .show(StatusCode::OK)
    }
}
