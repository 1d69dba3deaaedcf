//! What was found.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Bearable.
    Warning,
    /// Something does not work.
    Bad,
}

/// What was found, and what to do about it.
pub struct Findings(pub Vec<(Verdict, String)>);

impl Findings {
    /// As it should be.
    pub fn good(&mut self, what: impl fmt::Display) {
        self.0.push((Verdict::Good, what.to_string()));
    }

    /// Bearable; `hint` says what to do.
    pub fn warning(&mut self, what: impl fmt::Display, hint: impl fmt::Display) {
        self.0
            .push((Verdict::Warning, format!("{what}\n      {hint}")));
    }

    /// Something does not work; `hint` says what to do.
    pub fn bad(&mut self, what: impl fmt::Display, hint: impl fmt::Display) {
        self.0.push((Verdict::Bad, format!("{what}\n      {hint}")));
    }
}
