//! One's own sessions, page by page.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::row::{IDLE, Owner};
use crate::{
    audit::time,
    edge::page::{Cursor, Page},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

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
    pub next: Option<Cursor<Uuid>>,
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
    page: Page<Uuid>,
) -> Result<OwnSessions, DatabaseError> {
    let now = schema::now(connection).await?;
    // The newest are first: the first page begins after all there can be.
    let before = page.after.unwrap_or(Uuid::max());
    let mut rows: Vec<Row> = on_either!(connection, |database| {
        sqlx::query_as(of_company(
            "SELECT id, kind, user_agent, address, created_at, rotated_at, expires_at FROM sessions
             WHERE company_id = $1 AND user_id = $2 AND id < $3 AND ended_at IS NULL
                 AND expires_at > $4 AND rotated_at > $5
             ORDER BY id DESC LIMIT $6",
        ))
        .bind(owner.company)
        .bind(owner.user)
        .bind(before)
        .bind(now)
        .bind(now - IDLE)
        .bind(page.rows())
        .fetch_all(&mut **database)
        .await
    })?;
    let next = page.cut(&mut rows, |row| row.0);
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
        created_at: time::format(created_at),
        last_used_at: time::format(rotated_at),
        expires_at: time::format(expires_at.min(rotated_at + IDLE)),
    }
}
