//! By whom something is done.

use uuid::Uuid;

use super::{origin::Origin, user::User};
use crate::{
    audit::{Action, Actor, Entry},
    auth::{Caller, SETTINGS_ACCOUNT, role::Role},
    edge::{Code, Problem},
    storage::sql::{Connection, DatabaseError},
};

/// By whom something is done, and from where.
#[derive(Debug, Clone)]
pub struct By {
    /// Who, as the audit trail says.
    pub actor: Actor,
    /// What they may.
    pub role: Role,
    person: Option<(Uuid, Uuid)>,
    origin: Option<Origin>,
}

impl By {
    /// A caller.
    pub fn caller(caller: &Caller, origin: Origin) -> Self {
        Self {
            actor: Actor::from(caller),
            role: caller.role,
            person: Some((caller.company.id(), caller.user)),
            origin: Some(origin),
        }
    }

    /// Whoever may run `footfall admin`.
    pub fn command() -> Self {
        Self {
            actor: Actor::Command,
            role: Role::Operator,
            person: None,
            origin: None,
        }
    }

    /// An entry of the audit trail.
    pub fn entry(&self, company: Uuid, action: Action) -> Entry {
        let entry = Entry::new(company, self.actor, action);
        match &self.origin {
            Some(origin) => origin.of(entry),
            None => entry,
        }
    }

    /// Their name, as mails have it. The transaction must see them.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn name(
        &self,
        connection: &mut Connection<'_>,
        settings_username: &str,
    ) -> Result<String, DatabaseError> {
        let name = match self.person {
            Some((_, SETTINGS_ACCOUNT)) => Some(settings_username.to_owned()),
            Some((company, id)) => {
                let user = User::find(connection, company, id).await?;
                user.and_then(|user| user.username)
            }
            None => None,
        };
        Ok(name.unwrap_or_else(|| "An administrator".to_owned()))
    }

    /// Whether they may give somebody this role, or change who has it. Nobody raises another above
    /// their own role, and operators are made by `footfall admin` alone.
    ///
    /// # Errors
    ///
    /// `forbidden`, which names the field.
    pub fn may_give(&self, role: Role) -> Result<(), Problem> {
        if role == Role::Operator && self.actor != Actor::Command {
            return Err(Problem::from(Code::Forbidden)
                .with_detail("Operators are made by the command `footfall admin` alone.")
                .of_field("role"));
        }
        self.may_change(role)
    }

    /// Whether they may change somebody of this role.
    ///
    /// # Errors
    ///
    /// `forbidden`, which names the field.
    pub fn may_change(&self, role: Role) -> Result<(), Problem> {
        match role <= self.role {
            true => Ok(()),
            false => Err(Problem::from(Code::Forbidden)
                .with_detail(format!(
                    "The role {role} is above yours, which is {}.",
                    self.role
                ))
                .of_field("role")),
        }
    }
}
