//! Roles of people, and scopes of API tokens.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a person may do: each role may all that the ones before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Counts, too.
    Member,
    /// Administers the company.
    Admin,
    /// Administers all companies.
    Operator,
}

impl Role {
    /// All of them, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Operator];

    /// Its name in tokens, in the database and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, member, admin or operator")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or(InvalidRole)
    }
}

/// What an API token may be used for, within what its owner may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub enum Scope {
    /// Count visits.
    #[serde(rename = "visits:write")]
    VisitsWrite,
    /// Read counters.
    #[serde(rename = "counters:read")]
    CountersRead,
    /// Read the record of visits.
    #[serde(rename = "record:read")]
    RecordRead,
    /// Read users.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Invite, change and remove users.
    #[serde(rename = "users:write")]
    UsersWrite,
}

impl Scope {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::VisitsWrite,
        Self::CountersRead,
        Self::RecordRead,
        Self::UsersRead,
        Self::UsersWrite,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VisitsWrite => "visits:write",
            Self::CountersRead => "counters:read",
            Self::RecordRead => "record:read",
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
        }
    }
}

/// Some scopes, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether one is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Those that are in it.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL
            .into_iter()
            .filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let bits = scopes.into_iter().map(|scope| 1 << scope as u8);
        Self(bits.fold(0, |all, bit: u8| all | bit))
    }
}

/// Separated by blanks, as in OAuth (RFC 6749, 3.3).
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

impl Scopes {
    /// From the text that the database has. A scope that is not known here gives nothing.
    pub fn parse(text: &str) -> Self {
        let known = |name: &str| Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
        text.split(' ').filter_map(known).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_scopes_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
        assert!(serde_json::from_str::<Role>("\"owner\"").is_err());
        assert!("owner".parse::<Role>().is_err());
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        let all: Scopes = Scope::ALL.into_iter().collect();
        assert_eq!(Scopes::parse(&all.to_string()), all);
        let some = Scopes::parse("users:read unknown:one visits:write");
        assert_eq!(some.to_string(), "visits:write users:read");
        assert_eq!(Scopes::parse("").iter().count(), 0);
    }
}
