//! What was just done, said on the page that follows: the address has a code of it, and no text that somebody
//! else could have written.

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// What is said.
    pub text: &'static str,
    /// Whether something is not as it was meant.
    pub is_bad: bool,
}

/// All that may be said, by the value of `done` in the query.
const ALL: &[(&str, &str)] = &[
    ("signed-out", "You are signed out."),
    ("audience-saved", "The audience is saved."),
    ("audience-renamed", "The audience has another name now."),
    (
        "audience-deleted",
        "The audience is deleted. Visitors and visits are still there.",
    ),
    ("preset-saved", "The preset is saved."),
    ("preset-renamed", "The preset has another name now."),
    (
        "preset-deleted",
        "The preset is deleted. Audiences that were started from it stay.",
    ),
    ("invited", "The invitation is on its way."),
    (
        "user-removed",
        "They are removed: their sessions have ended, and what they counted stays.",
    ),
];

/// What went wrong on the way.
const BAD: &[(&str, &str)] = &[(
    "not-sent",
    "You were signed out before that could be done, and nothing was changed. Log in and do it again.",
)];

/// What a code says.
pub fn find(code: &str) -> Option<Notice> {
    let look = |all: &'static [(&str, &str)], is_bad| {
        let found = all.iter().find(|(known, _)| *known == code);
        found.map(|(_, text)| Notice { text, is_bad })
    };
    look(ALL, false).or_else(|| look(BAD, true))
}
