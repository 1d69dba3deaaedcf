//! Against forged requests (CSRF): a browser sends cookies with what any page asks it to send.
//!
//! So a request with a cookie that changes something must come from a page of this service, as
//! the browser tells (Fetch Metadata, else `Origin`), and send what only such a page can read: the
//! value of the csrf cookie, which is a signature of the session and so is nobody else's. Whoever
//! sends a token in `Authorization` needs neither: no browser does so by itself.

use axum::http::{HeaderMap, HeaderName, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Caller,
    cookies::{Cookie, Cookies},
    keys::{Keys, Purpose},
};
use crate::edge::{Code, Problem};

const TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whose pages may ask.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// As browsers write them (RFC 6454, 6.2).
    pub own: Vec<String>,
    /// Whether the page of the `Host` that is asked counts as well: in development, where the
    /// service is called by many names.
    pub of_host: bool,
}

impl Origins {
    /// Whether a browser says that the request comes from a page of ours. Its address bar is none:
    /// nobody types a change.
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        match one(headers, &SEC_FETCH_SITE) {
            One::Is("same-origin") => true,
            One::Repeated => false,
            // Where it is another site, it may be one that counts as ours; browsers leave it out
            // over plain HTTP.
            One::Is(_) | One::Absent => match one(headers, &header::ORIGIN) {
                One::Is(origin) => self.is_own(origin, headers),
                One::Absent | One::Repeated => false,
            },
        }
    }

    fn is_own(&self, origin: &str, headers: &HeaderMap) -> bool {
        let is_of_host = || match (origin.split_once("://"), one(headers, &header::HOST)) {
            (Some(("http" | "https", authority)), One::Is(host)) => {
                !authority.is_empty() && authority.eq_ignore_ascii_case(host)
            }
            _ => false,
        };
        self.own.iter().any(|own| own == origin) || self.of_host && is_of_host()
    }
}

/// A field that should be there once.
enum One<'a> {
    Absent,
    Is(&'a str),
    Repeated,
}

fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> One<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => One::Absent,
        // What is no text is not what any of ours is.
        (Some(value), None) => One::Is(value.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => One::Repeated,
    }
}

/// What is asked of requests with cookies.
pub struct Csrf {
    /// Signs the tokens.
    pub keys: Keys,
    /// Where they are kept.
    pub cookies: Cookies,
    /// Whose pages may ask.
    pub origins: Origins,
}

/// What a csrf token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding(Vec<u8>);

impl Binding {
    /// A session.
    pub fn of_session(session: uuid::Uuid) -> Self {
        Self([b"session", &session.as_bytes()[..]].concat())
    }

    /// The session of a caller. The settings' account may have logged in without, while there was no
    /// database: then it is this one token.
    pub fn of(caller: &Caller) -> Self {
        match &caller.pass {
            Some(pass) => Self::of_session(pass.session),
            None => Self::of_token(&caller.subject, caller.expires_at),
        }
    }

    /// A token of this subject and end.
    fn of_token(subject: &str, expires_at: u64) -> Self {
        Self([b"token", &expires_at.to_be_bytes()[..], subject.as_bytes()].concat())
    }
}

impl Csrf {
    /// The token of a session, for the csrf cookie.
    pub fn token(&self, binding: &Binding) -> String {
        URL_SAFE_NO_PAD.encode(self.keys.sign(Purpose::Csrf, &binding.0))
    }

    /// Lets through what a page of ours asks, with the token in `X-CSRF-Token`.
    ///
    /// # Errors
    ///
    /// `csrf_failed`
    pub fn check(&self, headers: &HeaderMap, binding: &Binding) -> Result<(), Problem> {
        match one(headers, &TOKEN) {
            One::Is(token) => self.check_token(headers, binding, token),
            One::Absent => Err(failed(
                "There is no X-CSRF-Token: send it with the value of the csrf cookie.",
            )),
            One::Repeated => Err(failed("There is more than one X-CSRF-Token.")),
        }
    }

    /// The same, with a token that came in another way: in a field of a form.
    ///
    /// # Errors
    ///
    /// `csrf_failed`
    pub fn check_token(
        &self,
        headers: &HeaderMap,
        binding: &Binding,
        token: &str,
    ) -> Result<(), Problem> {
        self.check_origin(headers)?;
        let is_genuine = self.cookies.find(headers, Cookie::Csrf) == Some(token)
            && URL_SAFE_NO_PAD
                .decode(token)
                .is_ok_and(|token| self.keys.verify(Purpose::Csrf, &binding.0, &token));
        match is_genuine {
            true => Ok(()),
            false => Err(failed(
                "X-CSRF-Token is not the value of the csrf cookie of this session.",
            )),
        }
    }

    /// The one or the other: `field` is what a form sends.
    ///
    /// # Errors
    ///
    /// `csrf_failed`
    pub fn check_sent(
        &self,
        headers: &HeaderMap,
        binding: &Binding,
        field: Option<&str>,
    ) -> Result<(), Problem> {
        match field {
            Some(token) => self.check_token(headers, binding, token),
            None => self.check(headers, binding),
        }
    }

    /// Lets through what a page of ours asks, where there is no session yet: else a strange
    /// page could log somebody in as somebody else, unseen.
    ///
    /// # Errors
    ///
    /// `csrf_failed`
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        match self.origins.admit(headers) {
            true => Ok(()),
            false => Err(failed(
                "No browser says that this request comes from a page of this service: Sec-Fetch-Site is not same-origin, and Origin is none of FOOTFALL_PUBLIC_URL and FOOTFALL_CORS_ORIGINS.",
            )),
        }
    }
}

/// The field `csrf_token` of a form, if it stands there once.
pub fn field(form: &[u8]) -> Option<String> {
    let fields = url::form_urlencoded::parse(form);
    let mut values = fields.filter(|(name, _)| name == "csrf_token");
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(value.into_owned()),
        _ => None,
    }
}

fn failed(detail: &'static str) -> Problem {
    Problem::from(Code::CsrfFailed).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn admitted(origins: &Origins, fields: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        origins.admit(&headers)
    }

    /// After the table of Go's `net/http/csrf_test.go`; but what says nothing is not let through, since
    /// with a cookie it should be a browser.
    #[test]
    fn whose_page_it_is() {
        const SITE: &str = "sec-fetch-site";
        let production = Origins {
            own: vec![
                "https://a.example".to_owned(),
                "https://console.example:8443".to_owned(),
            ],
            of_host: false,
        };
        for (fields, expected) in [
            (&[(SITE, "same-origin")][..], true),
            (
                &[(SITE, "same-origin"), ("origin", "https://evil.example")],
                true,
            ),
            (&[(SITE, "none")], false),
            (&[(SITE, "cross-site")], false),
            (&[(SITE, "same-site")], false),
            (&[(SITE, "Same-Origin")], false),
            (&[(SITE, "")], false),
            (&[(SITE, "same-origin"), (SITE, "cross-site")], false),
            (&[(SITE, "same-origin"), (SITE, "same-origin")], false),
            (
                &[(SITE, "cross-site"), ("origin", "https://evil.example")],
                false,
            ),
            (
                &[
                    (SITE, "cross-site"),
                    ("origin", "https://console.example:8443"),
                ],
                true,
            ),
            (
                &[
                    (SITE, "same-site"),
                    ("origin", "https://console.example:8443"),
                ],
                true,
            ),
            (&[("origin", "https://a.example")], true),
            (
                &[
                    ("origin", "https://a.example"),
                    ("origin", "https://a.example"),
                ],
                false,
            ),
            (
                &[("origin", "https://a.example, https://evil.example")],
                false,
            ),
            (&[("origin", "http://a.example")], false),
            (&[("origin", "https://a.example:444")], false),
            (&[("origin", "https://a.example/")], false),
            (&[("origin", "https://A.example")], false),
            (&[("origin", "https://a.example.evil.example")], false),
            (
                &[("origin", "https://evil.example?https://a.example")],
                false,
            ),
            (&[("origin", "null")], false),
            (&[("origin", "")], false),
            (
                &[("origin", "https://b.example"), ("host", "b.example")],
                false,
            ),
            (&[("referer", "https://a.example/")], false),
            (&[], false),
        ] {
            assert_eq!(admitted(&production, fields), expected, "{fields:?}");
        }
        let development = Origins {
            own: Vec::new(),
            of_host: true,
        };
        for (fields, expected) in [
            (
                &[
                    ("origin", "http://localhost:8000"),
                    ("host", "localhost:8000"),
                ][..],
                true,
            ),
            (
                &[("origin", "https://localhost"), ("host", "LOCALHOST")],
                true,
            ),
            (
                &[
                    ("origin", "http://localhost:8000"),
                    ("host", "localhost:9000"),
                ],
                false,
            ),
            (
                &[("origin", "http://localhost"), ("host", "localhost:8000")],
                false,
            ),
            (&[("origin", "null"), ("host", "null")], false),
            (&[("origin", "http://"), ("host", "")], false),
            (
                &[("origin", "file://localhost"), ("host", "localhost")],
                false,
            ),
            (&[("origin", "http://localhost")], false),
        ] {
            assert_eq!(admitted(&development, fields), expected, "{fields:?}");
        }
    }
}
