//! How visitors are told apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is stored of who came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VisitorMode {
    /// A hash with a key of the company: a visitor is known again, and by nobody else.
    #[default]
    Hashed,
    /// A hash with a salt that is forgotten: a visitor is known again on the same day (UTC) only.
    Daily,
    /// What was sent, for who must export it.
    Given,
}

impl VisitorMode {
    /// As Redis and its scripts know it.
    pub fn code(self) -> u8 {
        match self {
            Self::Hashed => 1,
            Self::Daily => 2,
            Self::Given => 3,
        }
    }

    /// The mode of a code.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Hashed, Self::Daily, Self::Given]
            .into_iter()
            .find(|mode| mode.code() == code)
    }
}
