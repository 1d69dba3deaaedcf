//! Which counter it is: the company it belongs to, and its name there.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::Serialize;
use uuid::Uuid;

use crate::company::Company;

/// Longest name of a counter.
const MAX_NAME_BYTES: usize = 64;

/// The counter behind `GET /api/count`.
pub const DEFAULT_COUNTER: &str = "visits";

/// The name of a counter: `[a-z0-9][a-z0-9._-]{0,63}`. Unique within a company.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct CounterName(Arc<str>);

impl CounterName {
    /// The counter behind `GET /api/count`.
    pub fn default_counter() -> Self {
        Self(DEFAULT_COUNTER.into())
    }

    /// Names no client can choose, for probing the store.
    pub(crate) fn probe(nonce: Uuid, number: u16) -> Self {
        Self(format!(".probe-{}-{number}", nonce.simple()).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no counter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a counter's name is 1 to 64 of a-z, 0-9, `.`, `_` and `-`, the first of them a letter or digit"
)]
pub struct InvalidName;

impl FromStr for CounterName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (first, rest) = text.as_bytes().split_first().ok_or(InvalidName)?;
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = alphanumeric(first)
            && rest
                .iter()
                .all(|byte| alphanumeric(byte) || b"._-".contains(byte))
            && text.len() <= MAX_NAME_BYTES;
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName)
        }
    }
}

impl fmt::Display for CounterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A counter: counters of two companies with the same name are two.
///
/// As text it is `NAME` in the company `default` and `COMPANY/NAME` in any other: what stores and
/// logs know it by. No name has a slash, so no two counters are one text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterId {
    /// To whom it belongs.
    pub company: Company,
    /// Its name there.
    pub name: CounterName,
}

impl CounterId {
    /// Its text, see above.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self.company {
            Company::Default => self.name.as_str().into(),
            Company::Id(_) => format!("{}/{}", self.company, self.name).into(),
        }
    }
}

impl fmt::Display for CounterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern() {
        for good in ["a", "0", "visits", "a.b_c-d", "9-", &"x".repeat(64)] {
            assert_eq!(good.parse::<CounterName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".a",
            "-",
            "_x",
            "A",
            "a b",
            "a/b",
            "ä",
            "a\n",
            "{a}",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<CounterName>().is_err(), "{bad}");
        }
    }

    /// A name may look like a company's id, and yet be no part of another counter's text.
    #[test]
    fn each_counter_has_a_text_of_its_own() {
        let id = "0192d4a5-7b1c-7def-8a90-0123456789ab";
        let companies = [Company::Default, Company::Id(id.parse().unwrap())];
        let longest = "x".repeat(64);
        let mut texts = std::collections::HashSet::new();
        for company in companies {
            for name in ["visits", "default", id, &longest] {
                let name = name.parse().unwrap();
                let text = CounterId { company, name }.to_string();
                assert!(texts.insert(text));
            }
        }
        assert!(texts.contains("visits") && texts.contains(&format!("{id}/visits")));
    }
}
