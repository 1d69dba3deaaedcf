//! Fields of a body: each says by its name what is wrong with it.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::names::{InvalidName, Name};
use crate::{
    company::Zone,
    edge::{Code, Problem},
    mail::EmailAddress,
};

/// A text of a body, or what was sent in its place. serde would refuse the whole body for a field
/// that is missing or of another type, and not say in a form for programs which one it was.
#[derive(Clone, Default)]
pub struct Text(Option<Value>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Some(Value::deserialize(deserializer)?)))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Some(Value::String(text)))
    }
}

/// It may be a password.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

impl Text {
    /// The text.
    ///
    /// # Errors
    ///
    /// `invalid_body` with the field's name, if there is none.
    pub fn required(self, field: &'static str) -> Result<String, Problem> {
        self.optional(field)?.ok_or_else(|| missing(field))
    }

    /// The text; `None` if it was left out or is `null`.
    ///
    /// # Errors
    ///
    /// `invalid_body` with the field's name, if it is of another type.
    pub fn optional(self, field: &'static str) -> Result<Option<String>, Problem> {
        match self.0 {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(of_another_type(field)),
        }
    }

    /// The text; `None` if it was left out, which is all that is meant by it: `null` is of another type.
    ///
    /// # Errors
    ///
    /// `invalid_body` with the field's name, if it is of another type.
    pub fn unless_left_out(self, field: &'static str) -> Result<Option<String>, Problem> {
        match self.0 {
            Some(Value::Null) => Err(of_another_type(field)),
            _ => self.optional(field),
        }
    }

    /// A password, or a token.
    ///
    /// # Errors
    ///
    /// `invalid_body` with the field's name, if there is none.
    pub fn secret(self, field: &'static str) -> Result<SecretString, Problem> {
        self.required(field).map(SecretString::from)
    }
}

/// Longest name of something that is not a person, in characters.
const MAX_LABEL_CHARS: usize = 64;

/// What something is called: one line that can be read.
///
/// # Errors
///
/// `invalid_body` with the field's name.
pub fn label(text: Text, field: &'static str) -> Result<String, Problem> {
    let label = text.required(field)?;
    let invalid = |detail| {
        Problem::from(Code::InvalidBody)
            .with_detail(detail)
            .of_field(field)
    };
    let is_printable = |c: char| !c.is_control() && !is_invisible(c);
    if label.chars().count() > MAX_LABEL_CHARS || label.trim().is_empty() {
        let detail = format!("The field `{field}` must have 1 to {MAX_LABEL_CHARS} characters.");
        return Err(invalid(detail));
    }
    if !label.chars().all(is_printable) || label.trim() != label {
        let detail = format!(
            "The field `{field}` must be one line of visible characters, without blanks around it."
        );
        return Err(invalid(detail));
    }
    Ok(label)
}

/// What would make one name look like another, or turn around what follows it (Unicode's categories
/// Cf, Zl and Zp, as far as they are of any use in a name).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What is said of a field that is not there.
pub fn missing(field: &'static str) -> Problem {
    Problem::from(Code::InvalidBody)
        .with_detail(format!("The field `{field}` is missing: it is a text."))
        .of_field(field)
}

fn of_another_type(field: &'static str) -> Problem {
    Problem::from(Code::InvalidBody)
        .with_detail(format!("The field `{field}` must be a text."))
        .of_field(field)
}

/// An e-mail address.
///
/// # Errors
///
/// `invalid_email`, with what is wrong with it.
pub fn email(text: &str, field: &'static str) -> Result<EmailAddress, Problem> {
    text.parse().map_err(|error| {
        Problem::from(Code::InvalidEmail)
            .with_detail(format!(
                "This is no e-mail address that a mail can be sent to: {error}."
            ))
            .of_field(field)
    })
}

/// A name.
///
/// # Errors
///
/// `invalid_body`, with what is wrong with it.
pub fn name(named: Result<Name, InvalidName>, field: &'static str) -> Result<Name, Problem> {
    named.map_err(|error| {
        Problem::from(Code::InvalidBody)
            .with_detail(format!("The field `{field}` is no name: {error}."))
            .of_field(field)
    })
}

/// The time zone that is named, if one is.
///
/// # Errors
///
/// `invalid_body` with the field's name, if there is none of this name.
pub fn zone(text: Text, field: &'static str) -> Result<Option<Zone>, Problem> {
    let Some(name) = text.optional(field)? else {
        return Ok(None);
    };
    let unknown = || {
        Problem::from(Code::InvalidBody)
            .with_detail(format!(
                "The field `{field}` must be the name of a time zone (IANA) like Europe/Berlin."
            ))
            .of_field(field)
    };
    Zone::find(&name).map(Some).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    #[serde(default)]
    #[derive(Default)]
    struct Body {
        name: Text,
    }

    #[test]
    fn a_field_that_is_no_text_is_named() {
        let read = |body: Value| serde_json::from_value::<Body>(body).unwrap().name;
        for wrong in [
            json!(1),
            json!(true),
            json!(["a"]),
            json!({ "a": "b" }),
            json!(1.5),
        ] {
            for problem in [
                read(json!({ "name": wrong })).required("name").unwrap_err(),
                read(json!({ "name": wrong })).optional("name").unwrap_err(),
            ] {
                assert_eq!(
                    (problem.code, problem.field.as_deref()),
                    (Code::InvalidBody, Some("name"))
                );
            }
        }
        for missing in [json!({}), json!({ "name": null }), json!({ "other": "a" })] {
            assert_eq!(read(missing.clone()).optional("name").unwrap(), None);
            let problem = read(missing).required("name").unwrap_err();
            assert_eq!(
                (problem.code, problem.field.as_deref()),
                (Code::InvalidBody, Some("name"))
            );
        }
        assert_eq!(read(json!({ "name": "a" })).required("name").unwrap(), "a");
        assert_eq!(read(json!({ "name": "" })).required("name").unwrap(), "");
    }
}
