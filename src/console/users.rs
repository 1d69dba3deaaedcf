//! The people of a company: who they are, inviting them, removing them.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{FromRef, State},
    http::Response,
    routing::get,
};
mod person;

use super::{
    form::{Field, Form},
    frame::Frame,
    pager::{PAGE, Pager},
    pages::Pages,
    response::{again, page, see_other},
    sent::{Sent, Typed},
    shown::Moment,
    view::View,
};
use crate::{
    accounts::{
        Accounts,
        sessions::Sessions,
        users::{
            UserView,
            invite_routes::{InvitationBody, post_user},
            routes::{Users, UsersQuery, get_users},
        },
    },
    auth::{
        permission::{ReadUsers, WriteUsers},
        role::Role,
    },
    edge::{JsonBody, Problem, QueryOf},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("users", get(list))
        .at("users/invite", get(invitation).post(invite))
        .with(person::pages())
}

/// The roles, and what they are for.
const ROLES: [(&str, &str); 4] = [
    ("viewer", "Viewer: reads"),
    ("member", "Member: counts, keeps audiences"),
    ("admin", "Admin: administers the company"),
    ("operator", "Operator: administers all companies"),
];

#[derive(Template)]
#[template(path = "console/users/list.html")]
struct List {
    frame: Frame,
    filter: Vec<Field>,
    is_filtered: bool,
    is_of_invitations: bool,
    users: Vec<Row>,
    pager: Pager,
}

struct Row {
    user: UserView,
    created: Moment,
    seen: Option<Moment>,
    is_own: bool,
    /// Not one's own account, which has a page of its own, nor that of the settings.
    can_be_changed: bool,
}

async fn list(
    view: View<ReadUsers>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let typed = Typed::new(view.exchange.query().as_bytes());
    let query = UsersQuery {
        state: Some(typed.get("state").to_owned()),
        role: Some(typed.get("role").to_owned()),
        cursor: Some(typed.get("cursor").to_owned()),
        limit: Some(PAGE.to_owned()),
    };
    let Json(Users { users, next }) =
        get_users(State(accounts), view.may(), QueryOf(query)).await?;
    let own = view.reader.caller.user;
    let users = users.into_iter().map(|user| Row {
        created: Moment::new(user.created_at.clone()),
        seen: user.last_login_at.clone().map(Moment::new),
        is_own: user.id == own,
        can_be_changed: user.id != own && user.email.is_some(),
        user,
    });
    page(&List {
        frame: view.frame("People"),
        filter: filter(&typed),
        is_of_invitations: typed.get("state") == "invited",
        is_filtered: !typed.get("state").is_empty() || !typed.get("role").is_empty(),
        users: users.collect(),
        pager: Pager::new(&view.exchange, next),
    })
}

fn filter(typed: &Typed) -> Vec<Field> {
    let states = [
        ("", "Any"),
        ("active", "Active"),
        ("invited", "Invited"),
        ("disabled", "Disabled"),
    ];
    let roles = [
        ("", "Any"),
        ("viewer", "Viewer"),
        ("member", "Member"),
        ("admin", "Admin"),
        ("operator", "Operator"),
    ];
    let fields = [
        Field::select("state", "State", &states),
        Field::select("role", "Role", &roles),
    ];
    fields
        .map(|field| Field {
            required: true,
            ..field.filled(typed)
        })
        .into()
}

#[derive(Template)]
#[template(path = "console/users/invite.html")]
struct Invite {
    frame: Frame,
    form: Form,
}

async fn invitation(view: View<WriteUsers>) -> Result<Response<Body>, Problem> {
    page(&Invite {
        frame: view.frame("Invite somebody"),
        form: invitation_form(&view),
    })
}

/// What somebody of this role may make of others: operators are made by a command.
fn roles_to_give(role: Role) -> Vec<(&'static str, &'static str)> {
    let all = ROLES.iter().filter(|(name, _)| {
        name.parse::<Role>()
            .is_ok_and(|given| role >= given && given != Role::Operator)
    });
    all.copied().collect()
}

fn invitation_form(view: &View<WriteUsers>) -> Form {
    let roles = roles_to_give(view.reader.caller.role);
    let fields = vec![
        Field::email("email", "E\u{2011}mail address")
            .hint("They get a mail with a link, and choose their password themselves."),
        Field::text("username", "Name")
            .optional()
            .hint("If you leave it empty, it is what stands before the @."),
        Field {
            required: true,
            ..Field::select("role", "Role", &roles).with("member")
        },
    ];
    view.form("Invite", fields).or_back_to("../users")
}

async fn invite(
    State(accounts): State<Arc<Accounts>>,
    sent: Sent<WriteUsers>,
) -> Result<Response<Body>, Problem> {
    let typed = &sent.typed;
    let body = InvitationBody {
        email: typed.text("email"),
        role: typed.text("role"),
        username: typed.text_if_any("username"),
    };
    let invited = post_user(
        State(accounts),
        sent.may(),
        sent.origin.clone(),
        JsonBody(body),
    );
    match invited.await {
        Ok(_) => see_other(&sent.exchange, "users?done=invited"),
        Err(problem) => again(problem, |problem| {
            page(&Invite {
                frame: sent.frame("Invite somebody"),
                form: invitation_form(&sent).filled(typed).refused(problem),
            })
        }),
    }
}
