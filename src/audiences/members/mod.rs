//! `GET /api/audiences/{id}/size` and `GET /api/audiences/{id}/members`

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRef, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

mod rows;

use super::evaluate::{AsOf, Engine, Evaluated};
use crate::{
    accounts::{Accounts, by::By, origin::Origin, path::Id},
    audit::{self, Action, Kind, time},
    auth::{Caller, Callers, May, permission},
    edge::{
        DescribedRouter, Problem, QueryOf,
        query::{given, invalid},
    },
    record::reading::format::{Format, cell},
    routes,
    storage::sql::{Database, DatabaseError},
};

/// An answer as of which others can be given.
const AS_OF: HeaderName = HeaderName::from_static("footfall-as-of");

/// The moment in it.
const AT: HeaderName = HeaderName::from_static("footfall-at");

/// The numbers in it.
const COUNTERS: HeaderName = HeaderName::from_static("footfall-counters");

/// Longest list of numbers in a header, in bytes: proxies bound what they take of all headers together.
const MAX_COUNTERS_BYTES: usize = 4 * 1024;

/// Members that are in memory at a time.
const PAGE: usize = 1000;

/// The routes of this folder.
pub fn router<S>() -> DescribedRouter<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    Engine: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_size))
        .routes(routes!(get_members))
}

/// As of which answer. Forms send what was left empty, so empty is absent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct AsOfQuery {
    /// The `as_of` of an earlier answer: whatever has been counted or changed since, this one is the same.
    #[param(value_type = Option<String>)]
    pub as_of: Option<String>,
}

impl AsOfQuery {
    /// What was sent.
    ///
    /// # Errors
    ///
    /// `invalid_query` if it is none.
    pub fn read(&self) -> Result<Option<AsOf>, Problem> {
        as_of(self.as_of.as_deref())
    }
}

fn as_of(text: Option<&str>) -> Result<Option<AsOf>, Problem> {
    given(text).map(AsOf::parse).transpose()
}

/// How many visitors are in an audience.
#[derive(Serialize, ToSchema)]
#[schema(as = AudienceSize)]
pub struct SizeView {
    /// How many.
    #[schema(minimum = 0, example = 1234)]
    pub size: u64,
    /// Sent again as `as_of`, the answer is the same.
    pub as_of: String,
    /// The moment in it: `within` goes back from there (RFC 3339).
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub at: String,
    /// The numbers in it: up to which visit each counter was looked at.
    #[schema(example = json!({"signup": 4711}))]
    pub counters: BTreeMap<String, u64>,
}

crate::problem_responses!(SizeProblems:
    [CALLER, DATABASE] InvalidQuery, NotFound, MethodNotAllowed, VisitorsOfADay, TooManyCounters, AsOfTooOld, InvalidFilter,
    Overloaded, QueryTooSlow);

/// Count the members of an audience.
///
/// How many visitors are in it, exactly, now or as of an earlier answer.
#[utoipa::path(
    get,
    path = "/api/audiences/{id}/size",
    tag = "audiences",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the audience"), AsOfQuery),
    responses((status = 200, description = "How many", body = SizeView), SizeProblems)
)]
pub async fn get_size(
    State(engine): State<Engine>,
    caller: May<permission::ReadRecord>,
    Id(id): Id,
    QueryOf(query): QueryOf<AsOfQuery>,
) -> Result<Json<SizeView>, Problem> {
    let as_of = query.read()?;
    let evaluated = engine.evaluate_audience(caller.company, id, as_of.as_ref());
    let evaluated = evaluated.await?;
    Ok(Json(SizeView {
        size: evaluated.visitors.len(),
        as_of: evaluated.as_of.to_string(),
        at: time::format(evaluated.as_of.instant),
        counters: evaluated.counters,
    }))
}

/// Which members, and how. Forms send what was left empty, so empty is absent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct MembersQuery {
    /// `ndjson` or `csv`; without it, as `Accept` says.
    #[param(value_type = Option<String>, pattern = "^(ndjson|csv)?$", example = "ndjson")]
    pub format: Option<String>,
    /// Only those that come after this visitor, as a line shows it.
    pub after: Option<String>,
    /// The `as_of` of an earlier answer: whatever has been counted or changed since, the members are the same.
    pub as_of: Option<String>,
}

impl MembersQuery {
    fn format(&self, headers: &HeaderMap) -> Result<Format, Problem> {
        match given(self.format.as_deref()) {
            None => Ok(Format::wanted(headers)),
            Some("ndjson") => Ok(Format::Ndjson),
            Some("csv") => Ok(Format::Csv),
            Some(_) => Err(invalid("format must be ndjson or csv.")),
        }
    }
}

/// A member of an audience.
#[derive(Serialize, ToSchema)]
#[schema(as = AudienceMember)]
struct Member<'a> {
    /// Who: `#` or `~` and a hash, or the name as it was given.
    #[schema(example = "#Zm9vdGZhbGwgdmlzaXRvcg")]
    visitor: &'a str,
}

crate::problem_responses!(MembersProblems:
    [CALLER, DATABASE] InvalidQuery, NotFound, MethodNotAllowed, VisitorsOfADay, TooManyCounters, AsOfTooOld, InvalidFilter,
    Overloaded, QueryTooSlow);

/// List the members of an audience.
///
/// All of them, one on each line, always in the same order. With `format=csv` (or `Accept: text/csv`) a table, in
/// which a text that a spreadsheet would take for a formula begins with `'`. The answer is complete if it ends as HTTP says
/// it does: should the database fail on the way, the connection is cut. To go on, send its `Footfall-As-Of` as `as_of`
/// and the last visitor that you have as `after`. It is an entry of the audit trail.
#[utoipa::path(
    get,
    path = "/api/audiences/{id}/members",
    tag = "audiences",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Id of the audience"), MembersQuery),
    responses(
        (status = 200, description = "The members", content(
            (Member = "application/x-ndjson"),
            (String = "text/csv", example = "visitor\r\n#Zm9vdGZhbGwgdmlzaXRvcg\r\n"),
        ), headers(
            ("Footfall-As-Of" = String, description = "Sent again as `as_of`, the members are the same"),
            ("Footfall-At" = String, description = "The moment in it (RFC 3339)"),
            ("Footfall-Counters" = String, description = "The numbers in it, a JSON object; left out if it is longer than 4 KiB: `/size` with the same `as_of` has it"),
        )),
        MembersProblems
    )
)]
pub async fn get_members(
    State(accounts): State<Arc<Accounts>>,
    State(engine): State<Engine>,
    caller: May<permission::ReadRecord>,
    origin: Origin,
    Id(id): Id,
    headers: HeaderMap,
    QueryOf(query): QueryOf<MembersQuery>,
) -> Result<Response, Problem> {
    let format = query.format(&headers)?;
    let Listed { evaluated, .. } =
        listed(&accounts, &engine, (&caller, origin), id, &query).await?;
    let headers = headers_of(&evaluated, format);
    let (database, company) = (accounts.database()?.clone(), caller.company.id());
    let lines = lines(database, company, evaluated.visitors, format);
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Members that are to be listed.
#[derive(Debug)]
pub struct Listed {
    /// How many the audience has in all.
    pub size: u64,
    /// Those who come after the one that was asked for.
    pub evaluated: Evaluated,
}

/// Whom a list of members has, as that is noted in the audit trail.
///
/// # Errors
///
/// Those of the route.
pub async fn listed(
    accounts: &Accounts,
    engine: &Engine,
    (caller, origin): (&Caller, Origin),
    id: Uuid,
    query: &MembersQuery,
) -> Result<Listed, Problem> {
    let as_of = as_of(query.as_of.as_deref())?;
    let (database, company) = (accounts.database()?, caller.company.id());
    let after = match given(query.after.as_deref()) {
        Some(after) => Some(after_whom(database, company, after).await?),
        None => None,
    };
    let evaluated = engine.evaluate_audience(caller.company, id, as_of.as_ref());
    let mut evaluated = evaluated.await?;
    let size = evaluated.visitors.len();
    if let Some(after) = after {
        evaluated.visitors.remove_range(0..=after);
    }
    let entry = By::caller(caller, origin).entry(company, Action::ExportAudience);
    let entry = entry.on(Kind::Audience, id);
    let noted = database.write("audience_export", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            audit::record(connection, &entry).await
        })
    });
    noted.await?;
    Ok(Listed { size, evaluated })
}

/// The number of the visitor after whom to go on.
async fn after_whom(database: &Database, company: Uuid, after: &str) -> Result<u64, Problem> {
    let after = after.to_owned();
    // PostgreSQL keeps no such text, so nobody is called like that.
    let is_possible = !after.contains('\0');
    let number = database.read("audience_after", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            match is_possible {
                true => rows::number(connection, company, &after).await,
                false => Ok(None),
            }
        })
    });
    let number = number.await?.map(i64::unsigned_abs);
    number.ok_or_else(|| {
        invalid(
            "after must be a visitor as a line shows it, and there is none like this. One that was erased meanwhile is not there any more: send the one before.",
        )
    })
}

fn headers_of(evaluated: &Evaluated, format: Format) -> HeaderMap {
    let as_of = &evaluated.as_of;
    let mut named = vec![
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (AS_OF, as_of.to_string()),
        (AT, time::format(as_of.instant)),
    ];
    // Names of counters are ASCII.
    let counters = serde_json::to_string(&evaluated.counters).ok();
    let counters = counters.filter(|text| text.len() <= MAX_COUNTERS_BYTES);
    named.extend(counters.map(|text| (COUNTERS, text)));
    let valued = named.into_iter();
    let valued = valued.filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)));
    valued.collect()
}

/// All lines, page by page: each is read by itself, as the client takes what came before. What goes wrong on
/// the way cuts the connection.
fn lines(
    database: Database,
    company: Uuid,
    members: RoaringTreemap,
    format: Format,
) -> impl stream::Stream<Item = Result<Bytes, DatabaseError>> {
    let start = Some((members, head(format)));
    stream::try_unfold(start, move |at| {
        let database = database.clone();
        async move {
            let Some((mut members, mut text)) = at else {
                return Ok(None);
            };
            let page: Vec<u64> = members.iter().take(PAGE).collect();
            if let Some(last) = page.last() {
                members.remove_range(0..=*last);
            }
            let names = names(&database, company, &page).await;
            let names = names.inspect_err(|error| {
                tracing::warn!(%error, "what was read of an audience was cut off");
            })?;
            for name in &names {
                write(format, name, &mut text);
            }
            let next = (!members.is_empty()).then(|| (members, Vec::new()));
            Ok(Some((Bytes::from(text), next)))
        }
    })
}

/// What is shown of these visitors, but for those that were erased.
async fn names(
    database: &Database,
    company: Uuid,
    numbers: &[u64],
) -> Result<Vec<String>, DatabaseError> {
    let numbers: Vec<i64> = numbers.iter().map(|number| number.cast_signed()).collect();
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let read = database.read("audience_members", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            rows::names(connection, company, &numbers).await
        })
    });
    read.await
}

/// What is shown of the first members.
///
/// # Errors
///
/// Those of the database.
pub async fn sample(
    database: &Database,
    company: Uuid,
    members: &RoaringTreemap,
    most: usize,
) -> Result<Vec<String>, DatabaseError> {
    let first: Vec<u64> = members.iter().take(most).collect();
    names(database, company, &first).await
}

/// What comes before the first member.
fn head(format: Format) -> Vec<u8> {
    match format {
        Format::Ndjson => Vec::new(),
        Format::Csv => b"visitor\r\n".to_vec(),
    }
}

fn write(format: Format, visitor: &str, text: &mut Vec<u8>) {
    match format {
        Format::Ndjson => {
            // A text: it cannot fail.
            let _ = serde_json::to_writer(&mut *text, &Member { visitor });
            text.push(b'\n');
        }
        Format::Csv => {
            text.extend_from_slice(cell(visitor).as_bytes());
            text.extend_from_slice(b"\r\n");
        }
    }
}
