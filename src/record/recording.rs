//! `GET PUT /api/counters/{name}/recording`

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRef, Path, State as FromState},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    Record,
    handle::new,
    path::NameInPath,
    table::{
        recordings::{self, Recording},
        settings::{self, Settings},
    },
};
use crate::{
    accounts::origin::Origin,
    audit::{self, Action, Actor, Details, Kind},
    auth::{Callers, May, permission},
    counting::{CounterId, carried::VisitorMode},
    edge::{Code, DescribedRouter, JsonBody, Problem},
    json, routes,
    storage::sql::{Connection, DatabaseError, schema},
};

/// The longest that visits are kept.
const MOST_DAYS: u16 = 3650;

/// The routes of this file.
pub fn router<S>() -> DescribedRouter<S>
where
    Record: FromRef<S>,
    Arc<Callers>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    DescribedRouter::new().routes(routes!(get_recording, put_recording))
}

/// What is recorded of a counter, and how far.
#[derive(Serialize, ToSchema)]
#[schema(as = Recording)]
pub struct View {
    /// Whether visits are recorded.
    pub on: bool,
    /// For how many days what is recorded of a visit is kept. It goes by whole days (UTC).
    #[schema(minimum = 1, maximum = 3650, example = 400)]
    pub retention_days: u16,
    /// What is stored of who came: `hashed`, a hash with a key of the company; `daily`, a hash by which a
    /// visitor is known again on the same day only; `given`, the name as it was sent.
    pub visitor: VisitorMode,
    /// Nothing is kept of the visits up to this number: they were counted before recording began, or are
    /// older than `retention_days`.
    #[schema(minimum = 0, example = 0)]
    pub base: u64,
    /// Up to this number visits are recorded, or known not to be.
    #[schema(minimum = 0, example = 41)]
    pub through: u64,
    /// Visits that are counted and wait to be recorded.
    #[schema(minimum = 0, example = 1)]
    pub waiting: u64,
    /// The number of the last visit.
    #[schema(minimum = 0, example = 42)]
    pub count: u64,
    /// How long ago the oldest visit that waits was counted, in seconds; null if none waits.
    #[schema(minimum = 0, required = true, example = 1)]
    pub oldest_waiting_seconds: Option<u64>,
}

crate::problem_responses!(ReadProblems:
    InvalidCounterName, MissingToken, InvalidToken, ExpiredToken, Forbidden, CounterNotFound, MethodNotAllowed,
    StoreUnavailable, Overloaded, NoDatabase, DatabaseUnavailable);

/// Read what is recorded of a counter.
///
/// `through` says how far: with `waiting` and what was counted while recording was off it makes `count`.
#[utoipa::path(
    get,
    path = "/api/counters/{name}/recording",
    tag = "record",
    security(("bearer" = [])),
    params(NameInPath),
    responses((status = 200, description = "What is recorded, and how far", body = View), ReadProblems)
)]
pub async fn get_recording(
    FromState(record): FromState<Record>,
    caller: May<permission::Read>,
    Path(path): Path<NameInPath>,
) -> Result<Json<View>, Problem> {
    let recording = record.of(&path.of(&caller)?).await?;
    Ok(Json(view(&record, &recording).await?))
}

/// How far the store is, which is asked after the database, so that it is not behind it.
async fn view(record: &Record, recording: &Recording) -> Result<View, Problem> {
    let counter = &recording.counter;
    let (mut through, mut waiting, mut oldest) = (recording.through, 0, None);
    let count;
    if let (Some(streams), Some(state)) = (&record.streams, record.state(counter).await?) {
        through = through.max(state.through);
        // One more may have been counted and noted between the two.
        count = state.count.max(state.top);
        waiting = state.top.saturating_sub(through);
        if waiting > 0 {
            let waiting = streams.oldest(counter, through).await?;
            // The clock of this machine may be another.
            oldest = waiting.map(|it| (it.now - it.since).max(0).unsigned_abs() / 1000);
        }
    } else {
        (through, count) = embedded(record, recording).await?;
    }
    Ok(View {
        on: recording.recorded,
        retention_days: recording.retention_days,
        visitor: recording.visitor,
        base: recording.base,
        through,
        waiting,
        count: count.max(through),
        oldest_waiting_seconds: oldest,
    })
}

/// Up to where visits are recorded that are counted in the same file, and the number of the last: of one
/// moment, since both grow in one transaction.
async fn embedded(record: &Record, recording: &Recording) -> Result<(u64, u64), Problem> {
    let (counter, through) = (recording.counter.clone(), recording.through);
    let read = record
        .database()?
        .read("recording_count", move |connection| {
            Box::pin(async move {
                connection.within(counter.company.id()).await?;
                let found = recordings::find(connection, &counter).await?;
                let count = settings::counted(connection, &counter).await?;
                Ok((found.map_or(through, |found| found.through), count))
            })
        });
    match &record.database()?.health() {
        None => Ok(read.await?),
        // Counted in Redis, which knows nothing of recording it yet.
        Some(_) => {
            let count = record.counts.get(&recording.counter).await?;
            Ok((through, count.unwrap_or(0)))
        }
    }
}

/// What is to change: what is left out or null stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = RecordingChanges)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Whether visits are recorded.
    #[serde(default)]
    #[schema(value_type = Option<bool>, example = true)]
    pub on: Value,
    /// For how many days what is recorded of a visit is kept.
    #[serde(default)]
    #[schema(value_type = Option<u16>, minimum = 1, maximum = 3650, example = 400)]
    pub retention_days: Value,
    /// What is stored of who comes from now on.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(hashed|daily|given)$", example = "hashed")]
    pub visitor: Value,
}

impl Body {
    /// The settings as they will be, and the names of what changes.
    fn onto(&self, before: Settings) -> Result<(Settings, Vec<&'static str>), Problem> {
        let mut settings = before;
        match &self.on {
            Value::Null => {}
            Value::Bool(on) => settings.recorded = *on,
            _ => return Err(wrong("on", "must be true or false")),
        }
        if !self.retention_days.is_null() {
            let days = json::whole(&self.retention_days);
            let days = days.and_then(|days| u16::try_from(days).ok());
            let days = days.filter(|days| (1..=MOST_DAYS).contains(days));
            settings.retention_days =
                days.ok_or_else(|| wrong("retention_days", "must be a number from 1 to 3650"))?;
        }
        if !self.visitor.is_null() {
            // A text: serde takes an object with the name for one as well.
            let mode = self
                .visitor
                .as_str()
                .map(|_| VisitorMode::deserialize(&self.visitor));
            settings.visitor = mode
                .and_then(Result::ok)
                .ok_or_else(|| wrong("visitor", "must be hashed, daily or given"))?;
        }
        let changed = [
            ("on", settings.recorded != before.recorded),
            (
                "retention_days",
                settings.retention_days != before.retention_days,
            ),
            ("visitor", settings.visitor != before.visitor),
        ];
        let changed = changed.into_iter().filter(|(_, changed)| *changed);
        Ok((settings, changed.map(|(name, _)| name).collect()))
    }
}

fn wrong(field: &'static str, what: &str) -> Problem {
    Problem::from(Code::InvalidBody)
        .with_detail(format!("The field `{field}` {what}."))
        .of_field(field)
}

crate::problem_responses!(ChangeProblems:
    InvalidJson, InvalidCounterName, MissingToken, InvalidToken, ExpiredToken, Forbidden, CsrfFailed, MethodNotAllowed,
    UnsupportedMediaType, UnsupportedContentEncoding, InvalidBody, StoreUnavailable, OutcomeUnknown, Overloaded,
    NoDatabase, DatabaseUnavailable, CountersFull);

/// Change what is recorded of a counter.
///
/// It holds for all visits that are counted after the answer. A counter on which nothing was counted yet can
/// be told beforehand.
#[utoipa::path(
    put,
    path = "/api/counters/{name}/recording",
    tag = "record",
    security(("bearer" = [])),
    params(NameInPath),
    request_body = Body,
    responses((status = 200, description = "What is recorded from now on", body = View), ChangeProblems)
)]
pub async fn put_recording(
    FromState(record): FromState<Record>,
    caller: May<permission::Recording>,
    origin: Origin,
    Path(path): Path<NameInPath>,
    JsonBody(body): JsonBody<Body>,
) -> Result<Json<View>, Problem> {
    let counter = path.of(&caller)?;
    let database = record.database()?;
    body.onto(Settings::from(&new(&counter, 0)))?;
    let (began, at) = begin(&record, &counter).await?;
    let entry = audit::Entry::new(
        caller.company.id(),
        Actor::from(&**caller),
        Action::RecordingUpdate,
    );
    let entry = origin.of(entry.on(Kind::Counter, &counter.name));
    // `visits` is beside the limit, as it is where visits are counted.
    let limit = u64::from(record.counter_limit) + 1;
    let change = Change {
        counter,
        began,
        at,
        limit,
        body,
        entry,
    };
    let changed = database.write("recording_update", move |connection| {
        Box::pin(async move { change.make(connection).await })
    });
    let recording = changed.await??;
    tell(&record, &recording).await?;
    Ok(Json(view(&record, &recording).await?))
}

/// In Redis a counter is recorded, or not, from some visit on, before the database knows of it: as if it were
/// visited for the first time. How far it was counted before, and when.
async fn begin(record: &Record, counter: &CounterId) -> Result<(u64, i64), Problem> {
    let Some(streams) = &record.streams else {
        return Ok((0, 0));
    };
    if streams.state(counter).await?.is_none() {
        let found = record.find(counter).await?;
        let recording = found.unwrap_or_else(|| new(counter, 0));
        streams.switch(counter, &recording).await?;
    }
    let state = streams.state(counter).await?;
    Ok(state.map_or((0, 0), |state| (state.through, 0)))
}

/// A change of one counter, in one transaction.
struct Change {
    counter: CounterId,
    began: u64,
    at: i64,
    limit: u64,
    body: Body,
    entry: audit::Entry,
}

impl Change {
    async fn make(
        self,
        connection: &mut Connection<'_>,
    ) -> Result<Result<Recording, Problem>, DatabaseError> {
        let Self {
            counter,
            mut began,
            mut at,
            limit,
            body,
            entry,
        } = self;
        connection.within(counter.company.id()).await?;
        if let Connection::Sqlite(_) = connection {
            began = settings::counted(connection, &counter).await?;
            at = schema::now(connection).await?;
        }
        if recordings::find(connection, &counter).await?.is_none()
            && settings::number(connection, counter.company).await? >= limit
        {
            return Ok(Err(Code::CountersFull.into()));
        }
        let Some(mut recording) = settings::hold(connection, &counter, began, at).await? else {
            return Ok(Err(Code::NotFound.into()));
        };
        let (wanted, fields) = match body.onto(Settings::from(&recording)) {
            Ok(wanted) => wanted,
            Err(problem) => return Ok(Err(problem)),
        };
        if !fields.is_empty() {
            let entry = entry.because(Details {
                fields,
                ..Details::default()
            });
            settings::set(connection, &mut recording, wanted).await?;
            audit::record(connection, &entry).await?;
        }
        Ok(Ok(recording))
    }
}

/// Tells Redis, without which the change is not yet true.
async fn tell(record: &Record, recording: &Recording) -> Result<(), Problem> {
    let Some(streams) = &record.streams else {
        return Ok(());
    };
    let told = streams.switch(&recording.counter, recording).await;
    told.map_err(|error| {
        Problem::from(Code::StoreUnavailable)
            .with_detail("The change is noted, and not in force yet: the store cannot be reached, or refuses. It will be in force within a minute after the store is back; send it again to know when.")
            .with_cause(error)
    })?;
    let recording = recording.clone();
    let noted = record
        .database()?
        .write("recording_told", move |connection| {
            Box::pin(async move {
                connection.within(recording.company()).await?;
                Ok(settings::told(connection, &recording).await?)
            })
        });
    // Else it is told once more.
    let _ = noted.await;
    Ok(())
}
