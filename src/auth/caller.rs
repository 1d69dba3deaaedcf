//! Who calls, and whether they may.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    permission::Permission,
    revocation::Pass,
    role::{Role, Scopes},
};
use crate::{
    company::Company,
    edge::{Code, Problem},
};

/// The id of the settings' account in the database.
pub const SETTINGS_ACCOUNT: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The `sub` of their tokens: the name of the settings' account, the id of anyone else. The
    /// identities of visits are apart by it.
    pub subject: String,
    /// Their id in the database.
    pub user: Uuid,
    /// Whose people they are.
    pub company: Company,
    /// What they may do.
    pub role: Role,
    /// What their API token may be used for; `None` where they logged in.
    pub scopes: Option<Scopes>,
    /// The id of their API token.
    pub api_token: Option<Uuid>,
    /// What their token was issued on; `None` if that was no session.
    pub pass: Option<Arc<Pass>>,
    /// When the token stops being valid, in Unix seconds.
    pub expires_at: u64,
}

impl Caller {
    /// Whether this is the account of the settings.
    pub fn is_of_settings(&self) -> bool {
        self.user == SETTINGS_ACCOUNT
    }

    /// Whether they may do this.
    ///
    /// # Errors
    ///
    /// The problem to answer with. What is for operators is to all others as if it were not there.
    pub fn may<P: Permission>(&self) -> Result<(), Problem> {
        let rule = P::RULE;
        if self.role < rule.role {
            return Err(match rule.role {
                Role::Operator => Code::NotFound.into(),
                role => Problem::from(Code::Forbidden).with_detail(format!(
                    "This is for the role {role} and above; yours is {}.",
                    self.role
                )),
            });
        }
        match (self.scopes, rule.scope) {
            (None, _) => Ok(()),
            (Some(scopes), Some(scope)) if scopes.contains(scope) => Ok(()),
            (Some(_), Some(scope)) => Err(Problem::from(Code::Forbidden).with_detail(format!(
                "This API token has not the scope {}.",
                scope.as_str()
            ))),
            (Some(_), None) => Err(Problem::from(Code::Forbidden)
                .with_detail("No API token may do this: log in, and use the token you get then.")),
        }
    }
}
