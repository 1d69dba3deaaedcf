//! New counters, and what is recorded of those that are there.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::Response,
};
use serde_json::Value;

use super::count;
use crate::{
    auth::permission::{Count, Read, Recording},
    console::{
        form::{Field, Form, Kind},
        frame::Frame,
        response::{again, page, see_other},
        sent::Sent,
        typed::Typed,
        view::View,
    },
    counting::{CounterId, CounterName, InvalidName, routes::CountingState},
    edge::{JsonBody, Problem},
    record::{
        Record,
        path::NameInPath,
        recording::{self, get_recording, put_recording},
    },
};

#[derive(Template)]
#[template(path = "console/counters/new.html")]
struct New {
    frame: Frame,
    /// Whether it can be told beforehand what is recorded of it.
    is_told: bool,
    form: Form,
}

#[derive(Template)]
#[template(path = "console/counters/recording.html")]
struct Settings {
    frame: Frame,
    name: CounterName,
    form: Form,
}

/// `GET /console/counters/+new`
pub async fn blank(
    view: View<Count>,
    State(record): State<Record>,
) -> Result<Response<Body>, Problem> {
    let is_told = is_told(&view, &record);
    let typed = Typed::new(b"on=on&retention_days=400&visitor=hashed");
    page(&New {
        frame: view.frame("New counter"),
        is_told,
        form: new_form(&view, is_told).filled(&typed),
    })
}

/// Whoever may not change what is recorded makes a counter by its first visit, as everybody does where there is no
/// record.
fn is_told(view: &View<Count>, record: &Record) -> bool {
    record.database().is_ok() && view.may_also::<Recording>().is_ok()
}

fn new_form(view: &View<Count>, is_told: bool) -> Form {
    let name = Field::text("name", "Name")
        .at_most(64)
        .hint("1 to 64 of a\u{2013}z, 0\u{2013}9, dots, hyphens and underscores, such as signup.page. It cannot be changed later.");
    let (button, mut fields) = match is_told {
        true => ("Create", vec![name]),
        false => ("Count the first visit", vec![name]),
    };
    if is_told {
        fields.extend(fields_of_recording());
    }
    view.form(button, fields).or_back_to("../counters")
}

fn fields_of_recording() -> [Field; 3] {
    let visitors = [
        (
            "hashed",
            "Hashed",
            "A hash with a key of your company: the same person is the same visitor for as long as visits are kept.",
        ),
        (
            "daily",
            "For a day",
            "A hash whose key is deleted: a visitor is known again on the same day only.",
        ),
        (
            "given",
            "As sent",
            "What was sent is stored as it is, for who must export it.",
        ),
    ];
    let visitors = visitors
        .map(|(value, label, meaning)| (value.to_owned(), label.to_owned(), meaning.to_owned()));
    [
        Field::new("on", "Record what is known of visits", Kind::Box)
            .optional()
            .hint(
                "When each was counted, and what it carries. Counting itself goes on in any case.",
            ),
        Field::new("retention_days", "Days to keep it", Kind::Line("number"))
            .at_most(4)
            .hint("1 to 3,650. Older visits keep their number, and nothing else."),
        Field::new(
            "visitor",
            "Visitors are stored",
            Kind::Radios(visitors.into()),
        ),
    ]
}

/// What the form says, as the API has it.
fn body(typed: &Typed) -> recording::Body {
    let days = typed.get("retention_days").trim();
    recording::Body {
        on: Value::Bool(typed.has("on")),
        retention_days: match days.parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => days.into(),
        },
        visitor: typed.get("visitor").into(),
    }
}

/// `POST /console/counters/+new`
pub async fn create(
    State(counting): State<Arc<CountingState>>,
    State(record): State<Record>,
    sent: Sent<Count>,
) -> Result<Response<Body>, Problem> {
    let is_told = is_told(&sent, &record);
    match Box::pin(made(&counting, &record, &sent, is_told)).await {
        Ok(place) => see_other(&sent.exchange, &place),
        Err(problem) => again(problem, |problem| {
            page(&New {
                frame: sent.frame("New counter"),
                is_told,
                form: new_form(&sent, is_told)
                    .filled(&sent.typed)
                    .refused(problem),
            })
        }),
    }
}

/// Makes it, and says where it is.
async fn made(
    counting: &CountingState,
    record: &Record,
    sent: &Sent<Count>,
    is_told: bool,
) -> Result<String, Problem> {
    let name = sent.typed.get("name").trim().parse::<CounterName>();
    let name = name.map_err(|InvalidName| Problem::from(InvalidName).of_field("name"))?;
    let company = sent.reader.caller.company;
    let counter = CounterId {
        company,
        name: name.clone(),
    };
    let is_there = counting.counting.get(&counter).await?.is_some();
    if is_there {
        // Nobody changes by mistake what is recorded of another; and who has pressed twice has made it.
        return Ok(format!("counters/{name}?done=counter-there"));
    }
    if is_told {
        let may = sent.may_also::<Recording>()?;
        let path = Path(NameInPath::from(name.to_string()));
        let body = JsonBody(body(&sent.typed));
        let record = State(record.clone());
        let put = Box::pin(put_recording(record, may, sent.origin.clone(), path, body));
        let Json(_) = put.await?;
    } else {
        count::visit(counting, sent, name.clone()).await?;
    }
    Ok(format!("counters/{name}?done=counter-made"))
}

fn settings_form(view: &View<Recording>, name: &CounterName) -> Form {
    let form = view.form("Save", fields_of_recording().into());
    form.or_back_to(format!("../{name}"))
}

/// `GET /console/counters/{name}/recording`
pub async fn settings(
    view: View<Recording>,
    State(record): State<Record>,
    Path(name): Path<String>,
) -> Result<Response<Body>, Problem> {
    let name: CounterName = name.parse()?;
    let path = Path(NameInPath::from(name.to_string()));
    let may = view.may_also::<Read>()?;
    let Json(now) = get_recording(State(record), may, path).await?;
    let mut form = settings_form(&view, &name);
    let visitor = serde_json::to_value(now.visitor).unwrap_or_default();
    let values = [
        if now.on { "on" } else { "" }.to_owned(),
        now.retention_days.to_string(),
        visitor.as_str().unwrap_or_default().to_owned(),
    ];
    for (field, value) in form.fields.iter_mut().zip(values) {
        field.value = value;
    }
    page(&Settings {
        frame: view.frame(format!("Recording of {name}")),
        name,
        form,
    })
}

/// `POST /console/counters/{name}/recording`
pub async fn change(
    State(record): State<Record>,
    Path(name): Path<String>,
    sent: Sent<Recording>,
) -> Result<Response<Body>, Problem> {
    let name: CounterName = name.parse()?;
    let path = Path(NameInPath::from(name.to_string()));
    let body = JsonBody(body(&sent.typed));
    let record = State(record);
    let changed = Box::pin(put_recording(
        record,
        sent.may(),
        sent.origin.clone(),
        path,
        body,
    ));
    match changed.await {
        Ok(_) => see_other(
            &sent.exchange,
            &format!("counters/{name}?done=recording-changed"),
        ),
        Err(problem) => again(problem, |problem| {
            page(&Settings {
                frame: sent.frame(format!("Recording of {name}")),
                form: settings_form(&sent, &name)
                    .filled(&sent.typed)
                    .refused(problem),
                name,
            })
        }),
    }
}
