//! One's own account: name, address, password, and the end of it.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{FromRef, State},
    http::Response,
    routing::get,
};

use super::{
    ask::Ask,
    form::{Field, Form},
    frame::Frame,
    pages::Pages,
    response::{again, page, see_other},
    sent::Sent,
    shown::Moment,
    view::View,
};
use crate::{
    accounts::{
        Accounts,
        fields::Text,
        own::routes::{
            Account, AccountUpdate, OwnPassword, PasswordChange, delete_me, get_me, post_password,
            put_me,
        },
        sessions::Sessions,
    },
    auth::permission::OwnAccount,
    edge::{Code, JsonBody, Problem},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("account", get(show))
        .at("account/name", get(name).post(change_name))
        .at("account/email", get(email).post(change_email))
        .at("account/password", get(password).post(change_password))
        .at("account/delete", get(ask).post(delete))
}

#[derive(Template)]
#[template(path = "console/account/show.html")]
struct Show {
    frame: Frame,
    account: Account,
    created: Moment,
}

async fn show(
    view: View<OwnAccount>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let Json(account) = get_me(State(accounts), view.may()).await?;
    page(&Show {
        frame: view.frame("Your account"),
        created: Moment::new(account.created_at.clone()),
        account,
    })
}

/// A page with one form.
#[derive(Template)]
#[template(path = "console/narrow.html")]
struct Sheet {
    frame: Frame,
    about: &'static str,
    form: Form,
}

impl Sheet {
    /// Where the account is that of the settings, there is nothing to change here.
    fn again(
        mut self,
        sent: &Sent<OwnAccount>,
        problem: Problem,
    ) -> Result<Response<Body>, Problem> {
        again(of_password(problem), |problem| {
            self.form = self.form.filled(&sent.typed).refused(problem);
            page(&self)
        })
    }
}

/// Who is signed in has typed a wrong password, and no wrong name.
fn of_password(problem: Problem) -> Problem {
    match problem.code {
        Code::InvalidCredentials => problem
            .with_detail("This is not your password.")
            .of_field("password"),
        _ => problem,
    }
}

fn own_password() -> Field {
    Field::password("password", "Your password", "current-password")
}

fn name_sheet(view: &View<OwnAccount>, value: &str) -> Sheet {
    let fields = vec![
        Field::text("username", "Name")
            .with(value)
            .filled_by("username"),
    ];
    Sheet {
        frame: view.frame("Change your name"),
        about: "You log in with your name or your e\u{2011}mail address. What you counted stays yours.",
        form: view.form("Save", fields).or_back_to("../account"),
    }
}

async fn name(
    view: View<OwnAccount>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let Json(account) = get_me(State(accounts), view.may()).await?;
    page(&name_sheet(&view, &account.username))
}

async fn put(
    sent: &Sent<OwnAccount>,
    accounts: Arc<Accounts>,
    update: AccountUpdate,
) -> Result<(), Problem> {
    let (may, origin) = (sent.may(), sent.origin.clone());
    let changed = put_me(State(accounts), may, origin, JsonBody(update));
    changed.await.map(drop)
}

async fn change_name(
    State(accounts): State<Arc<Accounts>>,
    sent: Sent<OwnAccount>,
) -> Result<Response<Body>, Problem> {
    let update = AccountUpdate {
        username: sent.typed.text("username"),
        email: Text::default(),
        password: Text::default(),
    };
    match put(&sent, accounts, update).await {
        Ok(()) => see_other(&sent.exchange, "account?done=account-saved"),
        Err(problem) => name_sheet(&sent, "").again(&sent, problem),
    }
}

fn email_sheet(view: &View<OwnAccount>) -> Sheet {
    let fields = vec![
        Field::email("email", "New e\u{2011}mail address"),
        own_password(),
    ];
    Sheet {
        frame: view.frame("Change your e\u{2011}mail address"),
        about: "The new address gets a mail with a link. Until that is followed the old one stays.",
        form: view.form("Send the link", fields).or_back_to("../account"),
    }
}

async fn email(view: View<OwnAccount>) -> Result<Response<Body>, Problem> {
    page(&email_sheet(&view))
}

async fn change_email(
    State(accounts): State<Arc<Accounts>>,
    sent: Sent<OwnAccount>,
) -> Result<Response<Body>, Problem> {
    let update = AccountUpdate {
        username: Text::default(),
        email: sent.typed.text("email"),
        password: sent.typed.text("password"),
    };
    match put(&sent, accounts, update).await {
        Ok(()) => see_other(&sent.exchange, "account?done=email-asked"),
        Err(problem) => email_sheet(&sent).again(&sent, problem),
    }
}

fn password_sheet(view: &View<OwnAccount>) -> Sheet {
    let fields = vec![
        own_password(),
        Field::password("new_password", "New password", "new-password").hint(
            "A few unrelated words make a good one. Any character may be in it; it never expires.",
        ),
    ];
    Sheet {
        frame: view.frame("Change your password"),
        about: "All your other sessions end; this one goes on.",
        form: view
            .form("Change the password", fields)
            .or_back_to("../account"),
    }
}

async fn password(view: View<OwnAccount>) -> Result<Response<Body>, Problem> {
    page(&password_sheet(&view))
}

async fn change_password(
    State(accounts): State<Arc<Accounts>>,
    sent: Sent<OwnAccount>,
) -> Result<Response<Body>, Problem> {
    let body = PasswordChange {
        password: sent.typed.text("password"),
        new_password: sent.typed.text("new_password"),
    };
    let (may, origin) = (sent.may(), sent.origin.clone());
    match post_password(State(accounts), may, origin, JsonBody(body)).await {
        Ok(_) => see_other(&sent.exchange, "account?done=password-changed"),
        Err(problem) => password_sheet(&sent).again(&sent, problem),
    }
}

fn asked(view: &View<OwnAccount>) -> Ask {
    let form = view.form("Delete the account", vec![own_password()]);
    Ask::new(
        view.frame(format!("Delete your account {}?", view.reader.name)),
        form.destroying().or_back_to("../account"),
        &[
            "You are logged out everywhere, your API tokens end, and your name and address are deleted.",
            "What you counted stays. This cannot be undone.",
        ],
    )
}

async fn ask(view: View<OwnAccount>) -> Result<Response<Body>, Problem> {
    asked(&view).page()
}

async fn delete(
    State(accounts): State<Arc<Accounts>>,
    sent: Sent<OwnAccount>,
) -> Result<Response<Body>, Problem> {
    let body = OwnPassword {
        password: sent.typed.text("password"),
    };
    let (may, origin) = (sent.may(), sent.origin.clone());
    match delete_me(State(accounts), may, origin, JsonBody(body)).await {
        Ok(_) => see_other(&sent.exchange, "login?done=account-deleted"),
        Err(problem) => asked(&sent).again(of_password(problem)),
    }
}
