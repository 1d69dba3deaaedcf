//! Companies, by which everything is kept apart.

use std::fmt;

use jiff::tz::TimeZone;
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

/// The time zone that a company goes by: when its days begin, and how its times are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The one of this name (IANA), in whichever case it is written; `None` if there is none.
    pub fn find(name: &str) -> Option<Self> {
        let zone = jiff::tz::db().get(name).ok()?;
        // `Etc/Unknown` has a name, and is none.
        (!zone.is_unknown()).then_some(Self(zone))
    }

    /// Its name, as the IANA database writes it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// When its clocks show what.
    pub fn clock(&self) -> &TimeZone {
        &self.0
    }
}

/// That of who never said one.
impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_one_of_iana() {
        for (text, name) in [
            ("UTC", "UTC"),
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/BERLIN", "Europe/Berlin"),
            ("Asia/Kathmandu", "Asia/Kathmandu"),
            (
                "America/Argentina/Buenos_Aires",
                "America/Argentina/Buenos_Aires",
            ),
        ] {
            let zone = Zone::find(text);
            assert_eq!(zone.as_ref().map(Zone::name), Some(name), "{text}");
        }
        let long = "a".repeat(10_000);
        for text in [
            "",
            " ",
            "Europe/Atlantis",
            "+02:00",
            "CEST",
            "Etc/Unknown",
            "../../etc/passwd",
            "Europe/Berlin ",
            "\0",
            &long,
        ] {
            assert_eq!(Zone::find(text), None, "{text:?}");
        }
        assert_eq!(Zone::default().name(), "UTC");
    }
}
