//! JSON for people: what is short on one line, what is long broken up. Nothing of it is changed but its blanks.

use serde_json::value::RawValue;

use crate::json::Members;

/// Longest line, in characters.
const WIDTH: usize = 72;

/// Levels that are broken up; what is deeper is left as it is.
const DEEPEST: usize = 24;

/// The same JSON, to be read; what is no JSON stays as it is.
pub fn pretty(json: &str) -> String {
    match serde_json::from_str::<&RawValue>(json) {
        Ok(value) => broken(value.get(), 0),
        Err(_) => json.to_owned(),
    }
}

fn broken(json: &str, level: usize) -> String {
    let line = flat(json, level);
    if level >= DEEPEST || line.chars().count() + 2 * level <= WIDTH {
        return line;
    }
    let (open, close, parts) = match parts(json) {
        Some((open, close, parts)) if !parts.is_empty() => (open, close, parts),
        _ => return line,
    };
    let blanks = "  ".repeat(level + 1);
    let parts = parts.iter().map(|(name, value)| {
        let value = broken(value, level + 1);
        format!("{blanks}{name}{value}")
    });
    let parts: Vec<_> = parts.collect();
    format!(
        "{open}\n{}\n{}{close}",
        parts.join(",\n"),
        "  ".repeat(level)
    )
}

/// On one line.
fn flat(json: &str, level: usize) -> String {
    match parts(json) {
        Some((open, close, parts)) if level < DEEPEST => {
            let parts = parts.iter();
            let parts = parts.map(|(name, value)| format!("{name}{}", flat(value, level + 1)));
            format!("{open}{}{close}", parts.collect::<Vec<_>>().join(", "))
        }
        _ => json.to_owned(),
    }
}

type Parts<'a> = (char, char, Vec<(String, &'a str)>);

/// What an object or a list is made of.
fn parts(json: &str) -> Option<Parts<'_>> {
    match json.as_bytes().first()? {
        b'{' => {
            let Members(members) = Members::of(json).ok()?;
            let members = members.into_iter();
            let named = members.map(|(name, value)| (format!("{}: ", quoted(&name)), value));
            Some(('{', '}', named.collect()))
        }
        b'[' => {
            let values: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let values = values.into_iter().map(|value| (String::new(), value.get()));
            Some(('[', ']', values.collect()))
        }
        _ => None,
    }
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}
