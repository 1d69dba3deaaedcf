//! Origins (RFC 6454) of pages.

use std::{fmt, str::FromStr};

use url::Url;

/// An origin of `http` or `https`, written as browsers send it in `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// As browsers send it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = String;

    /// Nothing is guessed: what is written differently would never be equal to what is sent.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "*" => {
                return Err("`*` would let any page act for its visitors; list the origins".into());
            }
            "null" => {
                return Err(
                    "`null` is sent by any sandboxed page or file; list the origins".into(),
                );
            }
            _ => {}
        }
        let expected = "expected an origin such as https://app.example or http://localhost:5173";
        let url = Url::parse(text).map_err(|error| format!("{expected}: {error}"))?;
        // To `url` a star is a host's name like any other.
        if !matches!(url.scheme(), "http" | "https") || text.contains('*') {
            return Err(expected.into());
        }
        let origin = url.origin().ascii_serialization();
        match origin == text {
            true => Ok(Self(origin)),
            false => Err(format!("browsers send this as {origin}; write it so")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for good in [
            "https://app.example",
            "http://localhost:5173",
            "http://127.0.0.1:8080",
            "https://[2001:db8::1]:8443",
            "https://xn--bcher-kva.example",
            "https://app.example.",
        ] {
            let origin = good
                .parse::<Origin>()
                .unwrap_or_else(|error| panic!("{good}: {error}"));
            assert_eq!(origin.as_str(), good);
        }
        for (bad, reason) in [
            ("*", "any page"),
            ("null", "sandboxed"),
            ("https://*.example", "such as"),
            ("https://app.example/", "as https://app.example;"),
            ("https://app.example/path", "as https://app.example;"),
            ("https://app.example?a", "as https://app.example;"),
            ("https://app.example#a", "as https://app.example;"),
            ("https://user@app.example", "as https://app.example;"),
            ("https://app.example:443", "as https://app.example;"),
            ("http://app.example:80", "as http://app.example;"),
            ("https://App.Example", "as https://app.example;"),
            ("HTTPS://app.example", "as https://app.example;"),
            (
                "https://bücher.example",
                "as https://xn--bcher-kva.example;",
            ),
            ("app.example", "such as"),
            ("//app.example", "such as"),
            ("https://", "such as"),
            ("https:app.example", "as https://app.example;"),
            ("ftp://app.example", "such as"),
            ("file:///etc", "such as"),
            ("chrome-extension://abc", "such as"),
            ("https://app.example:99999", "such as"),
            ("https://a b", "such as"),
            ("", "such as"),
        ] {
            let error = bad.parse::<Origin>().expect_err(bad);
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
