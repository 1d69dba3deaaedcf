//! One person: what they are called and may do, and whether they are let in.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{FromRef, State as FromState},
    http::Response,
    routing::get,
};
use uuid::Uuid;

use super::roles_to_give;
use crate::{
    accounts::{
        Accounts,
        fields::Text,
        path::Id,
        sessions::Sessions,
        user::State,
        users::{
            UserView,
            invite_routes::{InvitationBody, post_user},
            routes::{ChangesBody, delete_user, get_user, put_user},
        },
    },
    auth::permission::{Permission, ReadUsers, WriteUsers},
    console::{
        ask::Ask,
        form::{Field, Form},
        frame::Frame,
        pages::Pages,
        response::{again, page, see_other},
        sent::Sent,
        shown::Moment,
        view::View,
    },
    edge::{JsonBody, Problem},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("users/{id}", get(show).post(change))
        .at("users/{id}/suspend", get(ask_suspend).post(suspend))
        .at("users/{id}/resume", get(ask_resume).post(resume))
        .at("users/{id}/invite", get(ask_invite).post(invite))
        .at("users/{id}/remove", get(ask_remove).post(remove))
}

#[derive(Template)]
#[template(path = "console/users/person.html")]
struct Person {
    frame: Frame,
    user: UserView,
    created: Moment,
    seen: Option<Moment>,
    /// Whose account is that of the settings, or one's own, is changed elsewhere.
    form: Option<Form>,
    is_own: bool,
}

impl Person {
    async fn of<P: Permission>(
        view: &View<P>,
        accounts: Arc<Accounts>,
        id: Uuid,
    ) -> Result<Self, Problem> {
        let user = find(view, accounts, id).await?;
        let is_own = user.id == view.reader.caller.user;
        let may_be_changed = !is_own && user.email.is_some();
        Ok(Self {
            frame: view.frame(name(&user)),
            created: Moment::new(user.created_at.clone()),
            seen: user.last_login_at.clone().map(Moment::new),
            form: may_be_changed.then(|| form(view, &user)),
            is_own,
            user,
        })
    }
}

fn form<P: Permission>(view: &View<P>, user: &UserView) -> Form {
    let mut roles = roles_to_give(view.reader.caller.role);
    let role = user.role.as_str();
    if roles.iter().all(|(name, _)| *name != role) {
        roles.push((role, role));
    }
    let fields = vec![
        Field::text("username", "Name").with(user.username.clone().unwrap_or_default()),
        Field {
            required: true,
            ..Field::select("role", "Role", &roles).with(role)
        }
        .hint("With another role they have to get new tokens; their sessions go on."),
    ];
    view.form("Save", fields)
}

async fn find<P: Permission>(
    view: &View<P>,
    accounts: Arc<Accounts>,
    id: Uuid,
) -> Result<UserView, Problem> {
    let may = view.may_also::<ReadUsers>()?;
    let Json(user) = get_user(FromState(accounts), may, Id(id)).await?;
    Ok(user)
}

fn name(user: &UserView) -> String {
    let name = user.username.clone();
    name.or_else(|| user.email.clone()).unwrap_or_default()
}

async fn show(
    view: View<ReadUsers>,
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    page(&Person::of(&view, accounts, id).await?)
}

async fn change(
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<WriteUsers>,
) -> Result<Response<Body>, Problem> {
    let typed = &sent.typed;
    let body = ChangesBody {
        username: typed.text("username"),
        role: typed.text("role"),
        state: Text::default(),
    };
    match put(&sent, accounts.clone(), id, body).await {
        Ok(()) => see_other(&sent.exchange, &format!("users/{id}?done=user-saved")),
        Err(problem) => {
            let person = Person::of(&sent, accounts, id).await?;
            again(problem, |problem| {
                let form = person.form.clone();
                page(&Person {
                    form: form.map(|form| form.filled(typed).refused(problem)),
                    ..person
                })
            })
        }
    }
}

async fn put(
    sent: &Sent<WriteUsers>,
    accounts: Arc<Accounts>,
    id: Uuid,
    body: ChangesBody,
) -> Result<(), Problem> {
    let (may, origin) = (sent.may(), sent.origin.clone());
    let changed = put_user(FromState(accounts), may, origin, Id(id), JsonBody(body));
    changed.await.map(drop)
}

/// What is done to somebody after it was asked.
#[derive(Clone, Copy)]
enum Deed {
    Suspend,
    Resume,
    Invite,
    Remove,
}

impl Deed {
    fn asked<P: Permission>(self, view: &View<P>, user: &UserView) -> Ask {
        let name = name(user);
        let is_invited = user.state == State::Invited;
        let (title, button, said): (_, _, &[&str]) = match self {
            Self::Suspend => (
                format!("Suspend {name}?"),
                "Suspend",
                &[
                    "Their sessions and API tokens end at once, and they are not let in until you let them in again.",
                    "What they counted stays, and so does their account.",
                ],
            ),
            Self::Resume => (
                format!("Let {name} in again?"),
                "Let in again",
                &["They log in with the password they had. API tokens that have ended stay so."],
            ),
            Self::Invite => (
                format!("Send the invitation of {name} again?"),
                "Send again",
                &["They get a mail with a new link, good for 24 hours. The link before stops."],
            ),
            Self::Remove if is_invited => (
                format!("Withdraw the invitation of {name}?"),
                "Withdraw",
                &["The link in their mail stops, and their name and address are deleted."],
            ),
            Self::Remove => (
                format!("Remove {name}?"),
                "Remove",
                &[
                    "Their sessions and API tokens end at once, and their name and address are deleted.",
                    "What they counted stays. This cannot be undone.",
                ],
            ),
        };
        let form = view
            .form(button, Vec::new())
            .or_back_to(format!("../{}", user.id));
        let form = match self {
            Self::Suspend | Self::Remove => form.destroying(),
            Self::Resume | Self::Invite => form,
        };
        Ask::new(view.frame(title), form, said)
    }

    /// Of somebody of whom it can be asked: else there is no such page.
    fn is_of(self, user: &UserView) -> bool {
        match self {
            Self::Suspend => user.state == State::Active,
            Self::Resume => user.state == State::Disabled,
            Self::Invite => user.state == State::Invited && user.email.is_some(),
            Self::Remove => true,
        }
    }

    async fn ask(
        self,
        view: View<WriteUsers>,
        accounts: Arc<Accounts>,
        id: Uuid,
    ) -> Result<Response<Body>, Problem> {
        let user = find(&view, accounts, id).await?;
        match self.is_of(&user) {
            true => self.asked(&view, &user).page(),
            // It was done in the meantime.
            false => see_other(&view.exchange, &format!("users/{id}")),
        }
    }

    async fn answer(
        self,
        sent: Sent<WriteUsers>,
        accounts: Arc<Accounts>,
        id: Uuid,
        done: Result<(), Problem>,
        to: &str,
    ) -> Result<Response<Body>, Problem> {
        match done {
            Ok(()) => see_other(&sent.exchange, to),
            Err(problem) => {
                let user = find(&sent, accounts, id).await?;
                self.asked(&sent, &user).again(problem)
            }
        }
    }
}

fn of_state(state: &str) -> ChangesBody {
    ChangesBody {
        username: Text::default(),
        role: Text::default(),
        state: Text::from(state.to_owned()),
    }
}

async fn ask_suspend(
    view: View<WriteUsers>,
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    Deed::Suspend.ask(view, accounts, id).await
}

async fn suspend(
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<WriteUsers>,
) -> Result<Response<Body>, Problem> {
    let done = put(&sent, accounts.clone(), id, of_state("disabled")).await;
    let to = format!("users/{id}?done=user-suspended");
    Deed::Suspend.answer(sent, accounts, id, done, &to).await
}

async fn ask_resume(
    view: View<WriteUsers>,
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    Deed::Resume.ask(view, accounts, id).await
}

async fn resume(
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<WriteUsers>,
) -> Result<Response<Body>, Problem> {
    let done = put(&sent, accounts.clone(), id, of_state("active")).await;
    let to = format!("users/{id}?done=user-resumed");
    Deed::Resume.answer(sent, accounts, id, done, &to).await
}

async fn ask_invite(
    view: View<WriteUsers>,
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    Deed::Invite.ask(view, accounts, id).await
}

async fn invite(
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<WriteUsers>,
) -> Result<Response<Body>, Problem> {
    let user = find(&sent, accounts.clone(), id).await?;
    let to = format!("users/{id}");
    if !Deed::Invite.is_of(&user) {
        return see_other(&sent.exchange, &to);
    }
    let body = InvitationBody {
        email: user.email.map_or_else(Text::default, Text::from),
        role: Text::from(user.role.to_string()),
        username: Text::default(),
    };
    let (may, origin) = (sent.may(), sent.origin.clone());
    let done = post_user(FromState(accounts.clone()), may, origin, JsonBody(body)).await;
    let to = format!("{to}?done=invited");
    let done = done.map(drop);
    Deed::Invite.answer(sent, accounts, id, done, &to).await
}

async fn ask_remove(
    view: View<WriteUsers>,
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    Deed::Remove.ask(view, accounts, id).await
}

async fn remove(
    FromState(accounts): FromState<Arc<Accounts>>,
    Id(id): Id,
    sent: Sent<WriteUsers>,
) -> Result<Response<Body>, Problem> {
    let (may, origin) = (sent.may(), sent.origin.clone());
    let done = delete_user(FromState(accounts.clone()), may, origin, Id(id)).await;
    let (done, to) = (done.map(drop), "users?done=user-removed");
    Deed::Remove.answer(sent, accounts, id, done, to).await
}
