//! What is wrong with a filter.

use std::fmt;

use super::limits::{MAX_ERRORS, MAX_FILTER_BYTES};

/// Characters that are shown of what somebody made up.
const SHOWN: usize = 32;

/// How alike (Jaro-Winkler) a name must be to one that is known, for that to be meant.
const ALIKE: f64 = 0.8;

/// What people write that know other languages of filters, and what there is for it here.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["and", "every", "must"], "Use `all`."),
    (&["or", "some", "one_of", "should"], "Use `any`."),
    (
        &["not", "none", "must_not", "did_not", "didnt"],
        "There is no negation. Write who is not meant under `exclude`, beside `include`.",
    ),
    (&["event", "name", "counters"], "Use `counter`."),
    (
        &["count", "min", "minimum", "more_than"],
        "Use `times` with `at_least`.",
    ),
    (
        &["max", "maximum", "less_than"],
        "Use `times` with `at_most`.",
    ),
    (
        &["eq", "equals", "equal", "is", "=", "==", "value", "values"],
        "Use `in` with a list of one value: `[\"pro\"]`.",
    ),
    (
        &["ne", "neq", "not_equals", "is_not", "!="],
        "Use `not_in` with a list of one value.",
    ),
    (
        &["regex", "regexp", "matches", "like", "glob", "ends_with"],
        "There are no patterns. Use `contains` or `starts_with`.",
    ),
    (
        &["between"],
        "Write two conditions, one with `gte` and one with `lt`.",
    ),
    (&[">", "after", "greater_than"], "Use `gt`."),
    (&[">=", "ge", "min_value"], "Use `gte`."),
    (&["<", "before"], "Use `lt`."),
    (&["<=", "le", "max_value"], "Use `lte`."),
    (&["since", "start", "after_time"], "Use `from` and `to`."),
    (
        &["until", "end"],
        "Use `from` and `to`; `to` is the first moment that is not meant.",
    ),
    (
        &["hours", "minutes", "weeks", "months", "last"],
        "Use `days`, each of 24 hours, or `from` and `to`.",
    ),
    (
        &["segment", "audience_id", "cohort"],
        "Use `audience` with its id.",
    ),
    (&["conditions", "filter", "filters"], "Use `where`."),
];

/// One thing that is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Where: a JSON Pointer (RFC 6901) into what was sent. What is missing is missing in the object to which
    /// it points.
    pub pointer: String,
    /// What was expected there, in words that go on from "expected": `a text of 1 to 512 bytes`.
    pub expected: String,
    /// What to do, in sentences, where it can be guessed.
    pub suggestion: Option<String>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expected {}.", self.expected)
    }
}

/// The filter has too many bytes.
pub(super) fn too_long(how: &str, bytes: usize) -> Invalid {
    Invalid {
        pointer: String::new(),
        expected: format!(
            "a filter of at most {MAX_FILTER_BYTES} bytes of JSON; {how} this one has {bytes}"
        ),
        suggestion: Some(
            "Save a part of it as an audience, and refer to that by `audience`.".to_owned(),
        ),
    }
}

/// All that was found, as far as it is named.
#[derive(Default)]
pub(super) struct Errors(Vec<Invalid>);

impl Errors {
    /// Something is wrong.
    pub fn add(&mut self, pointer: &str, expected: impl Into<String>) {
        self.push(pointer, expected.into(), None);
    }

    /// Something is wrong, and what to do is this.
    pub fn suggest(&mut self, pointer: &str, expected: impl Into<String>, todo: impl Into<String>) {
        self.push(pointer, expected.into(), Some(todo.into()));
    }

    /// Something is wrong, and what to do can be guessed or not.
    pub fn push(&mut self, pointer: &str, expected: String, suggestion: Option<String>) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(Invalid {
                pointer: pointer.to_owned(),
                expected,
                suggestion,
            });
        }
    }

    /// What was read, if nothing is wrong.
    pub fn or<T>(self, read: Option<T>) -> Result<T, Vec<Invalid>> {
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            _ => Err(self.0),
        }
    }
}

/// What to do about a name that is not known where these are.
pub(super) fn instead(unknown: &str, known: &[&str]) -> Option<String> {
    let lower = unknown.to_lowercase();
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(names, _)| names.contains(&&*lower))
        .map(|(_, todo)| (*todo).to_owned());
    elsewhere.or_else(|| did_you_mean(unknown, known))
}

/// The nearest of these names, if any is near.
pub(super) fn did_you_mean(unknown: &str, known: &[&str]) -> Option<String> {
    let lower = unknown.to_lowercase();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&lower, name), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| format!("Did you mean `{name}`?"))
}

/// Names in a row: `all`, `any` or `did`.
pub(super) fn names(names: &[&str], last: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, before)) => format!("{} {last} {end}", before.join(", ")),
        None => String::new(),
    }
}

/// The beginning of a text that somebody made up.
pub(super) fn shortened(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    match shown.len() < text.len() {
        true => format!("{shown}…"),
        false => shown,
    }
}
