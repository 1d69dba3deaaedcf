//! What ends tokens and sessions, in the transaction of what causes it.

use uuid::Uuid;

use crate::{
    auth::revocation::Revocation,
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// Has all tokens of a user stop that were issued so far, but for those of one session. Their
/// sessions go on: the next refresh gives tokens that say what holds now.
///
/// # Errors
///
/// Those of the database.
pub async fn renew_user(
    connection: &mut Connection<'_>,
    company: Uuid,
    user: Uuid,
    except: Option<Uuid>,
) -> Result<Revocation, DatabaseError> {
    let below: i64 = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(
            "UPDATE users SET generation = generation + 1 WHERE company_id = $1 AND id = $2 RETURNING generation",
        ))
        .bind(company)
        .bind(user)
        .fetch_one(&mut **database)
        .await
    })?;
    let id = user;
    Ok(Revocation::User { id, below, except })
}

/// Has all tokens of a company's people stop that were issued so far.
///
/// # Errors
///
/// Those of the database.
pub async fn renew_company(
    connection: &mut Connection<'_>,
    id: Uuid,
) -> Result<Revocation, DatabaseError> {
    let below: i64 = on_either!(connection, |database| {
        sqlx::query_scalar(
            "UPDATE companies SET generation = generation + 1 WHERE id = $1 RETURNING generation",
        )
        .bind(id)
        .fetch_one(&mut **database)
        .await
    })?;
    Ok(Revocation::Company { id, below })
}

/// Ends the sessions of a user, but for one; how many these were.
///
/// # Errors
///
/// Those of the database.
pub async fn end_sessions(
    connection: &mut Connection<'_>,
    company: Uuid,
    user: Uuid,
    except: Option<Uuid>,
    reason: &'static str,
) -> Result<u64, DatabaseError> {
    let now = schema::now(connection).await?;
    let ended = on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE sessions SET ended_at = $3, end_reason = $4
             WHERE company_id = $1 AND user_id = $2 AND ended_at IS NULL AND id <> $5",
        ))
        .bind(company)
        .bind(user)
        .bind(now)
        .bind(reason)
        .bind(except.unwrap_or(Uuid::nil()))
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(ended)
}
