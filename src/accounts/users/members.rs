//! What a company's users must not have in common, and must not be without.

use uuid::Uuid;

use crate::{
    accounts::{
        by::By,
        names::{self, Name},
        user::{State, User},
    },
    auth::{SETTINGS_ACCOUNT, role::Role},
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// Whether the company would have no active admin without this one. To be asked with the company
/// [locked](crate::accounts::companies::lock), or two admins could remove each other.
///
/// # Errors
///
/// Those of the database.
pub async fn is_last_admin(
    connection: &mut Connection<'_>,
    user: &User,
) -> Result<bool, DatabaseError> {
    if !user.is_active_admin() {
        return Ok(false);
    }
    let others: i64 = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(
            "SELECT count(*) FROM users
             WHERE company_id = $1 AND id <> $2 AND state = 'active' AND role IN ('admin', 'operator')",
        ))
        .bind(user.company)
        .bind(user.id)
        .fetch_one(&mut **database)
        .await
    })?;
    Ok(others == 0)
}

/// Whether somebody else of the company has this name, or one that looks like it. That of the
/// settings' account is in the settings, and belongs to `default`.
///
/// # Errors
///
/// Those of the database.
pub async fn username_is_taken(
    connection: &mut Connection<'_>,
    company: Uuid,
    username: &Name,
    but_by: Uuid,
) -> Result<bool, DatabaseError> {
    let other: Option<Uuid> = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(
            "SELECT id FROM users WHERE company_id = $1 AND username_key = $2 AND id <> $3",
        ))
        .bind(company)
        .bind(username.key())
        .bind(but_by)
        .fetch_optional(&mut **database)
        .await
    })?;
    Ok(other.is_some())
}

/// A user whom this one may be changed by: not the settings' account, nor anybody above.
pub(super) fn changeable(user: Option<User>, by: &By) -> Result<User, Problem> {
    let is_here = |user: &User| user.state != State::Deleted;
    let user = user.filter(is_here).ok_or(Code::NotFound)?;
    if user.id == SETTINGS_ACCOUNT {
        return Err(Code::ManagedBySettings.into());
    }
    by.may_change(user.role)?;
    Ok(user)
}

/// Somebody who is to be a user.
pub struct Newcomer<'a> {
    /// Their company.
    pub company: Uuid,
    /// Their address.
    pub email: &'a str,
    /// Their address, as addresses are compared.
    pub email_key: &'a str,
    /// What they are called.
    pub username: &'a str,
    /// What they may do.
    pub role: Role,
    /// An Argon2id PHC string. Without one they are invited, with one active.
    pub password_hash: Option<&'a str>,
}

/// Adds a user; `None` if somebody has the address.
///
/// # Errors
///
/// Those of the database.
pub async fn insert(
    connection: &mut Connection<'_>,
    new: &Newcomer<'_>,
) -> Result<Option<Uuid>, DatabaseError> {
    let (id, now) = (Uuid::now_v7(), schema::now(connection).await?);
    let state = if new.password_hash.is_some() {
        "active"
    } else {
        "invited"
    };
    let inserted = on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO users (id, company_id, email, email_key, username, username_key, role, state, password_hash, \
             generation, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $10) ON CONFLICT (email_key) DO NOTHING",
        )
        .bind(id)
        .bind(new.company)
        .bind(new.email)
        .bind(new.email_key)
        .bind(new.username)
        .bind(names::key(new.username))
        .bind(new.role.as_str())
        .bind(state)
        .bind(new.password_hash)
        .bind(now)
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok((inserted == 1).then_some(id))
}
