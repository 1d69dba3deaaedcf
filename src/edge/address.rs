//! The address that a request was sent to, as its client knows it: for lines to copy, and for nothing that
//! must hold, since anybody may send any `Host`.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::HOST, request::Parts, uri::Authority},
};

use super::RequestContext;

/// Scheme, host and port, as `https://a.example:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(pub String);

impl Default for Address {
    /// Of who names no host.
    fn default() -> Self {
        Self("http://localhost".to_owned())
    }
}

impl Address {
    /// By the header fields of a request; a proxy that is believed says whether its client came by HTTPS.
    fn of(headers: &HeaderMap, is_trusted: bool) -> Option<Self> {
        let host = headers.get(HOST)?.to_str().ok()?;
        let authority: Authority = host.parse().ok()?;
        // Shells take the other characters of a host for something else.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if !host.chars().all(is_plain) || authority.host().is_empty() {
            return None;
        }
        let proto = headers.get("x-forwarded-proto");
        let is_https = is_trusted && proto.is_some_and(|proto| proto == "https");
        let scheme = if is_https { "https" } else { "http" };
        Some(Self(format!("{scheme}://{}", host.to_ascii_lowercase())))
    }

    /// As short as curl takes it.
    pub fn for_curl(&self) -> &str {
        self.0.strip_prefix("http://").unwrap_or(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let context = parts.extensions.get::<RequestContext>();
        let is_trusted = context.is_some_and(|context| context.peer.trusted);
        Ok(Self::of(&parts.headers, is_trusted).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_address_that_was_asked() {
        for (host, proto, is_trusted, expected, curl) in [
            (
                "localhost:8000",
                "",
                false,
                "http://localhost:8000",
                "localhost:8000",
            ),
            (
                "A.example",
                "https",
                true,
                "https://a.example",
                "https://a.example",
            ),
            ("a.example", "https", false, "http://a.example", "a.example"),
            ("a.example", "http", true, "http://a.example", "a.example"),
            (
                "a.example",
                "https, http",
                true,
                "http://a.example",
                "a.example",
            ),
            ("[::1]:8000", "", true, "http://[::1]:8000", "[::1]:8000"),
            ("", "", true, "http://localhost", "localhost"),
            (
                "a.example; rm -rf ~",
                "",
                true,
                "http://localhost",
                "localhost",
            ),
            ("$(id)", "", true, "http://localhost", "localhost"),
            ("a`id`", "", true, "http://localhost", "localhost"),
            ("<b>", "", true, "http://localhost", "localhost"),
            ("user@a.example", "", true, "http://localhost", "localhost"),
            ("a.example'", "", true, "http://localhost", "localhost"),
            (":80", "", true, "http://localhost", "localhost"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            headers.insert("x-forwarded-proto", HeaderValue::from_static(proto));
            let address = Address::of(&headers, is_trusted).unwrap_or_default();
            assert_eq!(
                (address.0.as_str(), address.for_curl()),
                (expected, curl),
                "{host}"
            );
        }
    }
}
