//! Where a page of the audit trail begins: a text that means nothing to clients, as with counters.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::row::Row;

/// Stands first in each. Another meaning of what follows gets another number.
const VERSION: &str = "1-";

/// The place of an entry among all: the newest is first, and two that are as new are apart by what
/// follows. No entry that comes later changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the entry was written.
    pub recorded_at: i64,
    /// In whose chain it is.
    pub company: Uuid,
    /// Its place there.
    pub seq: i64,
}

/// A text that is no cursor, or not one of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor must be the `next` of another page, as it is; leave it out for the first page.")]
pub struct InvalidCursor;

impl From<&Row> for Cursor {
    fn from(row: &Row) -> Self {
        Self {
            recorded_at: row.recorded_at,
            company: row.company_id,
            seq: row.seq,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (company, seq) = (self.company.simple(), self.seq);
        write!(f, "{VERSION}{:016x}{company}{seq:016x}", self.recorded_at)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let digits = text.strip_prefix(VERSION).ok_or(InvalidCursor)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        // One way to write each: capitals would be another cursor for the same page.
        if digits.len() != 64 || !digits.bytes().all(is_digit) {
            return Err(InvalidCursor);
        }
        let number = |from: usize| u64::from_str_radix(&digits[from..from + 16], 16);
        let number = |from| {
            number(from)
                .map(u64::cast_signed)
                .map_err(|_| InvalidCursor)
        };
        Ok(Self {
            recorded_at: number(0)?,
            company: digits[16..48].parse().map_err(|_| InvalidCursor)?,
            seq: number(48)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        for (recorded_at, seq) in [
            (0, 1),
            (1_764_118_800_000, 77),
            (i64::MAX, i64::MIN),
            (-1, -1),
        ] {
            let company = crate::company::DEFAULT_ID;
            let cursor = Cursor {
                recorded_at,
                company,
                seq,
            };
            let text = cursor.to_string();
            assert_eq!(text.parse(), Ok(cursor));
            for bad in [
                text.replacen('1', "2", 1),
                text[2..].into(),
                text[..65].into(),
                format!("{text}0"),
                format!(" {text}"),
                text.replace('0', "O"),
                text.replacen("1-", "1+", 1),
                text.replacen("1-00", "1-+0", 1).replacen("1-ff", "1-FF", 1),
            ] {
                assert!(
                    bad == text || bad.parse::<Cursor>() == Err(InvalidCursor),
                    "{bad}"
                );
            }
        }
        for bad in ["", "null", "1-", "1-ä"] {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad}");
        }
    }
}
