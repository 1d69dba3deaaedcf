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
    ("counted", "The visit is counted."),
    ("counter-made", "The counter is there."),
    (
        "counter-there",
        "There was a counter of this name already: this one. Nothing was changed.",
    ),
    (
        "recording-changed",
        "Saved. It holds for all visits that are counted from now on.",
    ),
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
    (
        "write-key-made",
        "The key is made. Within two seconds all replicas know it.",
    ),
    (
        "write-key-ended",
        "The key has ended: no visit is counted with it any more.",
    ),
    (
        "token-ended",
        "The token has ended: nothing is done with it any more.",
    ),
    ("user-saved", "Saved."),
    (
        "user-suspended",
        "They are suspended: their sessions and tokens have ended.",
    ),
    ("user-resumed", "They may log in again."),
    ("session-ended", "The session has ended."),
    ("sessions-ended", "All your other sessions have ended."),
    ("account-saved", "Saved."),
    (
        "email-asked",
        "A mail is on its way to the new address. Follow its link to make it yours.",
    ),
    (
        "password-changed",
        "Your password is changed, and all your other sessions have ended.",
    ),
    ("account-deleted", "Your account is deleted."),
    ("company-saved", "Saved."),
    (
        "company-founded",
        "The company is founded, and a mail is on its way to its admin.",
    ),
    (
        "company-suspended",
        "The company is suspended: nobody of it is let in, and nothing is counted for it.",
    ),
    ("company-resumed", "The company is let in again."),
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
