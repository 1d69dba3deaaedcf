//! All audiences, and all presets.

use std::sync::Arc;

use askama::Template;
use axum::{body::Body, extract::State, http::Response};

use super::which::{self, Words};
use crate::{
    accounts::Accounts,
    audiences::saved::{Filters, Saved},
    auth::permission::{Audiences, Permission, ReadRecord},
    console::{
        form::{Field, Kind},
        frame::Frame,
        pager::Pager,
        response::page,
        shown::{Code, Moment},
        typed::Typed,
        view::View,
    },
    edge::{Problem, page::Page},
};

/// On a page.
const PAGE: &str = "50";

/// As many as a company can have, which is as many as a page of the API can have.
const ALL: &str = "1000";

#[derive(Template)]
#[template(path = "console/audiences/list.html")]
struct List {
    frame: Frame,
    words: Words,
    search: Field,
    rows: Vec<Row>,
    pager: Pager,
    may_change: bool,
    /// The same by the API.
    code: Code,
}

struct Row {
    id: String,
    name: String,
    sentence: String,
    changed: Moment,
}

impl From<Saved> for Row {
    fn from(saved: Saved) -> Self {
        Self {
            id: saved.row.id.to_string(),
            name: saved.row.name,
            sentence: saved.sentence,
            changed: Moment::of_millis(saved.row.updated_at),
        }
    }
}

/// The page.
pub async fn show(
    view: View<ReadRecord>,
    State(accounts): State<Arc<Accounts>>,
) -> Result<Response<Body>, Problem> {
    let list = which::list(&view.exchange);
    let typed = Typed::new(view.exchange.query().as_bytes());
    let wanted = typed.get("q").trim().to_lowercase();
    let limit = match wanted.is_empty() {
        true => PAGE,
        // What is looked for may be on any page.
        false => ALL,
    };
    let filters = Filters {
        accounts: &accounts,
        list,
    };
    let asked = Page::new(Some(typed.get("cursor")), Some(limit))?;
    let company = view.reader.caller.company.id();
    let (saved, next) = filters.page(company, asked).await?;
    let is_wanted = |row: &Row| {
        let texts = [&row.name, &row.sentence];
        texts
            .iter()
            .any(|text| text.to_lowercase().contains(&wanted))
    };
    let words = Words::of(list);
    page(&List {
        frame: view.frame(words.all),
        words,
        search: Field {
            required: true,
            ..Field::new("q", "Search names and what they mean", Kind::Line("search"))
                .filled(&typed)
        },
        rows: saved.into_iter().map(Row::from).filter(is_wanted).collect(),
        pager: Pager::new(&view.exchange, next),
        may_change: view.reader.caller.role >= Audiences::RULE.role,
        code: by_the_api(words),
    })
}

fn by_the_api(words: Words) -> Code {
    let filter = r#"{"version":1,"include":
       {"did":{"counter":"signup","within":{"days":30}}}}"#;
    let body = match words.is_audience() {
        true => format!("{{\"name\":\"New customers\",\n      \"filter\":{filter}}}"),
        false => {
            format!("{{\"preset_name\":\"New customers\",\n      \"preset_filter_json\":{filter}}}")
        }
    };
    let text = format!(
        "curl \"$URL/api/{}\" -H \"Authorization: Bearer $TOKEN\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'",
        words.path
    );
    Code::new("by-the-api", "the command", text)
}
