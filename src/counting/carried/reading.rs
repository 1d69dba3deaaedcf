//! Reads what a visit carries, and holds it to its limits.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{Attributes, Carried, InvalidVisit, Written, invalid::shortened};
use crate::json::{self, Members, Text};

/// Longest JSON of a visit, as it was sent.
pub const MAX_VISIT_BYTES: usize = 2048;

/// Properties of a visit.
pub const MAX_PROPERTIES: usize = 20;

/// Longest key of a property, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 64;

/// Longest text, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 512;

/// What is a text for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// Who came.
    Visitor,
    /// To what.
    Path,
    /// From where.
    Referrer,
    /// By which campaign.
    Campaign,
    /// From which country.
    Country,
}

impl Member {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Visitor,
        Self::Path,
        Self::Referrer,
        Self::Campaign,
        Self::Country,
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Path => "path",
            Self::Referrer => "referrer",
            Self::Campaign => "campaign",
            Self::Country => "country",
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.name() == name)
    }
}

impl Carried {
    /// Reads the JSON of a visit; `None` if it carries nothing.
    ///
    /// # Errors
    ///
    /// If it is not JSON, not a visit, or beyond a limit.
    pub fn from_json(text: &str) -> Result<Option<Self>, InvalidVisit> {
        match text.trim_ascii() {
            "null" => Ok(None),
            _ => read(text, |_, _| Ok(false)),
        }
    }

    /// Itself, if it has anything.
    pub fn unless_empty(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

/// What a visit carries, in texts of what was sent.
#[derive(Debug, Default)]
pub struct Sent<'a> {
    /// Whoever came.
    pub visitor: Option<Cow<'a, str>>,
    /// All else.
    pub attributes: Attributes<Cow<'a, str>>,
}

impl From<Sent<'_>> for Carried {
    fn from(sent: Sent<'_>) -> Self {
        Self {
            visitor: sent.visitor.map(|visitor| visitor.into()),
            seen: None,
            rest: Written::of(&sent.attributes),
        }
    }
}

impl<'a> Sent<'a> {
    /// Sets one member. An empty text says nothing, as one that is left out: pages send what they have.
    ///
    /// # Errors
    ///
    /// If the text is too long, has a NUL, or is no country.
    pub fn put(&mut self, member: Member, text: Cow<'a, str>) -> Result<(), InvalidVisit> {
        check(&text).map_err(|wrong| InvalidVisit::member(member.name(), &wrong))?;
        if text.is_empty() {
            return Ok(());
        }
        let text = match member {
            Member::Country => country(text)?,
            _ => text,
        };
        let attributes = &mut self.attributes;
        let place = match member {
            Member::Visitor => &mut self.visitor,
            Member::Path => &mut attributes.path,
            Member::Referrer => &mut attributes.referrer,
            Member::Campaign => &mut attributes.campaign,
            Member::Country => &mut attributes.country,
        };
        *place = Some(text);
        Ok(())
    }
}

/// Reads the JSON of a visit. `own` is asked of each member first, whether it is none of the visit's but its own.
pub(super) fn read<'a>(
    text: &'a str,
    mut own: impl FnMut(&str, &'a str) -> Result<bool, InvalidVisit>,
) -> Result<Option<Carried>, InvalidVisit> {
    if text.len() > MAX_VISIT_BYTES {
        return Err(InvalidVisit::whole(format!(
            "A visit must be at most {MAX_VISIT_BYTES} bytes of JSON; this one is {}.",
            text.len()
        )));
    }
    let Members(members) = Members::of(text)?;
    let mut sent = Sent::default();
    for (position, (name, value)) in members.iter().enumerate() {
        if is_among(&members[..position], name) {
            return Err(InvalidVisit::member(
                shortened(name).into_owned(),
                "is there twice, and must be there once at most",
            ));
        }
        if own(name, value)? {
            continue;
        }
        if let Some(member) = Member::of(name) {
            if let Some(text) =
                self::text(value).map_err(|wrong| InvalidVisit::member(member.name(), &wrong))?
            {
                sent.put(member, text)?;
            }
        } else if name == "properties" {
            sent.attributes.properties = properties(value)?;
        } else {
            return Err(InvalidVisit::member(
                shortened(name).into_owned(),
                "is none of what a visit may carry: visitor, path, referrer, campaign, country, properties",
            ));
        }
    }
    Ok(Carried::from(sent).unless_empty())
}

fn is_among(members: &[(Cow<'_, str>, &str)], name: &str) -> bool {
    members.iter().any(|(before, _)| before == name)
}

/// A text within the limits; `None` where there is null.
pub(super) fn text(value: &str) -> Result<Option<Cow<'_, str>>, String> {
    match value.as_bytes().first() {
        Some(b'"') => {}
        Some(b'n') => return Ok(None),
        _ => return Err("must be a text".to_owned()),
    }
    // Whatever else is wrong with it was found when its end was looked for.
    let text = match &value[1..value.len() - 1] {
        as_it_is if !as_it_is.contains('\\') => as_it_is.into(),
        _ => {
            let Text(text) = serde_json::from_str(value).map_err(|_| {
                "has half of a surrogate pair (\\ud800 to \\udfff), which is no character"
                    .to_owned()
            })?;
            text
        }
    };
    check(&text)?;
    Ok(Some(text))
}

/// Whether a text is within the limits; else what is wrong with it.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(format!(
            "must be at most {MAX_TEXT_BYTES} bytes of UTF-8, and is {}",
            text.len()
        ));
    }
    // PostgreSQL has no text with one.
    match text.contains('\0') {
        true => Err("has a NUL, which no text may have".to_owned()),
        false => Ok(()),
    }
}

/// ISO 3166-1 alpha-2 by its form: which of them there are changes.
fn country(text: Cow<'_, str>) -> Result<Cow<'_, str>, InvalidVisit> {
    match text.as_bytes() {
        [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(text),
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Ok(text.to_ascii_uppercase().into())
        }
        _ => Err(InvalidVisit::member(
            Member::Country.name(),
            "must be two letters, as in ISO 3166-1: `DE`",
        )),
    }
}

fn properties(value: &str) -> Result<BTreeMap<Box<str>, Value>, InvalidVisit> {
    const NAME: &str = "properties";
    match value.as_bytes().first() {
        Some(b'{') => {}
        Some(b'n') => return Ok(BTreeMap::new()),
        _ => return Err(InvalidVisit::member(NAME, "must be an object")),
    }
    let Members(members) = Members::of(value).map_err(|_| {
        InvalidVisit::member(
            NAME,
            "has a key with half of a surrogate pair (\\ud800 to \\udfff), which is no character",
        )
    })?;
    if members.len() > MAX_PROPERTIES {
        return Err(InvalidVisit::member(
            NAME,
            &format!(
                "may have {MAX_PROPERTIES} members, and has {}",
                members.len()
            ),
        ));
    }
    let mut properties = BTreeMap::new();
    for (position, (key, value)) in members.iter().enumerate() {
        check_key(key).map_err(|wrong| InvalidVisit::member(NAME, &wrong))?;
        let wrong = |wrong: &str| InvalidVisit::member(pointer(key), wrong);
        if is_among(&members[..position], key) {
            return Err(wrong("is there twice, and must be there once at most"));
        }
        if let Some(value) = scalar(value).map_err(|found| wrong(&found))? {
            properties.insert(Box::from(&**key), value);
        }
    }
    Ok(properties)
}

fn check_key(key: &str) -> Result<(), String> {
    if key.len() > MAX_KEY_BYTES {
        return Err(format!(
            "must have keys of at most {MAX_KEY_BYTES} bytes of UTF-8; `{}` is {}",
            shortened(key),
            key.len()
        ));
    }
    match key.contains('\0') {
        true => Err("has a key with a NUL, which no text may have".to_owned()),
        false => Ok(()),
    }
}

/// RFC 6901.
fn pointer(key: &str) -> String {
    format!("/properties/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A value of a property; `None` where there is null.
fn scalar(value: &str) -> Result<Option<Value>, String> {
    match value.as_bytes().first() {
        Some(b'"') => Ok(text(value)?.map(|text| Value::String(text.into_owned()))),
        Some(b't') => Ok(Some(true.into())),
        Some(b'f') => Ok(Some(false.into())),
        Some(b'n') => Ok(None),
        Some(b'{' | b'[') => {
            Err("must be a text, a number, true or false; objects and lists are not kept".to_owned())
        }
        _ if value.len() > MAX_TEXT_BYTES => Err(format!(
            "must be at most {MAX_TEXT_BYTES} bytes, and is {}",
            value.len()
        )),
        _ => match json::exact(value) {
            Some(number) => Ok(Some(Value::Number(number))),
            None => Err("is a number that neither an integer of 64 bits nor a double has exactly as it was written: send it as a text".to_owned()),
        },
    }
}
