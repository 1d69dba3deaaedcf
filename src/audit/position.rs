//! Places in the audit trail, after which its pages begin.

use std::fmt;

use uuid::Uuid;

use super::row::Row;
use crate::edge::page::Place;

/// The place of an entry among all: the newest is first, and two that are as new are apart by what
/// follows. No entry that comes later changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When the entry was written.
    pub recorded_at: i64,
    /// In whose chain it is.
    pub company: Uuid,
    /// Its place there.
    pub seq: i64,
}

impl From<&Row> for Position {
    fn from(row: &Row) -> Self {
        Self {
            recorded_at: row.recorded_at,
            company: row.company_id,
            seq: row.seq,
        }
    }
}

impl Place for Position {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (company, seq) = (self.company.simple(), self.seq);
        write!(f, "{:016x}{company}{seq:016x}", self.recorded_at)
    }

    fn read(text: &str) -> Option<Self> {
        let number = |digits| u64::from_str_radix(digits, 16).ok().map(u64::cast_signed);
        Some(Self {
            recorded_at: number(text.get(..16)?)?,
            company: text.get(16..48)?.parse().ok()?,
            seq: number(text.get(48..)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::page::{Cursor, InvalidCursor};

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        for (recorded_at, seq) in [
            (0, 1),
            (1_764_118_800_000, 77),
            (i64::MAX, i64::MIN),
            (-1, -1),
        ] {
            let company = crate::company::DEFAULT_ID;
            let cursor = Cursor(Position {
                recorded_at,
                company,
                seq,
            });
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
                text.replacen("1-0", "1-+", 1),
                text.to_uppercase(),
                text.replacen("1-00", "1-+0", 1).replacen("1-ff", "1-FF", 1),
            ] {
                assert!(
                    bad == text || bad.parse::<Cursor<Position>>() == Err(InvalidCursor),
                    "{bad}"
                );
            }
        }
        for bad in ["", "null", "1-", "1-ä"] {
            assert_eq!(bad.parse::<Cursor<Position>>(), Err(InvalidCursor), "{bad}");
        }
    }
}
