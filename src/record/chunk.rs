//! What is to be recorded.

use crate::counting::carried::Stored;

/// Why nothing is recorded of visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Recording was off.
    Off,
    /// The database was away for longer than visits can wait for it.
    Behind,
    /// They waited, and are gone.
    Lost,
    /// They were counted by a version of Footfall that records nothing.
    OlderVersion,
}

impl Reason {
    /// All there are, in their order.
    pub const ALL: [Self; 4] = [Self::Off, Self::Behind, Self::Lost, Self::OlderVersion];

    /// As the table `runs` has it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Behind => "behind",
            Self::Lost => "lost",
            Self::OlderVersion => "older_version",
        }
    }

    /// The reason of a text.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.text() == text)
    }
}

/// A batch of visits as it was counted: those with the numbers `last - visits + 1` to `last`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry<T = Box<str>> {
    /// The number of the last of them.
    pub last: u64,
    /// How many they are. 0 only says that visits up to `last` were counted by now.
    pub visits: u64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Up to where there was an entry for each visit before this one. Visits between this number and
    /// the first of this entry were counted and not recorded, for `reason`.
    pub before: u64,
    /// Why; `None` if nobody said so, as older versions of Footfall do not.
    pub reason: Option<Reason>,
    /// What those carry that carry something, by their numbers.
    pub carried: Vec<(u64, Stored<T>)>,
    /// The number of the visit that has the first of `requests`, or of `keys` if there are none.
    pub identified: u64,
    /// The identities of requests, in the order of their numbers, which follow each other.
    pub requests: Vec<[u8; 16]>,
    /// The identities of keys, whose numbers follow after those.
    pub keys: Vec<[u8; 16]>,
}
