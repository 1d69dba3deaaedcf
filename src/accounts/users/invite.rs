//! Inviting somebody into a company.
//!
//! An address belongs to one user of one company: to whoever has confirmed it. An invitation takes it from
//! nobody, so several companies can invite one address, and whoever has it can register by themselves.
//! Whether another company has it is nobody's business here: the invitation of such a one is a row like
//! any other, at which this company can look, and which it can change and remove; only that its link is
//! never sent. The owner gets a mail that explains. All statements are the same in both cases.

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
        user::{State, User, invited_key},
    },
    audit::{Action, Kind, record},
    auth::role::Role,
    edge::{Code, Problem},
    mail::{EmailAddress, Mail, Template, enqueue},
    storage::sql::{Connection, DatabaseError},
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
        Some(user) if user.state == State::Invited => Ok(user.id),
        Some(_) => Err(Problem::from(Code::EmailTaken).of_field("email")),
        None => add(connection, company, &invitation).await?,
    };
    let id = match added {
        Ok(id) => id,
        Err(problem) => return Ok(Change::of(Err(problem))),
    };
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

/// Who of a company has this address, or was invited with it.
pub(super) async fn find_here(
    connection: &mut Connection<'_>,
    company: Uuid,
    email: &EmailAddress,
) -> Result<Option<User>, DatabaseError> {
    for key in [email.key(), invited_key(company, &email.key())] {
        let found = User::find_by_email(connection, &key).await?;
        if let Some(user) = found.filter(|user| user.company == company) {
            return Ok(Some(user));
        }
    }
    Ok(None)
}

/// Adds who is invited.
async fn add(
    connection: &mut Connection<'_>,
    company: Uuid,
    invitation: &Invitation,
) -> Result<Result<Uuid, Problem>, DatabaseError> {
    let Some(username) = free_name(connection, company, invitation).await? else {
        return Ok(Err(Problem::from(Code::UsernameTaken).of_field("username")));
    };
    let new = Newcomer {
        company,
        email: invitation.email.as_str(),
        email_key: &invited_key(company, &invitation.email.key()),
        username: username.as_str(),
        role: invitation.role,
        password_hash: None,
    };
    let added = insert(connection, &new).await?;
    Ok(added.ok_or_else(|| Problem::from(Code::EmailTaken).of_field("email")))
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
}
