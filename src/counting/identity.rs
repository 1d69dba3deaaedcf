//! The identity of a visit: what makes a repeated request the same visit.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::text::is_visible;

/// Bytes of an identity: 128 bits keep accidental collisions out of reach,
/// and short keys keep the store small.
pub const DIGEST_BYTES: usize = 16;

/// Longest `Idempotency-Key`.
pub const MAX_KEY_BYTES: usize = 255;

/// Who vouches for an identity, and so how long it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityKind {
    /// The trusted proxy's `X-Request-ID`.
    Request,
    /// The client's `Idempotency-Key`.
    Key,
}

/// An identity, hashed together with its kind and the user it belongs to, so
/// that two users' keys never meet and no key is kept in clear.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Who vouches for it.
    pub kind: IdentityKind,
    /// A truncated SHA-256.
    pub digest: [u8; DIGEST_BYTES],
}

impl Identity {
    /// The identity of a visit that `subject` made with this header value.
    pub fn new(kind: IdentityKind, subject: &str, value: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update([kind as u8]);
        // Its length first, or `ab`+`c` and `a`+`bc` would be one identity.
        hash.update((subject.len() as u64).to_le_bytes());
        hash.update(subject);
        hash.update(value);
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&hash.finalize()[..DIGEST_BYTES]);
        Self { kind, digest }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}(", self.kind)?;
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Whether a text may be an `Idempotency-Key`: 1 to 255 visible ASCII characters.
pub fn is_valid_key(value: &[u8]) -> bool {
    is_visible(value, MAX_KEY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_differ_by_kind_user_and_value() {
        let identities = [
            Identity::new(IdentityKind::Request, "ab", b"c"),
            Identity::new(IdentityKind::Key, "ab", b"c"),
            Identity::new(IdentityKind::Key, "a", b"bc"),
            Identity::new(IdentityKind::Key, "ab", b"d"),
        ];
        let distinct: std::collections::HashSet<_> = identities.iter().collect();
        assert_eq!(distinct.len(), identities.len());
        assert_eq!(
            identities[0],
            Identity::new(IdentityKind::Request, "ab", b"c")
        );
    }

    #[test]
    fn keys_are_1_to_255_visible_ascii_characters() {
        for good in [&b"x"[..], b"!~", &[b'a'; 255]] {
            assert!(is_valid_key(good));
        }
        for bad in [
            &b""[..],
            b"a b",
            b"tab\t",
            b"\x7f",
            "ä".as_bytes(),
            &[b'a'; 256],
        ] {
            assert!(!is_valid_key(bad));
        }
    }
}
