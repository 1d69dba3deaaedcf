//! From one page of a list to the next.

use std::fmt::Display;

use askama::{Template, filters::HtmlSafe};
use url::form_urlencoded;

use super::{exchange::Exchange, typed::Typed};
use crate::edge::page::PageQuery;

/// How many lines of a list stand on a page, as the API's `limit`.
pub const PAGE: &str = "50";

/// The page of a list that was asked for.
pub fn of_page(exchange: &Exchange) -> PageQuery {
    let typed = Typed::new(exchange.query().as_bytes());
    PageQuery {
        cursor: Some(typed.get("cursor").to_owned()),
        limit: Some(PAGE.to_owned()),
    }
}

/// Links to the first page of a list and to the next. In a template: `{{ pager }}`.
#[derive(Debug, Clone, Template)]
#[template(path = "console/parts/pager.html")]
pub struct Pager {
    /// The first page, if this is another.
    pub first: Option<String>,
    /// The next page, if there is one.
    pub next: Option<String>,
}

impl HtmlSafe for Pager {}

impl Pager {
    /// Of a list whose answer says with `next` where it goes on. What else stands in the query, stays.
    pub fn new(exchange: &Exchange, next: Option<impl Display>) -> Self {
        let mut is_first = true;
        let pairs = form_urlencoded::parse(exchange.query().as_bytes());
        let kept: Vec<_> = pairs
            .filter(|(name, value)| match &**name {
                "cursor" => {
                    is_first &= value.is_empty();
                    false
                }
                "done" => false,
                _ => !value.is_empty(),
            })
            .collect();
        let to = |cursor: Option<String>| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&kept);
            if let Some(cursor) = cursor {
                query.append_pair("cursor", &cursor);
            }
            format!("{}?{}", exchange.itself(), query.finish())
        };
        Self {
            first: (!is_first).then(|| to(None)),
            next: next.map(|next| to(Some(next.to_string()))),
        }
    }
}
