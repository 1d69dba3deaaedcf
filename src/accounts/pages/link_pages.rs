//! The pages that links of mails lead to.

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use secrecy::SecretString;

use super::{
    Typed, again,
    page::{Field, Form, Page},
};
use crate::{
    accounts::{Accounts, links::Purpose, origin::Origin},
    edge::{Code, Problem},
};

/// A page that a link leads to.
pub struct LinkPage {
    name: &'static str,
    purpose: Purpose,
    title: &'static str,
    says: &'static str,
    /// Whether the password that is asked for is a new one.
    is_new: bool,
    button: &'static str,
    done: (&'static str, &'static str),
}

/// After a registration.
pub const CONFIRM: LinkPage = LinkPage {
    name: "confirm",
    purpose: Purpose::Registration,
    title: "Confirm your e\u{2011}mail address",
    says: "To confirm it, give the password that you chose when you registered.",
    is_new: false,
    button: "Confirm the address",
    done: (
        "Your address is confirmed",
        "Your company is founded, and you are its first admin. You can log in with your e-mail address; a mail tells you by which name as well.",
    ),
};

/// After an invitation.
pub const INVITATION: LinkPage = LinkPage {
    name: "invitation",
    purpose: Purpose::Invitation,
    title: "Accept the invitation",
    says: "Choose a password. Nobody else knows it, and you need it to log in.",
    is_new: true,
    button: "Accept the invitation",
    done: (
        "Welcome",
        "You can log in with your e-mail address and this password.",
    ),
};

/// For another address.
pub const EMAIL: LinkPage = LinkPage {
    name: "email",
    purpose: Purpose::Email,
    title: "Confirm your new e\u{2011}mail address",
    says: "To confirm it, give the password of your account.",
    is_new: false,
    button: "Confirm the address",
    done: (
        "Your address is changed",
        "From now on you log in with it, and mails go to it.",
    ),
};

/// For another password.
pub const RESET: LinkPage = LinkPage {
    name: "reset",
    purpose: Purpose::Reset,
    title: "Choose a new password",
    says: "All sessions of your account end, and you log in again.",
    is_new: true,
    button: "Set the password",
    done: ("Your password is set", "You can log in with it."),
};

impl LinkPage {
    /// The form of a link. Whether it can still be used is not looked at: a look does nothing, and
    /// tells nothing.
    pub fn show(&self, accounts: &Accounts, token: &str) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        match self.is_ours(accounts, token) {
            true => Ok(self.form(accounts, token).into_response(StatusCode::OK)),
            false => Ok(invalid()),
        }
    }

    /// What the button does.
    pub async fn send(
        &self,
        accounts: &Accounts,
        origin: &Origin,
        typed: &Typed,
    ) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        let token = typed.get("token");
        if !self.is_ours(accounts, &token) {
            return Ok(invalid());
        }
        let password = SecretString::from(typed.get("password"));
        let purposes = [self.purpose];
        let done = accounts.follow(origin, &purposes, &token, password);
        match done.await {
            Ok(()) => {
                let (title, says) = self.done;
                let page = Page::new(title).saying(says).leading("../", "Home");
                Ok(page.into_response(StatusCode::OK))
            }
            Err(problem) if problem.code == Code::LinkInvalid => Ok(invalid()),
            Err(problem) => again(self.form(accounts, &token), problem),
        }
    }

    fn is_ours(&self, accounts: &Accounts, token: &str) -> bool {
        accounts.link_of(&[self.purpose], token).is_some()
    }

    fn form(&self, accounts: &Accounts, token: &str) -> Page {
        let password = match self.is_new {
            true => new_password(accounts),
            false => Field::new("password", "Password", "password").filled_by("current-password"),
        };
        Page::new(self.title).saying(self.says).asking(Form {
            action: self.name,
            token: Some(token.to_owned()),
            fields: vec![password],
            button: self.button,
        })
    }
}

/// The field of a new password.
pub fn new_password(accounts: &Accounts) -> Field {
    let length = accounts.password_min_length;
    let hint = format!(
        "At least {length} characters: a few words that have nothing to do with each other will do."
    );
    Field::new("password", "New password", "password")
        .filled_by("new-password")
        .with_hint(hint)
}

/// That a link does nothing (any more).
fn invalid() -> Response<Body> {
    Page::new("This link is not valid")
        .saying("It was used already, or has expired, or was not copied whole.")
        .leading("forgot", "Have another link sent")
        .leading("../", "Home")
        .into_response(Code::LinkInvalid.status())
}
