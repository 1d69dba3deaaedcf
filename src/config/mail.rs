//! Mail: the server it is handed to, who it comes from, where its links lead.

use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use secrecy::ExposeSecret;

use super::{PublicUrl, ServerSettings, SmtpUrl, catalog::Setting, reader::Reader};

/// How mail leaves, and what it says of itself.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// `FOOTFALL_SMTP_URL`: the server mail is handed to. Without one nothing is sent.
    pub smtp: Option<SmtpUrl>,
    /// `FOOTFALL_MAIL_FROM` (`Footfall <footfall@localhost>`).
    pub from: Mailbox,
    /// `FOOTFALL_PUBLIC_URL`: what links begin with. `None` only in production, where nobody needs
    /// one who sends no mail.
    pub public_url: Option<PublicUrl>,
    /// Where mails are written to where there is no server: `mail` in `FOOTFALL_DATA_DIR`; `None` in
    /// production, which would keep there what opens accounts.
    pub folder: Option<PathBuf>,
}

impl MailSettings {
    /// Reads the settings.
    pub(super) fn read(
        reader: &mut Reader,
        production: bool,
        server: Option<&ServerSettings>,
        data_dir: Option<&Path>,
    ) -> Option<Self> {
        let smtp = reader.secret("smtp_url").and_then(|url| {
            let parsed = url.value.expose_secret().parse::<SmtpUrl>();
            parsed
                .map_err(|error| reader.reject("smtp_url", error))
                .ok()
        });
        let from = read_from(reader, production && smtp.is_some());
        let public_url = read_public_url(reader, production, smtp.is_some(), server);
        Some(Self {
            smtp,
            from: from?,
            public_url: public_url?,
            folder: (!production).then_some(data_dir?.join("mail")),
        })
    }
}

fn read_from(reader: &mut Reader, must_be_set: bool) -> Option<Mailbox> {
    let text = reader.parse::<String>("mail_from")?;
    let mailbox = match text.parse::<Mailbox>() {
        Ok(mailbox) => mailbox,
        Err(_) => {
            let what =
                "expected an address, or a name and an address: Footfall <footfall@example.com>";
            reader.reject("mail_from", what);
            return None;
        }
    };
    let address: &str = mailbox.email.as_ref();
    let name = mailbox.name.as_deref().unwrap_or_default();
    if !address.is_ascii() {
        // Few servers take others (SMTPUTF8, RFC 6531).
        reader.reject(
            "mail_from",
            "its address must be ASCII; write an international domain as xn--…",
        );
        return None;
    }
    if name.contains(char::is_control) {
        reader.reject("mail_from", "its name holds a control character");
        return None;
    }
    if must_be_set && text == Setting::named("mail_from").default {
        reader.reject("mail_from", "production sends mail from an address of yours; set it to one that FOOTFALL_SMTP_URL's server lets you use");
        return None;
    }
    Some(mailbox)
}

/// `None` when an error was recorded.
fn read_public_url(
    reader: &mut Reader,
    production: bool,
    sends_mail: bool,
    server: Option<&ServerSettings>,
) -> Option<Option<PublicUrl>> {
    let text = reader.parse::<String>("public_url")?;
    if text.is_empty() {
        return match (production, sends_mail) {
            (false, _) => Some(Some(PublicUrl::of_listener(&server?.listen))),
            (true, false) => Some(None),
            (true, true) => {
                let what = "links in mails begin with it; set it to where people reach this service, as https://footfall.example.com";
                reader.reject("public_url", what);
                None
            }
        };
    }
    match text.parse::<PublicUrl>() {
        Err(error) => reader.reject("public_url", error),
        Ok(url) if production && !url.is_https() && !url.is_loopback() => {
            let what = "production wants https, since links in mails open accounts; only this machine itself may be reached by http";
            reader.reject("public_url", what);
        }
        Ok(url) => return Some(Some(url)),
    }
    None
}
