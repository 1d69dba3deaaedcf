//! Refresh tokens: who has one gets the next access token of a session, and the next refresh token.
//!
//! `ffr_`, and in base64url the id of the session, a counter and a signature of both
//! ([`Purpose::Refresh`]). The database knows which counter is the living one, and nothing that
//! could be sent: without the key nobody makes a token of what is there.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::keys::{BYTES, Keys, Purpose};

/// What it begins with, so that whoever finds one sees what it is.
const PREFIX: &str = "ffr_";

/// Bytes of the session's id and of the counter, which are signed.
const SIGNED: usize = 16 + 8;

/// What a genuine refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// Its session.
    pub session: Uuid,
    /// How often the session had been refreshed when it was made.
    pub counter: i64,
}

impl RefreshToken {
    /// The token: the same each time, for as long as the key is.
    pub fn write(&self, keys: &Keys) -> String {
        let signed = self.signed();
        let signature = keys.sign(Purpose::Refresh, &signed);
        let encoded = URL_SAFE_NO_PAD.encode([&signed[..], &signature[..]].concat());
        format!("{PREFIX}{encoded}")
    }

    /// What a text says, if it is a token that was made here.
    pub fn read(text: &str, keys: &Keys) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let bytes: [u8; SIGNED + BYTES] = bytes.try_into().ok()?;
        let (signed, signature) = bytes.split_at(SIGNED);
        if !keys.verify(Purpose::Refresh, signed, signature) {
            return None;
        }
        let (session, counter) = signed.split_at(16);
        Some(Self {
            session: Uuid::from_slice(session).ok()?,
            counter: i64::from_be_bytes(counter.try_into().ok()?),
        })
    }

    fn signed(&self) -> [u8; SIGNED] {
        let mut signed = [0; SIGNED];
        signed[..16].copy_from_slice(self.session.as_bytes());
        signed[16..].copy_from_slice(&self.counter.to_be_bytes());
        signed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn keys(key: &str, previous: &str) -> Keys {
        let options = [
            ("SECRET_KEY", key),
            ("FOOTFALL_SECRET_KEY_PREVIOUS", previous),
        ];
        Keys::new(&Settings::of(&options).auth)
    }

    #[test]
    fn only_what_was_made_here_is_read() {
        let keys_of = keys("old", "");
        let token = RefreshToken {
            session: Uuid::now_v7(),
            counter: 7,
        };
        let text = token.write(&keys_of);
        assert_eq!(text, token.write(&keys_of), "the same each time");
        assert_eq!(text.len(), 4 + 75);
        assert_eq!(RefreshToken::read(&text, &keys_of), Some(token));
        assert_eq!(RefreshToken::read(&text, &keys("new", "old")), Some(token));
        assert_eq!(RefreshToken::read(&text, &keys("new", "")), None);
        // Each character matters, to the last bit.
        for index in 0..text.len() {
            for other in ["A", "B", "_", "=", " ", "ä"] {
                let mut changed = text.clone();
                changed.replace_range(index..=index, other);
                let read = RefreshToken::read(&changed, &keys_of);
                assert_eq!(read.is_some(), changed == text, "{changed}");
            }
        }
        for length in 0..text.len() {
            assert_eq!(RefreshToken::read(&text[..length], &keys_of), None);
        }
        for more in ["A", "=", "AAAA", "\n"] {
            assert_eq!(RefreshToken::read(&format!("{text}{more}"), &keys_of), None);
        }
    }
}
