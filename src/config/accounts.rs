//! Who may have an account.

use std::str::FromStr;

use super::reader::Reader;

/// Who may found a company.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// Nobody; admins invite people to theirs.
    Invite,
    /// Nobody, and nobody is invited: accounts are made by `footfall admin`.
    Closed,
}

impl FromStr for Registration {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "open" => Ok(Self::Open),
            "invite" => Ok(Self::Invite),
            "closed" => Ok(Self::Closed),
            _ => Err("expected open, invite or closed"),
        }
    }
}

/// Accounts.
#[derive(Debug, Clone)]
pub struct AccountsSettings {
    /// `FOOTFALL_REGISTRATION` (`open`; in production `invite`).
    pub registration: Registration,
}

impl AccountsSettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        Some(Self {
            registration: reader.parse("registration")?,
        })
    }
}
