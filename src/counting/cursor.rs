//! Where a page of counters begins: after a name, whose bytes are written in hexadecimal, so that the
//! document's pattern says exactly what is a cursor.

use std::fmt;

use super::CounterName;
use crate::edge::page::Place;

impl Place for CounterName {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.as_str().bytes();
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
    }

    fn read(text: &str) -> Option<Self> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let bytes = pairs.iter().map(|&[high, low]| {
            let byte = digit(high)? << 4 | digit(low)?;
            u8::try_from(byte).ok()
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        String::from_utf8(bytes?).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::page::{Cursor, InvalidCursor};

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for name in ["visits", "null", "0", "a.b-c_d", &"x".repeat(64)] {
            let cursor = Cursor::<CounterName>(name.parse().unwrap());
            let text = cursor.to_string();
            assert_eq!(text.parse(), Ok(cursor), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let good = Cursor::<CounterName>("signup".parse().unwrap()).to_string();
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
            assert_eq!(
                bad.parse::<Cursor<CounterName>>(),
                Err(InvalidCursor),
                "{bad}"
            );
        }
    }
}
