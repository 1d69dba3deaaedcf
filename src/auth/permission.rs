//! Who may do what: one table, and an extractor for each of its lines.
//!
//! A handler says in its signature what it takes: `caller: May<permission::Count>`.

use axum::http::Method;

use super::role::{Role, Scope};

/// What is asked of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name in problems and in the documentation.
    pub name: &'static str,
    /// The weakest role that may.
    pub role: Role,
    /// The scope an API token needs beside its owner's role; without one, no API token may.
    pub scope: Option<Scope>,
}

impl Rule {
    /// Whether a request of this method changes something. Those that are safe (RFC 9110, 9.2.1)
    /// do not, but for `GET /api/count`, which counts.
    pub fn changes(self, method: &Method) -> bool {
        match *method {
            Method::GET => self == Count::RULE,
            Method::HEAD | Method::OPTIONS | Method::TRACE => false,
            _ => true,
        }
    }
}

/// One line of the table.
pub trait Permission: Send + Sync + 'static {
    /// What it asks.
    const RULE: Rule;
}

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $permission:ident = $name:literal, $role:ident, $scope:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy)]
            pub enum $permission {}

            impl Permission for $permission {
                const RULE: Rule = Rule { name: $name, role: Role::$role, scope: $scope };
            }
        )+

        /// All of them, with what they are.
        pub const TABLE: &[(&str, Rule)] = &[$((concat!($($doc,)+), $permission::RULE),)+];
    };
}

permissions! {
    /// Count visits.
    Count = "count", Member, Some(Scope::VisitsWrite);
    /// Read counters and their history.
    Read = "read", Viewer, Some(Scope::CountersRead);
    /// Look at one's own account and sessions, and change them.
    OwnAccount = "own_account", Viewer, None;
    /// Look at one's own API tokens, make and end them.
    OwnTokens = "own_tokens", Member, None;
    /// Look at the company's users.
    ReadUsers = "read_users", Admin, Some(Scope::UsersRead);
    /// Invite, change and remove the company's users.
    WriteUsers = "write_users", Admin, Some(Scope::UsersWrite);
    /// Make and end the keys by which web pages send visits.
    WriteKeys = "write_keys", Admin, None;
    /// Erase what is known of visitors.
    EraseVisitors = "erase_visitors", Admin, None;
    /// Change what the company is called and does.
    ManageCompany = "manage_company", Admin, None;
    /// Read what visits carried, what it amounts to, audiences and presets.
    ReadRecord = "read_record", Viewer, Some(Scope::RecordRead);
    /// Make, change and delete audiences and presets.
    Audiences = "write_audiences", Member, None;
    /// Change what is recorded of visits.
    Recording = "manage_recording", Admin, None;
    /// Read the company's audit trail.
    ReadAudit = "read_audit", Admin, None;
    /// Look at the settings in force.
    ReadSettings = "read_settings", Operator, None;
    /// Look at all companies, found, change and suspend them.
    ManageCompanies = "manage_companies", Operator, None;
}
