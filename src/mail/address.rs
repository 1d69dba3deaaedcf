//! E-mail addresses as people type them (RFC 5321, 4.1.2; RFC 5322, 3.4.1).

use std::{fmt, str::FromStr};

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Longest address, in bytes: a path of 256 (RFC 5321, 4.5.3.1.3) without its angle brackets.
pub const LONGEST: usize = 254;

/// Longest part before the `@`, in bytes (RFC 5321, 4.5.3.1.1).
pub const LONGEST_LOCAL: usize = 64;

/// An address that a mail can be sent to, and nothing else: no name, no list, no comment.
///
/// The part before the `@` is a dot-atom, kept as it was typed. Quoted ones (`"a b"@example.com`) and
/// such beyond ASCII are refused: hardly anybody has one, many servers take none, and two that mean
/// the same could look different. The domain is a name with a dot, in lower case and in ASCII
/// (`xn--…`, by UTS 46); addresses of hosts (`[192.0.2.1]`) are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// Why a text is no address; a sentence's end for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEmail(&'static str);

impl EmailAddress {
    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The address as addresses are compared: without regard to case, since no server of today
    /// tells people apart by it.
    pub fn key(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(InvalidEmail("it has no @"));
        };
        check_local(local)?;
        let domain = ascii(domain)?;
        if local.len() + 1 + domain.len() > LONGEST {
            return Err(InvalidEmail("it is longer than 254 bytes"));
        }
        Ok(Self {
            text: format!("{local}@{domain}"),
            at: local.len(),
        })
    }
}

fn check_local(local: &str) -> Result<(), InvalidEmail> {
    // RFC 5322, 3.2.3.
    let of_an_atom =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    Err(InvalidEmail(if local.is_empty() {
        "nothing is before its @"
    } else if local.len() > LONGEST_LOCAL {
        "the part before its @ is longer than 64 bytes"
    } else if local.starts_with('"') {
        "the part before its @ is in quotes, which is not supported"
    } else if !local.bytes().all(|byte| byte == b'.' || of_an_atom(byte)) {
        "the part before its @ has a character other than letters and digits of ASCII, dots and !#$%&'*+-/=?^_`{|}~"
    } else if local.split('.').any(str::is_empty) {
        "the part before its @ begins or ends with a dot, or has two in a row"
    } else {
        return Ok(());
    }))
}

/// A domain in ASCII and in lower case.
fn ascii(domain: &str) -> Result<String, InvalidEmail> {
    if domain.is_empty() {
        return Err(InvalidEmail("nothing is after its @"));
    }
    if domain.starts_with('[') {
        return Err(InvalidEmail(
            "it names a host by its address, which is not supported",
        ));
    }
    // What no domain becomes shorter than is not looked at closer: the time that takes grows with it.
    if domain.len() > 4 * LONGEST {
        return Err(InvalidEmail("it is longer than 254 bytes"));
    }
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    let ascii = ascii.map_err(|_| InvalidEmail("the part after its @ is no domain"))?;
    let last = ascii.rsplit('.').next().unwrap_or_default();
    if !ascii.contains('.') {
        return Err(InvalidEmail("the domain after its @ has no dot"));
    }
    // No such domain can be (RFC 3696, 2); it would be the address of a host.
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidEmail("the domain after its @ ends with a number"));
    }
    Ok(ascii.into_owned())
}

#[cfg(test)]
mod tests {
    use lettre::Address;
    use proptest::prelude::*;

    use super::*;

    fn local(length: usize) -> String {
        "a".repeat(length)
    }

    /// A domain of this many bytes.
    fn domain(length: usize) -> String {
        let mut domain = "a.".repeat(length / 2 - 1);
        domain.push_str(if length.is_multiple_of(2) {
            "aa"
        } else {
            "aaa"
        });
        domain
    }

    #[test]
    fn what_is_an_address() {
        for (text, kept, key) in [
            ("a@b.example", "a@b.example", "a@b.example"),
            (
                "First.Last+tag@Example.COM",
                "First.Last+tag@example.com",
                "first.last+tag@example.com",
            ),
            (
                "!#$%&'*+-/=?^_`{|}~@b.example",
                "!#$%&'*+-/=?^_`{|}~@b.example",
                "!#$%&'*+-/=?^_`{|}~@b.example",
            ),
            (
                "a@bücher.example",
                "a@xn--bcher-kva.example",
                "a@xn--bcher-kva.example",
            ),
            (
                "a@BÜCHER.example",
                "a@xn--bcher-kva.example",
                "a@xn--bcher-kva.example",
            ),
            (
                "a@xn--bcher-kva.example",
                "a@xn--bcher-kva.example",
                "a@xn--bcher-kva.example",
            ),
            (
                "a@例え。テスト",
                "a@xn--r8jz45g.xn--zckzah",
                "a@xn--r8jz45g.xn--zckzah",
            ),
            ("a@1.example", "a@1.example", "a@1.example"),
            ("a@b-c.example", "a@b-c.example", "a@b-c.example"),
            ("1@b.example", "1@b.example", "1@b.example"),
        ] {
            let address: EmailAddress = text
                .parse()
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (address.as_str(), address.key().as_str()),
                (kept, key),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_none() {
        for (text, reason) in [
            ("", "no @"),
            ("a", "no @"),
            ("@", "nothing is before"),
            ("@b.example", "nothing is before"),
            ("a@", "nothing is after"),
            ("a@b", "no dot"),
            ("a@localhost", "no dot"),
            ("a@b.example.", "no domain"),
            ("a@.b.example", "no domain"),
            ("a@b..example", "no domain"),
            ("a@-b.example", "no domain"),
            ("a@b-.example", "no domain"),
            ("a@b_c.example", "no domain"),
            ("a@b c.example", "no domain"),
            ("a@b.example ", "no domain"),
            ("a@b.example\n", "no domain"),
            ("a@b.example\0", "no domain"),
            ("a@b.example>", "no domain"),
            ("a@b.example,c@d.example", "before its @ has"),
            ("a,b@c.example", "before its @ has"),
            ("a;b@c.example", "before its @ has"),
            ("a@b@c.example", "before its @ has"),
            ("A <a@b.example>", "before its @ has"),
            ("<a@b.example>", "before its @ has"),
            ("mailto:a@b.example", "before its @ has"),
            ("a(comment)@b.example", "before its @ has"),
            (" a@b.example", "before its @ has"),
            ("a b@c.example", "before its @ has"),
            ("a\r\nRCPT TO:<b@c.example>@d.example", "before its @ has"),
            ("a\0@b.example", "before its @ has"),
            ("a\u{7f}@b.example", "before its @ has"),
            ("a\\@b.example", "before its @ has"),
            ("ä@b.example", "before its @ has"),
            ("😀@b.example", "before its @ has"),
            ("а@b.example", "before its @ has"), // Cyrillic
            ("\"a b\"@c.example", "in quotes"),
            ("\"a\"@b.example", "in quotes"),
            ("\"@b.example", "in quotes"),
            (".a@b.example", "a dot"),
            ("a.@b.example", "a dot"),
            ("a..b@c.example", "a dot"),
            ("a@[192.0.2.1]", "by its address"),
            ("a@[IPv6:2001:db8::1]", "by its address"),
            ("a@192.0.2.1", "ends with a number"),
            ("a@b.123", "ends with a number"),
            ("a@xn--a.example", "no domain"),
            ("a@xn--zz-.example", "no domain"),
            ("a@\u{200b}.example", "no domain"),
            ("a@b\u{202e}.example", "no domain"),
        ] {
            let error = text.parse::<EmailAddress>().expect_err(text);
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn each_limit_is_that_of_the_rfc_and_not_one_more() {
        let label = |length: usize| format!("a@{}.example", local(length));
        let is_good = |text: String| text.parse::<EmailAddress>().is_ok();
        assert!(is_good(format!("{}@b.example", local(64))));
        assert!(!is_good(format!("{}@b.example", local(65))));
        assert!(is_good(label(63)));
        assert!(!is_good(label(64)));
        let whole = |length: usize| format!("{}@{}", local(64), domain(length - 65));
        assert_eq!(whole(LONGEST).len(), LONGEST);
        assert!(is_good(whole(LONGEST)));
        assert!(!is_good(whole(LONGEST + 1)));
        // The form in ASCII counts: 60 letters of three bytes each are a label that is too long.
        assert!(!is_good(format!("a@{}.example", "語".repeat(60))));
        assert!(!is_good(format!("a@{}.example", "a".repeat(1_000_000))));
    }

    proptest! {
        /// What is taken is the same when it is taken again, in any case; the mail program takes it
        /// as well; and it can be no more than one word of a command or a header.
        #[test]
        fn what_is_taken_is_one_address(text in any_address()) {
            if let Ok(address) = text.parse::<EmailAddress>() {
                let again: EmailAddress = address.as_str().parse().unwrap();
                prop_assert_eq!(&again, &address);
                let shouted: EmailAddress = address.as_str().to_uppercase().parse().unwrap();
                prop_assert_eq!(shouted.key(), address.key());
                prop_assert!(address.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!address.as_str().contains(['<', '>', ',', ';', ':', '"', '(', ')', '\\', '[', ']']));
                prop_assert_eq!(address.as_str().matches('@').count(), 1);
                prop_assert!(address.as_str().len() <= LONGEST);
                prop_assert!(address.as_str().parse::<Address>().is_ok(), "{}", address);
            }
        }
    }

    fn any_address() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,70}",
            "[a-z0-9-]{1,64}(\\.[a-z0-9-]{1,64}){1,4}",
            "\\PC{0,20}",
            ".{0,20}",
        ];
        prop_oneof![
            (part.clone(), part.clone()).prop_map(|(local, domain)| format!("{local}@{domain}")),
            (part.clone(), part).prop_map(|(local, domain)| format!("{local}@{domain}.example")),
            ".{0,40}",
        ]
    }
}
