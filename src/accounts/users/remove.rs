//! Removing a user. What they counted stays; who they were goes.

use uuid::Uuid;

use super::{
    anonymise::anonymise,
    members::{changeable, is_last_admin},
};
use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        user::{State, User},
    },
    audit::{Action, Kind, record},
    auth::revocation::Revocation,
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError},
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
