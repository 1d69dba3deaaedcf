//! Changing a user.

use uuid::Uuid;

use super::{
    invite::is_reserved,
    members::{changeable, is_last_admin, username_is_taken},
};
use crate::{
    accounts::{
        Change,
        by::By,
        companies,
        links::{self, Purpose},
        names::Name,
        revoke::{end_sessions, renew_user},
        user::{State, User},
    },
    audit::{Action, Details, Entry, Kind, record_all},
    auth::{revocation::Revocation, role::Role},
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// What a user is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Let in, once they have a password.
    Active,
    /// As one who has none yet is.
    Invited,
    /// Not let in.
    Disabled,
}

/// What is to change; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// What they are called.
    pub username: Option<Name>,
    /// What they may do.
    pub role: Option<Role>,
    /// What they are.
    pub state: Option<Wanted>,
}

/// Changes a user. When a role changes, the tokens that say the old one stop; when they are disabled,
/// their sessions end as well.
///
/// # Errors
///
/// Those of the database; within, the problem if it cannot be.
pub async fn update(
    connection: &mut Connection<'_>,
    (company, id): (Uuid, Uuid),
    changes: Changes,
    by: &By,
    settings_username: &str,
) -> Result<Change<Result<User, Problem>>, DatabaseError> {
    connection.within(company).await?;
    companies::lock(connection, company).await?;
    let before = match changeable(User::find(connection, company, id).await?, by) {
        Ok(user) => user,
        Err(problem) => return Ok(Change::of(Err(problem))),
    };
    let after = match after(&before, changes, by) {
        Ok(after) => after,
        Err(problem) => return Ok(Change::of(Err(problem))),
    };
    let checked = is_possible(connection, &before, &after, settings_username).await?;
    if let Err(problem) = checked {
        return Ok(Change::of(Err(problem)));
    }
    write(connection, &before, &after).await?;
    let revoked = end(connection, &before, &after).await?;
    record_all(connection, &entries(&before, &after, by)).await?;
    let user = User::find(connection, company, id).await?;
    Ok(Change {
        value: user.ok_or(Code::NotFound.into()),
        revoked: revoked.into_iter().collect(),
    })
}

struct After {
    username: Option<Name>,
    role: Role,
    state: State,
}

fn after(before: &User, changes: Changes, by: &By) -> Result<After, Problem> {
    let role = changes.role.unwrap_or(before.role);
    if role != before.role {
        by.may_give(role)?;
    }
    let has_password = before.password_hash.is_some();
    let state = match changes.state {
        None => before.state,
        Some(Wanted::Disabled) => State::Disabled,
        Some(Wanted::Active) if has_password => State::Active,
        // By the link of an invitation they choose one.
        Some(Wanted::Active | Wanted::Invited) if !has_password => State::Invited,
        Some(_) => {
            return Err(Problem::from(Code::InvalidBody)
                .with_detail(
                    "They have accepted their invitation: `state` can be active or disabled.",
                )
                .of_field("state"));
        }
    };
    let changed = |name: &Name| Some(name.as_str()) != before.username.as_deref();
    Ok(After {
        username: changes.username.filter(changed),
        role,
        state,
    })
}

async fn is_possible(
    connection: &mut Connection<'_>,
    before: &User,
    after: &After,
    settings_username: &str,
) -> Result<Result<(), Problem>, DatabaseError> {
    let stays = after.state == State::Active && after.role >= Role::Admin;
    if !stays && is_last_admin(connection, before).await? {
        return Ok(Err(Code::LastAdmin.into()));
    }
    let Some(username) = &after.username else {
        return Ok(Ok(()));
    };
    let is_taken = is_reserved(before.company, username, settings_username)
        || username_is_taken(connection, before.company, username, before.id).await?;
    Ok(match is_taken {
        true => Err(Problem::from(Code::UsernameTaken).of_field("username")),
        false => Ok(()),
    })
}

async fn write(
    connection: &mut Connection<'_>,
    before: &User,
    after: &After,
) -> Result<(), DatabaseError> {
    let now = schema::now(connection).await?;
    let username = after.username.as_ref();
    on_either!(connection, |database| {
        sqlx::query(of_company(
            "UPDATE users SET username = coalesce($3, username), username_key = coalesce($4, username_key), \
             role = $5, state = $6, updated_at = $7 WHERE company_id = $1 AND id = $2",
        ))
        .bind(before.company)
        .bind(before.id)
        .bind(username.map(Name::as_str))
        .bind(username.map(Name::key))
        .bind(after.role.as_str())
        .bind(after.state.as_str())
        .bind(now)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Ends what must not go on.
async fn end(
    connection: &mut Connection<'_>,
    before: &User,
    after: &After,
) -> Result<Option<Revocation>, DatabaseError> {
    let (company, id) = (before.company, before.id);
    if after.state == State::Disabled && before.state != State::Disabled {
        end_sessions(connection, company, id, None, "disabled").await?;
        links::void(connection, company, id, Purpose::Invitation).await?;
        links::void(connection, company, id, Purpose::Reset).await?;
        return renew_user(connection, company, id, None).await.map(Some);
    }
    if after.role != before.role {
        return renew_user(connection, company, id, None).await.map(Some);
    }
    // It may be that what was ended before could not be made known then: so this can be repeated.
    let below = before.generation;
    let except = None;
    Ok(Some(Revocation::User { id, below, except }))
}

fn entries(before: &User, after: &After, by: &By) -> Vec<Entry> {
    let entry = |action| by.entry(before.company, action).on(Kind::User, before.id);
    let mut entries = Vec::new();
    if after.username.is_some() {
        entries.push(entry(Action::AccountUpdate).because(Details {
            fields: vec!["username"],
            ..Details::default()
        }));
    }
    if after.role != before.role {
        entries.push(entry(Action::AccountRole).because(Details {
            from: Some(before.role.as_str()),
            to: Some(after.role.as_str()),
            ..Details::default()
        }));
    }
    if after.state != before.state {
        let action = match after.state {
            State::Disabled => Action::AccountDisable,
            _ => Action::AccountEnable,
        };
        entries.push(entry(action).because(Details {
            from: Some(before.state.as_str()),
            to: Some(after.state.as_str()),
            ..Details::default()
        }));
    }
    entries
}
