//! Who somebody is, as it is answered.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    accounts::user::{OfCompany, User},
    auth::{SETTINGS_ACCOUNT, role::Role},
    company,
};

/// Who has logged in.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    /// Their id.
    pub id: Uuid,
    /// Their name; null if they have none.
    #[schema(required = true, example = "anna")]
    pub username: Option<String>,
    /// Their e-mail address; null of the account of the settings.
    #[schema(required = true, example = "anna@example.org")]
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Their company.
    pub company: OfCompany,
}

impl LoggedIn {
    /// A user; `None` is the account of the settings, where there is no database.
    pub fn of(user: Option<&User>, settings_username: &str) -> Self {
        let Some(user) = user else {
            return Self {
                id: SETTINGS_ACCOUNT,
                username: Some(settings_username.to_owned()),
                email: None,
                role: Role::Operator,
                company: OfCompany {
                    id: company::DEFAULT_ID,
                    name: company::Company::Default.to_string(),
                },
            };
        };
        let of_settings = (user.id == SETTINGS_ACCOUNT).then(|| settings_username.to_owned());
        Self {
            id: user.id,
            username: of_settings.or_else(|| user.username.clone()),
            email: user.email.clone(),
            role: user.role,
            company: OfCompany {
                id: user.company,
                name: user.company_name.clone(),
            },
        }
    }
}
