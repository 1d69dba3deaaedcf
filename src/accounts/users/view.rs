//! Users as answers show them.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::user::{State, User},
    audit::time,
    auth::{SETTINGS_ACCOUNT, role::Role},
};

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// Their id.
    pub id: Uuid,
    /// Their e-mail address; null of the settings' account.
    #[schema(required = true, example = "anna@example.com")]
    pub email: Option<String>,
    /// Their name, unique in the company.
    #[schema(required = true, example = "anna")]
    pub username: Option<String>,
    /// What they may do.
    pub role: Role,
    /// What they are.
    pub state: State,
    /// When they were invited or registered.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000Z")]
    pub created_at: String,
    /// When they last logged in; null if they never did.
    #[schema(required = true, format = DateTime, example = "2026-03-02T08:30:00.000Z")]
    pub last_login_at: Option<String>,
}

impl UserView {
    /// A user; the name of the settings' account is in the settings.
    pub fn new(user: User, settings_username: &str) -> Self {
        Self {
            id: user.id,
            username: match user.id {
                SETTINGS_ACCOUNT => Some(settings_username.to_owned()),
                _ => user.username,
            },
            email: user.email,
            role: user.role,
            state: user.state,
            created_at: time::format(user.created_at),
            last_login_at: user.last_login_at.map(time::format),
        }
    }
}
