//! Somebody goes: what they did stays, who they were does not.

use crate::{
    accounts::{revoke::renew_user, user::User},
    auth::revocation::Revocation,
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// Takes from the database who a user was: e-mail, name and password, sessions, links, what was
/// registered for the address. Their row and their API tokens stay, for what refers to them; nothing
/// that they hold is accepted any more.
///
/// # Errors
///
/// Those of the database.
pub async fn anonymise(
    connection: &mut Connection<'_>,
    user: &User,
) -> Result<Revocation, DatabaseError> {
    let now = schema::now(connection).await?;
    let key: Option<String> = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(
            "SELECT email_key FROM users WHERE company_id = $1 AND id = $2",
        ))
        .bind(user.company)
        .bind(user.id)
        .fetch_one(&mut **database)
        .await
    })?;
    let email = user.email.as_deref();
    // Whoever was only invited does not have the address: what others write to it is none of theirs.
    let own = email.filter(|email| key == Some(email.to_ascii_lowercase()));
    on_either!(connection, |database| {
        for change in [
            of_company(
                "UPDATE users SET email = NULL, email_key = NULL, username = NULL, username_key = NULL,
                     password_hash = NULL, last_login_at = NULL, state = 'deleted', updated_at = $3
                 WHERE company_id = $1 AND id = $2",
            ),
            of_company(
                "UPDATE api_tokens SET name = '', ended_at = coalesce(ended_at, $3)
                 WHERE company_id = $1 AND user_id = $2",
            ),
        ] {
            let change = sqlx::query(change)
                .bind(user.company)
                .bind(user.id)
                .bind(now);
            change.execute(&mut **database).await?;
        }
        for change in [
            of_company("DELETE FROM sessions WHERE company_id = $1 AND user_id = $2"),
            of_company("DELETE FROM links WHERE company_id = $1 AND user_id = $2"),
        ] {
            let change = sqlx::query(change).bind(user.company).bind(user.id);
            change.execute(&mut **database).await?;
        }
        if let Some(email) = own {
            let forget = sqlx::query("DELETE FROM registrations WHERE email_key = $1");
            let forget = forget.bind(email.to_ascii_lowercase());
            forget.execute(&mut **database).await?;
            let forget =
                sqlx::query("DELETE FROM mails WHERE recipient = $1 AND state = 'waiting'");
            forget.bind(email).execute(&mut **database).await?;
        } else if let Some(email) = email {
            let forget = "DELETE FROM mails WHERE recipient = $1 AND company_id = $2 AND state = 'waiting' AND template ->> 'name' = 'invitation'";
            let forget = sqlx::query(forget).bind(email).bind(user.company);
            forget.execute(&mut **database).await?;
        }
        Ok::<_, sqlx::Error>(())
    })?;
    renew_user(connection, user.company, user.id, None).await
}
