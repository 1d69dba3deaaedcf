//! The audit trail: who did what, on what, and how it ended.

mod names;

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Body,
    extract::{FromRef, State},
    http::{HeaderValue, Response, StatusCode, header},
    routing::get,
};
use url::form_urlencoded;

use self::names::Names;
use super::{
    days,
    form::{Field, Kind},
    frame::Frame,
    pager::{PAGE, Pager},
    pages::Pages,
    response::{page, page_of},
    sent::Typed,
    shown::{Exact, Moment},
    view::View,
};
use crate::{
    accounts::{Accounts, origin::Origin, sessions::Sessions},
    audit::{
        Action, Actor, Outcome,
        query::AuditQuery,
        routes::{AuditEntry, AuditPage, AuditState, audit_page, export},
        time,
    },
    auth::permission::ReadAudit,
    company::Zone,
    edge::{Code, Problem},
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    AuditState: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("audit", get(list))
        .at("audit/export", get(lines))
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct List {
    frame: Frame,
    filter: Vec<Field>,
    is_filtered: bool,
    is_of_all: bool,
    /// Whether nothing could be looked for.
    is_wrong: bool,
    entries: Vec<Row>,
    /// The query of all that is shown, on however many pages.
    query: String,
    pager: Pager,
}

struct Row {
    entry: AuditEntry,
    at: Moment,
    last: Option<Moment>,
    events: Exact,
    who: String,
    /// What finds all that they did.
    by: String,
    on: Option<(String, String)>,
    company: String,
    details: String,
}

impl Row {
    fn new(entry: AuditEntry, names: &Names) -> Self {
        let object = entry.object.as_ref();
        let id = entry.actor.id.map(|id| id.to_string());
        Self {
            at: Moment::new(entry.first_at.clone()),
            last: (entry.events > 1).then(|| Moment::new(entry.last_at.clone())),
            events: Exact::from(entry.events),
            who: names.of_actor(&entry.actor.kind, id.as_deref()),
            by: form_urlencoded::Serializer::new(String::new())
                .append_pair("actor", id.as_deref().unwrap_or(&entry.actor.kind))
                .finish(),
            on: object.map(|thing| (thing.kind.replace('_', " "), names.of(&thing.id))),
            company: names.of(&entry.company.to_string()),
            details: details(&entry.details),
            entry,
        }
    }
}

/// What else is to be known, in a line.
fn details(details: &serde_json::Value) -> String {
    use serde_json::Value;
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let values = values.iter();
            let values = values.map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            });
            values.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    match details {
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map(|(name, value)| format!("{}: {}", name.replace('_', " "), text(value)));
            fields.collect::<Vec<_>>().join("; ")
        }
        Value::Null => String::new(),
        other => text(other),
    }
}

/// What is asked for, of a form or of a link.
fn query(typed: &Typed, zone: &Zone) -> AuditQuery {
    let given = |name: &str| Some(typed.get(name).to_owned());
    // A day as browsers send it: all of it.
    let moment = |name: &str| match (name, days::all_of(zone, typed.get(name))) {
        ("from", Some((first, _))) => Some(time::format(first.as_millisecond())),
        (_, Some((_, last))) => Some(time::format(last.as_millisecond())),
        _ => given(name),
    };
    AuditQuery {
        actor: given("actor"),
        action: given("action"),
        outcome: given("outcome"),
        from: moment("from"),
        to: moment("to"),
        company: given("company"),
        ..AuditQuery::default()
    }
}

/// Which fields there are.
const FIELDS: [&str; 6] = ["actor", "action", "outcome", "from", "to", "company"];

fn filter(typed: &Typed, names: &Names, zone: &Zone) -> Vec<Field> {
    let mut actors = vec![(String::new(), "Anybody".to_owned())];
    let kinds = Actor::KINDS.iter();
    actors.extend(kinds.map(|kind| ((*kind).to_owned(), names.of_actor(kind, None))));
    let actor = typed.get("actor");
    if actors.iter().all(|(value, _)| value != actor) {
        actors.push((actor.to_owned(), names.of(actor)));
    }
    let outcomes = Outcome::ALL.iter().map(|outcome| {
        let text = outcome.text().to_owned();
        (text.clone(), text)
    });
    let day = |label| format!("{label} ({})", zone.name());
    let mut fields = vec![
        Field::new("actor", "Who", Kind::Select(actors)),
        Field::new("action", "What", Kind::Select(actions())),
        Field::new(
            "outcome",
            "Outcome",
            Kind::Select(
                [(String::new(), "Any".to_owned())]
                    .into_iter()
                    .chain(outcomes)
                    .collect(),
            ),
        ),
        Field::new("from", day("From"), Kind::Line("date")),
        Field::new("to", day("To"), Kind::Line("date")),
    ];
    if names.has_companies() {
        fields.push(Field::new(
            "company",
            "Company",
            Kind::Select(names.companies()),
        ));
    }
    let fields = fields.into_iter();
    // Nothing needs to be chosen, which is not said of each.
    fields
        .map(|field| {
            let is_choice = matches!(field.kind, Kind::Select(_));
            Field {
                required: is_choice,
                ..field.filled(typed)
            }
        })
        .collect()
}

/// All actions, after each other's groups.
fn actions() -> Vec<(String, String)> {
    let mut all = vec![(String::new(), "Anything".to_owned())];
    let mut group = "";
    for action in Action::ALL {
        if action.group() != group {
            group = action.group();
            all.push((format!("{group}.*"), format!("{group}: all")));
        }
        all.push((action.text().to_owned(), action.text().to_owned()));
    }
    all
}

async fn list(
    view: View<ReadAudit>,
    State(state): State<AuditState>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let typed = Typed::new(view.exchange.query().as_bytes());
    let names = Names::read(&view, &accounts).await?;
    let asked = AuditQuery {
        cursor: Some(typed.get("cursor").to_owned()),
        limit: Some(PAGE.to_owned()),
        ..query(&typed, &view.reader.zone)
    };
    let mut list = List {
        frame: view.frame("Audit trail"),
        filter: filter(&typed, &names, &view.reader.zone),
        is_filtered: FIELDS.iter().any(|name| !typed.get(name).is_empty()),
        is_of_all: names.has_companies(),
        is_wrong: false,
        entries: Vec::new(),
        query: String::new(),
        pager: Pager::new(&view.exchange, None::<String>),
    };
    match audit_page(state, &view.may(), asked).await {
        Ok(AuditPage { entries, next }) => {
            let entries = entries.into_iter();
            list.entries = entries.map(|entry| Row::new(entry, &names)).collect();
            list.query = without_cursor(&typed);
            list.pager = Pager::new(&view.exchange, next);
            page(&list)
        }
        // It begins with the name of what is wrong.
        Err(problem) if problem.code == Code::InvalidQuery => {
            let (name, said) = problem.detail.split_once(' ').unwrap_or_default();
            let wrong = list.filter.iter_mut().find(|field| field.name == name);
            match wrong {
                Some(field) => {
                    // What follows is about links, which are typed by programs.
                    let said = said.split(';').next().unwrap_or_default();
                    field.error = Some(format!("This {}.", said.trim_end_matches('.')));
                    list.is_wrong = true;
                    page_of(StatusCode::BAD_REQUEST, &list)
                }
                None => Err(problem),
            }
        }
        Err(problem) => Err(problem),
    }
}

fn without_cursor(typed: &Typed) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in FIELDS {
        let value = typed.get(name);
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    query.finish()
}

const AS_FILE: HeaderValue = HeaderValue::from_static("attachment; filename=\"audit.ndjson\"");

/// All that the filter lets through, as a file of lines of JSON.
async fn lines(
    view: View<ReadAudit>,
    State(state): State<AuditState>,
    origin: Origin,
) -> Result<Response<Body>, Problem> {
    let asked = query(
        &Typed::new(view.exchange.query().as_bytes()),
        &view.reader.zone,
    );
    let from = (origin.address, origin.request_id.as_str());
    let mut lines = export(state, &view.may(), from, asked).await?;
    let headers = lines.headers_mut();
    headers.insert(header::CONTENT_DISPOSITION, AS_FILE);
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_are_a_line() {
        for (value, line) in [
            (json!({}), ""),
            (json!(null), ""),
            (
                json!({"reason": "wrong_password"}),
                "reason: wrong_password",
            ),
            (
                json!({"fields": ["name", "role"], "from": "member"}),
                "fields: name, role; from: member",
            ),
            (
                json!({"http_status": 403, "list": [1, true]}),
                "http status: 403; list: 1, true",
            ),
            (json!("strange"), "strange"),
        ] {
            assert_eq!(details(&value), line);
        }
    }
}
