//! Who may have an account.

use std::str::FromStr;

use super::{reader::Reader, values::whole_number};

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

/// Shortest password that may be allowed (NIST SP 800-63B, 3.1.1.2).
const SHORTEST_PASSWORD: usize = 8;

/// The most that may be demanded: the longest password there can be.
const LONGEST_PASSWORD: usize = 128;

struct PasswordLength(usize);

impl FromStr for PasswordLength {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match whole_number(text) {
            Some(length) if (SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&length) => {
                Ok(Self(length))
            }
            _ => Err(format!(
                "expected a whole number of characters from {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}"
            )),
        }
    }
}

/// Accounts.
#[derive(Debug, Clone)]
pub struct AccountsSettings {
    /// `FOOTFALL_REGISTRATION` (`open`; in production `invite`).
    pub registration: Registration,
    /// `FOOTFALL_PASSWORD_MIN_LENGTH` (`15`): characters of a password.
    pub password_min_length: usize,
}

impl AccountsSettings {
    /// Reads the settings. `sends_mail` says whether there is a mail server.
    pub(super) fn read(reader: &mut Reader, production: bool, sends_mail: bool) -> Option<Self> {
        let registration = reader.parse("registration");
        let password_min_length = reader.parse::<PasswordLength>("password_min_length");
        if production && registration == Some(Registration::Open) && !sends_mail {
            let what = "who registers confirms their address by a mail, and FOOTFALL_SMTP_URL is not set; set it, or let admins invite (invite)";
            reader.reject("registration", what);
        }
        Some(Self {
            registration: registration?,
            password_min_length: password_min_length?.0,
        })
    }
}
