//! Inviting somebody into a company.
//!
//! An address belongs to one user of one company. Whether another company has it is nobody's
//! business here: the invitation of such a one is a row like any other, at which this company can
//! look, and which it can change and remove; only that its link is never sent. The owner
//! gets a mail that explains. All statements are the same in both cases.

use uuid::Uuid;

use super::members::{Newcomer, insert, username_is_taken};
use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        links::{self, Purpose, Subject},
        names::Name,
        once::{Once, Turn},
        user::{State, User},
    },
    audit::{Action, Kind, record},
    auth::role::Role,
    edge::{Code, Problem},
    mail::{EmailAddress, Mail, Template, enqueue},
    storage::sql::{Connection, DatabaseError, of_company, on_either},
};

/// Names that are tried for somebody to whom none was given, before that is refused.
const TRIES: usize = 20;

/// Who is invited.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Their address.
    pub email: EmailAddress,
    /// What they are to be.
    pub role: Role,
    /// What they are to be called; else what stands before the `@`, if nobody else has it.
    pub username: Option<Name>,
    /// The name of the settings' account: mails name who invites, and nobody in `default` may have it.
    pub settings_username: String,
    /// Whether a mail is sent: not if there were too many to this address.
    pub is_mailed: bool,
}

/// Who was invited.
#[derive(Debug, Clone)]
pub struct Invited {
    /// The user.
    pub user: User,
}

/// Invites somebody, or sends their invitation again.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn invite(
    connection: &mut Connection<'_>,
    company: Uuid,
    invitation: Invitation,
    by: &By,
    once: Option<&Once>,
) -> Result<Change<Result<Invited, Problem>>, DatabaseError> {
    // They may be of another company: whoever founds one for others is.
    connection.across_companies().await?;
    let by_name = by.name(connection, &invitation.settings_username).await?;
    let is_taken = User::find_by_email(connection, &invitation.email.key()).await?;
    let is_elsewhere = is_taken.is_some_and(|user| user.company != company);
    connection.within(company).await?;
    if let Turn::Repeated(Some(id)) = Once::begin(once, connection).await? {
        return answer(connection, company, id.parse().unwrap_or(Uuid::nil())).await;
    }
    let Some(row) = companies::lock(connection, company).await? else {
        return Ok(Change::of(Err(Code::NotFound.into())));
    };
    let known = find_here(connection, company, &invitation.email).await?;
    let added = match known {
        Some(user) if user.state == State::Invited => Ok((user.id, is_elsewhere)),
        Some(_) => Err(Problem::from(Code::EmailTaken).of_field("email")),
        None => add(connection, company, &invitation, is_elsewhere).await?,
    };
    let (id, is_elsewhere) = match added {
        Ok(added) => added,
        Err(problem) => return Ok(Change::of(Err(problem))),
    };
    claim(
        connection,
        company,
        id,
        &key(company, &invitation.email, is_elsewhere),
    )
    .await?;
    links::void(connection, company, id, Purpose::Invitation).await?;
    let link = links::create(
        connection,
        Purpose::Invitation,
        Subject::User { company, id },
        None,
    )
    .await?;
    let template = match is_elsewhere {
        false => Template::Invitation {
            link,
            company: row.name,
            by: by_name,
        },
        true => Template::InvitedElsewhere { company: row.name },
    };
    if invitation.is_mailed {
        let mail = Mail {
            to: invitation.email.to_string(),
            company: Some(company),
            template,
        };
        enqueue(connection, &mail).await?;
    }
    Once::end(once, connection, &id.to_string()).await?;
    record(
        connection,
        &by.entry(company, Action::AccountInvite).on(Kind::User, id),
    )
    .await?;
    answer(connection, company, id).await
}

async fn answer(
    connection: &mut Connection<'_>,
    company: Uuid,
    id: Uuid,
) -> Result<Change<Result<Invited, Problem>>, DatabaseError> {
    let user = User::find(connection, company, id).await?;
    let invited = user.map(|user| Invited { user });
    Ok(Change::of(invited.ok_or(Code::NotFound.into())))
}

/// By what the address of a user is compared. That of one whose address another company has is
/// compared within this company alone: no address has a blank in it.
fn key(company: Uuid, email: &EmailAddress, is_elsewhere: bool) -> String {
    match is_elsewhere {
        true => format!("{} {}", company.simple(), email.key()),
        false => email.key(),
    }
}

async fn find_here(
    connection: &mut Connection<'_>,
    company: Uuid,
    email: &EmailAddress,
) -> Result<Option<User>, DatabaseError> {
    for is_elsewhere in [false, true] {
        let found = User::find_by_email(connection, &key(company, email, is_elsewhere)).await?;
        if let Some(user) = found.filter(|user| user.company == company) {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

/// Adds who is invited; whether their address is another company's.
async fn add(
    connection: &mut Connection<'_>,
    company: Uuid,
    invitation: &Invitation,
    is_elsewhere: bool,
) -> Result<Result<(Uuid, bool), Problem>, DatabaseError> {
    let Some(username) = free_name(connection, company, invitation).await? else {
        return Ok(Err(Problem::from(Code::UsernameTaken).of_field("username")));
    };
    // Somebody may have taken the address since it was looked for.
    for is_elsewhere in [is_elsewhere, true] {
        let new = Newcomer {
            company,
            email: invitation.email.as_str(),
            email_key: &key(company, &invitation.email, is_elsewhere),
            username: username.as_str(),
            role: invitation.role,
            password_hash: None,
        };
        if let Some(id) = insert(connection, &new).await? {
            return Ok(Ok((id, is_elsewhere)));
        }
    }
    Ok(Err(Problem::from(Code::EmailTaken).of_field("email")))
}

/// Has the address compared as it is to be now: the other company may have lost it.
async fn claim(
    connection: &mut Connection<'_>,
    company: Uuid,
    id: Uuid,
    key: &str,
) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE users SET email_key = $3 WHERE company_id = $1 AND id = $2",
        ))
        .bind(company)
        .bind(id)
        .bind(key)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// The name that was wished for, or one made of the address: `anna`, `anna-2`, …
async fn free_name(
    connection: &mut Connection<'_>,
    company: Uuid,
    invitation: &Invitation,
) -> Result<Option<Name>, DatabaseError> {
    let names = match &invitation.username {
        Some(name) => vec![name.clone()],
        None => names_of(&invitation.email),
    };
    for name in names {
        let is_of_settings = is_reserved(company, &name, &invitation.settings_username);
        if !is_of_settings && !username_is_taken(connection, company, &name, Uuid::nil()).await? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether a name is that of the settings' account, which nobody else of `default` may have.
pub(super) fn is_reserved(company: Uuid, name: &Name, settings_username: &str) -> bool {
    let of_settings = Name::of_user(settings_username);
    company == crate::company::DEFAULT_ID
        && (settings_username == name.as_str()
            || of_settings.is_ok_and(|of_settings| of_settings.key() == name.key()))
}

fn names_of(email: &EmailAddress) -> Vec<Name> {
    let local = email.as_str().split('@').next().unwrap_or_default();
    let local: String = local
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(crate::accounts::names::MAX_CHARS - 3)
        .collect();
    let local = local.trim_matches(['.', '_', '-']);
    let base = if local.is_empty() { "user" } else { local };
    let numbered = (2..=TRIES).map(|number| format!("{base}-{number}"));
    let all = std::iter::once(base.to_owned()).chain(numbered);
    all.filter_map(|name| Name::of_user(&name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_stands_before_the_at() {
        for (email, name) in [
            ("anna@example.com", "anna"),
            ("Anna.Lind@example.com", "Anna.Lind"),
            ("a+b@example.com", "a-b"),
            ("_@example.com", "user"),
            ("!#$@example.com", "user"),
            ("-a-@example.com", "a"),
        ] {
            let names = names_of(&email.parse().unwrap());
            assert_eq!(names[0].as_str(), name);
            assert_eq!(names.len(), TRIES);
        }
        let long = format!("{}@example.com", "a".repeat(64));
        assert_eq!(names_of(&long.parse().unwrap()).len(), TRIES);
    }

    #[test]
    fn keys_of_one_address_in_several_companies_are_apart() {
        let email: EmailAddress = "Anna@Example.com".parse().unwrap();
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        assert_eq!(key(one, &email, false), "anna@example.com");
        assert_ne!(key(one, &email, true), key(other, &email, true));
        assert!(key(one, &email, true).parse::<EmailAddress>().is_err());
    }
}
