//! Companies, by which everything is kept apart.

use std::fmt;

use uuid::Uuid;

/// The id of the company `default` in the database. No UUIDv7 that is made today is like it.
pub const DEFAULT_ID: Uuid = Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0000);

/// A company, to which people, counters and all else belong: a caller only ever sees its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Company {
    /// The company `default`, which was there before there were others: no key and no counter that
    /// is stored names it.
    Default,
    /// Any other, by its id.
    Id(Uuid),
}

impl Company {
    /// Its id in the database.
    pub fn id(self) -> Uuid {
        match self {
            Self::Default => DEFAULT_ID,
            Self::Id(id) => id,
        }
    }
}

impl From<Uuid> for Company {
    fn from(id: Uuid) -> Self {
        if id == DEFAULT_ID {
            Self::Default
        } else {
            Self::Id(id)
        }
    }
}

impl fmt::Display for Company {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Id(id) => id.as_hyphenated().fmt(f),
        }
    }
}
