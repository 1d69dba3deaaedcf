//! Setting a user's password for them, by whoever may run `footfall admin`.

use super::members::changeable;
use crate::{
    accounts::{
        Change,
        by::By,
        links::{self, Purpose},
        revoke::{end_sessions, renew_user},
        user::User,
    },
    audit::{Action, Kind, record},
    edge::Problem,
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// Gives a user another password, and ends all that they had. Who was invited is let in with it; who is
/// disabled stays so.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn reset(
    connection: &mut Connection<'_>,
    email_key: &str,
    password_hash: String,
    by: &By,
) -> Result<Change<Result<User, Problem>>, DatabaseError> {
    connection.across_companies().await?;
    let found = User::find_by_email_or_invited(connection, email_key).await?;
    let user = match changeable(found, by) {
        Ok(user) => user,
        Err(problem) => return Ok(Change::of(Err(problem))),
    };
    let (company, id) = (user.company, user.id);
    let now = schema::now(connection).await?;
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE users SET password_hash = $3, updated_at = $4, email_key = $5,
                 state = CASE state WHEN 'invited' THEN 'active' ELSE state END
             WHERE company_id = $1 AND id = $2",
        ))
        .bind(company)
        .bind(id)
        .bind(password_hash)
        .bind(now)
        .bind(email_key)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    end_sessions(connection, company, id, None, "password_reset").await?;
    for purpose in [Purpose::Invitation, Purpose::Reset] {
        links::void(connection, company, id, purpose).await?;
    }
    let revoked = vec![renew_user(connection, company, id, None).await?];
    record(
        connection,
        &by.entry(company, Action::AccountReset).on(Kind::User, id),
    )
    .await?;
    let value = Ok(user);
    Ok(Change { value, revoked })
}
