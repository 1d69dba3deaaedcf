//! `GET /api/counters/{name}/history`
//!
//! Each bucket is a difference of two numbers, so that all of them add up by construction.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, Path, State},
};
use serde::Serialize;
use utoipa::ToSchema;

mod buckets;
pub mod numbers;
pub mod query;

use self::{
    buckets::{Bucket, divided, starts},
    numbers::Unrecorded,
    query::{Asked, HistoryQuery, not_yet},
};
use super::{
    Reason, Record,
    calendar::{Calendar, Unit},
    handle::Off,
    path::NameInPath,
    span::{self, kept_from},
    table::recordings::{self, Recording},
};
use crate::{
    auth::{Callers, May, permission},
    edge::{Code, DescribedRouter, Problem, QueryOf},
    routes,
    storage::sql::{Connection, DatabaseError, schema},
};

/// Buckets of an answer at most.
const MOST: usize = 2000;

/// The routes of this folder.
pub fn router<S>() -> DescribedRouter<S>
where
    Record: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_history))
}

/// Some visits, whose numbers follow each other.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryBucket)]
pub struct View {
    /// When it begins (RFC 3339), as the clock in `tz` shows it. Of visits of which nothing is recorded: when
    /// the visit before them was counted; null if nobody knows.
    #[schema(format = DateTime, required = true, example = "2026-03-01T00:00:00+01:00")]
    pub start: Option<String>,
    /// The number of the first visit; if there are no visits, that of the next one.
    #[schema(minimum = 1, example = 1)]
    pub first: u64,
    /// The number of the last visit; if there are no visits, that of the one before.
    #[schema(minimum = 0, example = 42)]
    pub last: u64,
    /// How many: `last - first + 1`.
    #[schema(minimum = 0, example = 42)]
    pub visits: u64,
    /// Why nothing is recorded of these visits, if so: `before` recording began; it was `off`; the database
    /// was away for too long (`behind`); they were `lost` with Redis; an `older_version` of Footfall counted
    /// them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unrecorded: Option<&'static str>,
    /// When the visit after them was counted (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    pub end: Option<String>,
}

/// How visits came.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// The oldest first. Their numbers follow each other without a gap.
    pub buckets: Vec<View>,
    /// The sum of their visits.
    #[schema(minimum = 0, example = 42)]
    pub visits: u64,
    /// The number of the last visit that this answer knows: sent again as `as_of`, it gives the same answer
    /// however many visits were counted since.
    #[schema(minimum = 0, example = 42)]
    pub as_of: u64,
}

crate::problem_responses!(HistoryProblems:
    InvalidQuery, InvalidCounterName, MissingToken, InvalidToken, ExpiredToken, Forbidden, CounterNotFound,
    MethodNotAllowed, UnitTooSmall, StoreUnavailable, Overloaded, NoDatabase, DatabaseUnavailable);

/// Read the history of a counter.
///
/// In buckets of time, each a difference of two numbers. Without `from` and `to` all of it: then `visits` is
/// `as_of`, and visits of which nothing is recorded are buckets of their own, marked `unrecorded`.
#[utoipa::path(
    get,
    path = "/api/counters/{name}/history",
    tag = "record",
    security(("bearer" = [])),
    params(NameInPath, HistoryQuery),
    responses((status = 200, description = "The history, the oldest first", body = History), HistoryProblems)
)]
pub async fn get_history(
    State(record): State<Record>,
    caller: May<permission::Read>,
    Path(path): Path<NameInPath>,
    QueryOf(query): QueryOf<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    let (counter, asked) = (path.of(&caller)?, query.asked()?);
    let calendar = asked.calendar.clone();
    let known = record.of(&counter).await?;
    if !known.is_there() {
        return Ok(Json(view(&calendar, unknown(&known, &asked)?)));
    }
    // Only where it ends of itself: nobody knows when these were counted.
    let off = match asked.to {
        None => record.off(&known).await,
        Some(_) => None,
    };
    let read = record.database()?.read("history", move |connection| {
        Box::pin(async move {
            connection.within(counter.company.id()).await?;
            let now = recordings::find(connection, &counter).await?;
            read(connection, &now.unwrap_or(known), off, &asked).await
        })
    });
    let history = read.await??;
    Ok(Json(view(&calendar, history)))
}

/// What was read.
struct Read {
    buckets: Vec<Bucket>,
    as_of: u64,
}

fn view(calendar: &Calendar, read: Read) -> History {
    let visits = read.buckets.iter().map(Bucket::visits).sum();
    let buckets = read.buckets.into_iter().map(|bucket| View {
        first: bucket.first,
        last: bucket.last,
        visits: bucket.visits(),
        start: bucket.start.map(|start| calendar.show(start)),
        end: bucket
            .unrecorded
            .and_then(|(_, end)| end.map(|end| calendar.show(end))),
        unrecorded: bucket.unrecorded.map(|(reason, _)| reason),
    });
    History {
        buckets: buckets.collect(),
        visits,
        as_of: read.as_of,
    }
}

/// The history of a counter of which nothing was recorded yet.
fn unknown(recording: &Recording, asked: &Asked) -> Result<Read, Problem> {
    let as_of = asked.as_of.unwrap_or(recording.began);
    match as_of > recording.began {
        true => Err(not_yet()),
        false => Ok(Read {
            buckets: unless_from(asked, before(recording, as_of)),
            as_of,
        }),
    }
}

fn unless_from(asked: &Asked, before: Option<Bucket>) -> Vec<Bucket> {
    before
        .filter(|_| asked.from.is_none())
        .into_iter()
        .collect()
}

/// Visits that were counted before recording began.
fn before(recording: &Recording, as_of: u64) -> Option<Bucket> {
    let last = recording.began.min(as_of);
    (last > 0).then_some(Bucket {
        start: None,
        first: 1,
        last,
        unrecorded: Some(("before", None)),
    })
}

/// Reads a history, from one state of the database.
async fn read(
    connection: &mut Connection<'_>,
    recording: &Recording,
    off: Option<Off>,
    asked: &Asked,
) -> Result<Result<Read, Problem>, DatabaseError> {
    let known = off.and_then(|off| off.through(recording));
    let known = known.unwrap_or(recording.through);
    let as_of = asked.as_of.unwrap_or(known);
    if as_of > known {
        return Ok(Err(not_yet()));
    }
    let now = schema::now(connection).await?;
    let starts = match span(connection, recording, asked, as_of).await? {
        None => Vec::new(),
        Some((from, to)) => match checked(asked, from, to, now) {
            Ok(starts) => starts,
            Err(problem) => return Ok(Err(problem)),
        },
    };
    // Where each ends is where the next begins, so each boundary is asked for once.
    let mut boundaries = starts.clone();
    boundaries.extend(asked.to);
    let numbers = numbers::before(connection, recording, &boundaries).await?;
    let numbers: Vec<u64> = numbers
        .into_iter()
        .map(|number| number.min(as_of))
        .collect();
    let after = match asked.from {
        None => recording.began.min(as_of),
        Some(_) => numbers.first().copied().unwrap_or(as_of),
    };
    let ends = numbers.iter().copied().skip(1);
    let ends = ends.chain(asked.to.is_none().then_some(as_of));
    let starts: Vec<_> = starts.into_iter().zip(ends).collect();
    let through = match asked.to {
        None => as_of,
        Some(_) => starts.last().map_or(after, |(_, last)| *last),
    };
    let unrecorded = gaps(connection, recording, (after, through), as_of).await?;
    let mut buckets = unless_from(asked, before(recording, as_of));
    buckets.extend(divided(after, &starts, &unrecorded));
    match buckets.len() > MOST + 1 {
        true => Ok(Err(too_small(asked.calendar.unit))),
        false => Ok(Ok(Read { buckets, as_of })),
    }
}

/// Visits after one number and up to another of which nothing is recorded, with those that were counted while
/// recording is off.
async fn gaps(
    connection: &mut Connection<'_>,
    recording: &Recording,
    (after, through): (u64, u64),
    as_of: u64,
) -> Result<Vec<Unrecorded>, DatabaseError> {
    let mut gaps = numbers::unrecorded(connection, recording, after, through, MOST + 1).await?;
    let first = recording.through.max(after) + 1;
    if through >= first {
        gaps.push(Unrecorded {
            first,
            last: through,
            reason: Reason::Off.text(),
            first_at: recording.through_at,
            last_at: 0,
        });
    }
    // The one after it is none that this answer knows.
    for gap in gaps.iter_mut().filter(|gap| gap.last >= as_of) {
        gap.last_at = 0;
    }
    Ok(gaps)
}

/// From which minute to before which; `None` if nothing is in between.
async fn span(
    connection: &mut Connection<'_>,
    recording: &Recording,
    asked: &Asked,
    as_of: u64,
) -> Result<Option<(i64, i64)>, DatabaseError> {
    let from = match asked.from {
        Some(from) => Some(from),
        None => {
            let first = numbers::first_minute(connection, recording).await?;
            let floor = |minute| asked.calendar.floor(span::moment(minute));
            first.map(|minute| floor(minute).as_second().div_euclid(60))
        }
    };
    let to = match asked.to {
        Some(to) => Some(to),
        None => match numbers::recorded_to(connection, recording, as_of).await? {
            last if last <= recording.began => None,
            last => {
                let last = numbers::minute_of(connection, recording, last).await?;
                last.map(|minute| minute + 1)
            }
        },
    };
    Ok(from.zip(to).filter(|(from, to)| from < to))
}

/// Where units begin, if that is known and not too much.
fn checked(asked: &Asked, from: i64, to: i64, now: i64) -> Result<Vec<i64>, Problem> {
    let unit = asked.calendar.unit;
    for (name, minute) in [("from", asked.from), ("to", asked.to)] {
        minute.map_or(Ok(()), |minute| span::known(name, minute, now))?;
    }
    if unit == Unit::Minute && from < kept_from(now) {
        return Err(Problem::from(Code::UnitTooSmall).with_detail(
            "Minutes are known of the last 90 days only: ask for unit=hour, or for a later `from`.",
        ));
    }
    starts(&asked.calendar, from, to, MOST).ok_or_else(|| too_small(unit))
}

fn too_small(unit: Unit) -> Problem {
    let problem = Problem::from(Code::UnitTooSmall);
    match unit.larger() {
        Some(larger) => problem.with_detail(format!(
            "There would be more than {MOST} buckets: ask for unit={}, or for less by `from` and `to`.",
            larger.name()
        )),
        None => problem.with_detail(format!(
            "There would be more than {MOST} buckets: ask for less by `from` and `to`."
        )),
    }
}
