//! `/api/audiences`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, State},
    http::StatusCode,
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Filters, List, New, Saved};
use crate::{
    accounts::{Accounts, fields::Text, location::Location, origin::Origin, path::Id},
    audit::time,
    auth::{Callers, May, permission},
    edge::{
        DescribedRouter, JsonBody, Problem, QueryOf,
        page::{Cursor, PageQuery},
    },
    routes,
};

/// The routes of this file.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_audiences, post_audience))
        .routes(routes!(get_audience, put_audience, delete_audience))
}

fn filters(accounts: &Accounts) -> Filters<'_> {
    Filters {
        accounts,
        list: List::Audiences,
    }
}

/// An audience: a filter under a name, to which other filters may refer.
#[derive(Serialize, ToSchema)]
#[schema(as = Audience)]
struct AudienceView {
    /// Its id.
    id: Uuid,
    /// What it is called.
    #[schema(example = "Pro customers in Austria")]
    name: String,
    /// Its filter, in its canonical form.
    #[schema(value_type = crate::audiences::schema::FilterSchema)]
    filter: Box<RawValue>,
    /// The SHA-256 of that, in hexadecimal: filters with the same hash are the same.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
    /// The filter in words.
    sentence: String,
    /// When it was made.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    updated_at: String,
}

impl From<Saved> for AudienceView {
    fn from(saved: Saved) -> Self {
        let Saved {
            row,
            filter,
            sentence,
        } = saved;
        Self {
            id: row.id,
            name: row.name,
            filter,
            hash: row.hash,
            sentence,
            created_at: time::format(row.created_at),
            updated_at: time::format(row.updated_at),
        }
    }
}

/// A page of audiences.
#[derive(Serialize, ToSchema)]
#[schema(as = Audiences)]
struct AudiencesView {
    /// Which was made first is first.
    audiences: Vec<AudienceView>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    next: Option<Cursor<Uuid>>,
}

/// An audience that is to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewAudience)]
#[serde(deny_unknown_fields)]
struct AudienceBody {
    /// What you call it. No two audiences of a company have names that look alike.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, example = "Pro customers in Austria")]
    name: Text,
    /// Who is meant. No two audiences of a company have filters that mean the same.
    #[serde(default)]
    #[schema(value_type = crate::audiences::schema::FilterSchema, required = true)]
    filter: Option<Box<RawValue>>,
}

impl AudienceBody {
    fn read(self) -> Result<New, Problem> {
        New::read(List::Audiences, self.name, self.filter.as_deref())
    }
}

crate::problem_responses!(ListProblems: [CALLER, DATABASE] InvalidQuery, MethodNotAllowed);

/// List audiences.
#[utoipa::path(
    get,
    path = "/api/audiences",
    tag = "audiences",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of audiences: which was made first is first", body = AudiencesView), ListProblems)
)]
async fn get_audiences(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::ReadRecord>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<AudiencesView>, Problem> {
    let company = caller.company.id();
    let (saved, next) = filters(&accounts).page(company, query.page()?).await?;
    let audiences = saved.into_iter().map(AudienceView::from).collect();
    Ok(Json(AudiencesView { audiences, next }))
}

crate::problem_responses!(MakeProblems:
    [CALLER, JSON, DATABASE] MethodNotAllowed, AudienceNameTaken, AudienceFilterExists, AudiencesFull, InvalidFilter);

/// Save an audience.
///
/// A filter may refer to audiences of the company (`{"audience": "<id>"}`), up to three behind each other and never in a circle.
#[utoipa::path(
    post,
    path = "/api/audiences",
    tag = "audiences",
    security(("bearer" = [])),
    request_body = AudienceBody,
    responses(
        (status = 201, description = "The audience", body = AudienceView, headers(("Location" = String, description = "The URL of the audience, relative to this one"))),
        MakeProblems
    )
)]
async fn post_audience(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::Audiences>,
    origin: Origin,
    JsonBody(body): JsonBody<AudienceBody>,
) -> Result<impl IntoResponse, Problem> {
    let filters = filters(&accounts);
    let saved = filters.create(&caller, origin, body.read()?, "POST /api/audiences");
    let view = AudienceView::from(saved.await?);
    let location = Location::of(List::Audiences.path(), view.id);
    Ok((StatusCode::CREATED, location, Json(view)))
}

crate::problem_responses!(ReadProblems: [CALLER, DATABASE] NotFound, MethodNotAllowed);

/// Look at an audience.
#[utoipa::path(
    get,
    path = "/api/audiences/{id}",
    tag = "audiences",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the audience")),
    responses((status = 200, description = "The audience", body = AudienceView), ReadProblems)
)]
async fn get_audience(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::ReadRecord>,
    Id(id): Id,
) -> Result<Json<AudienceView>, Problem> {
    let saved = filters(&accounts).find(caller.company.id(), id).await?;
    Ok(Json(saved.into()))
}

crate::problem_responses!(ReplaceProblems:
    [CALLER, JSON, DATABASE] NotFound, MethodNotAllowed, AudienceNameTaken, AudienceFilterExists, InvalidFilter);

/// Change an audience.
///
/// Into what is sent, as a whole. Those that refer to it mean the new filter from then on; answers that were given before can
/// be given again for 30 days, by their `as_of`.
#[utoipa::path(
    put,
    path = "/api/audiences/{id}",
    tag = "audiences",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the audience")),
    request_body = AudienceBody,
    responses((status = 200, description = "The audience", body = AudienceView), ReplaceProblems)
)]
async fn put_audience(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::Audiences>,
    origin: Origin,
    Id(id): Id,
    JsonBody(body): JsonBody<AudienceBody>,
) -> Result<Json<AudienceView>, Problem> {
    let filters = filters(&accounts);
    let saved = filters.replace(&caller, origin, id, body.read()?).await?;
    Ok(Json(saved.into()))
}

crate::problem_responses!(DeleteProblems: [CALLER, DATABASE] NotFound, MethodNotAllowed, AudienceInUse);

/// Delete an audience.
///
/// Unless audiences or presets refer to it: `used_by` names them.
#[utoipa::path(
    delete,
    path = "/api/audiences/{id}",
    tag = "audiences",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the audience")),
    responses((status = 204, description = "It is deleted"), DeleteProblems)
)]
async fn delete_audience(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::Audiences>,
    origin: Origin,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let filters = filters(&accounts);
    let deleted = filters.delete(&caller, origin, id, "DELETE /api/audiences");
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}
