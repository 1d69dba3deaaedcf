//! The mails there are, and what each says.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::quote::quoted;

/// A page that a link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Confirms a registration.
    Confirm,
    /// Accepts an invitation.
    Invitation,
    /// Resets a password.
    Reset,
    /// Confirms a new address.
    Email,
}

impl Page {
    /// Its name below `/console/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Invitation => "invitation",
            Self::Reset => "reset",
            Self::Email => "email",
        }
    }
}

/// A mail that is to be sent, with what it is about. Links are named by the id of their row: who
/// reads the outbox can open none.
///
/// Kept in the database as JSON, `{"name": "reset", "link": …}`. A replica leaves a mail alone whose
/// name it does not know: one of the next version takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Template {
    /// To who has registered.
    Confirm {
        /// Confirms the address.
        link: Uuid,
        /// The company that is founded.
        company: String,
        /// Who they are to be.
        username: String,
    },
    /// To who is invited into a company.
    Invitation {
        /// Accepts the invitation.
        link: Uuid,
        /// The company.
        company: String,
        /// Who invites.
        by: String,
    },
    /// To who has confirmed their registration: by now the company has its name for good.
    Welcome {
        /// The company.
        company: String,
        /// Who they are in it.
        username: String,
    },
    /// To the owner of an address that somebody tried to register once more.
    AlreadyRegistered,
    /// To an address of which somebody asked for a link, and that has no account.
    NoAccount,
    /// To who has forgotten their password.
    Reset {
        /// Lets them choose another.
        link: Uuid,
    },
    /// To a new address of somebody.
    ConfirmEmail {
        /// Confirms it.
        link: Uuid,
    },
    /// To the address that somebody has, and wants to change.
    EmailChanging,
    /// To the address that somebody had until now.
    EmailChanged,
    /// To who has a new password.
    PasswordChanged,
    /// To whom a session belonged that was ended, since an old refresh token of it was used.
    RefreshReused,
    /// To the owner of an account in one company who was invited into another.
    InvitedElsewhere {
        /// The other company.
        company: String,
    },
}

/// What a mail says, without markup.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Nothing that somebody typed is ever in it, so that no name can become a header.
    pub subject: &'static str,
    /// Before the link.
    pub opening: Vec<String>,
    /// What the link says that it does.
    pub action: Option<&'static str>,
    /// After the link.
    pub closing: Vec<&'static str>,
}

const IGNORE: &str = "If this was not you, ignore this mail: nothing happens.";
const WAS_IT_YOU: &str = "If this was not you, choose a new password at once, and tell an administrator of your company.";

impl Template {
    /// Its name, as the database and the log have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Confirm { .. } => "confirm",
            Self::Invitation { .. } => "invitation",
            Self::Welcome { .. } => "welcome",
            Self::AlreadyRegistered => "already_registered",
            Self::NoAccount => "no_account",
            Self::Reset { .. } => "reset",
            Self::ConfirmEmail { .. } => "confirm_email",
            Self::EmailChanging => "email_changing",
            Self::EmailChanged => "email_changed",
            Self::PasswordChanged => "password_changed",
            Self::RefreshReused => "refresh_reused",
            Self::InvitedElsewhere { .. } => "invited_elsewhere",
        }
    }

    /// The page that its link leads to, and the link's id.
    pub fn link(&self) -> Option<(Page, Uuid)> {
        match self {
            Self::Confirm { link, .. } => Some((Page::Confirm, *link)),
            Self::Invitation { link, .. } => Some((Page::Invitation, *link)),
            Self::Reset { link } => Some((Page::Reset, *link)),
            Self::ConfirmEmail { link } => Some((Page::Email, *link)),
            _ => None,
        }
    }

    /// What it says. `site` is where people reach the service.
    pub fn words(&self, site: &str) -> Words {
        match self {
            Self::Confirm { .. }
            | Self::Invitation { .. }
            | Self::InvitedElsewhere { .. }
            | Self::Welcome { .. } => self.words_to_who_comes(site),
            Self::Reset { .. } | Self::ConfirmEmail { .. } => self.words_to_who_changes(site),
            _ => self.words_of_what_happened(site),
        }
    }

    fn words_to_who_comes(&self, site: &str) -> Words {
        match self {
            Self::Invitation { company, by, .. } => Words {
                subject: "You are invited to Footfall",
                opening: vec![format!(
                    "{} invites you to join the company {} at {site}. To accept, choose a password:",
                    quoted(by),
                    quoted(company)
                )],
                action: Some("Accept the invitation"),
                closing: vec!["The link works once, within 24 hours.", "If you do not want to, ignore this mail."],
            },
            Self::InvitedElsewhere { company } => Words {
                subject: "You were invited to another company",
                opening: vec![
                    format!(
                        "The company {} wants to invite you at {site}. You have an account there already, in another company, and an address belongs to one account.",
                        quoted(company)
                    ),
                    "To accept, ask them to invite you by another address, or delete your account first. Nothing has changed.".into(),
                ],
                action: None,
                closing: vec![],
            },
            Self::Confirm { company, username, .. } => Words {
                subject: "Confirm your e-mail address",
                opening: vec![format!(
                    "You have registered at {site} as {} of the company {}. To begin, confirm your address:",
                    quoted(username),
                    quoted(company)
                )],
                action: Some("Confirm the address"),
                closing: vec!["The link works once, within 24 hours, and asks for the password that you have chosen.", IGNORE],
            },
            Self::Welcome { company, username } => Words {
                subject: "Welcome to Footfall",
                opening: vec![format!(
                    "Your company at {site} is called {}, and you are its first admin. Log in with this address, or as {} of the company.",
                    quoted(company),
                    quoted(username)
                )],
                action: None,
                closing: vec!["A number after the name means that another company has the name."],
            },
            _ => unreachable!("see `words`"),
        }
    }

    fn words_to_who_changes(&self, site: &str) -> Words {
        match self {
            Self::Reset { .. } => Words {
                subject: "Reset your password",
                opening: vec![format!(
                    "Somebody, you we hope, wants a new password for your account at {site}:"
                )],
                action: Some("Choose a new password"),
                closing: vec!["The link works once, within 30 minutes.", IGNORE],
            },
            _ => Words {
                subject: "Confirm your new e-mail address",
                opening: vec![format!(
                    "You want to use this address for your account at {site}. To do so, confirm it:"
                )],
                action: Some("Confirm the address"),
                closing: vec![
                    "The link works once, within 24 hours. Until then your old address stays.",
                    IGNORE,
                ],
            },
        }
    }

    fn words_of_what_happened(&self, site: &str) -> Words {
        let (subject, opening, closing) = match self {
            Self::AlreadyRegistered => (
                "You have an account already",
                format!(
                    "Somebody, you perhaps, tried to register at {site} with this address. You have an account there already: log in with it. If you have forgotten its password, ask for a new one there."
                ),
                IGNORE,
            ),
            Self::NoAccount => (
                "There is no account with this address",
                format!(
                    "Somebody, you perhaps, asked at {site} for a link to this address. There is no account with it that can be used. Perhaps you have one with another address?"
                ),
                IGNORE,
            ),
            Self::EmailChanging => (
                "Your e-mail address is to be changed",
                format!(
                    "Somebody with your password wants to use another e-mail address for your account at {site}. It is changed when that address is confirmed."
                ),
                WAS_IT_YOU,
            ),
            Self::EmailChanged => (
                "Your e-mail address was changed",
                format!(
                    "Your account at {site} has another e-mail address now. This was the last mail to this one."
                ),
                "If this was not you, tell an administrator of your company at once.",
            ),
            Self::PasswordChanged => (
                "Your password was changed",
                format!(
                    "The password of your account at {site} was changed. All other sessions were ended."
                ),
                WAS_IT_YOU,
            ),
            _ => (
                "One of your sessions was ended",
                format!(
                    "A session of your account at {site} was ended: a refresh token of it was used that had been replaced long before, as happens when it was copied. Log in again."
                ),
                WAS_IT_YOU,
            ),
        };
        Words {
            subject,
            opening: vec![opening],
            action: None,
            closing: vec![closing],
        }
    }
}
