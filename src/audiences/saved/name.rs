//! Names of audiences and presets: any line that can be read, compared as names of people are.

use crate::{
    accounts::{
        fields::{Text, label},
        names,
    },
    edge::{Code, Problem},
};

/// Longest name as names are compared, in bytes. A letter may stand for a whole phrase there, and what is
/// longer than some 2,700 bytes PostgreSQL takes into no index.
const MAX_KEY_BYTES: usize = 1024;

/// A name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As it was written.
    pub text: String,
    /// As names are compared: two with the same key are the same name.
    pub key: String,
}

impl Name {
    /// Reads the name in a field of a body.
    ///
    /// # Errors
    ///
    /// `invalid_body`, with the field.
    pub fn read(text: Text, field: &'static str) -> Result<Self, Problem> {
        let text = label(text, field)?;
        let key = names::key(&text);
        let invalid = |detail: String| {
            Problem::from(Code::InvalidBody)
                .with_detail(detail)
                .of_field(field)
        };
        if key.trim().is_empty() {
            let detail = format!("The field `{field}` must have a character that can be seen.");
            return Err(invalid(detail));
        }
        if key.len() > MAX_KEY_BYTES {
            let detail = format!("The field `{field}` has letters that stand for too many others.");
            return Err(invalid(detail));
        }
        Ok(Self { text, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Name, Problem> {
        Name::read(text.to_owned().into(), "name")
    }

    #[test]
    fn a_name_is_a_line_that_can_be_read() {
        for good in [
            "a",
            "Pro (DE/AT) > 3 visits",
            "O'Neill; DROP TABLE audiences --",
            "100 % _ \\ \"",
            "😀🦀",
            "أهلا",
            &"😀".repeat(64),
        ] {
            assert_eq!(read(good).unwrap().text, good);
        }
        for bad in [
            "",
            " ",
            " a",
            "a ",
            "a\nb",
            "a\0b",
            "a\u{202e}b",
            "\u{fe0f}",
            &"a".repeat(65),
            &"\u{fdfa}".repeat(64),
        ] {
            let problem = read(bad).unwrap_err();
            assert_eq!(problem.code, Code::InvalidBody, "{bad:?}");
            assert_eq!(problem.field.as_deref(), Some("name"), "{bad:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_one() {
        for (one, other) in [("Pro users", "PRO USERS"), ("u\u{308}", "ü"), ("ﬁt", "fit")] {
            assert_eq!(read(one).unwrap().key, read(other).unwrap().key, "{one}");
        }
        assert_ne!(read("Pro 1").unwrap().key, read("Pro 2").unwrap().key);
    }
}
