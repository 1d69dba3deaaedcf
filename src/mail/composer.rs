//! Makes a message of a mail, with its link.

use std::{sync::Arc, time::SystemTime};

use lettre::{
    Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};
use uuid::Uuid;

use super::{
    address::EmailAddress,
    letter::{as_html, as_text},
    template::{Page, Template},
};
use crate::config::{MailSettings, PublicUrl};

/// Makes the token of a link, of its page and its id. It is never kept.
pub type Tokens = Arc<dyn Fn(Page, Uuid) -> String + Send + Sync>;

/// A message, ready to be sent.
pub struct Composed {
    /// The message.
    pub message: Message,
    /// Its link.
    pub link: Option<String>,
}

/// Makes messages.
pub struct Composer {
    /// Who they come from.
    pub from: Mailbox,
    /// What links begin with.
    pub public_url: PublicUrl,
    /// The tokens of links.
    pub tokens: Tokens,
}

impl Composer {
    /// As the settings say.
    pub fn new(settings: &MailSettings, tokens: Tokens) -> Self {
        Self {
            from: settings.from.clone(),
            // Without one there is no server either, and nothing leaves.
            public_url: settings.public_url.clone().unwrap_or_default(),
            tokens,
        }
    }

    /// The message of the mail with this id.
    ///
    /// # Errors
    ///
    /// If the recipient's address is none; the error does not say it.
    pub fn compose(&self, id: Uuid, to: &str, template: &Template) -> Result<Composed, String> {
        let to: EmailAddress = to
            .parse()
            .map_err(|error| format!("the address cannot be written to: {error}"))?;
        let to = to
            .as_str()
            .parse()
            .map_err(|_| "the address cannot be written to")?;
        let site = self.public_url.to_string();
        let words = template.words(&site);
        let link = template.link().map(|(page, id)| {
            let token = (self.tokens)(page, id);
            format!("{site}/console/{}?token={token}", page.name())
        });
        // Not 8bit, which a server need not take.
        let part = |kind: ContentType, text: String| {
            let part = SinglePart::builder().header(kind);
            part.header(ContentTransferEncoding::QuotedPrintable)
                .body(text)
        };
        let parts = MultiPart::alternative()
            .singlepart(part(
                ContentType::TEXT_PLAIN,
                as_text(&words, link.as_deref(), &site),
            ))
            .singlepart(part(
                ContentType::TEXT_HTML,
                as_html(&words, link.as_deref(), &site),
            ));
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(words.subject)
            .date(SystemTime::now())
            // The same at each try, so that a second one is known for what it is.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .raw_header(automatic())
            .multipart(parts)
            .map_err(|error| error.to_string())?;
        Ok(Composed { message, link })
    }
}

/// Nobody's absence is to be announced to us (RFC 3834).
fn automatic() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn composer() -> Composer {
        Composer {
            from: "Visits <visits@a.example>".parse().unwrap(),
            public_url: "https://visits.example/x".parse().unwrap(),
            tokens: Arc::new(|page, id| format!("TOKEN-{}-{id}", page.name())),
        }
    }

    /// One of each.
    fn all(name: &str) -> Vec<Template> {
        let (link, company) = (Uuid::from_u128(7), name.to_owned());
        let (username, by) = (company.clone(), company.clone());
        vec![
            Template::Confirm {
                link,
                company: company.clone(),
                username,
            },
            Template::Invitation {
                link,
                company: company.clone(),
                by,
            },
            Template::Welcome {
                company: company.clone(),
                username: company.clone(),
            },
            Template::AlreadyRegistered,
            Template::NoAccount,
            Template::EmailChanging,
            Template::Reset { link },
            Template::ConfirmEmail { link },
            Template::EmailChanged,
            Template::PasswordChanged,
            Template::RefreshReused,
            Template::InvitedElsewhere { company },
        ]
    }

    fn formatted(template: &Template) -> (String, Option<String>) {
        let composed = composer()
            .compose(Uuid::from_u128(9), "b@c.example", template)
            .unwrap();
        (
            String::from_utf8(composed.message.formatted()).unwrap(),
            composed.link,
        )
    }

    fn header_names(message: &str) -> Vec<&str> {
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with(' '));
        lines.map(|line| line.split_once(':').unwrap().0).collect()
    }

    /// Undoes quoted-printable (RFC 2045, 6.7).
    fn decoded(message: &str) -> String {
        let joined = message.replace("=\r\n", "");
        let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
        while let [first, after @ ..] = rest {
            rest = after;
            let hex = (*first == b'=').then(|| after.get(..2)).flatten();
            match hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &after[2..];
                }
                None => bytes.push(*first),
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_mail_is_whole() {
        for template in all("Acme") {
            let (message, link) = formatted(&template);
            let names = header_names(&message);
            let expected = [
                "From",
                "To",
                "Subject",
                "Date",
                "Message-ID",
                "Auto-Submitted",
                "MIME-Version",
                "Content-Type",
            ];
            assert_eq!(names, expected, "{message}");
            for line in [
                "From: Visits <visits@a.example>",
                "To: b@c.example",
                "Message-ID: <00000000-0000-0000-0000-000000000009@a.example>",
                "Auto-Submitted: auto-generated",
            ] {
                assert!(
                    message.contains(&format!("{line}\r\n")),
                    "{line}: {message}"
                );
            }
            assert!(
                message.is_ascii() && message.contains("multipart/alternative"),
                "{message}"
            );
            assert!(message.lines().all(|line| line.len() <= 998), "{message}");
            let text = decoded(&message);
            let links = text.matches("https://visits.example/x/console/").count();
            match template.link() {
                // In the text once, in HTML as the target and to be read.
                Some((page, _)) => {
                    let link = link.unwrap();
                    assert!(link.ends_with(&format!(
                        "/console/{}?token=TOKEN-{0}-{}",
                        page.name(),
                        Uuid::from_u128(7)
                    )));
                    assert_eq!((links, text.matches(&link).count()), (3, 3), "{text}");
                }
                None => assert_eq!((links, link), (0, None), "{text}"),
            }
            assert!(text.len() < 4000, "it is short: {text}");
        }
    }

    #[test]
    fn what_is_kept_of_it_can_be_read_again_and_holds_no_token() {
        for template in all("Acme") {
            let kept = serde_json::to_value(&template).unwrap();
            assert_eq!(kept["name"], template.name());
            assert_eq!(
                serde_json::from_value::<Template>(kept.clone()).unwrap(),
                template
            );
            assert!(!kept.to_string().contains("TOKEN"));
        }
    }

    #[test]
    fn a_recipient_that_is_none_is_refused_and_not_said() {
        for to in [
            "",
            "nobody",
            "a@b.example\r\nBcc: c@d.example",
            "a@b.example, c@d.example",
        ] {
            let error = composer()
                .compose(Uuid::nil(), to, &Template::EmailChanged)
                .err()
                .unwrap();
            assert!(to.is_empty() || !error.contains(to), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        /// Whatever somebody is called: the same headers, no tag but ours, no link but ours.
        #[test]
        fn names_change_nothing_but_the_words(name in prop_oneof![".{0,80}", Just("a\r\nBcc: x@y.example\r\n\r\n<script>alert(1)</script>".to_owned()), Just("https://evil.example \"><a href='//evil.example'>".to_owned())]) {
            for (template, plain) in all(&name).iter().zip(all("Acme")) {
                let (message, _) = formatted(template);
                let (expected, _) = formatted(&plain);
                prop_assert_eq!(header_names(&message), header_names(&expected));
                let (text, expected) = (decoded(&message), decoded(&expected));
                let tags = |text: &str| text.split("<!doctype").nth(1).unwrap().matches('<').count();
                prop_assert_eq!(tags(&text), tags(&expected), "{}", text);
                prop_assert_eq!(text.matches("://").count(), expected.matches("://").count(), "{}", text);
            }
        }
    }
}
