//! Secrets and passwords.

use secrecy::ExposeSecret;

use super::Findings;
use crate::config::{
    AdminCredential, Settings,
    catalog::{DEVELOPMENT_ADMIN_PASSWORD, DEVELOPMENT_SECRET_KEY},
};

pub fn check(settings: &Settings, findings: &mut Findings) {
    let auth = &settings.auth;
    if auth.secret_key.expose_secret() == DEVELOPMENT_SECRET_KEY {
        findings.warning(
            "SECRET_KEY is the built-in development key",
            "anyone can sign tokens with it; set your own: openssl rand -base64 48",
        );
    }
    if let AdminCredential::Password(password) = &auth.admin_credential
        && password.expose_secret() == DEVELOPMENT_ADMIN_PASSWORD
    {
        findings.warning(
            "the account has the built-in development password",
            "set FOOTFALL_ADMIN_PASSWORD_HASH; `footfall hash-password` makes one",
        );
    }
}
