//! `/api/users`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State as FromState},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Changes, UserView, Wanted, admins, invite_routes, invite_routes::role_of, remove, update,
};
use crate::{
    accounts::{
        Accounts,
        by::By,
        fields::{self, Text},
        names::Name,
        origin::Origin,
        path::Id,
        user::{State, User},
    },
    auth::{Callers, May, permission, role::Role},
    edge::{
        Code, DescribedRouter, JsonBody, Problem, QueryOf,
        page::{Cursor, Page},
        query::{given, invalid},
    },
    routes,
};

/// The routes of this room.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .merge(admins::router())
        .merge(invite_routes::router())
        .routes(routes!(get_users))
        .routes(routes!(get_user, put_user, delete_user))
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub struct Users {
    /// Who came first is first.
    pub users: Vec<UserView>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    pub next: Option<Cursor<Uuid>>,
}

/// Which users. Forms send what was left empty, so empty is absent.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UsersQuery {
    /// Only those in this state.
    #[param(pattern = "^(|invited|active|disabled)$", example = "active")]
    pub state: Option<String>,
    /// Only those of this role.
    #[param(pattern = "^(|viewer|member|admin|operator)$", example = "member")]
    pub role: Option<String>,
    /// `next` of the page before, as it is; empty for the first page.
    #[param(pattern = "^(1-[0-9a-f]{32})?$")]
    pub cursor: Option<String>,
    /// Users on the page; empty for the default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<String>,
}

impl UsersQuery {
    fn filter(&self) -> Result<(Option<State>, Option<Role>), Problem> {
        let state = given(self.state.as_deref()).map(|name| {
            let known = [State::Invited, State::Active, State::Disabled];
            let state = known.into_iter().find(|state| state.as_str() == name);
            state.ok_or_else(|| invalid("state must be invited, active or disabled."))
        });
        let role = given(self.role.as_deref()).map(|name| {
            let role = name.parse::<Role>();
            role.map_err(|_| invalid("role must be viewer, member, admin or operator."))
        });
        Ok((state.transpose()?, role.transpose()?))
    }
}

crate::problem_responses!(ListProblems: [CALLER, DATABASE] InvalidQuery, MethodNotAllowed, TooManyRequests);

/// List the users of the company.
#[utoipa::path(
    get,
    path = "/api/users",
    tag = "users",
    security(("bearer" = [])),
    params(UsersQuery),
    responses((status = 200, description = "A page of users: who came first is first", body = Users), ListProblems)
)]
pub async fn get_users(
    FromState(accounts): FromState<Arc<Accounts>>,
    caller: May<permission::ReadUsers>,
    QueryOf(query): QueryOf<UsersQuery>,
) -> Result<Json<Users>, Problem> {
    let page = Page::new(query.cursor.as_deref(), query.limit.as_deref())?;
    let (company, filter) = (caller.company.id(), query.filter()?);
    let listed = accounts.read("users", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            User::page(connection, company, filter, page).await
        })
    });
    let (rows, next) = listed.await?;
    let name = accounts.settings_username();
    let users = rows
        .into_iter()
        .map(|user| UserView::new(user, name))
        .collect();
    Ok(Json(Users { users, next }))
}

crate::problem_responses!(ReadProblems: [CALLER, DATABASE] NotFound, MethodNotAllowed, TooManyRequests);

/// Read a user.
#[utoipa::path(
    get,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the user")),
    responses((status = 200, description = "The user", body = UserView), ReadProblems)
)]
pub async fn get_user(
    FromState(accounts): FromState<Arc<Accounts>>,
    caller: May<permission::ReadUsers>,
    Id(id): Id,
) -> Result<Json<UserView>, Problem> {
    let company = caller.company.id();
    let user = accounts.read("user", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            User::find(connection, company, id).await
        })
    });
    let user = user.await?.filter(|user| user.state != State::Deleted);
    let user = user.ok_or(Code::NotFound)?;
    Ok(Json(UserView::new(user, accounts.settings_username())))
}

/// What is to change: what is left out or null stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = UserChanges)]
#[serde(deny_unknown_fields)]
pub struct ChangesBody {
    /// What they are to be called.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "anna")]
    pub username: Text,
    /// What they are to be: not above your own role.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(viewer|member|admin|operator)$", example = "admin")]
    pub role: Text,
    /// `disabled`: they are not let in. `active`: they are, once they have a password; until then they are `invited`.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(invited|active|disabled)$", example = "active")]
    pub state: Text,
}

impl ChangesBody {
    fn checked(self) -> Result<Changes, Problem> {
        let username = self.username.optional("username")?;
        let username = username.map(|name| fields::name(Name::of_user(&name), "username"));
        let role = self.role.optional("role")?.map(|name| role_of(&name));
        let state = self
            .state
            .optional("state")?
            .map(|name| match name.as_str() {
                "invited" => Ok(Wanted::Invited),
                "active" => Ok(Wanted::Active),
                "disabled" => Ok(Wanted::Disabled),
                _ => Err(Problem::from(Code::InvalidBody)
                    .with_detail("The field `state` must be active, disabled or invited.")
                    .of_field("state")),
            });
        Ok(Changes {
            username: username.transpose()?,
            role: role.transpose()?,
            state: state.transpose()?,
        })
    }
}

crate::problem_responses!(ChangeProblems:
    [CALLER, JSON, DATABASE] NotFound, MethodNotAllowed, UsernameTaken, LastAdmin, ManagedBySettings,
    TooManyRequests, OutcomeUnknown, StoreUnavailable);

/// Change a user.
///
/// When their role changes, they get new tokens at the next refresh, and the old ones stop at once. When they are
/// disabled, their sessions end.
#[utoipa::path(
    put,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the user")),
    request_body = ChangesBody,
    responses((status = 200, description = "The user as they are now", body = UserView), ChangeProblems)
)]
pub async fn put_user(
    FromState(accounts): FromState<Arc<Accounts>>,
    caller: May<permission::WriteUsers>,
    origin: Origin,
    Id(id): Id,
    JsonBody(body): JsonBody<ChangesBody>,
) -> Result<Json<UserView>, Problem> {
    let changes = body.checked()?;
    let (by, who) = (By::caller(&caller, origin), (caller.company.id(), id));
    let name = accounts.settings_username().to_owned();
    let user =
        accounts.change_unless_taken("user_update", Code::UsernameTaken, move |connection| {
            Box::pin(async move { update(connection, who, changes, &by, &name).await })
        });
    let user = user.await??;
    Ok(Json(UserView::new(user, accounts.settings_username())))
}

crate::problem_responses!(RemoveProblems:
    [CALLER, DATABASE] NotFound, MethodNotAllowed, LastAdmin, ManagedBySettings, TooManyRequests, OutcomeUnknown,
    StoreUnavailable);

/// Remove a user.
///
/// What they counted stays; who they were goes.
#[utoipa::path(
    delete,
    path = "/api/users/{id}",
    tag = "users",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the user")),
    responses((status = 204, description = "They are removed"), RemoveProblems)
)]
pub async fn delete_user(
    FromState(accounts): FromState<Arc<Accounts>>,
    caller: May<permission::WriteUsers>,
    origin: Origin,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let (by, who) = (By::caller(&caller, origin), (caller.company.id(), id));
    let removed = accounts.change("user_remove", move |connection| {
        Box::pin(async move { remove(connection, who, &by).await })
    });
    removed.await??;
    Ok(StatusCode::NO_CONTENT)
}
