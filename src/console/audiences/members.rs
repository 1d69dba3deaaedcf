//! Who is in an audience, page by page.

use std::sync::Arc;

use askama::Template;
use axum::{body::Body, extract::State, http::Response};
use url::form_urlencoded;
use uuid::Uuid;

use crate::{
    accounts::{Accounts, origin::Origin, path::Id},
    audiences::{
        evaluate::Engine,
        members::{Listed, MembersQuery, listed, sample},
        saved::{Filters, List},
    },
    audit::time,
    auth::permission::ReadRecord,
    console::{
        frame::Frame,
        pager::Pager,
        response::page,
        shown::{Exact, Moment},
        typed::Typed,
        view::View,
    },
    edge::Problem,
};

/// On a page.
const PAGE: usize = 100;

#[derive(Template)]
#[template(path = "console/audiences/members.html")]
struct Members {
    frame: Frame,
    id: Uuid,
    name: String,
    sentence: String,
    size: Exact,
    at: Moment,
    /// As of which the members are these.
    as_of: String,
    visitors: Vec<String>,
    pager: Pager,
    is_first: bool,
}

/// The page.
pub async fn show(
    view: View<ReadRecord>,
    State(accounts): State<Arc<Accounts>>,
    State(engine): State<Engine>,
    origin: Origin,
    Id(id): Id,
) -> Result<Response<Body>, Problem> {
    let typed = Typed::new(view.exchange.query().as_bytes());
    let filters = Filters {
        accounts: &accounts,
        list: List::Audiences,
    };
    let company = view.reader.caller.company.id();
    let saved = filters.find(company, id).await?;
    let after = typed.get("after");
    let query = MembersQuery {
        format: None,
        after: Some(after.to_owned()),
        as_of: Some(typed.get("as_of").to_owned()),
    };
    let caller = (&*view.reader.caller, origin);
    let Listed {
        size,
        evaluated: mut left,
    } = listed(&accounts, &engine, caller, id, &query).await?;
    let mut visitors = Vec::new();
    // Those who were erased since have no line: a page that had none of others would seem to be the last.
    while visitors.is_empty() && !left.visitors.is_empty() {
        visitors = sample(accounts.database()?, company, &left.visitors, PAGE).await?;
        let last = left.visitors.select(PAGE as u64 - 1);
        match last {
            Some(last) => left.visitors.remove_range(0..=last),
            None => left.visitors.remove_range(..),
        };
    }
    let as_of = pairs(&[("as_of", &left.as_of.to_string())]);
    let to = |pairs: String| format!("{}?{pairs}", view.exchange.itself());
    let next = visitors.last().filter(|_| !left.visitors.is_empty());
    page(&Members {
        frame: view.frame(format!("Members of {}", saved.row.name)),
        id,
        name: saved.row.name,
        sentence: saved.sentence,
        size: size.into(),
        at: Moment::new(time::format(left.as_of.instant)),
        pager: Pager {
            first: (!after.is_empty()).then(|| to(as_of.clone())),
            next: next.map(|last| to(format!("{as_of}&{}", pairs(&[("after", last)])))),
        },
        as_of,
        visitors,
        is_first: after.is_empty(),
    })
}

fn pairs(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    query.finish()
}
