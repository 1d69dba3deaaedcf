//! `/auth/tokens`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
    http::{StatusCode, header},
    response::IntoResponse,
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::table::{self, NewToken, Row};
use crate::{
    accounts::{
        Accounts,
        by::By,
        fields::{Text, label},
        location::Location,
        origin::Origin,
        path::Id,
    },
    audit::time,
    auth::{
        Callers, May, SETTINGS_ACCOUNT,
        api_token::ApiToken,
        permission,
        role::{Role, Scope, Scopes},
        throttle::{Action, Allowed},
    },
    edge::{
        Code, DescribedRouter, JsonBody, Problem, QueryOf,
        page::{Cursor, PageQuery},
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
        .routes(routes!(get_tokens, post_token))
        .routes(routes!(delete_token))
}

/// An API token, without what it is.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiToken)]
pub struct TokenView {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    #[schema(example = "shop in Graz")]
    pub name: String,
    /// What it may be used for, within what its owner may do.
    pub scopes: Vec<Scope>,
    /// Whose it is.
    pub owner: Owner,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub created_at: String,
    /// When it ends by itself; null if it does not.
    #[schema(required = true, format = DateTime, example = "2027-03-01T12:00:00.000Z")]
    pub expires_at: Option<String>,
    /// When it was last used, to the minute; null if it never was.
    #[schema(required = true, format = DateTime, example = "2026-03-02T08:30:00.000Z")]
    pub last_used_at: Option<String>,
}

/// Whose a token is.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTokenOwner)]
pub struct Owner {
    /// Their id.
    pub id: Uuid,
    /// Their name.
    #[schema(required = true, example = "anna")]
    pub username: Option<String>,
}

impl TokenView {
    fn new(row: Row, settings_username: &str) -> Self {
        let username = match row.owner {
            SETTINGS_ACCOUNT => Some(settings_username.to_owned()),
            _ => row.owner_name,
        };
        Self {
            id: row.id,
            name: row.name,
            scopes: row.scopes.iter().collect(),
            owner: Owner {
                id: row.owner,
                username,
            },
            created_at: time::format(row.created_at),
            expires_at: row.expires_at.map(time::format),
            last_used_at: row.last_used_at.map(time::format),
        }
    }
}

/// A page of API tokens.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiTokens)]
pub struct TokensView {
    /// Which was made first is first.
    pub tokens: Vec<TokenView>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    pub next: Option<Cursor<Uuid>>,
}

crate::problem_responses!(ListProblems: [CALLER, DATABASE] InvalidQuery, MethodNotAllowed);

/// List API tokens.
///
/// Your own; admins see those of everybody in the company.
#[utoipa::path(
    get,
    path = "/auth/tokens",
    tag = "tokens",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of API tokens: which was made first is first", body = TokensView), ListProblems)
)]
pub async fn get_tokens(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::OwnTokens>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<TokensView>, Problem> {
    let page = query.page()?;
    let company = caller.company.id();
    let owner = (caller.role < Role::Admin).then_some(caller.user);
    let listed = accounts.read("api_tokens", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            table::page(connection, company, owner, page).await
        })
    });
    let (rows, next) = listed.await?;
    let name = accounts.settings_username();
    let tokens = rows
        .into_iter()
        .map(|row| TokenView::new(row, name))
        .collect();
    Ok(Json(TokensView { tokens, next }))
}

/// An API token that is to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewApiToken)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// What you call it: where it is used, say.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, example = "shop in Graz")]
    pub name: Text,
    /// What it may be used for, within what you may do.
    #[serde(default)]
    #[schema(value_type = Vec<Scope>, required = true, min_items = 1, example = json!(["visits:write"]))]
    pub scopes: Value,
    /// When it ends by itself (RFC 3339); if left out, it does not.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime, example = "2036-03-01T12:00:00Z")]
    pub expires_at: Text,
}

/// A new API token, with what it is: this is shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeApiToken)]
pub struct MadeToken {
    /// Send it as `Authorization: Bearer <token>`. It is shown this once.
    #[schema(example = "ffk_0hJYsnnVbMnTpyzGh4Fd7C8nNz1k3b2yFqRkq0A9vWx3tPq1Zd")]
    pub token: String,
    /// What there is to know of it beside.
    #[serde(flatten)]
    pub row: TokenView,
}

fn invalid(field: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::from(Code::InvalidBody)
        .with_detail(detail)
        .of_field(field)
}

impl TokenBody {
    fn name(&mut self) -> Result<String, Problem> {
        label(std::mem::take(&mut self.name), "name")
    }

    fn scopes(&self) -> Result<Scopes, Problem> {
        let known = || {
            let all: Vec<_> = Scope::ALL.into_iter().map(Scope::as_str).collect();
            let all = all.join(", ");
            invalid(
                "scopes",
                format!("The field `scopes` must be a list of one or more of {all}."),
            )
        };
        let Value::Array(names) = &self.scopes else {
            return Err(known());
        };
        if names.is_empty() || names.len() > Scope::ALL.len() {
            return Err(known());
        }
        let scope = |name: &Value| Scope::ALL.into_iter().find(|scope| name == scope.as_str());
        let scopes: Option<Scopes> = names.iter().map(scope).collect();
        scopes.ok_or_else(known)
    }

    /// Whether it is in the future the database says: it is by its clock that it ends.
    fn expires_at(&mut self) -> Result<Option<i64>, Problem> {
        let text = std::mem::take(&mut self.expires_at).optional("expires_at")?;
        let time = text.map(|text| {
            let detail =
                "The field `expires_at` must be a time like 2036-03-01T12:00:00Z (RFC 3339).";
            time::parse(&text).ok_or_else(|| invalid("expires_at", detail))
        });
        time.transpose()
    }
}

crate::problem_responses!(MakeProblems:
    [CALLER, JSON, DATABASE] MethodNotAllowed, TokensFull, TooManyRequests, OutcomeUnknown, StoreUnavailable);

/// Make an API token.
///
/// For a machine. It may do what its scopes say, as far as you may do it, and stops when you are not let in any more.
/// When a proxy repeats the request, the same token gets another secret, and the one before stops. At most 100 an hour.
#[utoipa::path(
    post,
    path = "/auth/tokens",
    tag = "tokens",
    security(("bearer" = [])),
    request_body = TokenBody,
    responses(
        (status = 201, description = "The token, shown once", body = MadeToken, headers(("Location" = String, description = "The URL of the token, relative to this one"))),
        MakeProblems
    )
)]
async fn post_token(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::OwnTokens>,
    origin: Origin,
    JsonBody(body): JsonBody<TokenBody>,
) -> Result<impl IntoResponse, Problem> {
    let made = make_token(&accounts, caller, origin, body).await?;
    // No cache on the way keeps it (RFC 6749, 5.1).
    let headers = [(header::CACHE_CONTROL, "no-store")];
    let location = Location::of("tokens", made.row.id);
    Ok((StatusCode::CREATED, headers, location, Json(made)))
}

/// Makes an API token of the caller.
///
/// # Errors
///
/// Those of `POST /auth/tokens`.
pub async fn make_token(
    accounts: &Accounts,
    caller: May<permission::OwnTokens>,
    origin: Origin,
    mut body: TokenBody,
) -> Result<MadeToken, Problem> {
    accounts.database()?;
    let token = ApiToken::generate();
    let token = token.map_err(|error| Problem::from(Code::Internal).with_cause(error))?;
    let new = NewToken {
        company: caller.company.id(),
        owner: caller.user,
        name: body.name()?,
        scopes: body.scopes()?,
        expires_at: body.expires_at()?,
        hash: token.hash,
    };
    let once = origin.once("POST /auth/tokens", &caller.user.to_string());
    let allowed = match accounts.was_done(once.as_ref()).await? {
        true => Allowed::uncounted(),
        false => {
            let limit = Action::MakeApiToken { user: caller.user };
            accounts.throttle.allow(limit).await?
        }
    };
    let by = By::caller(&caller, origin);
    let made = accounts.change("api_token_make", move |connection| {
        Box::pin(async move { table::make(connection, new, &by, once.as_ref()).await })
    });
    let row = accounts.counted(allowed, made).await??;
    let row = TokenView::new(row, accounts.settings_username());
    let token = token.text.expose_secret().to_owned();
    Ok(MadeToken { token, row })
}

crate::problem_responses!(EndProblems: [CALLER, DATABASE] NotFound, MethodNotAllowed, OutcomeUnknown, StoreUnavailable);

/// End an API token.
///
/// One of your own; admins may end those of everybody in the company. Once this is answered nothing is done with it any more.
#[utoipa::path(
    delete,
    path = "/auth/tokens/{id}",
    tag = "tokens",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the token")),
    responses((status = 204, description = "It has ended"), EndProblems)
)]
pub async fn delete_token(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::OwnTokens>,
    origin: Origin,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let which = (caller.company.id(), id);
    let owner = (caller.role < Role::Admin).then_some(caller.user);
    let by = By::caller(&caller, origin);
    let ended = accounts.change("api_token_end", move |connection| {
        Box::pin(async move { table::end(connection, which, owner, &by).await })
    });
    ended.await??;
    Ok(StatusCode::NO_CONTENT)
}
