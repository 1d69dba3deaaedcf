//! Write keys: by which web pages send visits.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    body::Body,
    extract::{FromRef, State},
    http::Response,
    routing::get,
};
use serde_json::Value;

use super::{
    ask::Ask,
    form::{Field, Form, Kind},
    frame::Frame,
    in_force::InForce,
    pager::{Pager, of_page},
    pages::Pages,
    response::{again, page, see_other},
    sent::Sent,
    shown::{Code, Exact, Moment},
    view::View,
};
use crate::{
    accounts::{Accounts, path::Id, sessions::Sessions},
    auth::permission::WriteKeys,
    edge::{Address, Problem, QueryOf},
    record::collect::{
        Collect,
        making::KeyBody,
        routes::{
            KeyView, KeysView, delete_write_key, get_write_key, get_write_keys, make_write_key,
        },
    },
};

/// The pages.
pub fn pages<S>() -> Pages<S>
where
    Arc<Accounts>: FromRef<S>,
    Arc<Sessions>: FromRef<S>,
    Arc<Collect>: FromRef<S>,
    Arc<InForce>: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Pages::new()
        .at("write-keys", get(list))
        .at("write-keys/new", get(fresh).post(make))
        .at("write-keys/{id}", get(show))
        .at("write-keys/{id}/end", get(ask).post(end))
}

#[derive(Template)]
#[template(path = "console/write_keys/list.html")]
struct List {
    frame: Frame,
    keys: Vec<Row>,
    pager: Pager,
}

struct Row {
    key: KeyView,
    rate: Exact,
    created: Moment,
}

impl From<KeyView> for Row {
    fn from(key: KeyView) -> Self {
        Self {
            rate: Exact::from(key.rate),
            created: Moment::new(key.created_at.clone()),
            key,
        }
    }
}

async fn list(
    view: View<WriteKeys>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let query = of_page(&view.exchange);
    let Json(KeysView { keys, next }) =
        get_write_keys(State(accounts), view.may(), QueryOf(query)).await?;
    page(&List {
        frame: view.frame("Write keys"),
        keys: keys.into_iter().map(Row::from).collect(),
        pager: Pager::new(&view.exchange, next),
    })
}

#[derive(Template)]
#[template(path = "console/narrow.html")]
struct New {
    frame: Frame,
    about: &'static str,
    form: Form,
}

impl New {
    fn of(view: &View<WriteKeys>) -> Self {
        let fields = vec![
            Field::text("name", "Name").at_most(64).hint("What you call it: the site, say."),
            Field::new("counters", "Counters", Kind::Lines).hint(
                "Names, one a line. Visits that name no counter go to the first. A counter that is not there yet begins with its first visit.",
            ),
            Field::new("origins", "Origins", Kind::Lines).hint(
                "The sites whose pages may show the key, one a line, each as browsers send it: https://shop.example",
            ),
            Field::new("rate", "Visits a second", Kind::Line("number"))
                .optional()
                .hint("That each replica takes, up to 10,000; 100 if you leave it empty."),
        ];
        Self {
            frame: view.frame("New write key"),
            about: "By a write key the pages of a web site send visits. It is public: it counts on these counters, for pages of these sites, and does nothing else.",
            form: view
                .form("Make the key", fields)
                .or_back_to("../write-keys"),
        }
    }
}

async fn fresh(view: View<WriteKeys>) -> Result<Response<Body>, Problem> {
    page(&New::of(&view))
}

async fn make(
    State(accounts): State<Arc<Accounts>>,
    State(collect): State<Arc<Collect>>,
    sent: Sent<WriteKeys>,
) -> Result<Response<Body>, Problem> {
    let typed = &sent.typed;
    let body = KeyBody {
        name: typed.text("name"),
        counters: lines(typed.get("counters")),
        origins: lines(typed.get("origins")),
        rate: match typed.get("rate").trim() {
            "" => Value::Null,
            // What is no number is refused as what it is.
            rate => rate
                .parse::<u64>()
                .map_or_else(|_| rate.into(), Value::from),
        },
    };
    let made = make_write_key(&accounts, &collect, sent.may(), sent.origin.clone(), body);
    match made.await {
        Ok(key) => see_other(
            &sent.exchange,
            &format!("write-keys/{}?done=write-key-made", key.id),
        ),
        Err(problem) => again(problem, |problem| {
            let mut new = New::of(&sent);
            new.form = new.form.filled(typed).refused(problem);
            page(&new)
        }),
    }
}

/// What stands in the lines of a field, as a list of the API.
fn lines(text: &str) -> Value {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(ToOwned::to_owned).collect()
}

#[derive(Template)]
#[template(path = "console/write_keys/show.html")]
struct Show {
    frame: Frame,
    row: Row,
    key: Code,
    snippet: Code,
    curl: Code,
}

async fn show(
    view: View<WriteKeys>,
    State(accounts): State<Arc<Accounts>>,
    State(settings): State<Arc<InForce>>,
    Id(id): Id,
    asked: Address,
) -> Result<Response<Body>, Problem> {
    let Json(key) = get_write_key(State(accounts), view.may(), Id(id)).await?;
    let at = settings.address(&asked);
    let origin = key.origins.first().map_or("", String::as_str);
    let origin = origin.replace('\'', r"'\''");
    let text = &key.key;
    let snippet = format!(
        "<script defer src=\"{at}/footfall.js\" data-key=\"{text}\"></script>\n<noscript><img src=\"{at}/collect.gif?key={text}\" alt=\"\"></noscript>"
    );
    let curl = format!(
        "curl -i {at}/collect -H 'Origin: {origin}' -H 'Content-Type: text/plain' -d '{{\"key\":\"{text}\",\"path\":\"/\"}}'"
    );
    page(&Show {
        frame: view.frame(key.name.clone()),
        key: Code::new("key", "the key", text.clone()),
        snippet: Code::new("snippet", "the two lines", snippet),
        curl: Code::new("curl", "the command", curl),
        row: key.into(),
    })
}

async fn asked(view: &View<WriteKeys>, accounts: Arc<Accounts>, id: Id) -> Result<Ask, Problem> {
    let Json(key) = get_write_key(State(accounts), view.may(), id).await?;
    let form = view.form("End the key", Vec::new()).destroying();
    Ok(Ask::new(
        view.frame(format!("End the write key {}?", key.name)),
        form.or_back_to("../../write-keys"),
        &[
            "Pages that show it send no more visits from then on; take it out of them, or put in another key.",
            "What was counted stays. This cannot be undone.",
        ],
    ))
}

async fn ask(
    view: View<WriteKeys>,
    State(accounts): State<Arc<Accounts>>,
    id: Id,
) -> Result<Response<Body>, Problem> {
    asked(&view, accounts, id).await?.page()
}

async fn end(
    State(accounts): State<Arc<Accounts>>,
    State(collect): State<Arc<Collect>>,
    id: Id,
    sent: Sent<WriteKeys>,
) -> Result<Response<Body>, Problem> {
    let (may, origin) = (sent.may(), sent.origin.clone());
    let ended = delete_write_key(State(accounts.clone()), State(collect), may, origin, id);
    match ended.await {
        Ok(_) => see_other(&sent.exchange, "write-keys?done=write-key-ended"),
        Err(problem) => asked(&sent, accounts, id).await?.again(problem),
    }
}
