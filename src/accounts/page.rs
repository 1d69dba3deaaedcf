//! Pages of lists that are in the order of their ids, and where each begins: a text that means nothing
//! to clients, as with counters.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::edge::{Code, Problem};

/// On a page, unless the client wants another number.
const DEFAULT: usize = 100;
/// On a page at most.
const MOST: usize = 1000;

/// Stands first in each cursor. Another meaning of what follows gets another number.
const VERSION: &str = "1-";

/// The id after which a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub Uuid);

/// A text that is no cursor, or not one of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor must be the `next` of another page, as it is; leave it out for the first page.")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}{}", self.0.simple())
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let digits = text.strip_prefix(VERSION).ok_or(InvalidCursor)?;
        let cursor = Self(Uuid::try_parse(digits).map_err(|_| InvalidCursor)?);
        // One way to write each: others of an id would be another cursor for the same page.
        match cursor.to_string() == text {
            true => Ok(cursor),
            false => Err(InvalidCursor),
        }
    }
}

/// Which page. Forms send what was left empty, so empty is absent.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before, as it is; empty for the first page.
    #[param(pattern = "^(1-[0-9a-f]{32})?$")]
    cursor: Option<String>,
    /// Entries on the page; empty for the default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

impl PageQuery {
    /// What is asked for.
    ///
    /// # Errors
    ///
    /// `invalid_query`, with the name of the parameter.
    pub fn page(&self) -> Result<Page, Problem> {
        Page::new(self.cursor.as_deref(), self.limit.as_deref())
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The id before the first; nil for the first page.
    pub after: Uuid,
    limit: usize,
}

impl Page {
    /// From the parameters `cursor` and `limit`. Forms send what was left empty, so empty is absent.
    ///
    /// # Errors
    ///
    /// `invalid_query`, with the name of the parameter.
    pub fn new(cursor: Option<&str>, limit: Option<&str>) -> Result<Self, Problem> {
        let invalid = |detail: String| Problem::from(Code::InvalidQuery).with_detail(detail);
        let cursor = cursor.filter(|cursor| !cursor.is_empty());
        let cursor = cursor.map(str::parse::<Cursor>).transpose();
        let cursor = cursor.map_err(|error| invalid(error.to_string()))?;
        let limit = match limit.unwrap_or_default() {
            "" => Some(DEFAULT),
            limit => limit.parse().ok(),
        };
        let limit = limit.filter(|limit| (1..=MOST).contains(limit));
        Ok(Self {
            after: cursor.map_or(Uuid::nil(), |cursor| cursor.0),
            limit: limit
                .ok_or_else(|| invalid(format!("limit must be a number from 1 to {MOST}.")))?,
        })
    }

    /// How many rows to read: one more than fit, to see whether there is another page.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.limit + 1).unwrap_or(i64::MAX)
    }

    /// Cuts what was read to a page, and says where the next one begins, if there is one.
    pub fn cut<T>(&self, rows: &mut Vec<T>, id: impl Fn(&T) -> Uuid) -> Option<Cursor> {
        let is_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        rows.last().filter(|_| is_more).map(|last| Cursor(id(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        let cursor = Cursor(Uuid::now_v7());
        let text = cursor.to_string();
        assert_eq!(text.parse(), Ok(cursor));
        let id = cursor.0;
        for bad in [
            "".into(),
            "null".into(),
            "1-".into(),
            id.to_string(),
            id.simple().to_string(),
            format!("1-{id}"),
            format!("1-{{{id}}}"),
            format!("2-{}", id.simple()),
            text.to_uppercase(),
            format!("{text}0"),
            format!(" {text}"),
            text[..text.len() - 1].to_owned(),
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad}");
        }
    }

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
        let page = |limit: &str| Page::new(None, Some(limit)).unwrap();
        for (limit, left, next) in [("2", 2, Some(ids[1])), ("3", 3, None), ("4", 3, None)] {
            let mut rows = ids.clone();
            rows.truncate(usize::try_from(page(limit).rows()).unwrap());
            assert_eq!(
                page(limit).cut(&mut rows, |id| *id).map(|next| next.0),
                next
            );
            assert_eq!(rows.len(), left);
        }
        for good in ["", "1", "1000"] {
            assert!(Page::new(Some(""), Some(good)).is_ok(), "{good}");
        }
        for bad in ["0", "1001", "-1", "1.5", "x", "+ 1", " 1"] {
            assert!(Page::new(None, Some(bad)).is_err(), "{bad}");
        }
        assert!(Page::new(Some("x"), None).is_err());
    }
}
