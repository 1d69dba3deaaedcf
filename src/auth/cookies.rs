//! The cookies of a session (RFC 6265bis).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The access token. No script sees it.
    Access,
    /// The refresh token. No script sees it.
    Refresh,
    /// What scripts send back in `X-CSRF-Token`, so they see it.
    Csrf,
}

/// How cookies are set and found.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    /// Over HTTPS a browser takes a name with `__Host-` only from this very host, for all paths
    /// of it, and sends it over HTTPS alone. Over plain HTTP it would take none.
    secure: bool,
}

impl Cookies {
    /// For a service that is reached by HTTPS, or by plain HTTP.
    pub fn new(secure: bool) -> Self {
        Self { secure }
    }

    /// Whether it is reached by HTTPS.
    pub fn are_secure(self) -> bool {
        self.secure
    }

    /// The name of a cookie.
    pub fn name(self, cookie: Cookie) -> &'static str {
        match (self.secure, cookie) {
            (true, Cookie::Access) => "__Host-footfall-access",
            (true, Cookie::Refresh) => "__Host-footfall-refresh",
            (true, Cookie::Csrf) => "__Host-footfall-csrf",
            (false, Cookie::Access) => "footfall-access",
            (false, Cookie::Refresh) => "footfall-refresh",
            (false, Cookie::Csrf) => "footfall-csrf",
        }
    }

    /// The value of a cookie. None if there are several of its name: one of them would be somebody
    /// else's, who may write cookies for a part of this host.
    pub fn find(self, headers: &HeaderMap, cookie: Cookie) -> Option<&str> {
        let name = self.name(cookie);
        let lines = headers.get_all(COOKIE).iter();
        let pairs = lines.filter_map(|line| line.to_str().ok());
        let mut values = pairs
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// `Set-Cookie` for this value, which the browser keeps for this long.
    pub fn set(self, cookie: Cookie, value: &str, max_age: Duration) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let http_only = match cookie {
            Cookie::Access | Cookie::Refresh => "; HttpOnly",
            Cookie::Csrf => "",
        };
        let text = format!(
            "{}={value}; Path=/; Max-Age={}; SameSite=Strict{http_only}{secure}",
            self.name(cookie),
            max_age.as_secs(),
        );
        HeaderValue::from_str(&text).expect("tokens are visible ASCII")
    }

    /// `Set-Cookie` that has the browser forget it.
    pub fn clear(self, cookie: Cookie) -> HeaderValue {
        self.set(cookie, "", Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let lines = lines.iter().copied().map(HeaderValue::from_static);
        lines.map(|line| (COOKIE, line)).collect()
    }

    #[test]
    fn attributes() {
        let age = Duration::from_secs(900);
        for (secure, cookie, text) in [
            (
                true,
                Cookie::Access,
                "__Host-footfall-access=x; Path=/; Max-Age=900; SameSite=Strict; HttpOnly; Secure",
            ),
            (
                true,
                Cookie::Refresh,
                "__Host-footfall-refresh=x; Path=/; Max-Age=900; SameSite=Strict; HttpOnly; Secure",
            ),
            (
                true,
                Cookie::Csrf,
                "__Host-footfall-csrf=x; Path=/; Max-Age=900; SameSite=Strict; Secure",
            ),
            (
                false,
                Cookie::Access,
                "footfall-access=x; Path=/; Max-Age=900; SameSite=Strict; HttpOnly",
            ),
            (
                false,
                Cookie::Refresh,
                "footfall-refresh=x; Path=/; Max-Age=900; SameSite=Strict; HttpOnly",
            ),
            (
                false,
                Cookie::Csrf,
                "footfall-csrf=x; Path=/; Max-Age=900; SameSite=Strict",
            ),
        ] {
            assert_eq!(Cookies::new(secure).set(cookie, "x", age), text);
        }
        let cleared = Cookies::new(true).clear(Cookie::Csrf);
        let cleared = cleared.to_str().unwrap();
        assert!(
            cleared.starts_with("__Host-footfall-csrf=; Path=/; Max-Age=0;"),
            "{cleared}"
        );
    }

    #[test]
    fn one_of_a_name_is_found() {
        let plain = Cookies::new(false);
        for (lines, found) in [
            (&["footfall-access=a"][..], Some("a")),
            (&["x=1; footfall-access=a; y=2"], Some("a")),
            (&["x=1", "footfall-access=a"], Some("a")),
            (&["footfall-access=a=b"], Some("a=b")),
            (&["footfall-access="], Some("")),
            (&["footfall-access=a; footfall-access=b"], None),
            (&["footfall-access=a", "footfall-access=a"], None),
            (&["Footfall-Access=a"], None),
            (&["__Host-footfall-access=a"], None),
            (&["footfall-access"], None),
            (&["xfootfall-access=a"], None),
            (&[], None),
        ] {
            assert_eq!(
                plain.find(&headers(lines), Cookie::Access),
                found,
                "{lines:?}"
            );
        }
        let both = headers(&["footfall-access=a; __Host-footfall-access=b"]);
        assert_eq!(Cookies::new(true).find(&both, Cookie::Access), Some("b"));
    }
}
