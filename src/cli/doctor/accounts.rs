//! Settings of accounts that are right by themselves, and may not be what was meant.

use super::Findings;
use crate::config::{Registration, Settings, values::Environment};

/// Not asked for where there is no database, and so no account but that of the settings.
pub fn check(settings: &Settings, findings: &mut Findings) {
    let production = settings.environment == Environment::Production;
    match &settings.mail.public_url {
        None => findings.warning(
            "FOOTFALL_PUBLIC_URL is not set: no browser can log in with cookies, and links have nowhere to lead",
            "set it to where people reach the service, as https://footfall.example.com",
        ),
        Some(url) if url.is_https() => findings.good(format_args!(
            "people reach it at {url}: links in mails lead there, and cookies are sent by HTTPS alone"
        )),
        Some(url) if production => findings.warning(
            format_args!("people reach it at {url}, where cookies are not kept by browsers"),
            "set FOOTFALL_PUBLIC_URL to an address with https (docs/tls.md)",
        ),
        Some(url) => findings.good(format_args!(
            "people reach it at {url}: links in mails lead there"
        )),
    }
    let who = match settings.accounts.registration {
        Registration::Open => "anyone may found a company",
        Registration::Invite => "nobody may found a company, and admins invite people to theirs",
        Registration::Closed => "nobody may register, and `footfall admin` makes accounts",
    };
    findings.good(format_args!("{who} (FOOTFALL_REGISTRATION)"));
}
