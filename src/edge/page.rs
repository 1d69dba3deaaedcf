//! Pages of lists, which all lists have alike: the parameters `cursor` and `limit`, and `next` in the answer.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{Problem, query};

/// On a page, unless the client wants another number.
const DEFAULT: usize = 100;
/// On a page at most.
const MOST: usize = 1000;

/// Stands first in each cursor. Another meaning of what follows gets another number.
const VERSION: &str = "1-";

/// A place in a list, after which a page begins.
pub trait Place: Sized {
    /// Writes it as letters and digits.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Reads what [`write`](Self::write) has written. It may take other texts for it as well.
    fn read(text: &str) -> Option<Self>;
}

impl Place for Uuid {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.simple())
    }

    fn read(text: &str) -> Option<Self> {
        Self::try_parse(text).ok()
    }
}

/// Where a page begins, as clients see it: a text that means nothing to them.
///
/// Were it the place itself, any text that looks like one would be taken for it: `cursor=null` would silently
/// begin after the counter `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<P>(pub P);

/// A text that is no cursor, or not one of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor must be the `next` of another page, as it is; leave it out for the first page.")]
pub struct InvalidCursor;

impl<P: Place> fmt::Display for Cursor<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        self.0.write(f)
    }
}

impl<P: Place> Serialize for Cursor<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<P: Place> FromStr for Cursor<P> {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let place = text.strip_prefix(VERSION).and_then(P::read);
        let cursor = place.map(Self).ok_or(InvalidCursor)?;
        // One way to write each: others would be another cursor for the same page.
        match cursor.to_string() == text {
            true => Ok(cursor),
            false => Err(InvalidCursor),
        }
    }
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<P> {
    /// The place before the first; `None` for the first page.
    pub after: Option<P>,
    /// As many at most.
    pub limit: usize,
}

impl<P: Place> Page<P> {
    /// From the parameters `cursor` and `limit`.
    ///
    /// # Errors
    ///
    /// `invalid_query`, with the name of the parameter.
    pub fn new(cursor: Option<&str>, limit: Option<&str>) -> Result<Self, Problem> {
        let cursor = query::given(cursor).map(str::parse::<Cursor<P>>);
        let cursor = cursor.transpose();
        let cursor = cursor.map_err(|error| query::invalid(error.to_string()))?;
        let limit = query::given(limit).map_or(Some(DEFAULT), |limit| limit.parse().ok());
        let limit = limit.filter(|limit| (1..=MOST).contains(limit));
        Ok(Self {
            after: cursor.map(|cursor| cursor.0),
            limit: limit.ok_or_else(|| {
                query::invalid(format!("limit must be a number from 1 to {MOST}."))
            })?,
        })
    }

    /// The first of a list.
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// The one after this, by what [`cut`](Self::cut) has said.
    #[must_use]
    pub fn next(self, next: Cursor<P>) -> Self {
        Self {
            after: Some(next.0),
            ..self
        }
    }

    /// How many rows to read: one more than fit, to see whether there is another page.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.limit)
            .unwrap_or(i64::MAX)
            .saturating_add(1)
    }

    /// Cuts what was read to a page, and says where the next one begins, if there is one.
    pub fn cut<T>(&self, rows: &mut Vec<T>, place: impl Fn(&T) -> P) -> Option<Cursor<P>> {
        let is_more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let last = rows.last().filter(|_| is_more);
        last.map(|last| Cursor(place(last)))
    }
}

/// Which page of a list that is in the order of its ids. Forms send what was left empty, so empty is absent.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before, as it is; empty for the first page.
    #[param(pattern = "^(1-[0-9a-f]{32})?$")]
    pub cursor: Option<String>,
    /// Entries on the page; empty for the default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<String>,
}

impl PageQuery {
    /// What is asked for.
    ///
    /// # Errors
    ///
    /// `invalid_query`, with the name of the parameter.
    pub fn page(&self) -> Result<Page<Uuid>, Problem> {
        Page::new(self.cursor.as_deref(), self.limit.as_deref())
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
            assert_eq!(bad.parse::<Cursor<Uuid>>(), Err(InvalidCursor), "{bad}");
        }
    }

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
        let page = |limit: &str| Page::<Uuid>::new(None, Some(limit)).unwrap();
        for (limit, left, next) in [("2", 2, Some(ids[1])), ("3", 3, None), ("4", 3, None)] {
            let mut rows = ids.clone();
            rows.truncate(usize::try_from(page(limit).rows()).unwrap());
            assert_eq!(
                page(limit).cut(&mut rows, |id| *id).map(|next| next.0),
                next
            );
            assert_eq!(rows.len(), left);
        }
        assert_eq!(page("").limit, DEFAULT);
        assert_eq!(Page::<Uuid>::new(Some(""), None).unwrap().after, None);
        for good in ["1", "1000"] {
            assert_eq!(page(good).limit.to_string(), good);
        }
        for bad in ["0", "1001", "-1", "1.5", "x", "+ 1", " 1"] {
            assert!(Page::<Uuid>::new(None, Some(bad)).is_err(), "{bad}");
        }
        assert!(Page::<Uuid>::new(Some("x"), None).is_err());
        assert_eq!(Page::<Uuid>::first(usize::MAX).rows(), i64::MAX);
    }
}
