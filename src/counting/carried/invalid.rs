//! What is wrong with a visit.

use std::borrow::Cow;

use crate::json::NoMembers;

/// Characters that are shown of a name which should not be there, or is too long.
const SHOWN: usize = 32;

/// Why what was sent is no visit. It shows nothing of any value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVisit {
    /// It is not JSON.
    #[error("It is not valid JSON: {0}.")]
    Syntax(String),
    /// It is JSON, but no visit.
    #[error("{detail}")]
    Content {
        /// The member that is wrong, if it is one: its name, or where it is a property a JSON Pointer
        /// (RFC 6901).
        field: Option<Cow<'static, str>>,
        /// What is wrong, and what was expected.
        detail: String,
    },
}

impl InvalidVisit {
    /// It is wrong as a whole.
    pub(super) fn whole(detail: impl Into<String>) -> Self {
        Self::Content {
            field: None,
            detail: detail.into(),
        }
    }

    /// One member is wrong.
    pub(super) fn member(field: impl Into<Cow<'static, str>>, wrong: &str) -> Self {
        let field = field.into();
        let detail = format!("`{field}` {wrong}.");
        Self::Content {
            field: Some(field),
            detail,
        }
    }
}

impl From<NoMembers> for InvalidVisit {
    fn from(none: NoMembers) -> Self {
        match none {
            NoMembers::NoJson(said) => Self::Syntax(said),
            NoMembers::NoObject => Self::whole("A visit must be a JSON object."),
            NoMembers::HalfCharacter => Self::whole(
                "The name of a member has half of a surrogate pair (\\ud800 to \\udfff), which is no character.",
            ),
        }
    }
}

/// The beginning of a text that a client made up.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
