//! `ffk_`, 43 letters and digits of secret, and 6 of their checksum.

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// What each begins with, so that a scanner for leaked secrets, and who reads a log, knows one.
pub const PREFIX: &str = "ffk_";

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// Bytes of randomness: nobody guesses one, and so a hash without salt is enough.
const SECRET_BYTES: usize = 32;

/// Digits that 256 bits take: 62⁴³ is more, 62⁴² is less.
const SECRET_DIGITS: usize = 43;

/// Digits that a CRC-32 takes.
const CHECK_DIGITS: usize = 6;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new token.
pub struct ApiToken {
    /// As it is shown, once.
    pub text: SecretString,
    /// As the database has it.
    pub hash: [u8; HASH_BYTES],
}

impl ApiToken {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// If the system has no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let text = generate(PREFIX)?;
        let hash = hash(&text);
        let text = SecretString::from(text);
        Ok(Self { text, hash })
    }
}

/// Makes a text of this form that nobody guesses, with another beginning.
///
/// # Errors
///
/// If the system has no randomness.
pub fn generate(prefix: &str) -> Result<String, getrandom::Error> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)?;
    Ok(written(prefix, secret))
}

/// SHA-256, by which the database knows a token.
pub(super) fn hash(text: &str) -> [u8; HASH_BYTES] {
    Sha256::digest(text).into()
}

/// What the secret with this hash is revoked by: not the token's id, since a token whose making is repeated
/// gets another secret, and only the one before must stop.
pub fn pass_id(hash: &[u8; HASH_BYTES]) -> Uuid {
    // Hashed once more: what tokens are looked up by stays in their table.
    let digest: [u8; HASH_BYTES] = Sha256::digest(hash).into();
    let (id, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
    Builder::from_custom_bytes(*id).into_uuid()
}

/// Whether a text has the form of a token, checksum included: what was cut or mistyped never gets
/// as far as the database.
pub fn is_well_formed(text: &str) -> bool {
    has_form(PREFIX, text)
}

/// The same for texts with another beginning.
pub fn has_form(prefix: &str, text: &str) -> bool {
    let Some(rest) = text.strip_prefix(prefix) else {
        return false;
    };
    let is_of_digits = rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_of_digits || rest.len() != SECRET_DIGITS + CHECK_DIGITS {
        return false;
    }
    let (secret, check) = rest.split_at(SECRET_DIGITS);
    check == checksum(secret)
}

fn written(prefix: &str, secret: [u8; SECRET_BYTES]) -> String {
    let secret = in_digits(&secret, SECRET_DIGITS);
    let check = checksum(&secret);
    format!("{prefix}{secret}{check}")
}

/// CRC-32 (ISO-HDLC, as in zip) of the digits before it.
fn checksum(secret: &str) -> String {
    let check = crc32fast::hash(secret.as_bytes());
    in_digits(&check.to_be_bytes(), CHECK_DIGITS)
}

/// A number, its highest byte first, with so many digits to the base 62.
fn in_digits(bytes: &[u8], count: usize) -> String {
    let mut rest = bytes.to_vec();
    let mut digits: Vec<u8> = (0..count)
        .map(|_| {
            let mut remainder = 0;
            for byte in &mut rest {
                let part = remainder << 8 | u32::from(*byte);
                // Less than 256, since the remainder is less than 62.
                *byte = (part / 62) as u8;
                remainder = part % 62;
            }
            DIGITS[remainder as usize]
        })
        .collect();
    digits.reverse();
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn each_is_another_one_of_one_form() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let token = ApiToken::generate().unwrap();
            let text = token.text.expose_secret().to_owned();
            assert_eq!(text.len(), 53, "{text}");
            assert!(is_well_formed(&text), "{text}");
            assert_eq!(token.hash, hash(&text));
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        assert_eq!(in_digits(&[0, 0], 3), "000");
        assert_eq!(in_digits(&[61], 2), "0z");
        assert_eq!(in_digits(&[62], 2), "10");
        assert_eq!(in_digits(&[1, 0], 2), "48");
        assert_eq!(in_digits(&u32::MAX.to_be_bytes(), 6), "4gfFC3");
        let most = in_digits(&[0xff; 32], 43);
        assert_eq!(most, "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
        // The check value of CRC-32/ISO-HDLC, cbf43926.
        assert_eq!(checksum("123456789"), "3jZRME");
    }

    #[test]
    fn what_was_changed_anywhere_is_no_token() {
        let good = written(PREFIX, [7; 32]);
        assert!(is_well_formed(&good));
        for at in PREFIX.len()..good.len() {
            for by in ["0", "a", "Z", "_", " ", "ä"] {
                let mut bad = good.clone();
                bad.replace_range(at..=at, by);
                assert_eq!(is_well_formed(&bad), bad == good, "{bad}");
            }
            assert!(!is_well_formed(&good[..at]));
            assert!(!is_well_formed(&format!(
                "{}{}",
                &good[..at],
                &good[at + 1..]
            )));
        }
        for bad in [
            "",
            "ffk_",
            &good[4..],
            &format!("{good}0"),
            &good.to_uppercase(),
        ] {
            assert!(!is_well_formed(bad), "{bad}");
        }
    }
}
