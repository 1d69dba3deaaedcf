//! A counter by itself.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{Response, StatusCode},
};
use jiff::Timestamp;
use url::form_urlencoded;

use super::{
    history::{self, UNITS},
    range::Range,
    values::{self, Panel},
    visit::Row,
};
use crate::{
    auth::permission::{Count, Read, ReadRecord, Recording},
    console::{
        chart::Chart,
        form::{Field, Form, Kind},
        frame::Frame,
        response::page_of,
        shown::{self, Exact},
        typed::Typed,
        view::View,
    },
    counting::{CounterId, CounterName, routes::CountingState},
    edge::{Address, Code, Problem, QueryOf},
    record::{
        Record,
        history::get_history,
        path::NameInPath,
        reading,
        recording::{View as Recorded, get_recording},
    },
};

/// Visits that are listed.
const LAST: u64 = 20;

/// Of more visits than these, the page does not wait for what they carried: those that are not summed up, of today say,
/// are looked at one by one, each thousand for some milliseconds.
const AT_ONCE: u64 = 2_000;

#[derive(Template)]
#[template(path = "console/counters/one.html")]
struct One {
    frame: Frame,
    name: CounterName,
    count: u64,
    /// The button that counts a visit, for who may.
    counts: Option<Form>,
    may_change: bool,
    reconciles: Option<Reconciles>,
    /// What cannot be shown now, and why.
    away: Option<String>,
    ranges: Vec<(String, &'static str, bool)>,
    filter: Vec<Field>,
    /// Whether there is a record to ask.
    is_asked: bool,
    /// How to count the first visit, where there is none.
    first: Option<shown::Code>,
    /// What is wrong with the range that was asked for, and is about no field.
    wrong: Option<String>,
    chart: Option<Chart>,
    gaps: Vec<String>,
    panels: Vec<Panel>,
    /// The address of the page with panels, where it does not wait for them.
    later: Option<String>,
    last: Vec<Row>,
    may_read_record: bool,
}

/// The numbers by which anybody can check that nothing is missing.
struct Reconciles {
    recorded: Exact,
    waiting: Exact,
    /// Counted while recording is off.
    off: Exact,
    is_on: bool,
    retention_days: u16,
    holds: bool,
}

impl From<&Recorded> for Reconciles {
    fn from(recorded: &Recorded) -> Self {
        let known = recorded.through + recorded.waiting;
        Self {
            recorded: recorded.through.into(),
            waiting: recorded.waiting.into(),
            off: recorded.count.saturating_sub(known).into(),
            is_on: recorded.on,
            retention_days: recorded.retention_days,
            holds: known == recorded.count || (!recorded.on && known < recorded.count),
        }
    }
}

impl One {
    fn visits(&self) -> Exact {
        self.count.into()
    }
}

/// `GET /console/counters/{name}`
pub async fn one(
    view: View<Read>,
    address: Address,
    State(counting): State<Arc<CountingState>>,
    State(record): State<Record>,
    Path(name): Path<String>,
) -> Result<Response<Body>, Problem> {
    let name: CounterName = name.parse()?;
    let typed = Typed::new(view.exchange.query().as_bytes());
    let range = Range::of(&typed, Timestamp::now(), &view.reader.zone);
    let (count, recorded, away) = Box::pin(state(&view, &counting, &record, &name)).await?;
    let mut one = One {
        frame: view.frame(name.as_str()),
        count,
        counts: view.may_also::<Count>().ok().map(|_| counts(&view)),
        may_change: view.may_also::<Recording>().is_ok() && recorded.is_some(),
        reconciles: recorded.as_ref().map(Reconciles::from),
        away,
        ranges: ranges(&view, &typed, &range),
        filter: filter(&typed, &range),
        is_asked: recorded.is_some(),
        first: None,
        wrong: None,
        chart: None,
        gaps: Vec::new(),
        panels: Vec::new(),
        later: None,
        last: Vec::new(),
        may_read_record: view.may_also::<ReadRecord>().is_ok(),
        name,
    };
    let mut status = StatusCode::OK;
    if recorded.is_some()
        && let Err(problem) = one.read(&view, &record, &range, &typed).await
    {
        match problem.code.status() {
            wrong @ (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) => {
                status = wrong;
                one.refused(&problem.detail);
            }
            status if status.is_server_error() => one.away = Some(problem.detail.to_string()),
            _ => return Err(problem),
        }
    }
    if one.chart.is_some() && count == 0 {
        one.first = Some(first(&address, &one.name));
        // Of no visit there is nothing to be said.
        one.panels.clear();
    }
    page_of(status, &one)
}

fn first(address: &Address, name: &CounterName) -> shown::Code {
    let address = address.for_curl();
    let curl =
        format!("curl -X POST -H 'Authorization: Bearer YOUR_TOKEN' {address}/api/counters/{name}");
    shown::Code::new("by-curl", "the command", curl)
}

impl One {
    /// Says what is wrong with the time that was asked for: beside the field that it begins with, if there is one.
    fn refused(&mut self, detail: &str) {
        let (name, rest) = detail.split_once(' ').unwrap_or(("", detail));
        // How it is written into an address is for programs.
        let said = rest.split("; a `+`").next().unwrap_or(rest);
        let (name, said) = match name {
            "field" => ("property", "must be the key of a property: 1 to 64 bytes"),
            name => (name, said),
        };
        match self.filter.iter_mut().find(|field| field.name == name) {
            Some(field) => {
                field.error = Some(format!("This {}.", said.trim_end_matches('.')));
                field.focused = true;
            }
            None => self.wrong = Some(detail.to_owned()),
        }
    }

    /// What the record has of it.
    async fn read(
        &mut self,
        view: &View<Read>,
        record: &Record,
        range: &Range,
        typed: &Typed,
    ) -> Result<(), Problem> {
        let name = self.name.to_string();
        let path = Path(NameInPath::from(name.clone()));
        let query = QueryOf(range.query());
        let history = Box::pin(get_history(State(record.clone()), view.may(), path, query));
        let counter = CounterId {
            company: view.reader.caller.company,
            name: self.name.clone(),
        };
        let last = Box::pin(async {
            match self.may_read_record {
                true => reading::last(record, &counter, LAST).await,
                false => Ok(Vec::new()),
            }
        });
        let (Json(history), last) = futures_util::try_join!(history, last)?;
        if let Ok(may) = view.may_also::<ReadRecord>() {
            match history.visits > AT_ONCE && !typed.has("values") {
                true => self.later = Some(later(view)),
                false => {
                    let property = typed.get("property").trim();
                    let panels = values::panels(record, may, &name, range, property);
                    self.panels = Box::pin(panels).await?;
                }
            }
        }
        self.chart = Some(history::chart(&history, &range.unit));
        self.gaps = history::gaps(&history);
        self.last = last.into_iter().map(Row::from).collect();
        Ok(())
    }
}

/// How far it is; what the record says of it, if there is one; and what is to be said where one of both is
/// away.
async fn state(
    view: &View<Read>,
    counting: &CountingState,
    record: &Record,
    name: &CounterName,
) -> Result<(u64, Option<Recorded>, Option<String>), Problem> {
    let path = Path(NameInPath::from(name.to_string()));
    let problem = match get_recording(State(record.clone()), view.may(), path).await {
        Ok(Json(recorded)) => return Ok((recorded.count, Some(recorded), None)),
        Err(problem) => problem,
    };
    let counter = CounterId {
        company: view.reader.caller.company,
        name: name.clone(),
    };
    match problem.code {
        Code::NoDatabase => {
            let count = counting.counting.get(&counter).await?;
            let text =
                "This Footfall has no database, so nothing is known of visits but their number.";
            Ok((
                count.ok_or(Code::CounterNotFound)?,
                None,
                Some(text.to_owned()),
            ))
        }
        code if code.status().is_server_error() => {
            // One of both may be there.
            if let Ok(count) = counting.counting.get(&counter).await {
                let count = count.ok_or(Code::CounterNotFound)?;
                let text = "The database does not answer. Visits are counted all the same, and what was before is shown again when it is back.";
                return Ok((count, None, Some(text.to_owned())));
            }
            let found = record.find(&counter).await?.ok_or(problem)?;
            let text = "The store of the counters does not answer: this is what was recorded of it. What was counted is safe.";
            Ok((found.through, None, Some(text.to_owned())))
        }
        _ => Err(problem),
    }
}

/// The same page, with what its visits carried.
fn later(view: &View<Read>) -> String {
    let query = view.exchange.query();
    let and = if query.is_empty() { "" } else { "&" };
    format!("{}?{query}{and}values=now", view.exchange.itself())
}

fn counts(view: &View<Read>) -> Form {
    let form = view.form("Count a visit", Vec::new());
    Form {
        action: format!("{}/count", form.action),
        ..form
    }
}

/// Links to the spans that are ready: where, what they are called, whether this is it.
fn ranges(view: &View<Read>, typed: &Typed, range: &Range) -> Vec<(String, &'static str, bool)> {
    let ready = Range::ready().map(|(name, label)| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("range", name);
        for kept in ["tz", "property"] {
            if !typed.get(kept).is_empty() {
                query.append_pair(kept, typed.get(kept));
            }
        }
        let link = format!("{}?{}", view.exchange.itself(), query.finish());
        (link, label, name == range.name)
    });
    ready.collect()
}

fn filter(typed: &Typed, range: &Range) -> Vec<Field> {
    let moment = |name, label, value: Option<&str>| {
        Field::new(name, label, Kind::Line("date")).with(value.unwrap_or_default())
    };
    let fields = [
        moment("from", "From", range.from.as_deref()),
        moment("to", "Before", range.to.as_deref()),
        Field::select("unit", "By", &UNITS).with(typed.get("unit")),
        Field::new("tz", "Time zone", Kind::Line("text"))
            .with(&range.tz)
            .at_most(64),
        Field::new("property", "Property", Kind::Line("text"))
            .with(typed.get("property"))
            .at_most(64),
    ];
    fields.map(Field::optional).into()
}
