//! `/auth/me` and `/auth/password`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Update;
use crate::{
    accounts::{
        Accounts,
        fields::{self, Text},
        names::Name,
        origin::Origin,
        user::{OfCompany, User},
    },
    audit::time,
    auth::{Callers, May, permission::OwnAccount, role::Role},
    edge::{DescribedRouter, JsonBody, Problem},
    routes,
};

/// The routes.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_me, put_me, delete_me))
        .routes(routes!(post_password))
}

/// One's own account.
#[derive(Serialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Its name, by which one logs in: in the company `default` by itself, else as `company/username`.
    #[schema(example = "anna")]
    pub username: String,
    /// Its e-mail address, by which one can log in as well; the account of the settings has none.
    #[schema(example = "anna@example.com")]
    pub email: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Whose account it is.
    pub company: OfCompany,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-11-26T01:15:00.000Z")]
    pub created_at: String,
    /// When somebody last logged in with it.
    #[schema(format = DateTime, example = "2026-11-26T01:15:00.000Z")]
    pub last_login_at: Option<String>,
    /// Whether this is the account of the settings, which is changed there.
    pub managed_by_settings: bool,
}

impl Account {
    fn of(user: User, accounts: &Accounts, managed_by_settings: bool) -> Self {
        let of_settings = || accounts.settings_username().to_owned();
        Self {
            id: user.id,
            username: user.username.unwrap_or_else(of_settings),
            email: user.email,
            role: user.role,
            company: OfCompany {
                id: user.company,
                name: user.company_name,
            },
            created_at: time::format(user.created_at),
            last_login_at: user.last_login_at.map(time::format),
            managed_by_settings,
        }
    }
}

/// What is to be different. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountUpdate {
    /// Another name.
    #[schema(value_type = String, required = false, nullable = true, min_length = 1, max_length = 64, example = "anna")]
    #[serde(default)]
    pub username: Text,
    /// Another address. It is changed when the link is followed that is sent there.
    #[schema(value_type = String, required = false, nullable = true, max_length = 254, example = "anna@example.com")]
    #[serde(default)]
    pub email: Text,
    /// The password, if the address is to change.
    #[schema(value_type = String, required = false, nullable = true, format = Password, example = "stapling nine damp envelopes")]
    #[serde(default)]
    pub password: Text,
}

/// The password of the account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnPassword {
    /// The password.
    #[schema(value_type = String, required = true, format = Password, example = "stapling nine damp envelopes")]
    #[serde(default)]
    pub password: Text,
}

/// The password of the account, and another one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password that it has.
    #[schema(value_type = String, required = true, format = Password, example = "stapling nine damp envelopes")]
    #[serde(default)]
    pub password: Text,
    /// The password that it is to have: at least 15 characters (`FOOTFALL_PASSWORD_MIN_LENGTH`), at most
    /// 128, and not easy to guess.
    #[schema(value_type = String, required = true, format = Password, max_length = 128, example = "seven quiet otters juggling")]
    #[serde(default)]
    pub new_password: Text,
}

crate::problem_responses!(GetMeProblems: [CALLER, DATABASE] MethodNotAllowed);

/// Look at your account.
#[utoipa::path(
    get,
    path = "/auth/me",
    tag = "auth",
    security(("bearer" = [])),
    responses((status = 200, description = "The account", body = Account), GetMeProblems)
)]
pub async fn get_me(
    State(accounts): State<Arc<Accounts>>,
    caller: May<OwnAccount>,
) -> Result<Json<Account>, Problem> {
    let user = accounts.own(&caller).await?;
    Ok(Json(Account::of(user, &accounts, caller.is_of_settings())))
}

crate::problem_responses!(PutMeProblems:
    [CALLER, JSON, DATABASE] InvalidCredentials, MethodNotAllowed, UsernameTaken, ManagedBySettings, InvalidEmail,
    TooManyLogins, TooManyRequests, LoginBusy, StoreUnavailable);

/// Change the name or the address of your account.
///
/// Another address needs the password, and nothing of it changes before the link is followed that
/// is sent there; the old address is told. The answer is the account as it is now.
#[utoipa::path(
    put,
    path = "/auth/me",
    tag = "auth",
    security(("bearer" = [])),
    request_body = AccountUpdate,
    responses((status = 200, description = "The account", body = Account), PutMeProblems)
)]
pub async fn put_me(
    State(accounts): State<Arc<Accounts>>,
    caller: May<OwnAccount>,
    origin: Origin,
    JsonBody(body): JsonBody<AccountUpdate>,
) -> Result<Json<Account>, Problem> {
    let username = body.username.optional("username")?;
    let username = username.map(|name| fields::name(Name::of_user(&name), "username"));
    let email = body.email.optional("email")?;
    let email = email.map(|email| fields::email(&email, "email"));
    let update = Update {
        username: username.transpose()?,
        email: email.transpose()?,
        password: body.password.optional("password")?.map(Into::into),
    };
    let user = accounts.update_own(&origin, &caller, update).await?;
    Ok(Json(Account::of(user, &accounts, false)))
}

crate::problem_responses!(DeleteMeProblems:
    [CALLER, JSON, DATABASE] InvalidCredentials, MethodNotAllowed, LastAdmin, ManagedBySettings, TooManyLogins,
    LoginBusy);

/// Delete your account.
///
/// What it counted stays; who it was goes: its names, its address, its sessions. Its tokens end.
#[utoipa::path(
    delete,
    path = "/auth/me",
    tag = "auth",
    security(("bearer" = [])),
    request_body = OwnPassword,
    responses((status = 204, description = "It is gone"), DeleteMeProblems)
)]
pub async fn delete_me(
    State(accounts): State<Arc<Accounts>>,
    caller: May<OwnAccount>,
    origin: Origin,
    JsonBody(body): JsonBody<OwnPassword>,
) -> Result<StatusCode, Problem> {
    let password = body.password.secret("password")?;
    accounts.delete_own(&origin, &caller, password).await?;
    Ok(StatusCode::NO_CONTENT)
}

crate::problem_responses!(PostPasswordProblems:
    [CALLER, JSON, DATABASE] InvalidCredentials, MethodNotAllowed, ManagedBySettings, WeakPassword, TooManyLogins,
    LoginBusy);

/// Change your password.
///
/// All other sessions of the account end; this one goes on.
#[utoipa::path(
    post,
    path = "/auth/password",
    tag = "auth",
    security(("bearer" = [])),
    request_body = PasswordChange,
    responses((status = 204, description = "It is changed"), PostPasswordProblems)
)]
pub async fn post_password(
    State(accounts): State<Arc<Accounts>>,
    caller: May<OwnAccount>,
    origin: Origin,
    JsonBody(body): JsonBody<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let (password, new) = (
        body.password.secret("password")?,
        body.new_password.secret("new_password")?,
    );
    accounts
        .change_password(&origin, &caller, password, new)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
