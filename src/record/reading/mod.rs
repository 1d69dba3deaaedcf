//! `GET /api/counters/{name}/visits` and `GET /api/counters/{name}/visits/{number}`

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRef, Path, State},
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;
use utoipa::IntoParams;

pub mod format;
pub mod page;
pub mod rows;

use self::{
    format::Format,
    page::{Line, page},
};
use super::{
    Record,
    history::query::{as_of, not_yet},
    path::NameInPath,
    table::recordings::Recording,
};
use crate::{
    audit::{self, Action, Actor, Kind},
    auth::{Callers, May, permission},
    counting::CounterId,
    edge::{
        ClientAddress, Code, DescribedRouter, Problem, QueryOf, RequestContext,
        query::{given, invalid},
    },
    routes,
    storage::sql::{Database, DatabaseError},
};

/// Up to which number an answer goes, to be asked for again.
const AS_OF: HeaderName = HeaderName::from_static("footfall-as-of");

/// Numbers that are in memory at a time.
const PAGE: u64 = 1000;

/// The routes of this folder.
pub fn router<S>() -> DescribedRouter<S>
where
    Record: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new()
        .routes(routes!(get_visits))
        .routes(routes!(get_visit))
}

/// Which visits. Forms send what was left empty, so empty is absent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
struct VisitsQuery {
    /// Only those with a greater number.
    #[param(value_type = Option<u64>, minimum = 0, example = 0)]
    after: Option<String>,
    /// Only those with a smaller number.
    #[param(value_type = Option<u64>, minimum = 0, example = 1001)]
    before: Option<String>,
    /// As if no visit with a greater number had been counted: the `Footfall-As-Of` of another answer.
    #[param(value_type = Option<u64>, minimum = 0)]
    as_of: Option<String>,
}

/// No visit has a greater number: both databases keep it as a signed one.
const GREATEST: u64 = i64::MAX.unsigned_abs();

/// Numbers after one, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    after: u64,
    through: u64,
}

impl VisitsQuery {
    /// Of visits up to a number that is known.
    fn numbers(&self, known: u64) -> Result<(Numbers, u64), Problem> {
        let number = |name: &str, value: &Option<String>| {
            let of = |text: &str| text.parse().ok().filter(|number| *number <= GREATEST);
            let number = given(value.as_deref());
            let number = number.map(|text| of(text).ok_or(text)).transpose();
            number.map_err(|_| invalid(format!("{name} must be the number of a visit.")))
        };
        let after = number("after", &self.after)?.unwrap_or(0);
        let before = number("before", &self.before)?.unwrap_or(u64::MAX);
        let as_of = as_of(self.as_of.as_deref())?.unwrap_or(known);
        if as_of > known {
            return Err(not_yet());
        }
        let through = as_of.min(before.saturating_sub(1));
        Ok((Numbers { after, through }, as_of))
    }
}

crate::problem_responses!(VisitsProblems:
    InvalidQuery, InvalidCounterName, MissingToken, InvalidToken, ExpiredToken, Forbidden, CounterNotFound,
    MethodNotAllowed, StoreUnavailable, Overloaded, NoDatabase, DatabaseUnavailable);

/// Read the visits of a counter.
///
/// All that are asked for, one on each line, in the order of their numbers. Visits of which nothing is kept
/// are one line: the number of the first of them, `unrecorded` with the reason, and `unrecorded_to` with
/// the number of the last. With `Accept: text/csv` a table, in which a text that a spreadsheet would take for a
/// formula begins with `'`. The answer is complete if it ends as HTTP says it does: should the database fail
/// on the way, the connection is cut. It is an entry of the audit trail.
#[utoipa::path(
    get,
    path = "/api/counters/{name}/visits",
    tag = "record",
    security(("bearer" = [])),
    params(NameInPath, VisitsQuery),
    responses(
        (status = 200, description = "The visits", content(
            (Line = "application/x-ndjson"),
            (String = "text/csv", example = "number,at,visitor,path,referrer,campaign,country,properties,unrecorded,unrecorded_to\r\n1,2026-03-01T12:00:00.000Z,,/pricing,,,,,,\r\n"),
        ), headers(("Footfall-As-Of" = u64, description = "Up to which number it goes: sent again as `as_of`, the answer is the same"))),
        VisitsProblems
    )
)]
async fn get_visits(
    State(record): State<Record>,
    caller: May<permission::ReadRecord>,
    ClientAddress(client): ClientAddress,
    axum::Extension(context): axum::Extension<RequestContext>,
    headers: HeaderMap,
    Path(path): Path<NameInPath>,
    QueryOf(query): QueryOf<VisitsQuery>,
) -> Result<Response, Problem> {
    let counter = path.of(&caller)?;
    let recording = record.of(&counter).await?;
    let (numbers, as_of) = query.numbers(known(&record, &recording).await)?;
    let database = record.database()?.clone();
    let request_id = context.id.value.to_str().unwrap_or_default();
    let entry = audit::Entry::new(
        counter.company.id(),
        Actor::from(&**caller),
        Action::ExportRecord,
    );
    let entry = entry
        .on(Kind::Counter, &counter.name)
        .from_request(request_id, client);
    let noted = database.write("record_export", move |connection| {
        Box::pin(async move {
            connection.within(entry.company).await?;
            audit::record(connection, &entry).await
        })
    });
    noted.await?;
    let format = Format::wanted(&headers);
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (AS_OF, as_of.to_string()),
    ];
    let lines = lines(database, recording, numbers, format);
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// All lines, page by page: each is read by itself, as the client takes what came before. What goes wrong on
/// the way cuts the connection.
fn lines(
    database: Database,
    recording: Recording,
    numbers: Numbers,
    format: Format,
) -> impl stream::Stream<Item = Result<Bytes, DatabaseError>> {
    let start = Some((numbers, format.head()));
    stream::try_unfold(start, move |at| {
        let (database, recording) = (database.clone(), recording.clone());
        async move {
            let Some((numbers, mut text)) = at else {
                return Ok(None);
            };
            let read = read(&database, recording, numbers, PAGE).await;
            let (lines, read_to) = read.inspect_err(|error| {
                tracing::warn!(%error, "what was read of a record was cut off");
            })?;
            for line in &lines {
                format.write(line, &mut text);
            }
            let rest = Numbers {
                after: read_to,
                ..numbers
            };
            let next = (read_to < numbers.through).then(|| (rest, Vec::new()));
            Ok(Some((Bytes::from(text), next)))
        }
    })
}

async fn read(
    database: &Database,
    recording: Recording,
    numbers: Numbers,
    most: u64,
) -> Result<(Vec<Line>, u64), DatabaseError> {
    let read = database.read("record_page", move |connection| {
        Box::pin(async move {
            connection.within(recording.company()).await?;
            page(connection, &recording, numbers.after, numbers.through, most).await
        })
    });
    read.await
}

/// Up to which number something is known of visits: that nothing is recorded, at least.
async fn known(record: &Record, recording: &Recording) -> u64 {
    let off = record.off(recording).await;
    let off = off.and_then(|off| off.through(recording));
    off.unwrap_or(recording.through)
}

/// The last visits of a counter of which something is recorded, or known not to be, the newest first: as many
/// numbers at most.
///
/// # Errors
///
/// Those of reading them.
pub async fn last(record: &Record, counter: &CounterId, most: u64) -> Result<Vec<Line>, Problem> {
    let recording = record.of(counter).await?;
    let through = known(record, &recording).await;
    let numbers = Numbers {
        after: through.saturating_sub(most),
        through,
    };
    let (mut lines, _) = read(record.database()?, recording, numbers, most).await?;
    lines.reverse();
    Ok(lines)
}

/// Which visit.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct NumberInPath {
    /// Name of the counter.
    #[param(
        min_length = 1,
        max_length = 64,
        pattern = "^[a-z0-9][a-z0-9._-]{0,63}$",
        example = "signup.page"
    )]
    pub name: String,
    /// Number of the visit.
    #[param(value_type = u64, minimum = 1, example = 42)]
    pub number: String,
}

crate::problem_responses!(VisitProblems:
    InvalidCounterName, MissingToken, InvalidToken, ExpiredToken, Forbidden, NotFound, CounterNotFound,
    MethodNotAllowed, StoreUnavailable, Overloaded, NoDatabase, DatabaseUnavailable);

/// Read a visit.
///
/// One that waits to be recorded is not found yet.
#[utoipa::path(
    get,
    path = "/api/counters/{name}/visits/{number}",
    tag = "record",
    security(("bearer" = [])),
    params(NumberInPath),
    responses((status = 200, description = "The visit", body = Line), VisitProblems)
)]
pub async fn get_visit(
    State(record): State<Record>,
    caller: May<permission::ReadRecord>,
    Path(path): Path<NumberInPath>,
) -> Result<Json<Line>, Problem> {
    let counter = NameInPath::from(path.name).of(&caller)?;
    let recording = record.of(&counter).await?;
    let number = path.number.parse::<u64>().ok();
    let known = known(&record, &recording).await;
    let number = number.filter(|number| (1..=known).contains(number));
    let number = number.ok_or_else(|| {
        Problem::from(Code::NotFound)
            .with_detail("No visit with this number is recorded, or not yet.")
    })?;
    let numbers = Numbers {
        after: number - 1,
        through: number,
    };
    let (lines, _) = read(record.database()?, recording, numbers, 1).await?;
    let line = lines.into_iter().next();
    line.map(Json).ok_or_else(|| Code::NotFound.into())
}
