//! Where people reach the service: `FOOTFALL_PUBLIC_URL`.

use std::{fmt, str::FromStr};

use url::{Host, Url};

use super::values::ListenAddress;

const SYNTAX: &str = "expected https://HOST[:PORT][/PATH], as people type it";

/// `http(s)://HOST[:PORT][/PATH]`, without a slash at its end. Links in mails begin with it, and
/// never with what a request says of its `Host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl Default for PublicUrl {
    /// This machine.
    fn default() -> Self {
        let local = "http://localhost".parse();
        local.expect("it is a URL")
    }
}

impl PublicUrl {
    /// Where a browser on this machine reaches the first of these listeners.
    pub(super) fn of_listener(listeners: &[ListenAddress]) -> Self {
        let address = listeners.iter().find_map(|listener| match listener {
            // Of port 0 only the kernel knows what it will be.
            ListenAddress::Tcp { host, port } if *port != 0 => Some((host.as_str(), *port)),
            _ => None,
        });
        let text = match address {
            None => return Self::default(),
            Some(("0.0.0.0" | "::", port)) => format!("http://localhost:{port}"),
            Some((host, port)) if host.contains(':') => format!("http://[{host}]:{port}"),
            Some((host, port)) => format!("http://{host}:{port}"),
        };
        // One with a zone, perhaps, which URLs do not have.
        text.parse().unwrap_or_default()
    }

    /// Scheme, host and port, as browsers send them in `Origin` (RFC 6454).
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The host, as it stands in the URL.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether it is `https`.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The parser of URLs drops or replaces what would be changed silently.
        let is_odd = |char: char| char.is_whitespace() || char.is_control() || char == '\\';
        if text.contains(is_odd) {
            return Err(format!("it has a character that no URL has; {SYNTAX}"));
        }
        let url = Url::parse(text).map_err(|error| format!("{error}; {SYNTAX}"))?;
        let problem = if !matches!(url.scheme(), "https" | "http") {
            "neither https nor http"
        } else if !text.contains("://") || text.contains(":///") {
            "no host"
        } else if !url.username().is_empty() || url.password().is_some() {
            "it holds a user or a password, which do not belong to it"
        } else if url.query().is_some() || url.fragment().is_some() {
            "it has a query or a fragment (`?` or `#`), which links bring themselves"
        } else if url.path().contains("//") {
            "its path has two slashes in a row"
        } else {
            return Ok(Self(url));
        };
        Err(format!("{problem}; {SYNTAX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_says() {
        for (text, shown, origin, https, loopback) in [
            (
                "https://a.example",
                "https://a.example",
                "https://a.example",
                true,
                false,
            ),
            (
                "https://a.example/",
                "https://a.example",
                "https://a.example",
                true,
                false,
            ),
            (
                "HTTPS://A.example:443/x/",
                "https://a.example/x",
                "https://a.example",
                true,
                false,
            ),
            (
                "http://127.0.0.1:8000",
                "http://127.0.0.1:8000",
                "http://127.0.0.1:8000",
                false,
                true,
            ),
            (
                "http://[::1]:8000/a/b",
                "http://[::1]:8000/a/b",
                "http://[::1]:8000",
                false,
                true,
            ),
            (
                "http://x.localhost",
                "http://x.localhost",
                "http://x.localhost",
                false,
                true,
            ),
            (
                "https://bücher.example",
                "https://xn--bcher-kva.example",
                "https://xn--bcher-kva.example",
                true,
                false,
            ),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!(
                (url.to_string().as_str(), url.origin().as_str()),
                (shown, origin)
            );
            assert_eq!(
                (url.is_https(), url.is_loopback()),
                (https, loopback),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, reason) in [
            ("a.example", "relative URL"),
            ("ftp://a.example", "neither https nor http"),
            ("https:a.example", "no host"),
            ("https:///a.example", "no host"),
            ("https://", "empty host"),
            ("https://user@a.example", "a user or a password"),
            ("https://user:pw@a.example", "a user or a password"),
            ("https://a.example/?a=b", "a query"),
            ("https://a.example/#a", "a query"),
            ("https://a.example//b", "two slashes"),
            ("https://a.example/ b", "no URL has"),
            ("https://a.example\\b", "no URL has"),
            ("https://a.example:99999", "port"),
            ("https://a,b.example c", "no URL has"),
        ] {
            let error = text.parse::<PublicUrl>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn on_a_laptop_it_is_where_it_listens() {
        for (listeners, url) in [
            (&["tcp:127.0.0.1:8000"][..], "http://127.0.0.1:8000"),
            (&["tcp:0.0.0.0:80"], "http://localhost"),
            (&["tcp:[::]:8080"], "http://localhost:8080"),
            (&["tcp:[::1]:8080"], "http://[::1]:8080"),
            (
                &["unix:/run/a.sock", "tcp:localhost:1"],
                "http://localhost:1",
            ),
            (&["unix:/run/a.sock"], "http://localhost"),
            (&["tcp:127.0.0.1:0"], "http://localhost"),
            (&["tcp:[fe80::1%eth0]:80"], "http://localhost"),
        ] {
            let listeners: Vec<_> = listeners.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(PublicUrl::of_listener(&listeners).to_string(), url);
        }
    }
}
