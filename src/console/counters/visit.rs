//! Visits by their numbers.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{Response, StatusCode},
};
use serde_json::Value;

use super::words;
use crate::{
    auth::permission::ReadRecord,
    console::{
        form::{Field, Kind},
        frame::Frame,
        response::{page, page_of, see_other},
        shown::{Exact, Moment},
        typed::Typed,
        view::View,
    },
    counting::{CounterId, CounterName, routes::CountingState},
    edge::{Code, Problem},
    record::{
        Record,
        reading::{NumberInPath, get_visit, page::Line},
    },
};

/// A visit in a list, or some of which nothing is known.
pub struct Row {
    /// Its number, or the first.
    pub number: u64,
    /// What is said of several of which nothing is recorded.
    pub unrecorded: Option<String>,
    /// When it was counted.
    pub at: Option<Moment>,
    /// What it carried.
    pub line: Line,
}

impl Row {
    /// Its number with all its digits.
    pub fn exact(&self) -> Exact {
        self.number.into()
    }
}

impl From<Line> for Row {
    fn from(line: Line) -> Self {
        Self {
            number: line.number,
            unrecorded: line.unrecorded.map(|reason| {
                let last = line.unrecorded_to.unwrap_or(line.number);
                words::sentence(line.number, last, reason)
            }),
            at: line.at.clone().map(Moment::new),
            line,
        }
    }
}

#[derive(Template)]
#[template(path = "console/counters/visit.html")]
struct Visit {
    frame: Frame,
    name: CounterName,
    number: u64,
    /// The number of the last visit.
    count: u64,
    at: Option<Moment>,
    /// What it carried: what that is called, and what it says.
    carried: Vec<(String, String)>,
    /// Why nothing of it is known.
    gap: Option<String>,
    /// It is counted, and not recorded yet.
    is_waiting: bool,
}

impl Visit {
    fn exact(&self) -> Exact {
        self.number.into()
    }

    fn of(&self) -> Exact {
        self.count.into()
    }
}

/// `GET /console/counters/{name}/visits/{number}`
pub async fn visit(
    view: View<ReadRecord>,
    State(counting): State<Arc<CountingState>>,
    State(record): State<Record>,
    Path((name, number)): Path<(String, String)>,
) -> Result<Response<Body>, Problem> {
    let name: CounterName = name.parse()?;
    let counter = CounterId {
        company: view.reader.caller.company,
        name: name.clone(),
    };
    let path = Path(NumberInPath {
        name: name.to_string(),
        number: number.clone(),
    });
    let found = Box::pin(get_visit(State(record), view.may(), path)).await;
    // After it, so that it is not behind; that the store is away is no reason not to show what is recorded.
    let count = counting.counting.get(&counter).await.ok().flatten();
    let number = number.parse::<u64>().unwrap_or(0);
    let count = count.unwrap_or(number);
    let shown = |at, carried, gap, is_waiting| {
        page(&Visit {
            frame: view.frame(format!("Visit {} of {name}", Exact::from(number))),
            name: name.clone(),
            number,
            count: count.max(number),
            at,
            carried,
            gap,
            is_waiting,
        })
    };
    match found {
        Ok(Json(line)) => {
            let row = Row::from(line);
            let gap = row.line.unrecorded;
            let gap = gap.map(|reason| words::sentence(number, number, reason));
            shown(row.at, carried(&row.line), gap, false)
        }
        Err(problem) if problem.code == Code::NotFound && (1..=count).contains(&number) => {
            shown(None, Vec::new(), None, true)
        }
        Err(problem) => Err(problem),
    }
}

/// What a visit carried.
fn carried(line: &Line) -> Vec<(String, String)> {
    let fields = [
        ("Path", &line.path),
        ("Referrer", &line.referrer),
        ("Campaign", &line.campaign),
        ("Country", &line.country),
        ("Visitor", &line.visitor),
    ];
    let fields = fields.into_iter();
    let fields = fields.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let properties = line.properties.as_ref();
    let properties = properties.and_then(|json| serde_json::from_str(json.get()).ok());
    let properties: serde_json::Map<String, Value> = properties.unwrap_or_default();
    let properties = properties.into_iter().map(|(key, value)| match value {
        Value::String(text) => (key, text),
        other => (key, other.to_string()),
    });
    fields.chain(properties).collect()
}

#[derive(Template)]
#[template(path = "console/counters/find.html")]
struct Find {
    frame: Frame,
    name: CounterName,
    field: Field,
}

/// `GET /console/counters/{name}/visits?number=…`
pub async fn find(
    view: View<ReadRecord>,
    Path(name): Path<String>,
) -> Result<Response<Body>, Problem> {
    let name: CounterName = name.parse()?;
    let typed = Typed::new(view.exchange.query().as_bytes());
    let sought = typed.get("number").trim();
    // As it is shown, too.
    let number = sought.replace([',', ' ', '\u{a0}'], "").parse::<u64>();
    if let Ok(number @ 1..) = number {
        return see_other(&view.exchange, &format!("counters/{name}/visits/{number}"));
    }
    let field = Field::new("number", "Number of the visit", Kind::Line("text"))
        .with(sought)
        .at_most(26);
    let (status, error) = match sought.is_empty() {
        true => (StatusCode::OK, None),
        false => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Some("This must be the number of a visit: 1, 2, 3, …".to_owned()),
        ),
    };
    page_of(
        status,
        &Find {
            frame: view.frame(format!("A visit of {name} by its number")),
            name,
            field: Field {
                focused: error.is_some(),
                error,
                ..field
            },
        },
    )
}
