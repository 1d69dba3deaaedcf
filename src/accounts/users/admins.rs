//! `GET /auth/admins`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::UserView;
use crate::{
    accounts::{
        Accounts,
        user::{State as UserState, User},
    },
    auth::{Callers, May, permission, role::Role},
    edge::{DescribedRouter, Problem, page::Page},
    routes,
};

/// The routes of this file.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_admins))
}

/// Who administers a company.
#[derive(Serialize, ToSchema)]
struct Admins {
    /// Who came first is first.
    admins: Vec<Admin>,
}

/// One who does.
#[derive(Serialize, ToSchema)]
struct Admin {
    /// Their name.
    #[schema(example = "anna")]
    username: String,
}

/// As many are named at most: whoever looks for one needs no more.
const NAMED_ADMINS: usize = 100;

crate::problem_responses!(AdminsProblems: [CALLER, DATABASE] MethodNotAllowed);

/// List who administers your company.
///
/// The names of the first hundred active admins, for everybody of the company.
#[utoipa::path(
    get,
    path = "/auth/admins",
    tag = "users",
    security(("bearer" = [])),
    responses((status = 200, description = "The active admins", body = Admins), AdminsProblems)
)]
async fn get_admins(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::OwnAccount>,
) -> Result<Json<Admins>, Problem> {
    let company = caller.company.id();
    let users = accounts.read("admins", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            let mut users = Vec::new();
            for role in [Role::Admin, Role::Operator] {
                let filter = (Some(UserState::Active), Some(role));
                let page = Page::first(NAMED_ADMINS);
                let (found, _) = User::page(connection, company, filter, page).await?;
                users.extend(found);
            }
            Ok(users)
        })
    });
    let mut users = users.await?;
    users.sort_by_key(|user| user.id);
    users.truncate(NAMED_ADMINS);
    let name = accounts.settings_username();
    let views = users.into_iter().map(|user| UserView::new(user, name));
    let admins = views
        .filter_map(|view| view.username)
        .map(|username| Admin { username });
    Ok(Json(Admins {
        admins: admins.collect(),
    }))
}
