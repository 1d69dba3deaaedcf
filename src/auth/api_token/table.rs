//! API tokens in the database, as whoever shows one is looked up.

use uuid::Uuid;

use super::HASH_BYTES;
use crate::{
    auth::role::{Role, Scopes},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// The least time between two notes of the last use of a token, in milliseconds.
const BETWEEN_NOTES: i64 = 60_000;

/// A token, and of its owner and their company what decides what it may be used for now.
#[derive(Debug)]
pub struct Found {
    /// Its id.
    pub id: Uuid,
    /// Its owner's company.
    pub company: Uuid,
    /// Its owner.
    pub user: Uuid,
    /// What it may be used for, within what its owner may do.
    pub scopes: Scopes,
    /// When it ends by itself, in Unix milliseconds.
    pub expires_at: Option<i64>,
    /// Its owner's role.
    pub role: Role,
    /// Grows when the tokens of its owner must be looked at again.
    pub user_generation: i64,
    /// Grows when the tokens of the company's people must be looked at again.
    pub company_generation: i64,
    /// Whether its owner is active, and the company not suspended.
    pub is_let_in: bool,
    /// Whether it has ended by itself.
    pub has_expired: bool,
}

type Row = (
    Uuid,
    Uuid,
    Uuid,
    String,
    Option<i64>,
    String,
    i64,
    i64,
    String,
    String,
);

/// The token with this hash, unless it was ended.
///
/// # Errors
///
/// Those of the database.
pub async fn find(
    connection: &mut Connection<'_>,
    hash: [u8; HASH_BYTES],
) -> Result<Option<Found>, DatabaseError> {
    // Of which company it is is what is asked.
    connection.across_companies().await?;
    let row: Option<Row> = on_either!(connection, |database| {
        sqlx::query_as(
            "SELECT t.id, t.company_id, t.user_id, t.scopes, t.expires_at, u.role, u.generation, c.generation, \
             u.state, c.state
             FROM api_tokens t
             JOIN users u ON u.company_id = t.company_id AND u.id = t.user_id
             JOIN companies c ON c.id = t.company_id
             WHERE t.secret_hash = $1 AND t.ended_at IS NULL",
        )
        .bind(&hash[..])
        .fetch_optional(&mut **database)
        .await
    })?;
    let Some(row) = row else { return Ok(None) };
    let now = schema::now(connection).await?;
    let (
        id,
        company,
        user,
        scopes,
        expires_at,
        role,
        user_generation,
        company_generation,
        state,
        company_state,
    ) = row;
    Ok(Some(Found {
        id,
        company,
        user,
        scopes: Scopes::parse(&scopes),
        expires_at,
        // One that is not known here is taken for the weakest, as in access tokens.
        role: role.parse().unwrap_or(Role::Viewer),
        user_generation,
        company_generation,
        is_let_in: state == "active" && company_state == "active",
        has_expired: expires_at.is_some_and(|end| end <= now),
    }))
}

/// Notes that a token was used now, unless that was noted within the last minute.
///
/// # Errors
///
/// Those of the database.
pub async fn note_use(
    connection: &mut Connection<'_>,
    company: Uuid,
    id: Uuid,
) -> Result<(), DatabaseError> {
    connection.within(company).await?;
    let now = schema::now(connection).await?;
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE api_tokens SET last_used_at = $3
             WHERE company_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)",
        ))
        .bind(company)
        .bind(id)
        .bind(now)
        .bind(now - BETWEEN_NOTES)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}
