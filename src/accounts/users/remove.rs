//! Removing a user. What they counted stays; who they were goes.

use uuid::Uuid;

use super::members::{changeable, is_last_admin};
use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        ending::{end_sessions, renew_user},
        user::{State, User},
    },
    audit::{Action, Kind, record},
    auth::revocation::Revocation,
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// Removes a user of a company. Whoever was removed before is no error, so that this can be repeated.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn remove(
    connection: &mut Connection<'_>,
    (company, id): (Uuid, Uuid),
    by: &By,
) -> Result<Change<Result<(), Problem>>, DatabaseError> {
    connection.within(company).await?;
    companies::lock(connection, company).await?;
    let found = User::find(connection, company, id).await?;
    if let Some(gone) = found.as_ref().filter(|user| user.state == State::Deleted) {
        let (below, except) = (gone.generation, None);
        let revoked = vec![Revocation::User { id, below, except }];
        let value = Ok(());
        return Ok(Change { value, revoked });
    }
    let user = match changeable(found, by) {
        Ok(user) => user,
        Err(problem) => return Ok(Change::of(Err(problem))),
    };
    if is_last_admin(connection, &user).await? {
        return Ok(Change::of(Err(Code::LastAdmin.into())));
    }
    let revoked = vec![anonymise(connection, &user).await?];
    record(
        connection,
        &by.entry(company, Action::AccountDelete).on(Kind::User, id),
    )
    .await?;
    let value = Ok(());
    Ok(Change { value, revoked })
}

/// Takes away all that says who a user was, and ends all that lets them in. The row stays, since what
/// they did is told by its id.
///
/// # Errors
///
/// Those of the database.
pub async fn anonymise(
    connection: &mut Connection<'_>,
    user: &User,
) -> Result<Revocation, DatabaseError> {
    let (company, id) = (user.company, user.id);
    end_sessions(connection, company, id, None, "deleted").await?;
    let now = schema::now(connection).await?;
    let email_key = user.email.as_ref().map(|email| email.to_ascii_lowercase());
    on_either!(connection, |database| {
        for statement in [
            "UPDATE users SET email = NULL, email_key = NULL, username = NULL, username_key = NULL, password_hash = NULL, \
             last_login_at = NULL, state = 'deleted', updated_at = $3 WHERE company_id = $1 AND id = $2",
            // What a client says that it is, and from where: that is a person's.
            "UPDATE sessions SET user_agent = NULL, address = NULL, ended_at = coalesce(ended_at, $3)
             WHERE company_id = $1 AND user_id = $2",
            "UPDATE api_tokens SET name = '', ended_at = coalesce(ended_at, $3)
             WHERE company_id = $1 AND user_id = $2",
        ] {
            let statement = sqlx::query(of_company(statement)).bind(company).bind(id).bind(now);
            statement.execute(&mut **database).await?;
        }
        sqlx::query(of_company(
            "DELETE FROM links WHERE company_id = $1 AND user_id = $2",
        ))
        .bind(company)
        .bind(id)
        .execute(&mut **database)
        .await?;
        // What is still to be sent says where they can be written to.
        sqlx::query("DELETE FROM mails WHERE recipient = $1 AND state = 'waiting'")
            .bind(&user.email)
            .execute(&mut **database)
            .await?;
        // They may have wanted to found a company of their own.
        sqlx::query("DELETE FROM registrations WHERE email_key = $1")
            .bind(email_key)
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    renew_user(connection, company, id, None).await
}
