//! `GET /api/counters/{name}/values`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, Path, State},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

pub mod days;
pub mod field;
mod property;
pub mod slices;
pub mod summing;
mod tally;

use self::{
    field::Field,
    tally::{Look, Parts},
};
use super::{
    Record,
    history::numbers,
    path::NameInPath,
    span,
    table::recordings::{self, Recording},
};
use crate::{
    auth::{Callers, May, permission},
    edge::{
        DescribedRouter, Problem, QueryOf,
        query::{given, invalid},
    },
    routes,
    storage::sql::{Connection, DatabaseError, schema},
};

/// Values of an answer, unless the client wants another number.
const DEFAULT: usize = 10;

/// Values of an answer at most.
const MOST: usize = 100;

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// The routes of this folder.
pub fn router<S>() -> DescribedRouter<S>
where
    Record: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_values))
}

/// Which values. Forms send what was left empty, so empty is absent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct ValuesQuery {
    /// Of what: `path`, `referrer`, `campaign`, `country`, or `properties.` and a key.
    #[param(
        required = true,
        value_type = String,
        pattern = r"^(path|referrer|campaign|country|properties\..{1,64})$",
        example = "path"
    )]
    pub field: Option<String>,
    /// From this date in `tz`, or this time (RFC 3339), on; empty: from the first visit on.
    #[param(example = "2026-03-01")]
    pub from: Option<String>,
    /// Before this date in `tz`, or this time (RFC 3339); empty: to the last visit.
    #[param(example = "2026-04-01")]
    pub to: Option<String>,
    /// In which time zone dates begin: a name of the IANA database. What begins and ends with days of UTC is
    /// answered the fastest.
    #[param(pattern = "^[A-Za-z0-9_+/-]{0,64}$", example = "UTC")]
    pub tz: Option<String>,
    /// Values at most; empty for the default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 100, default = 10)]
    pub limit: Option<String>,
}

/// What is asked for.
struct Asked {
    field: Field,
    from: Option<i64>,
    to: Option<i64>,
    limit: usize,
}

impl ValuesQuery {
    fn asked(&self) -> Result<Asked, Problem> {
        let zone = span::zone(given(self.tz.as_deref()))?;
        let minute = |name, value: &Option<String>| {
            let value = given(value.as_deref());
            value
                .map(|text| span::minute(name, text, &zone))
                .transpose()
        };
        let (from, to) = (minute("from", &self.from)?, minute("to", &self.to)?);
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            return Err(invalid("to must be after from."));
        }
        let limit = given(self.limit.as_deref()).map_or(Some(DEFAULT), |limit| limit.parse().ok());
        let limit = limit.filter(|limit| (1..=MOST).contains(limit));
        Ok(Asked {
            field: Field::named(self.field.as_deref().unwrap_or_default())?,
            from,
            to,
            limit: limit
                .ok_or_else(|| invalid(format!("limit must be a number from 1 to {MOST}.")))?,
        })
    }
}

/// A value, and how often it was carried.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedValue)]
pub struct Counted {
    /// What the visits say; null if they say nothing.
    #[schema(value_type = Option<String>, required = true, example = "/pricing")]
    pub value: Value,
    /// How many visits.
    #[schema(minimum = 1, example = 42)]
    pub visits: u64,
    /// By how many visitors, of those who are told apart.
    #[schema(minimum = 0, example = 7)]
    pub visitors: u64,
}

/// All other values together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OtherValues)]
pub struct Other {
    /// How many visits.
    #[schema(minimum = 0, example = 3)]
    pub visits: u64,
}

/// The most frequent values.
#[derive(Debug, Serialize, ToSchema)]
pub struct Values {
    /// The most frequent first. What says nothing is one of them, beyond `limit`.
    pub values: Vec<Counted>,
    /// All that is not in `values`.
    pub other: Other,
    /// The sum of them: all visits of that time that are recorded and kept.
    #[schema(minimum = 0, example = 45)]
    pub visits: u64,
    /// All who came, of those who are told apart. Who carried several values is one visitor here.
    #[schema(minimum = 0, example = 8)]
    pub visitors: u64,
}

crate::problem_responses!(ValuesProblems:
    InvalidQuery, InvalidCounterName, MissingToken, InvalidToken, ExpiredToken, Forbidden, CounterNotFound,
    MethodNotAllowed, StoreUnavailable, Overloaded, NoDatabase, DatabaseUnavailable);

/// Read what visits carried most.
///
/// `values` and `other` add up to `visits`.
#[utoipa::path(
    get,
    path = "/api/counters/{name}/values",
    tag = "record",
    security(("bearer" = [])),
    params(NameInPath, ValuesQuery),
    responses((status = 200, description = "The most frequent values", body = Values), ValuesProblems)
)]
pub async fn get_values(
    State(record): State<Record>,
    caller: May<permission::ReadRecord>,
    Path(path): Path<NameInPath>,
    QueryOf(query): QueryOf<ValuesQuery>,
) -> Result<Json<Values>, Problem> {
    let (counter, asked) = (path.of(&caller)?, query.asked()?);
    let known = record.of(&counter).await?;
    let read = record.database()?.read("values", move |connection| {
        Box::pin(async move {
            connection.within(counter.company.id()).await?;
            let now = recordings::find(connection, &counter).await?;
            read(connection, &now.unwrap_or(known), &asked).await
        })
    });
    Ok(Json(read.await??))
}

/// Reads values, from one state of the database.
async fn read(
    connection: &mut Connection<'_>,
    recording: &Recording,
    asked: &Asked,
) -> Result<Result<Values, Problem>, DatabaseError> {
    let now = schema::now(connection).await?;
    for (name, minute) in [("from", asked.from), ("to", asked.to)] {
        if let Some(minute) = minute
            && let Err(problem) = span::known(name, minute, now)
        {
            return Ok(Err(problem));
        }
    }
    let (parts, visits) = parts(connection, recording, asked).await?;
    let look = Look {
        recording,
        field: &asked.field,
        parts,
    };
    let (often, carrying) = look.often(connection, asked.limit).await?;
    let who = look.who(connection, &often).await?;
    let texts = match asked.field {
        Field::Text(_) => Some(look.texts(connection, &often).await?),
        Field::Property(_) => None,
    };
    let visitors = |value: &str| who.of.get(value).map_or(0, |of| of.len());
    let shown: u64 = often.iter().map(|(_, visits)| visits).sum();
    let values = often.into_iter().map(|(value, visits)| Counted {
        visits,
        visitors: visitors(&value),
        value: match &texts {
            Some(texts) => texts
                .get(&value)
                .map_or(Value::Null, |text| text.as_str().into()),
            None => serde_json::from_str(&value).unwrap_or(Value::Null),
        },
    });
    let mut values: Vec<_> = values.collect();
    let silent = visits.saturating_sub(carrying);
    if silent > 0 {
        let place = values.partition_point(|value| value.visits >= silent);
        let none = Counted {
            value: Value::Null,
            visits: silent,
            visitors: visitors(""),
        };
        values.insert(place, none);
    }
    Ok(Ok(Values {
        values,
        other: Other {
            visits: carrying.saturating_sub(shown),
        },
        visits,
        visitors: who.all.len(),
    }))
}

/// Which days and which numbers are looked at, and how many visits that are recorded they have.
async fn parts(
    connection: &mut Connection<'_>,
    recording: &Recording,
    asked: &Asked,
) -> Result<(Parts, u64), DatabaseError> {
    let summed = days::summed(connection, recording).await?;
    let from = asked.from.map_or(0, |from| {
        from.div_euclid(DAY) + i64::from(from.rem_euclid(DAY) > 0)
    });
    let to = asked.to.map_or(summed, |to| to.div_euclid(DAY)).min(summed);
    let days = match &asked.field {
        _ if from >= to => (0, 0),
        Field::Text(_) => (from, to),
        Field::Property(key) => property::summed(connection, recording, key, (from, to)).await?,
    };
    let boundaries = [
        asked.from.unwrap_or(0),
        asked.to.unwrap_or(i64::MAX),
        days.0 * DAY,
        days.1 * DAY,
    ];
    let numbers = numbers::before(connection, recording, &boundaries).await?;
    let [first, last, summed_from, summed_to] = [0, 1, 2, 3].map(|place| numbers[place]);
    let base = recording.base;
    let (after, through) = (first.max(base), last.min(recording.through));
    let through = through.max(after);
    let ranges = match days.0 == days.1 {
        true => [(after, through), (0, 0)],
        false => [
            (after, summed_from.max(after)),
            (summed_to.max(base), through.max(summed_to)),
        ],
    };
    let missing = days::unrecorded(connection, recording, after, through).await?;
    Ok((Parts { days, ranges }, through - after - missing))
}
