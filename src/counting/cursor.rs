//! Where a page of counters begins, as clients see it: a text that means nothing to them.
//!
//! Were it a name, any text that looks like one would be taken for a place in the
//! list: `cursor=null` would silently begin after the counter `null`.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

use super::CounterName;

/// Stands first in each. Another meaning of what follows gets another number.
const VERSION: &str = "1-";

/// The counter after which a page begins. As text it is the version, and the bytes of the name in
/// hexadecimal: so the document's pattern says exactly what is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub CounterName);

/// A text that is no cursor, or not one of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor must be the `next` of another page, as it is; leave it out for the first page.")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        let mut bytes = self.0.as_str().bytes();
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
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
        let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
            return Err(InvalidCursor);
        };
        let bytes = pairs
            .iter()
            .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
        let bytes: Option<Vec<u8>> = bytes.collect();
        let name = String::from_utf8(bytes.ok_or(InvalidCursor)?);
        let name = name.map_err(|_| InvalidCursor)?.parse();
        name.map(Self).map_err(|_| InvalidCursor)
    }
}

/// One way to write each: capitals would be another cursor for the same page.
fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for name in ["visits", "null", "0", "a.b-c_d", &"x".repeat(64)] {
            let cursor = Cursor(name.parse().unwrap());
            let text = cursor.to_string();
            assert_eq!(text.parse(), Ok(cursor), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let good = Cursor("signup".parse().unwrap()).to_string();
        for bad in [
            "",
            "null",
            "undefined",
            "signup",
            "visits",
            "1",
            "1-",
            "1-null",
            "1-2e61",
            "1-7b",
            "1-c3a4",
            &good[1..],
            &good[2..],
            &good[..good.len() - 1],
            &format!("{good}0"),
            &format!("{good}{good}"),
            &format!(" {good}"),
            &good.to_uppercase(),
            &good.replacen('1', "0", 1),
            &good.replacen('1', "2", 1),
            &format!("1-{}", "61".repeat(65)),
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad}");
        }
    }
}
