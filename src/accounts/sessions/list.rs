//! One's own sessions, page by page.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::row::{IDLE, Owner};
use crate::{
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError, on_either, schema},
};

/// Sessions on a page, unless the client wants another number.
const DEFAULT_PAGE: usize = 100;
/// Sessions on a page at most.
const MAX_PAGE: usize = 1000;

/// Stands first in each cursor. Another meaning of what follows gets another number.
const VERSION: &str = "1-";

/// A session of one's own.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnSession {
    /// Its id.
    pub id: Uuid,
    /// Whether it is the one that asks.
    pub current: bool,
    /// How its tokens reach the client.
    #[schema(example = "bearer")]
    pub kind: String,
    /// What the client said that it is; null if it said nothing.
    #[schema(required = true, example = "curl/8.14.1")]
    pub user_agent: Option<String>,
    /// The network it was last refreshed from; null if nobody told.
    #[schema(required = true, example = "192.0.2.0/24")]
    pub network: Option<String>,
    /// When somebody logged in (RFC 3339).
    #[schema(format = DateTime, example = "2026-01-31T08:30:00.000Z")]
    pub created_at: String,
    /// When it was last refreshed.
    #[schema(format = DateTime, example = "2026-01-31T09:15:00.000Z")]
    pub last_used_at: String,
    /// When it ends, if it is not refreshed before.
    #[schema(format = DateTime, example = "2026-02-07T09:15:00.000Z")]
    pub expires_at: String,
}

/// A page of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnSessions {
    /// The newest first.
    pub sessions: Vec<OwnSession>,
    /// The `cursor` of the next page, to be sent back as it is; null on the last.
    #[schema(value_type = Option<String>, required = true, example = json!(null))]
    pub next: Option<Cursor>,
}

/// The session after which a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub Uuid);

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
    type Err = ();

    /// Only what [`Display`](fmt::Display) writes: other forms of a UUID would be other cursors for the same page.
    fn from_str(text: &str) -> Result<Self, ()> {
        let id = text.strip_prefix(VERSION).ok_or(())?;
        let cursor = Self(id.parse().map_err(|_| ())?);
        (cursor.to_string() == text).then_some(cursor).ok_or(())
    }
}

/// Which page of sessions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before, as it is; empty for the first page.
    #[param(pattern = "^(1-[0-9a-f]{32})?$")]
    cursor: Option<String>,
    /// Sessions on the page; empty for the default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

impl PageQuery {
    /// Where the page begins. Forms send what was left empty, so empty is absent.
    pub fn after(&self) -> Result<Option<Cursor>, Problem> {
        let cursor = self.cursor.as_deref().filter(|cursor| !cursor.is_empty());
        cursor.map(str::parse).transpose().map_err(|()| {
            Problem::from(Code::InvalidQuery).with_detail(
                "cursor must be the `next` of another page, as it is; leave it out for the first page.",
            )
        })
    }

    /// How many are on it.
    pub fn limit(&self) -> Result<usize, Problem> {
        let limit = match self.limit.as_deref().unwrap_or_default() {
            "" => Some(DEFAULT_PAGE),
            limit => limit.parse().ok(),
        };
        let limit = limit.filter(|limit| (1..=MAX_PAGE).contains(limit));
        limit.ok_or_else(|| {
            Problem::from(Code::InvalidQuery)
                .with_detail(format!("limit must be a number from 1 to {MAX_PAGE}."))
        })
    }
}

type Row = (Uuid, String, Option<String>, Option<String>, i64, i64, i64);

/// The sessions of a user that go on, the newest first.
///
/// # Errors
///
/// Those of the database.
pub async fn list(
    connection: &mut Connection<'_>,
    owner: Owner,
    current: Option<Uuid>,
    after: Option<Cursor>,
    limit: usize,
) -> Result<OwnSessions, DatabaseError> {
    let now = schema::now(connection).await?;
    // One more than is shown tells whether there is another page.
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut rows: Vec<Row> = on_either!(connection, |database| {
        sqlx::query_as(
            "SELECT id, kind, user_agent, address, created_at, rotated_at, expires_at FROM sessions
             WHERE company_id = $1 AND user_id = $2 AND id < $3 AND ended_at IS NULL
                 AND expires_at > $4 AND rotated_at > $5
             ORDER BY id DESC LIMIT $6",
        )
        .bind(owner.company)
        .bind(owner.user)
        .bind(after.map_or(Uuid::max(), |cursor| cursor.0))
        .bind(now)
        .bind(now - IDLE)
        .bind(most)
        .fetch_all(&mut **database)
        .await
    })?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|row| Cursor(row.0));
    let sessions = rows.into_iter().map(|row| own(row, current)).collect();
    Ok(OwnSessions { sessions, next })
}

fn own(row: Row, current: Option<Uuid>) -> OwnSession {
    let (id, kind, user_agent, network, created_at, rotated_at, expires_at) = row;
    OwnSession {
        id,
        current: current == Some(id),
        kind,
        user_agent,
        network,
        created_at: time(created_at),
        last_used_at: time(rotated_at),
        expires_at: time(expires_at.min(rotated_at + IDLE)),
    }
}

fn time(unix_millis: i64) -> String {
    let since = Duration::from_millis(unix_millis.max(0).unsigned_abs());
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let cursor = Cursor(Uuid::now_v7());
        let text = cursor.to_string();
        assert_eq!(text.parse(), Ok(cursor));
        let hyphened = format!("1-{}", cursor.0);
        for bad in [
            "",
            "1-",
            "null",
            &text[2..],
            &text.to_uppercase(),
            &hyphened,
            &format!("{text}0"),
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(()), "{bad}");
        }
    }
}
