//! Keys derived from `SECRET_KEY`, one for each purpose (HKDF-SHA-256, RFC 5869), so that what is
//! made for one purpose is worth nothing for another. Tokens are signed with `SECRET_KEY` itself, as
//! they were before there were others.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::config::AuthSettings;

/// Bytes of a derived key, and of what it signs.
pub const BYTES: usize = 32;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Refresh tokens.
    Refresh,
    /// The link that confirms a registration.
    RegistrationLink,
    /// The link of an invitation.
    InvitationLink,
    /// The link that resets a password.
    ResetLink,
    /// The link that confirms a new e-mail address.
    EmailLink,
    /// The token against forged requests (CSRF).
    Csrf,
    /// The cookie of a device that has logged in before.
    Device,
    /// What is stored of a visitor, for each company by itself.
    Visitor,
}

impl Purpose {
    /// The `info` of RFC 5869. Never to be changed: all that was signed would be void.
    fn info(self) -> &'static [u8] {
        match self {
            Self::Refresh => b"footfall refresh token 1",
            Self::RegistrationLink => b"footfall link registration 1",
            Self::InvitationLink => b"footfall link invitation 1",
            Self::ResetLink => b"footfall link reset 1",
            Self::EmailLink => b"footfall link email 1",
            Self::Csrf => b"footfall csrf 1",
            Self::Device => b"footfall device 1",
            Self::Visitor => b"footfall visitor 1",
        }
    }
}

/// Signs with what is derived from the current key, and verifies with the previous one as well.
#[derive(Clone)]
pub struct Keys {
    current: Hkdf<Sha256>,
    previous: Option<Hkdf<Sha256>>,
}

impl Keys {
    /// Takes `SECRET_KEY` and `FOOTFALL_SECRET_KEY_PREVIOUS`.
    pub fn new(settings: &AuthSettings) -> Self {
        let master = |key: &SecretString| Hkdf::<Sha256>::new(None, key.expose_secret().as_bytes());
        Self {
            current: master(&settings.secret_key),
            previous: settings.secret_key_previous.as_ref().map(master),
        }
    }

    /// The signature (HMAC-SHA-256) of some data.
    pub fn sign(&self, purpose: Purpose, data: &[u8]) -> [u8; BYTES] {
        sign(&self.current, purpose, &[], data)
    }

    /// What signs with a key for `whom` alone: a company, of which nothing is known by the key of another.
    pub fn signer_for(&self, purpose: Purpose, whom: &[u8]) -> Signer {
        Signer(keyed(&self.current, purpose, whom))
    }

    /// The signatures of it by each key that there is: the current one, and the previous one.
    pub fn sign_for_by_all(
        &self,
        purpose: Purpose,
        whom: &[u8],
        data: &[u8],
    ) -> impl Iterator<Item = [u8; BYTES]> {
        self.masters()
            .map(move |master| sign(master, purpose, whom, data))
    }

    /// Whether a signature is ours, by the current key or the previous one. Takes the same time
    /// however much of it is right.
    pub fn verify(&self, purpose: Purpose, data: &[u8], signature: &[u8]) -> bool {
        let is_right = |mac: Hmac<Sha256>| mac.chain_update(data).verify_slice(signature).is_ok();
        self.masters()
            .map(|master| is_right(keyed(master, purpose, &[])))
            .fold(false, |found, is_right| found | is_right)
    }

    fn masters(&self) -> impl Iterator<Item = &Hkdf<Sha256>> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

/// Signs for one purpose, and for one company where that has a key of its own.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// The signature (HMAC-SHA-256) of some data.
    pub fn sign(&self, data: &[u8]) -> [u8; BYTES] {
        let mac = self.0.clone().chain_update(data);
        mac.finalize().into_bytes().into()
    }
}

fn sign(master: &Hkdf<Sha256>, purpose: Purpose, whom: &[u8], data: &[u8]) -> [u8; BYTES] {
    Signer(keyed(master, purpose, whom)).sign(data)
}

fn keyed(master: &Hkdf<Sha256>, purpose: Purpose, whom: &[u8]) -> Hmac<Sha256> {
    let mut key = [0; BYTES];
    let derived = master.expand_multi_info(&[purpose.info(), whom], &mut key);
    derived.expect("it is not longer than 255 hashes");
    let mac = Hmac::<Sha256>::new_from_slice(&key);
    mac.expect("a key of any length will do")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn keys(options: &[(&str, &str)]) -> Keys {
        Keys::new(&Settings::of(options).auth)
    }

    #[test]
    fn a_signature_is_for_one_purpose_and_survives_one_rotation() {
        let old = keys(&[("SECRET_KEY", "old")]);
        let rotated = keys(&[
            ("SECRET_KEY", "new"),
            ("FOOTFALL_SECRET_KEY_PREVIOUS", "old"),
        ]);
        let new = keys(&[("SECRET_KEY", "new")]);
        let signature = old.sign(Purpose::Refresh, b"data");
        assert!(old.verify(Purpose::Refresh, b"data", &signature));
        assert!(rotated.verify(Purpose::Refresh, b"data", &signature));
        assert!(!new.verify(Purpose::Refresh, b"data", &signature));
        assert!(!old.verify(Purpose::Refresh, b"other", &signature));
        assert!(!old.verify(Purpose::Refresh, b"data", &signature[1..]));
        for purpose in [
            Purpose::RegistrationLink,
            Purpose::InvitationLink,
            Purpose::ResetLink,
            Purpose::EmailLink,
            Purpose::Csrf,
            Purpose::Device,
            Purpose::Visitor,
        ] {
            assert!(!old.verify(purpose, b"data", &signature), "{purpose:?}");
        }
    }
}
