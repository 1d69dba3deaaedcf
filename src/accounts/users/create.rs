//! Making a user at once, by whoever may run `footfall admin`.

use uuid::Uuid;

use super::{
    invite::{find_here, is_reserved},
    members::{Newcomer, insert, username_is_taken},
};
use crate::{
    accounts::{by::By, companies, names::Name, user::User},
    audit::{Action, Kind, record_all},
    auth::role::Role,
    company::{DEFAULT_ID, Zone},
    edge::{Code, Problem},
    mail::EmailAddress,
    storage::sql::{Connection, DatabaseError},
};

/// Somebody who is a user from now on.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Their company, which is founded if there is none of this name.
    pub company: Name,
    /// Their address.
    pub email: EmailAddress,
    /// What they are called.
    pub username: Name,
    /// What they may do.
    pub role: Role,
    /// An Argon2id PHC string.
    pub password_hash: String,
    /// The name of the settings' account, which nobody else may have.
    pub settings_username: String,
}

/// Makes an active user.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn create(
    connection: &mut Connection<'_>,
    new: &NewUser,
    by: &By,
) -> Result<Result<User, Problem>, DatabaseError> {
    connection.across_companies().await?;
    let known = companies::find_by_name(connection, &new.company)
        .await?
        .map(|row| row.id);
    if new.role == Role::Operator && known != Some(DEFAULT_ID) {
        return Ok(Err(Problem::from(Code::Forbidden)
            .with_detail("Operators are of the company `default`.")
            .of_field("role")));
    }
    let founded = match known {
        Some(_) => None,
        None => companies::insert(connection, &new.company, &Zone::default()).await?,
    };
    let Some(company) = known.or(founded) else {
        return Ok(Err(Problem::from(Code::CompanyTaken).of_field("company")));
    };
    companies::lock(connection, company).await?;
    let is_taken = is_reserved(company, &new.username, &new.settings_username)
        || username_is_taken(connection, company, &new.username, Uuid::nil()).await?;
    if is_taken {
        return Ok(Err(Problem::from(Code::UsernameTaken).of_field("username")));
    }
    let newcomer = Newcomer {
        company,
        email: new.email.as_str(),
        email_key: &new.email.key(),
        username: new.username.as_str(),
        role: new.role,
        password_hash: Some(&new.password_hash),
    };
    let id = match find_here(connection, company, &new.email).await? {
        Some(_) => None,
        None => insert(connection, &newcomer).await?,
    };
    let Some(id) = id else {
        let detail = "Somebody has this e-mail address already, perhaps in another company.";
        let taken = Problem::from(Code::EmailTaken).with_detail(detail);
        // A company that was founded for it must not stay.
        return match founded {
            None => Ok(Err(taken.of_field("email"))),
            Some(_) => Err(DatabaseError::Refused(detail.to_owned())),
        };
    };
    let founding = founded.map(|id| by.entry(id, Action::CompanyCreate).on(Kind::Company, id));
    let creation = by.entry(company, Action::AccountCreate).on(Kind::User, id);
    let entries: Vec<_> = founding.into_iter().chain([creation]).collect();
    record_all(connection, &entries).await?;
    let user = User::find(connection, company, id).await?;
    Ok(user.ok_or(Code::Internal.into()))
}
