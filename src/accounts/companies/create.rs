//! Founding a company for others.

use uuid::Uuid;

use super::{find, insert, taken};
use crate::{
    accounts::{
        Change,
        by::By,
        names::Name,
        once::{Once, Turn},
        users::{Invitation, invite},
    },
    audit::{Action, Kind, record},
    company::Zone,
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError},
};

/// A company, and who is to be its first admin.
#[derive(Debug, Clone)]
pub struct NewCompany {
    /// What it is to be called.
    pub name: Name,
    /// By which its days are to begin.
    pub time_zone: Zone,
    /// Its first admin.
    pub admin: Invitation,
}

/// Founds a company and invites its first admin.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn create(
    connection: &mut Connection<'_>,
    new: NewCompany,
    by: &By,
    once: Option<&Once>,
) -> Result<Change<Result<super::Row, Problem>>, DatabaseError> {
    connection.across_companies().await?;
    if let Turn::Repeated(Some(id)) = Once::begin(once, connection).await? {
        let id = id.parse().unwrap_or(Uuid::nil());
        let found = find(connection, id).await?;
        return Ok(Change::of(found.ok_or(Code::NotFound.into())));
    }
    let Some(id) = insert(connection, &new.name, &new.time_zone).await? else {
        return Ok(Change::of(Err(taken())));
    };
    let entry = by.entry(id, Action::CompanyCreate).on(Kind::Company, id);
    // Before the invitation, whose entry is the last thing of the transaction.
    record(connection, &entry).await?;
    let invited = invite(connection, id, new.admin, by, None).await?.value;
    if let Err(problem) = invited {
        // Nothing of it is to be done: a company without an admin is of no use.
        return Err(DatabaseError::Refused(problem.detail.into_owned()));
    }
    Once::end(once, connection, &id.to_string()).await?;
    let found = find(connection, id).await?;
    Ok(Change::of(found.ok_or(Code::Internal.into())))
}
