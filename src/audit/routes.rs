//! `GET /api/audit`

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRef, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use mime::Mime;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Action, Actor, Entry, Kind, Position, address,
    page::{Listed, Selection, page},
    query::AuditQuery,
    record, time,
    verify::hex,
};
use crate::{
    auth::{Caller, Callers, May, permission::ReadAudit},
    edge::{
        ClientAddress, Code, DescribedRouter, Problem, QueryOf, RequestContext,
        page::{Cursor, Page},
    },
    routes,
    storage::sql::{Database, DatabaseError},
};

/// Lines as JSON, one for each entry.
const NDJSON: &str = "application/x-ndjson";

/// Entries of an export that are in memory at a time.
const BATCH: usize = 500;

/// What the routes of this room use.
#[derive(Clone)]
pub struct AuditState {
    /// Where the trail is, if there is any.
    pub database: Option<Database>,
}

/// The routes of this room.
pub fn router<S>() -> DescribedRouter<S>
where
    AuditState: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_audit))
}

/// Who did something.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
pub struct Doer {
    /// `user`, `api_token`, `operator`, `command`, `system` or `anonymous`.
    #[schema(example = "user")]
    pub kind: String,
    /// Who, of the first two.
    pub id: Option<Uuid>,
}

/// What something was done to.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditObject)]
pub struct Thing {
    /// `user`, `session`, `company`, …
    #[schema(example = "user")]
    pub kind: String,
    /// Which of them.
    #[schema(example = "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e")]
    pub id: String,
}

/// An entry of the audit trail.
#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its id.
    pub id: Uuid,
    /// The company whose trail it is in.
    pub company: Uuid,
    /// Its place there: 1, 2, 3, … without a gap.
    #[schema(minimum = 1)]
    pub seq: i64,
    /// When it was written (RFC 3339).
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub recorded_at: String,
    /// How many equal things it stands for.
    #[schema(minimum = 1, example = 1)]
    pub events: i64,
    /// When the first of them happened.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub first_at: String,
    /// When the last of them happened.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub last_at: String,
    /// Who did it.
    pub actor: Doer,
    /// What was done, or tried: `subject.verb`.
    #[schema(example = "session.login")]
    pub action: String,
    /// What it was done to.
    pub object: Option<Thing>,
    /// `success`, `failure` or `denied`.
    #[schema(example = "failure")]
    pub outcome: String,
    /// The request it came with.
    #[schema(example = "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e")]
    pub request_id: Option<String>,
    /// Where it came from; after 30 days the network of that.
    #[schema(example = "192.0.2.1")]
    pub address: Option<String>,
    /// What else is to be known.
    #[schema(value_type = Object, example = json!({"reason": "invalid_credentials"}))]
    pub details: serde_json::Value,
    /// The hash of all this but the address, and of the entry before, in hexadecimal.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub hash: String,
}

/// A page of the audit trail.
#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    pub next: Option<Cursor<Position>>,
}

impl From<Listed> for AuditEntry {
    fn from(Listed { row, address }: Listed) -> Self {
        Self {
            id: row.id,
            company: row.company_id,
            seq: row.seq,
            recorded_at: time::format(row.recorded_at),
            events: row.events,
            first_at: time::format(row.first_at),
            last_at: time::format(row.last_at),
            actor: Doer {
                kind: row.actor,
                id: row.actor_id,
            },
            action: row.action,
            object: row
                .object
                .zip(row.object_id)
                .map(|(kind, id)| Thing { kind, id }),
            outcome: row.outcome,
            request_id: row.request_id,
            address: address.and_then(|bytes| address::text(&bytes)),
            // What is no JSON was not written by us, and is shown as it is.
            details: serde_json::from_str(&row.details)
                .unwrap_or(serde_json::Value::String(row.details)),
            hash: hex(&row.hash),
        }
    }
}

crate::problem_responses!(AuditProblems: [CALLER, DATABASE] InvalidQuery, NotFound, MethodNotAllowed);

/// Read the audit trail.
///
/// The newest entries first. With `Accept: application/x-ndjson` all entries that are asked for,
/// one on each line; this is itself an entry.
#[utoipa::path(
    get,
    path = "/api/audit",
    tag = "audit",
    security(("bearer" = [])),
    params(AuditQuery),
    responses(
        (status = 200, description = "A page of entries, or all of them", content(
            (AuditPage = "application/json"),
            (AuditEntry = "application/x-ndjson"),
        )),
        AuditProblems
    )
)]
pub async fn get_audit(
    State(state): State<AuditState>,
    caller: May<ReadAudit>,
    ClientAddress(client): ClientAddress,
    axum::Extension(context): axum::Extension<RequestContext>,
    headers: HeaderMap,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Response, Problem> {
    if !wants_lines(&headers) {
        let listed = audit_page(state, &caller, query).await?;
        return Ok(Json(listed).into_response());
    }
    let request_id = context.id.value.to_str().unwrap_or_default();
    export(state, &caller, (client, request_id), query).await
}

/// A page of the trail.
///
/// # Errors
///
/// Those of `GET /api/audit`.
pub async fn audit_page(
    state: AuditState,
    caller: &May<ReadAudit>,
    query: AuditQuery,
) -> Result<AuditPage, Problem> {
    let selection = query.selection(caller)?;
    let database = state.database.ok_or(Code::NoDatabase)?;
    let (entries, next) = read(&database, selection, query.page()?).await?;
    let entries = entries.into_iter().map(AuditEntry::from).collect();
    Ok(AuditPage { entries, next })
}

/// All entries at once, as lines of JSON. That it was exported stands in the trail.
///
/// # Errors
///
/// Those of `GET /api/audit`.
pub async fn export(
    state: AuditState,
    caller: &May<ReadAudit>,
    (client, request_id): (Option<IpAddr>, &str),
    query: AuditQuery,
) -> Result<Response, Problem> {
    let selection = query.selection(caller)?;
    let database = state.database.ok_or(Code::NoDatabase)?;
    query.of_no_page()?;
    let entry = exported(caller, &selection).from_request(request_id, client);
    let recorded = database.write("audit_export", move |connection| {
        Box::pin(async move {
            connection.within(entry.company).await?;
            record(connection, &entry).await
        })
    });
    recorded.await?;
    let lines = Body::from_stream(lines(database, selection));
    Ok(([(header::CONTENT_TYPE, NDJSON)], lines).into_response())
}

/// Whether the client asks for lines of JSON.
fn wants_lines(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let ranges = values.filter_map(|value| value.to_str().ok());
    let mut ranges = ranges.flat_map(|value| value.split(','));
    ranges.any(|range| {
        let range = range.trim().parse::<Mime>();
        range.is_ok_and(|range| {
            let refused = |weight: mime::Name<'_>| {
                weight
                    .as_str()
                    .parse()
                    .is_ok_and(|weight: f32| weight == 0.0)
            };
            range.essence_str() == NDJSON && !range.get_param("q").is_some_and(refused)
        })
    })
}

/// What is recorded of an export, in the trail of who exports.
fn exported(caller: &Arc<Caller>, selection: &Selection) -> Entry {
    let own = caller.company.id();
    let entry = Entry::new(own, Actor::from(&**caller), Action::ExportAudit);
    match selection.company {
        Some(company) => entry.on(Kind::Company, company),
        None => entry,
    }
}

async fn read(
    database: &Database,
    selection: Selection,
    asked: Page<Position>,
) -> Result<(Vec<Listed>, Option<Cursor<Position>>), DatabaseError> {
    let read = database.read("audit_page", move |connection| {
        Box::pin(async move { page(connection, &selection, asked).await })
    });
    read.await
}

/// All that is asked for, bit by bit: each read by itself, as the client takes what came before. What is
/// appended meanwhile is newer, and not in it.
fn lines(
    database: Database,
    selection: Selection,
) -> impl stream::Stream<Item = Result<Bytes, DatabaseError>> {
    let start = Some(Page::first(BATCH));
    stream::try_unfold(start, move |at| {
        let (database, selection) = (database.clone(), selection.clone());
        async move {
            let Some(asked) = at else {
                return Ok(None);
            };
            let read = read(&database, selection, asked).await;
            let (entries, next) = read.inspect_err(|error| {
                tracing::warn!(%error, "an export of the audit trail was cut off");
            })?;
            let mut text = Vec::new();
            for entry in entries.into_iter().map(AuditEntry::from) {
                // Text, numbers and JSON: it cannot fail.
                let _ = serde_json::to_writer(&mut text, &entry);
                text.push(b'\n');
            }
            let next = next.map(|next| asked.next(next));
            Ok(Some((Bytes::from(text), next)))
        }
    })
}
