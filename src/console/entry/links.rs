//! The pages that links of mails lead to.

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use secrecy::SecretString;

use super::sheet::Sheet;
use crate::{
    accounts::{Accounts, links::Purpose, origin::Origin},
    console::{
        exchange::Exchange,
        form::{Field, Form},
        response::again,
        sent::Typed,
    },
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
    pub fn show(
        &self,
        accounts: &Accounts,
        exchange: &Exchange,
        token: &str,
    ) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        match self.is_ours(accounts, token) {
            true => self.sheet(accounts, exchange, token, None),
            false => invalid(exchange),
        }
    }

    /// What the button does.
    pub async fn send(
        &self,
        accounts: &Accounts,
        exchange: &Exchange,
        origin: &Origin,
        typed: &Typed,
    ) -> Result<Response<Body>, Problem> {
        accounts.database()?;
        let token = typed.get("token");
        if !self.is_ours(accounts, token) {
            return invalid(exchange);
        }
        let password = SecretString::from(typed.get("password"));
        let purposes = [self.purpose];
        let done = accounts.follow(origin, &purposes, token, password);
        match done.await {
            Ok(()) => {
                let (title, says) = self.done;
                let sheet = Sheet::new(exchange, title).saying(says);
                sheet.leading("login", "Log in").show(StatusCode::OK)
            }
            Err(problem) if problem.code == Code::LinkInvalid => invalid(exchange),
            Err(problem) => again(problem, |problem| {
                self.sheet(accounts, exchange, token, Some(problem))
            }),
        }
    }

    fn is_ours(&self, accounts: &Accounts, token: &str) -> bool {
        accounts.link_of(&[self.purpose], token).is_some()
    }

    fn sheet(
        &self,
        accounts: &Accounts,
        exchange: &Exchange,
        token: &str,
        problem: Option<&Problem>,
    ) -> Result<Response<Body>, Problem> {
        let password = match self.is_new {
            true => new_password(accounts),
            false => Field::password("password", "Password", "current-password"),
        };
        let form = Form::new(self.name, self.button, vec![password]).hiding("token", token);
        let form = match problem {
            Some(problem) => form.refused(problem),
            None => form,
        };
        let sheet = Sheet::new(exchange, self.title).saying(self.says);
        sheet.asking(form).secret().show(StatusCode::OK)
    }
}

/// The field of a new password.
pub fn new_password(accounts: &Accounts) -> Field {
    let length = accounts.password_min_length;
    let hint = format!(
        "At least {length} characters: a few words that have nothing to do with each other will do."
    );
    Field::password("password", "New password", "new-password").hint(hint)
}

/// That a link does nothing (any more).
fn invalid(exchange: &Exchange) -> Result<Response<Body>, Problem> {
    Sheet::new(exchange, "This link is not valid")
        .saying("It was used already, or has expired, or was not copied whole.")
        .leading("forgot", "Have another link sent")
        .leading("login", "Log in")
        .secret()
        .show(Code::LinkInvalid.status())
}
