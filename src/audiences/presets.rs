//! `/api/presets`

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

use crate::{
    accounts::{Accounts, fields::Text, location::Location, origin::Origin, path::Id},
    audiences::saved::{Filters, List, New, Saved},
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
        .routes(routes!(get_presets, post_preset))
        .routes(routes!(get_preset, put_preset, delete_preset))
}

fn filters(accounts: &Accounts) -> Filters<'_> {
    Filters {
        accounts,
        list: List::Presets,
    }
}

/// A preset: a filter under a name, for whoever wants to use it again.
#[derive(Serialize, ToSchema)]
#[schema(as = Preset)]
struct PresetView {
    /// Its id.
    id: Uuid,
    /// What it is called.
    #[schema(example = "Pro customers in Austria")]
    preset_name: String,
    /// Its filter, in its canonical form.
    #[schema(value_type = crate::audiences::schema::FilterSchema)]
    preset_filter_json: Box<RawValue>,
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

impl From<Saved> for PresetView {
    fn from(saved: Saved) -> Self {
        let Saved {
            row,
            filter,
            sentence,
        } = saved;
        Self {
            id: row.id,
            preset_name: row.name,
            preset_filter_json: filter,
            hash: row.hash,
            sentence,
            created_at: time::format(row.created_at),
            updated_at: time::format(row.updated_at),
        }
    }
}

/// A page of presets.
#[derive(Serialize, ToSchema)]
#[schema(as = Presets)]
struct PresetsView {
    /// Which was made first is first.
    presets: Vec<PresetView>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    next: Option<Cursor<Uuid>>,
}

/// A preset that is to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewPreset)]
#[serde(deny_unknown_fields)]
struct PresetBody {
    /// What you call it. No two presets of a company have names that look alike.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, example = "Pro customers in Austria")]
    preset_name: Text,
    /// Who is meant. No two presets of a company have filters that mean the same.
    #[serde(default)]
    #[schema(value_type = crate::audiences::schema::FilterSchema, required = true)]
    preset_filter_json: Option<Box<RawValue>>,
}

impl PresetBody {
    fn read(self) -> Result<New, Problem> {
        New::read(
            List::Presets,
            self.preset_name,
            self.preset_filter_json.as_deref(),
        )
    }
}

crate::problem_responses!(ListProblems: [CALLER, DATABASE] InvalidQuery, MethodNotAllowed);

/// List presets.
#[utoipa::path(
    get,
    path = "/api/presets",
    tag = "presets",
    security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, description = "A page of presets: which was made first is first", body = PresetsView), ListProblems)
)]
async fn get_presets(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::ReadRecord>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<PresetsView>, Problem> {
    let company = caller.company.id();
    let (saved, next) = filters(&accounts).page(company, query.page()?).await?;
    let presets = saved.into_iter().map(PresetView::from).collect();
    Ok(Json(PresetsView { presets, next }))
}

crate::problem_responses!(MakeProblems:
    [CALLER, JSON, DATABASE] MethodNotAllowed, PresetNameTaken, PresetFilterExists, PresetsFull, InvalidFilter);

/// Save a preset.
///
/// A filter may refer to audiences of the company (`{"audience": "<id>"}`), up to three behind each other and never in a circle.
#[utoipa::path(
    post,
    path = "/api/presets",
    tag = "presets",
    security(("bearer" = [])),
    request_body = PresetBody,
    responses(
        (status = 201, description = "The preset", body = PresetView, headers(("Location" = String, description = "The URL of the preset, relative to this one"))),
        MakeProblems
    )
)]
async fn post_preset(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::Audiences>,
    origin: Origin,
    JsonBody(body): JsonBody<PresetBody>,
) -> Result<impl IntoResponse, Problem> {
    let filters = filters(&accounts);
    let saved = filters.create(&caller, origin, body.read()?, "POST /api/presets");
    let view = PresetView::from(saved.await?);
    let location = Location::of(List::Presets.path(), view.id);
    Ok((StatusCode::CREATED, location, Json(view)))
}

crate::problem_responses!(ReadProblems: [CALLER, DATABASE] NotFound, MethodNotAllowed);

/// Look at a preset.
#[utoipa::path(
    get,
    path = "/api/presets/{id}",
    tag = "presets",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the preset")),
    responses((status = 200, description = "The preset", body = PresetView), ReadProblems)
)]
async fn get_preset(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::ReadRecord>,
    Id(id): Id,
) -> Result<Json<PresetView>, Problem> {
    let saved = filters(&accounts).find(caller.company.id(), id).await?;
    Ok(Json(saved.into()))
}

crate::problem_responses!(ReplaceProblems:
    [CALLER, JSON, DATABASE] NotFound, MethodNotAllowed, PresetNameTaken, PresetFilterExists, InvalidFilter);

/// Change a preset.
///
/// Into what is sent, as a whole.
#[utoipa::path(
    put,
    path = "/api/presets/{id}",
    tag = "presets",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the preset")),
    request_body = PresetBody,
    responses((status = 200, description = "The preset", body = PresetView), ReplaceProblems)
)]
async fn put_preset(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::Audiences>,
    origin: Origin,
    Id(id): Id,
    JsonBody(body): JsonBody<PresetBody>,
) -> Result<Json<PresetView>, Problem> {
    let filters = filters(&accounts);
    let saved = filters.replace(&caller, origin, id, body.read()?).await?;
    Ok(Json(saved.into()))
}

crate::problem_responses!(DeleteProblems: [CALLER, DATABASE] NotFound, MethodNotAllowed);

/// Delete a preset.
///
/// Nothing refers to presets, so nothing is in the way.
#[utoipa::path(
    delete,
    path = "/api/presets/{id}",
    tag = "presets",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the preset")),
    responses((status = 204, description = "It is deleted"), DeleteProblems)
)]
async fn delete_preset(
    State(accounts): State<Arc<Accounts>>,
    caller: May<permission::Audiences>,
    origin: Origin,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let filters = filters(&accounts);
    let deleted = filters.delete(&caller, origin, id, "DELETE /api/presets");
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}
