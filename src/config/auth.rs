//! Signing keys, token lifetimes and the one account.

use std::{cmp::Ordering, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::phc::Hash;
use super::{
    catalog::{DEVELOPMENT_ADMIN_PASSWORD, DEVELOPMENT_SECRET_KEY},
    reader::{Reader, Secret},
    values::HumanDuration,
};

/// Shortest key production accepts: an HMAC-SHA-256 key should be as long as
/// the hash (RFC 7518, section 3.2).
const MIN_SECRET_KEY_BYTES: usize = 32;

/// Longest leeway: clocks that differ by more are broken.
const MAX_LEEWAY: Duration = Duration::from_hours(1);

/// Lifetime of a token that can be refreshed.
const TTL: Duration = Duration::from_mins(15);

/// Lifetime of a token that cannot be refreshed.
const TTL_FOR_GOOD: Duration = Duration::from_hours(1);

/// How the account's password is known.
#[derive(Debug, Clone)]
pub enum AdminCredential {
    /// `FOOTFALL_ADMIN_PASSWORD`, hashed in memory.
    Password(SecretString),
    /// `FOOTFALL_ADMIN_PASSWORD_HASH`, an Argon2id PHC string.
    Hash(SecretString),
}

/// Tokens and the account.
#[derive(Debug, Clone)]
pub struct AuthSettings {
    /// `SECRET_KEY`: signs tokens.
    pub secret_key: SecretString,
    /// `FOOTFALL_SECRET_KEY_PREVIOUS`: still verifies them.
    pub secret_key_previous: Option<SecretString>,
    /// `FOOTFALL_TOKEN_TTL` (`15m`; without a database, and so without refresh tokens, `1h`).
    pub token_ttl: Duration,
    /// `FOOTFALL_TOKEN_LEEWAY` (`0s`).
    pub token_leeway: Duration,
    /// `FOOTFALL_ADMIN_USERNAME` (`admin`).
    pub admin_username: String,
    /// The password, or its hash.
    pub admin_credential: AdminCredential,
}

impl AuthSettings {
    pub(super) fn read(reader: &mut Reader, production: bool, has_database: bool) -> Option<Self> {
        let secret_key = reader.required_secret("secret_key");
        let previous = reader.secret("secret_key_previous");
        let token_ttl = reader.parse::<Ttl>("token_ttl").map(|ttl| {
            let default = if has_database { TTL } else { TTL_FOR_GOOD };
            HumanDuration(ttl.0.unwrap_or(default))
        });
        let token_leeway = reader.parse::<HumanDuration>("token_leeway");
        let admin_username = reader.parse::<String>("admin_username");
        let password = reader.secret("admin_password");
        let hash = reader.secret("admin_password_hash");

        if token_ttl.is_some_and(|ttl| ttl.0 < Duration::from_secs(1)) {
            reader.reject("token_ttl", "must be at least 1s");
        }
        if token_leeway.is_some_and(|leeway| leeway.0 > MAX_LEEWAY || leeway.0.subsec_nanos() > 0) {
            reader.reject(
                "token_leeway",
                "must be whole seconds and not longer than 1h",
            );
        }
        if admin_username.as_deref() == Some("") {
            reader.reject("admin_username", "must not be empty");
        }
        if let Some(hash) = &hash {
            check_hash(reader, hash);
        }
        let credential = admin_credential(reader, password, hash);
        if production {
            for (key, secret) in [
                ("secret_key", &secret_key),
                ("secret_key_previous", &previous),
            ] {
                refuse_weak_key(reader, key, secret.as_ref());
            }
            refuse_demo_password(reader, credential.as_ref());
        }
        Some(Self {
            secret_key: secret_key?.value,
            secret_key_previous: previous.map(|secret| secret.value),
            token_ttl: token_ttl?.0,
            token_leeway: token_leeway?.0,
            admin_username: admin_username?,
            admin_credential: credential?,
        })
    }
}

/// Empty is unset.
struct Ttl(Option<Duration>);

impl FromStr for Ttl {
    type Err = <HumanDuration as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Ok(Self(None)),
            text => Ok(Self(Some(text.parse::<HumanDuration>()?.0))),
        }
    }
}

/// The stronger source wins; a password and a hash from the same one contradict each other.
fn admin_credential(
    reader: &mut Reader,
    password: Option<Secret>,
    hash: Option<Secret>,
) -> Option<AdminCredential> {
    if reader.is_broken("admin_password") || reader.is_broken("admin_password_hash") {
        return None;
    }
    match (password, hash) {
        (Some(password), Some(hash)) => match password.strength.cmp(&hash.strength) {
            Ordering::Greater => Some(AdminCredential::Password(password.value)),
            Ordering::Less => Some(AdminCredential::Hash(hash.value)),
            Ordering::Equal => {
                let what =
                    "FOOTFALL_ADMIN_PASSWORD is set in the same place; set only one of the two";
                reader.reject("admin_password_hash", what);
                None
            }
        },
        (Some(password), None) => Some(AdminCredential::Password(password.value)),
        (None, Some(hash)) => Some(AdminCredential::Hash(hash.value)),
        (None, None) => {
            reader.reject("admin_password", "must not be empty");
            None
        }
    }
}

fn check_hash(reader: &mut Reader, hash: &Secret) {
    if let Err(error) = Hash::parse(hash.value.expose_secret()) {
        let what = format!(
            "{error}; `footfall hash-password` makes a good one (in .env it goes in single quotes, or its dollar signs are expanded)"
        );
        reader.reject("admin_password_hash", what);
    }
}

fn refuse_weak_key(reader: &mut Reader, key: &'static str, secret: Option<&Secret>) {
    let Some(secret) = secret.map(|secret| secret.value.expose_secret()) else {
        return;
    };
    if secret == DEVELOPMENT_SECRET_KEY {
        let what = "production refuses the built-in development key; `openssl rand -base64 48` makes a good one";
        reader.reject(key, what);
    } else if secret.len() < MIN_SECRET_KEY_BYTES {
        let what = format!(
            "production needs at least {MIN_SECRET_KEY_BYTES} bytes; `openssl rand -base64 48` makes a good one"
        );
        reader.reject(key, what);
    }
}

fn refuse_demo_password(reader: &mut Reader, credential: Option<&AdminCredential>) {
    if let Some(AdminCredential::Password(password)) = credential
        && password.expose_secret() == DEVELOPMENT_ADMIN_PASSWORD
    {
        let what = "production refuses the built-in development password; set another, or FOOTFALL_ADMIN_PASSWORD_HASH";
        reader.reject("admin_password", what);
    }
}
