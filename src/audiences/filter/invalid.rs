//! What is wrong with a filter.

use std::fmt;

/// One thing that is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Where: a JSON Pointer (RFC 6901) into what was sent. What is missing is missing in the object to which
    /// it points.
    pub pointer: String,
    /// What was expected there, in words that go on from "expected": `a text of 1 to 512 bytes`.
    pub expected: String,
    /// What to do, as a sentence, where it can be guessed.
    pub suggestion: Option<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expected {}.", self.expected)
    }
}
