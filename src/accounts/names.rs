//! Names of companies and of their users.
//!
//! Letters of any one script are welcome; what could pass for another name is the same name. Both
//! are decided by Unicode's security mechanisms (UTS 39): characters that its general profile allows
//! in identifiers, one script (with the mixtures that languages have), and names are compared by
//! what they look like (its `skeleton`), whatever their case.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

/// Longest name, in characters.
pub const MAX_CHARS: usize = 64;

/// A name that no one may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// There is none.
    #[error("it must not be empty")]
    Empty,
    /// It has too many characters.
    #[error("it must not be longer than {MAX_CHARS} characters")]
    Long,
    /// It begins or ends with something else than a letter or digit.
    #[error("it must begin and end with a letter or a digit")]
    Edge,
    /// It has a character that is no part of names.
    #[error("it must consist of letters, digits and {0}")]
    Character(&'static str),
    /// It mixes scripts.
    #[error("its letters must be of one script: those of two can look alike")]
    Scripts,
}

/// A name as it was written, and as names are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    text: String,
    key: String,
}

impl Name {
    /// The name of a user.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn of_user(text: &str) -> Result<Self, InvalidName> {
        Self::new(text, &['.', '_', '-'], "`.`, `_`, `-`")
    }

    /// The name of a company.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn of_company(text: &str) -> Result<Self, InvalidName> {
        let marks = &['.', '_', '-', ' ', ',', '&', '\''];
        Self::new(text, marks, "`.`, `_`, `-`, `,`, `&`, `'` and blanks")
    }

    fn new(text: &str, marks: &[char], described: &'static str) -> Result<Self, InvalidName> {
        // Bounded before it is looked at: a character may become several.
        if text.chars().take(MAX_CHARS + 1).count() > MAX_CHARS {
            return Err(InvalidName::Long);
        }
        let text: String = text.nfc().collect();
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return Err(InvalidName::Empty);
        };
        if text.chars().count() > MAX_CHARS {
            return Err(InvalidName::Long);
        }
        let is_allowed = |c: char| marks.contains(&c) || is_of_words(c);
        if !text.chars().all(is_allowed) {
            return Err(InvalidName::Character(described));
        }
        if !is_of_words(first) || marks.contains(&last) || text.contains("  ") {
            return Err(InvalidName::Edge);
        }
        if !text.as_str().is_single_script() {
            return Err(InvalidName::Scripts);
        }
        Ok(Self {
            key: key(&text),
            text,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As names are compared: two with the same key are the same name.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A letter, a digit or what belongs to one. The profile has a few marks as well.
fn is_of_words(c: char) -> bool {
    (c.is_alphanumeric() || !c.is_ascii()) && c.identifier_allowed()
}

/// What a text looks like. Of any text: somebody who logs in may write anything.
///
/// `I` looks like `l`, and is `i` in lower case: so all three are one.
pub fn key(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let looks = skeleton(&folded);
    looks.map(|c| if c == 'i' { 'l' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_everywhere() {
        for good in [
            "a",
            "anna",
            "Anna.Müller-2",
            "анна",
            "山田",
            "ひらがな",
            "x_y",
            "0",
        ] {
            assert_eq!(Name::of_user(good).unwrap().as_str(), good);
        }
        for good in ["Acme & Sons, Ltd", "Müller GmbH", "O'Neill", "株式会社"] {
            assert!(Name::of_company(good).is_ok(), "{good}");
        }
        assert!(Name::of_user(&"ä".repeat(64)).is_ok());
        // Composed or not, it is one name.
        assert_eq!(
            Name::of_user("u\u{308}").unwrap(),
            Name::of_user("ü").unwrap()
        );
    }

    #[test]
    fn what_is_no_name_says_why() {
        for (bad, why) in [
            ("", InvalidName::Empty),
            (".a", InvalidName::Edge),
            ("a-", InvalidName::Edge),
            ("аnna", InvalidName::Scripts),
        ] {
            assert_eq!(Name::of_user(bad), Err(why), "{bad}");
        }
        for bad in [
            "a b",
            "a/b",
            "a@b",
            "a\0",
            "a\n",
            "a\u{200b}b",
            "a\u{202e}b",
            "😀",
            "a\u{feff}",
            "ﬁ",
            "①",
        ] {
            let refused = Name::of_user(bad).unwrap_err();
            assert!(
                matches!(refused, InvalidName::Character(_)),
                "{bad:?} {refused}"
            );
        }
        assert_eq!(Name::of_user(&"a".repeat(65)), Err(InvalidName::Long));
        assert_eq!(Name::of_user(&"ü".repeat(65)), Err(InvalidName::Long));
        for bad in [" a", "a ", "a  b", "a\tb", "a/b"] {
            assert!(Name::of_company(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_looks_alike_is_the_same_name() {
        let key = |name| Name::of_user(name).unwrap().key().to_owned();
        for (one, other) in [
            ("Anna", "anna"),
            ("paypal", "paypaI"),
            ("IAN", "lan"),
            ("adm1n", "Admin"),
            ("paypal", "paypa1"),
            ("сосо", "coco"),
            ("m", "rn"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("anna"), key("hanna"));
    }
}
