//! Why a message was not taken, and whether it ever will be.

use std::{error::Error, io};

use lettre::transport::smtp::Error as SmtpError;

use super::super::metrics::Reason;

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The kind of reason.
    pub reason: Reason,
    /// For people, without the recipient's address.
    pub what: String,
    /// Whether it will be refused again.
    pub is_final: bool,
}

/// How far the dialogue with a server was: what an answer means depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Up to its greeting.
    Connecting,
    /// `STARTTLS`
    StartTls,
    /// `AUTH`
    Auth,
    /// `MAIL FROM`
    Sender,
    /// `RCPT TO`
    Recipient,
    /// `DATA`, and the message.
    Message,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Connecting => "its greeting",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Message => "DATA",
        }
    }
}

/// That we have to encrypt or to authenticate first, or that our credentials are not good enough
/// (RFC 4954, 6; RFC 3207, 4). No fault of the mail, wherever it is said.
const OF_CREDENTIALS: [u16; 6] = [432, 454, 530, 534, 535, 538];

impl Failure {
    /// It is tried again later.
    pub fn later(reason: Reason, what: impl Into<String>) -> Self {
        Self {
            reason,
            what: what.into(),
            is_final: false,
        }
    }

    /// It is not tried again.
    pub fn for_good(reason: Reason, what: impl Into<String>) -> Self {
        Self {
            is_final: true,
            ..Self::later(reason, what)
        }
    }

    /// What an error at a stage means.
    pub fn at(stage: Stage, error: &SmtpError) -> Self {
        match error.status() {
            Some(code) => {
                let code: u16 = code.to_string().parse().unwrap_or_default();
                Self::of_answer(stage, code, &enhanced(error))
            }
            None if is_of_tls(error) => Self::later(Reason::Tls, format!("TLS: {}", chain(error))),
            None if stage == Stage::Auth && error.is_client() => Self::later(
                Reason::Credentials,
                "the server offers no way to log in that is known (PLAIN, LOGIN)",
            ),
            None if stage == Stage::StartTls && error.is_client() => {
                Self::later(Reason::Tls, "the server does not offer STARTTLS")
            }
            None => Self::later(Reason::Unreachable, chain(error)),
        }
    }

    /// The text of an answer is left out: it mostly repeats the recipient's address.
    fn of_answer(stage: Stage, code: u16, enhanced: &str) -> Self {
        let what = format!("the server answered {code}{enhanced} to {}", stage.name());
        if OF_CREDENTIALS.contains(&code) || stage == Stage::Auth {
            return Self::later(Reason::Credentials, what);
        }
        match (stage, code) {
            (Stage::StartTls, _) => Self::later(Reason::Tls, what),
            (_, 400..=499) => Self::later(Reason::Deferred, what),
            // What it says before it knows the recipient it would say of any mail.
            (Stage::Connecting | Stage::Sender, _) => Self::later(Reason::Unwelcome, what),
            _ => Self::for_good(Reason::Refused, what),
        }
    }
}

/// The enhanced status code (RFC 3463) that an answer begins with, after a blank.
fn enhanced(error: &SmtpError) -> String {
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let code = text.split_whitespace().next().unwrap_or_default();
    let digits = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    match code.split('.').count() == 3 && code.split('.').all(digits) {
        true => format!(" {code}"),
        false => String::new(),
    }
}

fn is_of_tls(error: &SmtpError) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || wrapped.is_some_and(|error| error.is::<rustls::Error>()) {
            return true;
        }
        source = error.source();
    }
    error.is_tls()
}

/// An error that is no answer, so none of its words are the server's.
fn chain(error: &SmtpError) -> String {
    let source = error.source().map(ToString::to_string);
    source.unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_of_the_mail_or_of_the_server() {
        use Stage::{Auth, Connecting, Message, Recipient, Sender, StartTls};
        for (stage, code, reason, is_final) in [
            (Connecting, 421, Reason::Deferred, false),
            (Connecting, 554, Reason::Unwelcome, false),
            (StartTls, 454, Reason::Credentials, false),
            (StartTls, 502, Reason::Tls, false),
            (Auth, 454, Reason::Credentials, false),
            (Auth, 535, Reason::Credentials, false),
            (Auth, 500, Reason::Credentials, false),
            (Sender, 451, Reason::Deferred, false),
            (Sender, 530, Reason::Credentials, false),
            (Sender, 550, Reason::Unwelcome, false),
            (Sender, 553, Reason::Unwelcome, false),
            (Recipient, 450, Reason::Deferred, false),
            (Recipient, 452, Reason::Deferred, false),
            (Recipient, 530, Reason::Credentials, false),
            (Recipient, 550, Reason::Refused, true),
            (Recipient, 553, Reason::Refused, true),
            (Message, 421, Reason::Deferred, false),
            (Message, 451, Reason::Deferred, false),
            (Message, 552, Reason::Refused, true),
            (Message, 554, Reason::Refused, true),
        ] {
            let failure = Failure::of_answer(stage, code, " 5.7.1");
            assert_eq!(
                (failure.reason, failure.is_final),
                (reason, is_final),
                "{stage:?} {code}"
            );
            assert!(
                failure.what.contains(&format!("{code} 5.7.1 to")),
                "{failure}"
            );
        }
    }
}
