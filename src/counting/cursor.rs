//! Where a page of counters begins, as clients see it: a text that means nothing to them.
//!
//! Were it a name, any text that looks like one would be taken for a place in the
//! list: `cursor=null` would silently begin after the counter `null`.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::CounterName;

/// Stands first in each. Another meaning of what follows gets another number.
const VERSION: u8 = 1;

/// Bytes of a checksum that tells what is whole from what was cut off or made up.
/// It keeps no secret: whoever computes it gets a page he could have had anyway.
const CHECKSUM_BYTES: usize = 4;

/// The counter after which a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub CounterName);

/// A text that is no cursor, or not one of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor must be the `next` of another page, as it is; leave it out for the first page.")]
pub struct InvalidCursor;

fn checksum(name: &str) -> [u8; CHECKSUM_BYTES] {
    let hash = Sha256::new()
        .chain_update("footfall cursor\0")
        .chain_update([VERSION])
        .chain_update(name)
        .finalize();
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&hash[..CHECKSUM_BYTES]);
    checksum
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_str();
        let bytes = [&[VERSION], &checksum(name)[..], name.as_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
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
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let rest = bytes.strip_prefix(&[VERSION]).ok_or(InvalidCursor)?;
        let (sum, name) = rest
            .split_first_chunk::<CHECKSUM_BYTES>()
            .ok_or(InvalidCursor)?;
        let name = std::str::from_utf8(name).map_err(|_| InvalidCursor)?;
        if *sum != checksum(name) {
            return Err(InvalidCursor);
        }
        name.parse().map(Self).map_err(|_| InvalidCursor)
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
            assert!(!text.contains(name) || name.len() == 1, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let good = Cursor("signup".parse().unwrap()).to_string();
        let mut changed = good.clone().into_bytes();
        changed.reverse();
        let with_version = |version: u8| {
            let mut bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
            bytes[0] = version;
            URL_SAFE_NO_PAD.encode(bytes)
        };
        let unsigned = URL_SAFE_NO_PAD.encode([&[VERSION, 0, 0, 0, 0], &b"signup"[..]].concat());
        for bad in [
            "",
            "null",
            "undefined",
            "signup",
            "visits",
            "1",
            &good[1..],
            &good[..good.len() - 1],
            &good[..good.len() - 4],
            &format!("{good}="),
            &format!(" {good}"),
            &good.to_lowercase(),
            std::str::from_utf8(&changed).unwrap(),
            &with_version(0),
            &with_version(2),
            &unsigned,
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(InvalidCursor), "{bad}");
        }
    }
}
