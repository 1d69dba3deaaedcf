//! An audience, or a preset: whom it means, how many that is, and what can be done with it.

use std::sync::Arc;

use askama::{Template, filters::HtmlSafe};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{Response, StatusCode, header},
};
use serde_json::value::RawValue;
use url::form_urlencoded;
use uuid::Uuid;

use super::{
    Linked,
    builder::{pretty::pretty, words_of},
    which::{self, Words},
};
use crate::{
    accounts::{Accounts, path::Id},
    audiences::{
        build::{BuiltAudience, post_build_audience},
        evaluate::Engine,
        members::{AsOfQuery, SizeView, get_size},
        saved::{Filters, Saved},
    },
    auth::permission::{Audiences, Permission, ReadRecord},
    console::{
        frame::Frame,
        response::page_of,
        shown::{Code, Exact, Moment, Seen},
        typed::Typed,
        view::View,
    },
    edge::{JsonBody, Problem, QueryOf},
};

#[derive(Template)]
#[template(path = "console/audiences/one.html")]
struct One {
    frame: Frame,
    words: Words,
    id: Uuid,
    sentence: String,
    size: Size,
    json: Code,
    hash: String,
    created: Moment,
    changed: Moment,
    used_by: Vec<Linked>,
    may_change: bool,
}

/// How many are meant. In a template: `{{ size }}`.
#[derive(Template, Default)]
#[template(path = "console/audiences/size.html")]
struct Size {
    /// The address of the page that counts.
    place: String,
    counted: Option<Counted>,
    trouble: Option<String>,
}

impl HtmlSafe for Size {}

struct Counted {
    size: Exact,
    at: Seen,
    /// The address of the same answer.
    same: String,
    /// Whether this is one that was given before.
    is_earlier: bool,
    counters: Vec<(String, Exact)>,
}

/// The page.
pub async fn show(
    view: View<ReadRecord>,
    State(accounts): State<Arc<Accounts>>,
    State(engine): State<Engine>,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    let list = which::list(&view.exchange);
    let filters = Filters {
        accounts: &accounts,
        list,
    };
    let company = view.reader.caller.company.id();
    let Saved {
        row,
        filter,
        sentence,
    } = filters.find(company, id).await?;
    let used_by = filters.used_by(company, id).await?;
    let typed = Typed::new(view.exchange.query().as_bytes());
    let itself = view.exchange.itself();
    let mut size = Size {
        place: format!("{itself}?size=now"),
        ..Size::default()
    };
    let mut status = StatusCode::OK;
    let as_of = typed.get("as_of");
    if typed.has("size") || !as_of.is_empty() {
        let words = Words::of(list);
        let counted = count(&view, &accounts, engine, (words, id, filter.clone()), as_of);
        match counted.await {
            Ok(counted) => size.counted = Some(counted),
            Err(problem) => {
                status = problem.code.status();
                size.trouble = Some(words_of(&problem));
            }
        }
    }
    let mut response = page_of(
        status,
        &One {
            frame: view.frame(row.name),
            words: Words::of(list),
            id,
            sentence,
            size,
            json: Code::new("filter", "the filter", pretty(filter.get())),
            hash: row.hash,
            created: Moment::of_millis(row.created_at),
            changed: Moment::of_millis(row.updated_at),
            used_by: used_by.iter().map(Linked::of).collect(),
            may_change: view.reader.caller.role >= Audiences::RULE.role,
        },
    )?;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, 1.into());
    }
    Ok(response)
}

async fn count(
    view: &View<ReadRecord>,
    accounts: &Arc<Accounts>,
    engine: Engine,
    (words, id, filter): (Words, Uuid, Box<RawValue>),
    as_of: &str,
) -> Result<Counted, Problem> {
    let query = QueryOf(AsOfQuery {
        as_of: Some(as_of.to_owned()),
    });
    let is_earlier = !as_of.is_empty();
    let (size, as_of, at, counters) = match words.is_audience() {
        true => {
            let asked = get_size(State(engine), view.may(), Id(id), query).await?;
            let Json(SizeView {
                size,
                as_of,
                at,
                counters,
            }) = asked;
            (size, as_of, at, counters)
        }
        false => {
            let (accounts, body) = (State(accounts.clone()), JsonBody(filter));
            let asked = post_build_audience(accounts, State(engine), view.may(), query, body);
            let Json(BuiltAudience {
                size,
                as_of,
                at,
                counters,
                ..
            }) = asked.await?;
            (size, as_of, at, counters)
        }
    };
    let mut same = form_urlencoded::Serializer::new(String::new());
    same.append_pair("as_of", &as_of);
    let counters = counters.into_iter();
    Ok(Counted {
        size: size.into(),
        at: Moment::new(at).seen_in(&view.reader.zone),
        same: same.finish(),
        is_earlier,
        counters: counters
            .map(|(name, number)| (name, number.into()))
            .collect(),
    })
}
