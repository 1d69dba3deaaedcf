//! The mail server: `FOOTFALL_SMTP_URL`.

use std::{fmt, str::FromStr};

use secrecy::SecretString;
use url::{Host, Url};

const SYNTAX: &str = "expected smtps://USER:PASSWORD@HOST[:465] or smtp://USER:PASSWORD@HOST[:587][?starttls=required]";

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// `smtps://`: from its first byte (RFC 8314).
    Implicit,
    /// `?starttls` or `?starttls=required`: by STARTTLS (RFC 3207), or nothing is sent.
    Required,
    /// `?starttls=opportunistic`, and `smtp://` without options: by STARTTLS where the server offers it.
    Opportunistic,
    /// `?starttls=off`: not at all.
    Off,
}

/// `smtp(s)://[USER:PASSWORD@]HOST[:PORT][?starttls=required|opportunistic|off]`
#[derive(Debug, Clone)]
pub struct SmtpUrl {
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port: 465 for `smtps`, else 587 with a user or `?starttls`, else 25.
    pub port: u16,
    /// Whether and when the connection is encrypted.
    pub tls: SmtpTls,
    /// User and password, where the server wants to know who sends.
    pub credentials: Option<(String, SecretString)>,
    /// Whether the server is this machine: then nobody else reads what is sent to it.
    pub is_loopback: bool,
}

/// What may be told to everybody: the server.
impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Errors never quote the text: it may hold a password.
impl FromStr for SmtpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map_err(|problem| format!("{problem}; {SYNTAX}"))
    }
}

fn parse(text: &str) -> Result<SmtpUrl, String> {
    // The parser of URLs drops or replaces what would be changed silently.
    let is_plain = |char: char| char.is_ascii_graphic() && char != '\\';
    if !text.chars().all(is_plain) {
        return Err(
            "it has a character that no URL has; in a user or password it is percent-encoded"
                .into(),
        );
    }
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let implicit = match url.scheme() {
        "smtps" => true,
        "smtp" => false,
        _ => return Err("neither smtps nor smtp".into()),
    };
    let (name, is_loopback) = host(&url).ok_or("no host")?;
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(
            "it has a path or a fragment; in a password `/`, `?` and `#` are percent-encoded"
                .into(),
        );
    }
    let credentials = credentials(&url)?;
    let tls = tls(&url, implicit)?;
    if credentials.is_some() && tls == SmtpTls::Off && !is_loopback {
        return Err("with ?starttls=off the password would be readable on its way".into());
    }
    let submits = credentials.is_some() || tls == SmtpTls::Required;
    let default = match tls {
        SmtpTls::Implicit => 465,
        _ if submits => 587,
        _ => 25,
    };
    let port = url.port().unwrap_or(default);
    if port == 0 {
        return Err("0 is not a port".into());
    }
    Ok(SmtpUrl {
        host: name,
        port,
        tls,
        credentials,
        is_loopback,
    })
}

/// The host, and whether it is this machine. Schemes that the parser does not know keep a host as
/// it is written, so that a name in capitals or an address is not seen as what it is.
fn host(url: &Url) -> Option<(String, bool)> {
    let written = url.host_str().filter(|host| !host.is_empty())?;
    match Host::parse(written).ok()? {
        Host::Domain(name) => {
            let is_loopback = name == "localhost" || name.ends_with(".localhost");
            Some((name, is_loopback))
        }
        Host::Ipv4(address) => Some((address.to_string(), address.is_loopback())),
        Host::Ipv6(address) => Some((address.to_string(), address.is_loopback())),
    }
}

fn credentials(url: &Url) -> Result<Option<(String, SecretString)>, String> {
    let decoded = |text: &str| {
        let bytes = urlencoding(text)
            .ok_or("a `%` in its user or password is not followed by two hexadecimal digits")?;
        let text = String::from_utf8(bytes).map_err(|_| "its user or password is not UTF-8")?;
        // SASL PLAIN separates by it (RFC 4616).
        match text.contains('\0') {
            true => Err("its user or password holds a NUL".to_owned()),
            false => Ok(text),
        }
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err("a password without a user".into()),
        (_, None | Some("")) => Err("a user without a password".into()),
        (user, Some(password)) => Ok(Some((decoded(user)?, decoded(password)?.into()))),
    }
}

/// The bytes of a percent-encoded text (RFC 3986, 2.1).
fn urlencoding(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(bytes)
}

fn tls(url: &Url, implicit: bool) -> Result<SmtpTls, String> {
    let Some(query) = url.query() else {
        return Ok(match implicit {
            true => SmtpTls::Implicit,
            false => SmtpTls::Opportunistic,
        });
    };
    let starttls = match query.split_once('=').unwrap_or((query, "required")) {
        ("starttls", "required") => SmtpTls::Required,
        ("starttls", "opportunistic") => SmtpTls::Opportunistic,
        ("starttls", "off") => SmtpTls::Off,
        ("starttls", _) => return Err("starttls is required, opportunistic or off".into()),
        _ => {
            return Err("the only option is starttls; in a password `?` is percent-encoded".into());
        }
    };
    match implicit {
        true => {
            Err("smtps is encrypted from the first byte, so ?starttls does not go with it".into())
        }
        false => Ok(starttls),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn what_a_url_says() {
        for (text, server, tls, user) in [
            (
                "smtp://mail.example",
                "mail.example:25",
                SmtpTls::Opportunistic,
                None,
            ),
            (
                "smtp://mail.example?starttls",
                "mail.example:587",
                SmtpTls::Required,
                None,
            ),
            (
                "smtp://mail.example/?starttls=required",
                "mail.example:587",
                SmtpTls::Required,
                None,
            ),
            (
                "smtp://Mail.example:2525?starttls=opportunistic",
                "mail.example:2525",
                SmtpTls::Opportunistic,
                None,
            ),
            ("smtp://[::1]?starttls=off", "[::1]:25", SmtpTls::Off, None),
            (
                "smtp://u:p@127.0.0.1?starttls=off",
                "127.0.0.1:587",
                SmtpTls::Off,
                Some(("u", "p")),
            ),
            (
                "smtps://mail.example",
                "mail.example:465",
                SmtpTls::Implicit,
                None,
            ),
            (
                "SMTPS://me%40a.example:p%3A%2F%3f%25@mail.example:4650",
                "mail.example:4650",
                SmtpTls::Implicit,
                Some(("me@a.example", "p:/?%")),
            ),
            (
                "smtp://u:p%C3%A4@mail.example",
                "mail.example:587",
                SmtpTls::Opportunistic,
                Some(("u", "pä")),
            ),
        ] {
            let url: SmtpUrl = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((url.to_string().as_str(), url.tls), (server, tls), "{text}");
            let credentials = url.credentials.as_ref();
            let credentials =
                credentials.map(|(user, password)| (user.as_str(), password.expose_secret()));
            assert_eq!(credentials, user, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_and_not_quoted() {
        for (text, reason) in [
            ("hunter2", "relative URL"),
            ("https://u:hunter2@mail.example", "neither smtps nor smtp"),
            ("smtp://u:hunter2@", "host"),
            ("smtp:u:hunter2", "no host"),
            ("smtp://hunter2@mail.example", "a user without a password"),
            ("smtp://hunter2:@mail.example", "a user without a password"),
            ("smtp://:hunter2@mail.example", "a password without a user"),
            ("smtp://u:hunter2/x@mail.example", ""),
            ("smtp://u:hunter2@mail.example/path", "a path"),
            ("smtp://u:hunter2@mail.example#x", "a path or a fragment"),
            ("smtp://u:hunter2@mail.example?tls=on", "the only option"),
            (
                "smtp://u:hunter2@mail.example?starttls=yes",
                "required, opportunistic or off",
            ),
            (
                "smtp://u:hunter2@mail.example?starttls&x",
                "the only option",
            ),
            (
                "smtps://u:hunter2@mail.example?starttls",
                "does not go with it",
            ),
            (
                "smtp://u:hunter2@mail.example?starttls=off",
                "readable on its way",
            ),
            ("smtp://u:hunter2@mail.example:0", "not a port"),
            ("smtp://u:hunter2@mail.example:99999", "port"),
            ("smtp://u:hunter2%zz@mail.example", "hexadecimal"),
            ("smtp://u:hunter2%ff@mail.example", "not UTF-8"),
            ("smtp://u:hunter2%00@mail.example", "NUL"),
            ("smtp://u:hunter 2@mail.example", "no URL has"),
            ("smtp://u:hunter2@mail.example\n", "no URL has"),
            ("smtp://u:hunter2@mäil.example", "no URL has"),
        ] {
            let error = text.parse::<SmtpUrl>().expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
