//! Where errors are reported to: a DSN, as Sentry and the services that speak its protocol hand out.
//!
//! <https://develop.sentry.dev/sdk/foundations/transport/authentication/#dsn>

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::reader::Reader;

const SYNTAX: &str = "expected https://KEY@HOST[:PORT][/PATH]/PROJECT, as the receiver shows it";

/// `http(s)://KEY[:SECRET]@HOST[:PORT][/PATH]/PROJECT`
#[derive(Debug, Clone)]
pub struct SentryDsn {
    /// Whether the receiver is asked over TLS.
    pub tls: bool,
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Where events are posted to on that host.
    pub endpoint: String,
    /// Who may send events, as the `X-Sentry-Auth` header says it.
    pub authorization: SecretString,
}

impl SentryDsn {
    /// `FOOTFALL_SENTRY_DSN`. `None` when it is unset, or when an error was recorded.
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let secret = reader.secret("sentry_dsn")?;
        let dsn = secret.value.expose_secret().parse();
        dsn.inspect_err(|error| reader.reject("sentry_dsn", error))
            .ok()
    }
}

/// What may be told to everybody: the receiver, without who may send to it.
impl fmt::Display for SentryDsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Errors never quote the text: it says who may send.
impl FromStr for SentryDsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The parser of URLs drops or replaces what would be changed silently.
        if !text
            .chars()
            .all(|char| char.is_ascii_graphic() && char != '\\')
        {
            return Err(format!("it has a character that no DSN has; {SYNTAX}"));
        }
        let url = Url::parse(text).map_err(|error| format!("{error}; {SYNTAX}"))?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(format!("neither https nor http; {SYNTAX}")),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!(
                "it has options (`?` or `#`), which are not known; {SYNTAX}"
            ));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(format!("no host; {SYNTAX}"));
        };
        let (path, project) = url.path().rsplit_once('/').unwrap_or_default();
        if !is_word(project) {
            return Err(format!("no project after the last `/`; {SYNTAX}"));
        }
        // As are dots and escapes in the path, and slashes before the host.
        let altered = ["///", "/.", "%"].iter().any(|part| text.contains(part));
        if altered || !text.contains("://") {
            return Err(format!("it is not written as URLs are; {SYNTAX}"));
        }
        if !is_word(url.username()) || !url.password().is_none_or(is_word) {
            return Err(format!("no key before the `@`; {SYNTAX}"));
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            tls,
            host: host.to_owned(),
            port,
            endpoint: format!("{path}/api/{project}/envelope/"),
            authorization: authorization(url.username(), url.password()).into(),
        })
    }
}

/// Old receivers gave out a second key, and want it.
fn authorization(key: &str, secret: Option<&str>) -> String {
    let version = crate::release::VERSION;
    let mut header =
        format!("Sentry sentry_version=7, sentry_client=footfall/{version}, sentry_key={key}");
    if let Some(secret) = secret {
        header.push_str(", sentry_secret=");
        header.push_str(secret);
    }
    header
}

fn is_word(text: &str) -> bool {
    let of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && text.bytes().all(of_a_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dsn_says() {
        for (text, receiver, endpoint) in [
            (
                "https://key@host.example/1",
                "https://host.example:443",
                "/api/1/envelope/",
            ),
            (
                "http://key@host/a/b/42",
                "http://host:80",
                "/a/b/api/42/envelope/",
            ),
            (
                "https://key@[::1]:9000/1",
                "https://[::1]:9000",
                "/api/1/envelope/",
            ),
            (
                "HTTPS://Key@HOST:8443/x-1",
                "https://host:8443",
                "/api/x-1/envelope/",
            ),
            (
                "https://key@xn--hst-sna.example/1",
                "https://xn--hst-sna.example:443",
                "/api/1/envelope/",
            ),
            (
                "http://key:second@127.0.0.1:81/1",
                "http://127.0.0.1:81",
                "/api/1/envelope/",
            ),
        ] {
            let dsn: SentryDsn = text.parse().unwrap();
            assert_eq!(
                (dsn.to_string().as_str(), dsn.endpoint.as_str()),
                (receiver, endpoint)
            );
        }
        let header = |text: &str| {
            let dsn: SentryDsn = text.parse().unwrap();
            dsn.authorization.expose_secret().to_owned()
        };
        assert!(header("https://Key@host/1").ends_with(", sentry_key=Key"));
        assert!(header("https://a:b@host/1").ends_with(", sentry_key=a, sentry_secret=b"));
    }

    #[test]
    fn what_is_no_dsn_is_refused_and_not_quoted() {
        for (text, reason) in [
            ("hunter2", "relative URL"),
            ("ftp://hunter2@host/1", "neither https nor http"),
            ("https://host/1", "no key"),
            ("https://:hunter2@host/1", "no key"),
            ("https://hunter2:@host/1", ""),
            ("https://hunter2:a%20b@host/1", "as URLs are"),
            ("https://hunter2@host/a/%2e%2E/1", "as URLs are"),
            ("https://hunter2:a$b@host/1", "no key"),
            ("https://hunter2,sentry_key=x@host/1", "no key"),
            ("https://hunter2@host", "no project"),
            ("https://hunter2@host/", "no project"),
            ("https://hunter2@host/1/", "no project"),
            ("https://hunter2@host/%31", "no project"),
            ("https://hunter2@host/1?tunnel=x", "options"),
            ("https://hunter2@host/1#x", "options"),
            ("https://hunter2@host/1\n", "no DSN has"),
            ("https://hunter2@ho st/1", "no DSN has"),
            ("https:\\\\hunter2@host/1", "no DSN has"),
            ("https://hunter2@höst/1", "no DSN has"),
            ("https://hunter2@host:99999/1", "port"),
            ("https:hunter2@host/1", "as URLs are"),
            ("https:///hunter2@host/1", "as URLs are"),
            ("https://hunter2@host/a/../1", "as URLs are"),
            ("https://hunter2@/1", ""),
        ] {
            match text.parse::<SentryDsn>() {
                Ok(_) => assert_eq!(
                    text, "https://hunter2:@host/1",
                    "an empty second key is none"
                ),
                Err(error) => {
                    assert!(error.contains(reason), "{text}: {error}");
                    assert!(!error.contains("hunter2"), "{error}");
                }
            }
        }
    }
}
