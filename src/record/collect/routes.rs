//! `/api/write-keys`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use super::image::policy as image_policy;
use super::{
    Collect, image, key,
    making::KeyBody,
    post, script,
    table::{self, NewKey, Row},
};
use crate::{
    accounts::{Accounts, by::By, location::Location, origin::Origin, path::Id},
    audit::time,
    auth::{Callers, May, SETTINGS_ACCOUNT, permission},
    edge::{
        Code, DescribedRouter, JsonBody, Problem, QueryOf,
        page::{Cursor, PageQuery},
    },
    routes,
};

/// The routes of write keys, of what pages send and of their script.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    Arc<Collect>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_write_keys, post_write_key))
        .routes(routes!(get_write_key, delete_write_key))
        .merge(post::router())
        .merge(script::router())
}

/// The route of the image, whose errors are images.
pub fn images<S>() -> DescribedRouter<S>
where
    Arc<Collect>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    image::router()
}

/// A write key. It is public: whoever sees a page that shows it has it.
#[derive(Serialize, ToSchema)]
#[schema(as = WriteKey)]
pub struct KeyView {
    /// Its id.
    pub id: Uuid,
    /// What it is called.
    #[schema(example = "our shop")]
    pub name: String,
    /// As pages show it.
    #[schema(example = "ffw_0hJYsnnVbMnTpyzGh4Fd7C8nNz1k3b2yFqRkq0A9vWx3tPq1Zd")]
    pub key: String,
    /// The counters it is for. The first is that of visits that name none.
    #[schema(example = json!(["shop.page"]))]
    pub counters: Vec<String>,
    /// The origins whose pages may show it.
    #[schema(example = json!(["https://shop.example"]))]
    pub origins: Vec<String>,
    /// Visits a second that each replica takes by it.
    #[schema(minimum = 1, maximum = 10_000, example = 100)]
    pub rate: i64,
    /// Who made it.
    pub created_by: Maker,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub created_at: String,
}

/// Who made a write key.
#[derive(Serialize, ToSchema)]
#[schema(as = WriteKeyMaker)]
pub struct Maker {
    /// Their id.
    pub id: Uuid,
    /// Their name, if they are still there.
    #[schema(required = true, example = "anna")]
    pub username: Option<String>,
}

impl KeyView {
    fn new(row: Row, settings_username: &str) -> Self {
        let texts = |text: &str| text.split(' ').map(ToOwned::to_owned).collect();
        let username = match row.created_by {
            SETTINGS_ACCOUNT => Some(settings_username.to_owned()),
            _ => row.created_by_name,
        };
        Self {
            id: row.id,
            counters: texts(&row.counters),
            origins: texts(&row.origins),
            name: row.name,
            key: row.key,
            rate: row.rate,
            created_by: Maker {
                id: row.created_by,
                username,
            },
            created_at: time::format(row.created_at),
        }
    }
}

/// A page of write keys.
#[derive(Serialize, ToSchema)]
#[schema(as = WriteKeys)]
pub struct KeysView {
    /// Which was made first is first.
    pub keys: Vec<KeyView>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    pub next: Option<Cursor<Uuid>>,
}

crate::problem_responses!(ListProblems:
    InvalidQuery, MissingToken, InvalidToken, ExpiredToken, Forbidden, MethodNotAllowed, NoDatabase, DatabaseUnavailable);

/// List write keys.
///
/// Those of the company that were not ended.
#[utoipa::path(
    get,
    path = "/api/write-keys",
    tag = "collect",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of write keys: which was made first is first", body = KeysView), ListProblems)
)]
pub async fn get_write_keys(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::WriteKeys>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<KeysView>, Problem> {
    let page = query.page()?;
    let company = caller.company.id();
    let listed = accounts.read("write_keys_list", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            table::page(connection, company, page).await
        })
    });
    let (rows, next) = listed.await?;
    let name = accounts.settings_username();
    let keys = rows.into_iter().map(|row| KeyView::new(row, name));
    let keys = keys.collect();
    Ok(Json(KeysView { keys, next }))
}

crate::problem_responses!(MakeProblems:
    InvalidJson, MissingToken, InvalidToken, ExpiredToken, Forbidden, MethodNotAllowed, WriteKeysFull, UnsupportedMediaType,
    UnsupportedContentEncoding, InvalidBody, NoDatabase, DatabaseUnavailable);

/// Make a write key.
///
/// For the pages of a web site. It counts on these counters, and does nothing else; other replicas know it within two seconds.
#[utoipa::path(
    post,
    path = "/api/write-keys",
    tag = "collect",
    security(("bearer" = [])),
    request_body = KeyBody,
    responses(
        (status = 201, description = "The key", body = KeyView, headers(("Location" = String, description = "The URL of the key, relative to this one"))),
        MakeProblems
    )
)]
async fn post_write_key(
    State(accounts): State<Arc<Accounts>>,
    State(collect): State<Arc<Collect>>,
    caller: May<permission::WriteKeys>,
    origin: Origin,
    JsonBody(body): JsonBody<KeyBody>,
) -> Result<impl IntoResponse, Problem> {
    let view = make_write_key(&accounts, &collect, caller, origin, body).await?;
    let location = Location::of("write-keys", view.id);
    Ok((StatusCode::CREATED, location, Json(view)))
}

/// Makes a write key of the caller's company.
///
/// # Errors
///
/// Those of `POST /api/write-keys`.
pub async fn make_write_key(
    accounts: &Accounts,
    collect: &Collect,
    caller: May<permission::WriteKeys>,
    origin: Origin,
    mut body: KeyBody,
) -> Result<KeyView, Problem> {
    accounts.database()?;
    let key = key::generate();
    let new = NewKey {
        company: caller.company.id(),
        by: caller.user,
        name: body.name()?,
        counters: body.counters()?.join(" "),
        origins: body.origins()?.join(" "),
        rate: body.rate()?,
        key: key.map_err(|error| Problem::from(Code::Internal).with_cause(error))?,
    };
    let once = origin.once("POST /api/write-keys", &caller.user.to_string());
    let by = By::caller(&caller, origin);
    let row = accounts.change("write_key_make", move |connection| {
        Box::pin(async move { table::make(connection, new, &by, once.as_ref()).await })
    });
    let row = row.await??;
    collect.keys.wake();
    Ok(KeyView::new(row, accounts.settings_username()))
}

crate::problem_responses!(ReadProblems:
    MissingToken, InvalidToken, ExpiredToken, Forbidden, NotFound, MethodNotAllowed, NoDatabase, DatabaseUnavailable);

/// Look at a write key.
#[utoipa::path(
    get,
    path = "/api/write-keys/{id}",
    tag = "collect",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the key")),
    responses((status = 200, description = "The key", body = KeyView), ReadProblems)
)]
pub async fn get_write_key(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::WriteKeys>,
    Id(id): Id,
) -> Result<Json<KeyView>, Problem> {
    let company = caller.company.id();
    let row = accounts.read("write_key", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            table::find(connection, company, id).await
        })
    });
    let row = row.await?.ok_or(Code::NotFound)?;
    Ok(Json(KeyView::new(row, accounts.settings_username())))
}

crate::problem_responses!(EndProblems:
    MissingToken, InvalidToken, ExpiredToken, Forbidden, NotFound, MethodNotAllowed, OutcomeUnknown, StoreUnavailable, NoDatabase,
    DatabaseUnavailable);

/// End a write key.
///
/// Once this is answered no visit that begins later is counted with it, by any replica.
#[utoipa::path(
    delete,
    path = "/api/write-keys/{id}",
    tag = "collect",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the key")),
    responses((status = 204, description = "It has ended"), EndProblems)
)]
pub async fn delete_write_key(
    State(accounts): State<Arc<Accounts>>,
    State(collect): State<Arc<Collect>>,
    caller: May<permission::WriteKeys>,
    origin: Origin,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let which = (caller.company.id(), id);
    let by = By::caller(&caller, origin);
    let ended = accounts.change("write_key_end", move |connection| {
        Box::pin(async move { table::end(connection, which, &by).await })
    });
    ended.await??;
    collect.keys.wake();
    Ok(StatusCode::NO_CONTENT)
}
