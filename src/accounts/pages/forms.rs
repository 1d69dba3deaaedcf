//! The pages of who has no link yet.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{RawForm, State, rejection::RawFormRejection},
    http::{Response, StatusCode},
};

use super::{
    Typed, again,
    link_pages::new_password,
    page::{Field, Form, Page},
};
use crate::{
    accounts::{
        Accounts, fields,
        origin::Origin,
        registration::{Registration, Wanted},
    },
    edge::Problem,
};

/// Where a mail is on its way to.
fn on_its_way(address: &str) -> Response<Body> {
    Page::new("Look into your mail")
        .saying(format!(
            "A mail is on its way to {address}. Its link brings you further."
        ))
        .saying("If none comes within a few minutes, look whether it was taken for spam.")
        .leading("../", "Home")
        .into_response(StatusCode::ACCEPTED)
}

/// `/console/register`
pub mod register {
    use super::*;

    /// The form.
    pub async fn show(State(accounts): State<Arc<Accounts>>) -> Result<Response<Body>, Problem> {
        accounts.may_register()?;
        let typed = Typed::new(b"");
        Ok(form(&accounts, &typed).into_response(StatusCode::OK))
    }

    /// What its button does.
    pub async fn send(
        State(accounts): State<Arc<Accounts>>,
        origin: Origin,
        sent: Result<RawForm, RawFormRejection>,
    ) -> Result<Response<Body>, Problem> {
        accounts.may_register()?;
        let typed = Typed::of(sent)?;
        let [company, email, username, password] =
            ["company", "email", "username", "password"].map(|name| typed.get(name));
        let registered = match Registration::new(&company, &email, &username, password.into()) {
            Ok(registration) => accounts.register(&origin, registration).await,
            Err(problem) => Err(problem),
        };
        match registered {
            Ok(()) => Ok(on_its_way(&email)),
            Err(problem) => again(form(&accounts, &typed), problem),
        }
    }

    fn form(accounts: &Accounts, typed: &Typed) -> Page {
        let fields = [
            Field::new("company", "Company", "text").filled_by("organization"),
            Field::new("email", "E-mail address", "email"),
            Field::new("username", "Your name in the company", "text")
                .filled_by("username")
                .with_hint("Letters, digits, dots and hyphens, without blanks."),
        ];
        let kept = fields.map(|field| Field {
            value: typed.get(field.name),
            ..field
        });
        let password = Field {
            label: "Password",
            ..new_password(accounts)
        };
        Page::new("Found a company")
            .saying("You will be its first admin, and can invite others.")
            .asking(Form {
                action: "register",
                token: None,
                fields: kept.into_iter().chain([password]).collect(),
                button: "Register",
            })
            .leading("forgot", "I have registered before")
    }
}

/// `/console/forgot`
pub mod forgot {
    use super::*;

    /// The form.
    pub async fn show(State(accounts): State<Arc<Accounts>>) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        Ok(form("").into_response(StatusCode::OK))
    }

    /// What its button does.
    pub async fn send(
        State(accounts): State<Arc<Accounts>>,
        origin: Origin,
        sent: Result<RawForm, RawFormRejection>,
    ) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        let email = Typed::of(sent)?.get("email");
        let asked = match fields::email(&email, "email") {
            Ok(address) => accounts.send_link(&origin, Wanted::Password, address).await,
            Err(problem) => Err(problem),
        };
        match asked {
            Ok(()) => Ok(on_its_way(&email)),
            Err(problem) => again(form(&email), problem),
        }
    }

    fn form(email: &str) -> Page {
        let field = Field {
            value: email.to_owned(),
            ..Field::new("email", "E-mail address", "email")
        };
        Page::new("Have a link sent")
            .saying("It lets you choose a new password, or confirms your address if you have not done that yet.")
            .asking(Form {
                action: "forgot",
                token: None,
                fields: vec![field],
                button: "Send the link",
            })
    }
}
