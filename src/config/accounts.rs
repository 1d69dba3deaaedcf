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
    /// Reads the settings. `sends_mail` says whether there is a mail server.
    pub(super) fn read(reader: &mut Reader, production: bool, sends_mail: bool) -> Option<Self> {
        let registration = reader.parse("registration")?;
        if production && registration == Registration::Open && !sends_mail {
            let what = "who registers confirms their address by a mail, and FOOTFALL_SMTP_URL is not set; set it, or let admins invite (invite)";
            reader.reject("registration", what);
        }
        Some(Self { registration })
    }
}
