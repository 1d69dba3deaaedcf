//! The mail server: whether a mail would leave. None is sent.

use tokio::time::timeout;

use super::Findings;
use crate::{
    config::{MailSettings, SmtpUrl},
    mail::{Failure, Reason, Smtp, TRY},
};

/// Not asked for where there is no database, and so nothing that mails.
pub async fn check(settings: &MailSettings, findings: &mut Findings) {
    match (&settings.smtp, &settings.folder) {
        (Some(url), _) => check_server(url, settings, findings).await,
        (None, Some(folder)) => findings.good(format_args!(
            "no mail is sent: mails are written to {}, their links to the log",
            folder.display()
        )),
        (None, None) => findings.warning(
            "no mail is sent: nobody can be invited, and no password reset by its owner",
            "set FOOTFALL_SMTP_URL, FOOTFALL_MAIL_FROM and FOOTFALL_PUBLIC_URL; until then `footfall admin` makes accounts and resets passwords",
        ),
    }
}

async fn check_server(url: &SmtpUrl, settings: &MailSettings, findings: &mut Findings) {
    let from = &settings.from.email;
    let server = Smtp::new(url.clone(), settings.public_url.as_ref());
    let probed = timeout(TRY, server.probe(from)).await;
    let late = |_| {
        Failure::later(
            Reason::Timeout,
            format!("it took longer than {} s", TRY.as_secs()),
        )
    };
    match probed.map_err(late).and_then(|probed| probed) {
        Err(failure) => findings.bad(
            format_args!("mails cannot leave by {url}: {failure}"),
            hint(failure.reason),
        ),
        Ok(is_encrypted) => {
            let logged_in = match &url.credentials {
                Some((user, _)) => format!(" and {user} as its user"),
                None => String::new(),
            };
            findings.good(format_args!(
                "the mail server {url} takes mail from {from}{logged_in}"
            ));
            if !is_encrypted && !url.is_loopback {
                findings.warning(
                    format_args!("{url}: the connection is not encrypted, and mails hold links that open accounts"),
                    "fine on a private network; else smtps:// or ?starttls in FOOTFALL_SMTP_URL",
                );
            }
        }
    }
}

fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::Tls => {
            "look at the scheme and at ?starttls of FOOTFALL_SMTP_URL; SSL_CERT_FILE names a private authority"
        }
        Reason::Credentials => {
            "look at user and password in FOOTFALL_SMTP_URL; there they are percent-encoded"
        }
        Reason::Unwelcome => {
            "set FOOTFALL_MAIL_FROM to an address that this server lets its user send from"
        }
        Reason::Deferred => "the server wants to be asked again later; its log says why",
        _ => {
            "look at FOOTFALL_SMTP_URL, at its port and the way there: many networks let nobody out by port 25, but by 465 (smtps) or 587 (?starttls)"
        }
    }
}
