//! Why a line cannot be read.

use std::fmt;

use crate::text::NotText;

/// Why a line cannot be read. Nothing here shows a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is not `NAME=VALUE`.
    NoAssignment,
    /// The quote that begins the value has no end.
    OpenQuote,
    /// Behind the closing quote there is more than a comment.
    AfterQuote,
    /// It is not UTF-8.
    NotUtf8,
    /// There is a `${` that begins no variable.
    Template,
    /// `${NAME:?MESSAGE}`, and it is not set.
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        message: String,
    },
    /// It refers to a variable whose own line, or value in the environment, cannot be read.
    Unreadable {
        /// The variable.
        name: String,
    },
    /// Longer than an environment variable may be, or variables too deep within variables.
    TooLong,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAssignment => f.write_str("expected NAME=VALUE"),
            Self::OpenQuote => f.write_str(
                "the quote that begins the value is not closed; a quote that is meant goes in quotes of the other kind",
            ),
            Self::AfterQuote => f.write_str(
                "something follows the closing quote; a quote that is meant goes in quotes of the other kind",
            ),
            Self::NotUtf8 => NotText::NotUtf8 { line: 1 }.fmt(f),
            Self::Template => f.write_str(
                "a `${` in it begins no variable; a dollar sign that is meant is written $$, or the value goes in single quotes",
            ),
            Self::Required { name, message } if message.is_empty() => {
                write!(f, "{name} must be set")
            }
            Self::Required { name, message } => write!(f, "{name} must be set: {message}"),
            Self::Unreadable { name } => write!(f, "it refers to {name}, which cannot be read"),
            Self::TooLong => f.write_str("its value is too long, or made of too many others"),
        }
    }
}
