//! Values of what was sent, each with where it is, and how they are read.

use std::{borrow::Cow, ops::RangeInclusive};

use serde_json::value::RawValue;

use super::{
    Exact,
    invalid::{Errors, instead, names, shortened},
};
use crate::json::{Members, NoMembers, Text};

/// A value as it was written, and where it is.
pub(super) struct Place<'a> {
    /// A JSON Pointer.
    pub pointer: String,
    /// Its JSON.
    pub json: &'a str,
}

impl<'a> Place<'a> {
    /// What it is, for people.
    pub fn kind(&self) -> &'static str {
        match self.json.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't') => "`true`",
            Some(b'f') => "`false`",
            Some(b'n') => "`null`",
            _ => "a number",
        }
    }

    /// It is not what was expected.
    pub fn refuse(&self, expected: &str, suggestion: Option<String>, errors: &mut Errors) {
        let expected = format!("{expected}, and not {}", self.kind());
        let suggestion = match self.json {
            "null" => Some("Leave it out where it says nothing.".to_owned()),
            _ => suggestion,
        };
        errors.push(&self.pointer, expected, suggestion);
    }

    /// The members of an object that knows these.
    pub fn object(&self, what: &str, known: &[&str], errors: &mut Errors) -> Option<Object<'a>> {
        let members = match Members::of(self.json) {
            Ok(Members(members)) => members,
            Err(none) => {
                self.no_object(what, none, errors);
                return None;
            }
        };
        let object = Object {
            pointer: self.pointer.clone(),
            members,
        };
        object.check(known, errors);
        Some(object)
    }

    fn no_object(&self, what: &str, none: NoMembers, errors: &mut Errors) {
        match none {
            NoMembers::NoObject => self.refuse(what, None, errors),
            NoMembers::NoJson(said) => {
                errors.add(&self.pointer, format!("JSON (RFC 8259); the parser says: {said}"));
            }
            NoMembers::HalfCharacter => errors.suggest(
                &self.pointer,
                "members whose names are texts; one has half of a surrogate pair, which is no character",
                "Write both halves (`\\ud83d\\ude00`), or the character itself.",
            ),
        }
    }

    /// The values of a list.
    pub fn list(&self, what: &str, errors: &mut Errors) -> Option<Vec<Self>> {
        let Ok(values) = serde_json::from_str::<Vec<&RawValue>>(self.json) else {
            let todo = match self.json.len() <= 40 {
                true => format!("Write it in brackets: `[{}]`.", self.json),
                false => "Write it in brackets.".to_owned(),
            };
            self.refuse(what, Some(todo), errors);
            return None;
        };
        let places = values.into_iter().enumerate().map(|(place, value)| Self {
            pointer: format!("{}/{place}", self.pointer),
            json: value.get(),
        });
        Some(places.collect())
    }

    /// A text of so many bytes.
    pub fn text(
        &self,
        bytes: RangeInclusive<usize>,
        what: &str,
        errors: &mut Errors,
    ) -> Option<String> {
        if !self.json.starts_with('"') {
            let todo = (self.json.len() <= 40 && !self.json.starts_with(['{', '[']))
                .then(|| format!("Write it in quotes: `\"{}\"`.", self.json));
            self.refuse(what, todo, errors);
            return None;
        }
        let Ok(Text(text)) = serde_json::from_str(self.json) else {
            errors.suggest(
                &self.pointer,
                format!("{what}; this one has half of a surrogate pair, which is no character"),
                "Write both halves (`\\ud83d\\ude00`), or the character itself.",
            );
            return None;
        };
        let wrong = match text.len() {
            _ if text.contains('\0') => Some("one with a NUL, which no visit can carry".to_owned()),
            length if bytes.contains(&length) => None,
            0 => Some("an empty one".to_owned()),
            length => Some(format!("one of {length} bytes")),
        };
        if let Some(wrong) = wrong {
            errors.add(&self.pointer, format!("{what}, and not {wrong}"));
            return None;
        }
        Some(text.into_owned())
    }

    /// A whole number, however it is written.
    pub fn whole(&self, range: RangeInclusive<u16>, errors: &mut Errors) -> Option<u16> {
        let number = match self.kind() {
            "a number" => Exact::of(self.json).and_then(|Exact(number)| number.parse().ok()),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let expected = match (range.start(), range.end()) {
                (one, same) if one == same => format!("the number {one}"),
                (least, most) => format!("a whole number from {least} to {most}"),
            };
            match self.kind() {
                "a number" => {
                    let found = shortened(self.json);
                    errors.add(&self.pointer, format!("{expected}, and not {found}"));
                }
                kind => {
                    let todo = (kind == "a text").then(|| "Write it without quotes.".to_owned());
                    self.refuse(&expected, todo, errors);
                }
            }
        }
        number
    }
}

/// The members of an object, and where it is.
pub(super) struct Object<'a> {
    /// A JSON Pointer.
    pub pointer: String,
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Object<'a> {
    fn check(&self, known: &[&str], errors: &mut Errors) {
        for (place, (name, _)) in self.members.iter().enumerate() {
            let pointer = self.pointer_to(name);
            if !known.contains(&&**name) {
                let expected = format!("nothing else than {}", names(known, "and"));
                errors.push(&pointer, expected, instead(name, known));
            } else if self.members[..place]
                .iter()
                .any(|(before, _)| before == name)
            {
                errors.suggest(
                    &pointer,
                    format!("`{name}` once, and not twice"),
                    "Keep one of them: of two, other programs see only one.",
                );
            }
        }
    }

    /// RFC 6901, section 3.
    fn pointer_to(&self, name: &str) -> String {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        format!("{}/{escaped}", self.pointer)
    }

    /// A member, if it is there.
    pub fn get(&self, name: &str) -> Option<Place<'a>> {
        let (_, json) = self.members.iter().find(|(member, _)| member == name)?;
        Some(Place {
            pointer: self.pointer_to(name),
            json,
        })
    }

    /// A member that has to be there.
    pub fn need(&self, name: &str, example: &str, errors: &mut Errors) -> Option<Place<'a>> {
        let place = self.get(name);
        if place.is_none() {
            let todo = format!("Add it: `\"{name}\": {example}`.");
            errors.suggest(&self.pointer, format!("a member `{name}`"), todo);
        }
        place
    }

    /// Which of these members are there.
    pub fn those_of(&self, among: &[&'static str]) -> Vec<&'static str> {
        among
            .iter()
            .copied()
            .filter(|name| self.members.iter().any(|(member, _)| member == name))
            .collect()
    }
}
