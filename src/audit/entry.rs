//! What is told: who did what, on what, and how it ended.

use std::{fmt, net::IpAddr};

use serde::Serialize;
use uuid::Uuid;

use crate::auth::{Caller, SETTINGS_ACCOUNT};

/// Longest id of an object and of a request, in bytes. What is longer is cut: none of ours is.
const MAX_ID_BYTES: usize = 200;

/// One thing that happened.
///
/// ```
/// use footfall::audit::{Action, Actor, Details, Entry, Kind};
/// use uuid::Uuid;
///
/// let (company, admin, user) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
/// let entry = Entry::new(company, Actor::User(admin), Action::AccountRole)
///     .on(Kind::User, user)
///     .because(Details {
///         from: Some("member"),
///         to: Some("admin"),
///         ..Details::default()
///     });
/// assert_eq!(entry.action.text(), "account.role");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The company whose trail it stands in: that of the object, else that of the actor, else
    /// `default`.
    pub company: Uuid,
    /// Who did it.
    pub actor: Actor,
    /// What was done, or tried.
    pub action: Action,
    /// What it was done to.
    pub object: Option<Object>,
    /// How it ended.
    pub outcome: Outcome,
    /// The request it came with.
    pub request_id: Option<String>,
    /// Where it came from. Kept beside the chain, and cut to its network after 30 days.
    pub address: Option<IpAddr>,
    /// What else is to be known.
    pub details: Details,
}

impl Entry {
    /// An entry of something that succeeded.
    pub fn new(company: Uuid, actor: Actor, action: Action) -> Self {
        Self {
            company,
            actor,
            action,
            object: None,
            outcome: Outcome::Success,
            request_id: None,
            address: None,
            details: Details::default(),
        }
    }

    /// What it was done to.
    #[must_use]
    pub fn on(mut self, kind: Kind, id: impl fmt::Display) -> Self {
        let id = shortened(id.to_string());
        self.object = Some(Object { kind, id });
        self
    }

    /// How it ended, if not well.
    #[must_use]
    pub fn ended(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The request it came with, and from where.
    #[must_use]
    pub fn from_request(mut self, request_id: impl Into<String>, address: Option<IpAddr>) -> Self {
        self.request_id = Some(shortened(request_id.into()));
        self.address = address;
        self
    }

    /// What else is to be known.
    #[must_use]
    pub fn because(mut self, details: Details) -> Self {
        self.details = details;
        self
    }
}

/// Cuts a text, and takes out what PostgreSQL keeps in no text.
fn shortened(mut text: String) -> String {
    text.retain(|letter| !letter.is_control());
    text.truncate(text.floor_char_boundary(MAX_ID_BYTES));
    text
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person with an account, by its id.
    User(Uuid),
    /// A machine, by the id of its API token.
    ApiToken(Uuid),
    /// The account of the settings.
    Operator,
    /// `footfall admin` or another command, by whoever may run it.
    Command,
    /// The service by itself.
    System,
    /// Nobody who is known: a failed login, a registration.
    Anonymous,
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        match caller.api_token {
            Some(token) => Self::ApiToken(token),
            None => Self::person(caller.user),
        }
    }
}

impl Actor {
    /// Whoever logs in with the account of this id.
    pub fn person(id: Uuid) -> Self {
        match id {
            SETTINGS_ACCOUNT => Self::Operator,
            id => Self::User(id),
        }
    }

    /// Its kind, as it is stored and shown.
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::ApiToken(_) => "api_token",
            Self::Operator => "operator",
            Self::Command => "command",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }

    /// All kinds.
    pub const KINDS: [&str; 6] = [
        "user",
        "api_token",
        "operator",
        "command",
        "system",
        "anonymous",
    ];

    /// Its id, if its kind has any.
    pub fn id(self) -> Option<Uuid> {
        match self {
            Self::User(id) | Self::ApiToken(id) => Some(id),
            _ => None,
        }
    }
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    /// Which kind of thing.
    pub kind: Kind,
    /// Which of them: a UUID, or a name.
    pub id: String,
}

/// Declares an enum whose variants have texts.
macro_rules! texts {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])+ $variant,)+ }

        impl $name {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it is stored and shown.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

texts! {
    /// What was done, or tried: `subject.verb`. Stored rows have texts that later versions may no
    /// longer know, so nothing is ever read back into this.
    Action {
        /// Somebody logged in, or tried to.
        SessionLogin = "session.login",
        /// A session was refreshed with a token that had been replaced: somebody has a copy.
        SessionRefreshReused = "session.refresh_reused",
        /// Somebody logged out.
        SessionLogout = "session.logout",
        /// Somebody ended all sessions of an account.
        SessionLogoutAll = "session.logout_all",
        /// Somebody ended one of their other sessions.
        SessionEnd = "session.end",
        /// Somebody registered, and has yet to confirm it.
        AccountRegister = "account.register",
        /// An address was confirmed, after a registration or an invitation.
        AccountConfirm = "account.confirm",
        /// Somebody was invited.
        AccountInvite = "account.invite",
        /// An account was made by a command.
        AccountCreate = "account.create",
        /// What an account says of itself was changed; the details name the fields.
        AccountUpdate = "account.update",
        /// An address was changed, or is to be.
        AccountEmail = "account.email",
        /// A password was changed by its owner.
        AccountPassword = "account.password",
        /// A link to set a new password was asked for.
        AccountForgot = "account.forgot",
        /// The mail that confirms an address was asked for again.
        AccountResend = "account.resend",
        /// A new password was set with such a link, or by a command.
        AccountReset = "account.reset",
        /// A role was changed.
        AccountRole = "account.role",
        /// An account was disabled.
        AccountDisable = "account.disable",
        /// An account was enabled again.
        AccountEnable = "account.enable",
        /// An account was deleted, which leaves nothing of who it was.
        AccountDelete = "account.delete",
        /// An API token was made.
        TokenCreate = "token.create",
        /// An API token was ended.
        TokenEnd = "token.end",
        /// A write key was made.
        WriteKeyCreate = "write_key.create",
        /// A write key was ended.
        WriteKeyEnd = "write_key.end",
        /// A company was founded.
        CompanyCreate = "company.create",
        /// A company was changed; the details name the fields.
        CompanyUpdate = "company.update",
        /// A company was suspended.
        CompanySuspend = "company.suspend",
        /// A company is no longer suspended.
        CompanyResume = "company.resume",
        /// An audience was made.
        AudienceCreate = "audience.create",
        /// An audience was changed; the details name the fields.
        AudienceUpdate = "audience.update",
        /// An audience was deleted.
        AudienceDelete = "audience.delete",
        /// A preset was made.
        PresetCreate = "preset.create",
        /// A preset was changed; the details name the fields.
        PresetUpdate = "preset.update",
        /// A preset was deleted.
        PresetDelete = "preset.delete",
        /// What is recorded of visits was changed.
        RecordingUpdate = "recording.update",
        /// A visitor was erased from the record. It does not say who that was.
        VisitorsErase = "visitors.erase",
        /// Somebody tried what their role, token or origin does not allow.
        AccessDenied = "access.denied",
        /// The audit was exported.
        ExportAudit = "export.audit",
        /// What was recorded of visits was exported.
        ExportRecord = "export.record",
        /// The members of an audience were exported.
        ExportAudience = "export.audience",
        /// A mail could not be sent, and is not tried again.
        MailFailed = "mail.failed",
    }
}

impl Action {
    /// What stands before the dot.
    pub fn group(self) -> &'static str {
        let text = self.text();
        text.split_once('.').map_or(text, |(group, _)| group)
    }
}

texts! {
    /// How it ended.
    Outcome {
        /// It was done.
        Success = "success",
        /// It was allowed, and failed: a wrong password, say.
        Failure = "failure",
        /// It was not allowed.
        Denied = "denied",
    }
}

texts! {
    /// What something can be done to.
    Kind {
        /// A person's account.
        User = "user",
        /// A registration that is not confirmed yet.
        Registration = "registration",
        /// A session.
        Session = "session",
        /// An API token.
        ApiToken = "api_token",
        /// A write key of web pages.
        WriteKey = "write_key",
        /// A company.
        Company = "company",
        /// An audience.
        Audience = "audience",
        /// A preset.
        Preset = "preset",
        /// A counter, by its name.
        Counter = "counter",
        /// A mail, by its id in the outbox.
        Mail = "mail",
        /// An operation of the API, as `METHOD /its/{pattern}`: never the path that was asked for,
        /// which may hold what is secret.
        Operation = "operation",
    }
}

/// What else is to be known. Every text is one of the program itself: nothing that came from
/// outside, a secret or an e-mail say, can get in.
///
/// The fields are in the order of their names, which is how JSON programs write them again: so what
/// is exported is byte for byte what was hashed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Details {
    /// The names of the fields that were changed, of the scopes that were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<&'static str>,
    /// What it was before: a role, a state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'static str>,
    /// How: `bearer`, `cookie`, `api_token`, `link`, `command`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// How many: sessions that ended, say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Why it failed or was denied: the code of the problem, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_unique_and_of_one_form() {
        let mut seen = std::collections::HashSet::new();
        for action in Action::ALL {
            let text = action.text();
            let (group, verb) = text.split_once('.').unwrap();
            for word in [group, verb] {
                let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
                assert!(!word.is_empty() && word.chars().all(plain), "{text}");
            }
            assert_eq!(action.group(), group);
            assert!(seen.insert(text), "{text} is there twice");
        }
    }

    #[test]
    fn an_id_is_cut_and_has_nothing_unprintable() {
        let entry = Entry::new(Uuid::nil(), Actor::System, Action::AccessDenied);
        let id = |text: &str| entry.clone().on(Kind::Operation, text).object.unwrap().id;
        assert_eq!(id("GET /a\0b\nc"), "GET /abc");
        // 200 is in the middle of a letter of three bytes.
        assert_eq!(id(&"ä€".repeat(100)).len(), 200);
        assert_eq!(id(&format!("{}€", "x".repeat(199))).len(), 199);
    }

    #[test]
    fn details_are_what_is_known_only_and_written_again_as_they_were() {
        let json = |details: &Details| serde_json::to_string(details).unwrap();
        assert_eq!(json(&Details::default()), "{}");
        let details = Details {
            fields: vec!["username", "email"],
            from: Some("member"),
            method: Some("link"),
            number: Some(3),
            reason: Some("last_admin"),
            to: Some("admin"),
        };
        let text = json(&details);
        let again: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(again.to_string(), text);
        assert_eq!(again.as_object().unwrap().len(), 6);
    }
}
