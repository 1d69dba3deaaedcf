//! Tokens: JWTs (RFC 7519) signed with HMAC-SHA-256.
//!
//! A token names the key that signed it (`kid`). The previous key still
//! verifies, so a key can be replaced without logging anyone out.

use std::{
    borrow::Cow,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use lru::LruCache;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    caller::{Caller, SETTINGS_ACCOUNT},
    hs256,
    revocation::{Pass, SHORTEST_LIFETIME},
    role::Role,
};
use crate::{company::Company, config::AuthSettings};

/// The `iss` of every token.
const ISSUER: &str = "footfall";

/// Bytes of a key's fingerprint: enough to tell two keys apart.
const FINGERPRINT_BYTES: usize = 8;

/// Verified tokens that are remembered, so that a client's next request costs no
/// second look at the same signature. At some 600 bytes each, 2.5 MB at the most.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// What a token says. What is optional is there where the token was issued on a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// The user it was issued to.
    pub sub: String,
    /// When it was issued, in Unix seconds.
    pub iat: u64,
    /// When it stops being valid, in Unix seconds.
    pub exp: u64,
    /// Its own id.
    pub jti: String,
    /// What the user may do.
    #[serde(deserialize_with = "known_role")]
    pub role: Role,
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// The user's company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<Uuid>,
    /// The user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uuid>,
    /// The user's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ugn: Option<i64>,
    /// The company's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgn: Option<i64>,
}

impl From<Claims> for Caller {
    fn from(claims: Claims) -> Self {
        let user = claims.uid.unwrap_or(SETTINGS_ACCOUNT);
        let company = claims.cid.map_or(Company::Default, Company::from);
        let pass = claims.sid.map(|session| {
            Arc::new(Pass {
                session,
                user,
                user_generation: claims.ugn.unwrap_or_default(),
                company: company.id(),
                company_generation: claims.cgn.unwrap_or_default(),
            })
        });
        Self {
            subject: claims.sub,
            user,
            company,
            // Its tokens say `admin`: replicas of older versions know no other role.
            role: match user {
                SETTINGS_ACCOUNT => Role::Operator,
                _ => claims.role,
            },
            scopes: None,
            api_token: None,
            pass,
            expires_at: claims.exp,
        }
    }
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// It is not one of ours.
    #[error("the token is not valid")]
    Invalid,
}

/// Issues and verifies tokens, for one worker thread.
pub struct Tokens {
    header: Header,
    signing: EncodingKey,
    verifying: Vec<(String, DecodingKey)>,
    validation: Validation,
    /// Only what was found valid is in here, and only until it expires.
    verified: Mutex<LruCache<String, Arc<Caller>>>,
    ttl: Duration,
}

impl Tokens {
    /// Tokens signed with the current key.
    pub fn new(settings: &AuthSettings) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.validate_nbf = true;
        // The crate's default is 60 seconds.
        validation.leeway = settings.token_leeway.as_secs();

        let keys = std::iter::once(&settings.secret_key).chain(&settings.secret_key_previous);
        let verifying = keys.map(|key| {
            (
                fingerprint(key),
                DecodingKey::from_secret(key.expose_secret().as_bytes()),
            )
        });
        Self {
            header: Header {
                kid: Some(fingerprint(&settings.secret_key)),
                ..Header::new(Algorithm::HS256)
            },
            signing: EncodingKey::from_secret(settings.secret_key.expose_secret().as_bytes()),
            verifying: verifying.collect(),
            validation,
            verified: Mutex::new(LruCache::new(REMEMBERED)),
            ttl: settings.token_ttl,
        }
    }

    /// How long a token is valid.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// A new token for a user, on a session if there is one.
    ///
    /// # Errors
    ///
    /// If it cannot be signed.
    pub fn issue(
        &self,
        subject: &str,
        role: Role,
        pass: Option<&Pass>,
    ) -> jsonwebtoken::errors::Result<String> {
        let now = unix_seconds();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: subject.to_owned(),
            iat: now,
            exp: now.saturating_add(self.ttl.as_secs()),
            jti: Uuid::now_v7().to_string(),
            role,
            sid: pass.map(|pass| pass.session),
            cid: pass.map(|pass| pass.company),
            uid: pass.map(|pass| pass.user),
            ugn: pass.map(|pass| pass.user_generation),
            cgn: pass.map(|pass| pass.company_generation),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.signing)
    }

    /// Whose token it is, if it is valid now.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn verify(&self, token: &str) -> Result<Arc<Caller>, TokenError> {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = verified.get(token) {
            let caller = caller.clone();
            return match self.has_expired(&caller) {
                true => {
                    verified.pop(token);
                    Err(TokenError::Expired)
                }
                false => Ok(caller),
            };
        }
        let claims = self.decode(token)?;
        let issued_at = claims.iat;
        let mut caller = Caller::from(claims);
        if caller.pass.is_some() {
            // For longer nobody remembers what was revoked.
            let longest = self.ttl.max(SHORTEST_LIFETIME).as_secs();
            caller.expires_at = caller.expires_at.min(issued_at.saturating_add(longest));
        }
        let caller = Arc::new(caller);
        if self.has_expired(&caller) {
            return Err(TokenError::Expired);
        }
        verified.put(token.to_owned(), caller.clone());
        Ok(caller)
    }

    /// The crate lets a token live through its last second; RFC 7519 (4.1.4) does not.
    fn has_expired(&self, caller: &Caller) -> bool {
        unix_seconds() >= caller.expires_at.saturating_add(self.validation.leeway)
    }

    fn decode(&self, token: &str) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        // Extensions that must be understood, and none is here (RFC 7515, 4.1.11); what is compressed
        // or encrypted is none of ours (RFC 8725, 3.6).
        if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
            return Err(TokenError::Invalid);
        }
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let (_, key) = self
            .verifying
            .iter()
            .find(|(known, _)| *known == kid)
            .ok_or(TokenError::Invalid)?;
        jsonwebtoken::decode::<Claims>(token, key, &self.validation)
            .map(|token| token.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })
    }
}

/// One that is not known here is taken for the weakest: roles can be added while replicas of two
/// versions are at work.
fn known_role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let role = Cow::<str>::deserialize(deserializer)?;
    Ok(role.parse().unwrap_or(Role::Viewer))
}

fn fingerprint(key: &SecretString) -> String {
    let hash = Sha256::new()
        .chain_update("footfall key id\0")
        .chain_update(key.expose_secret())
        .finalize();
    hash[..FINGERPRINT_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The clock by which tokens expire.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
