//! The members of a JSON object one by one, as they were written: what a map would keep of them says
//! neither that one was there twice nor how a number was written.

use std::{borrow::Cow, fmt, ops::Deref};

use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess},
};
use serde_json::{error::Category, value::RawValue};

/// Why a text is no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoMembers {
    /// It is no JSON: what the parser says, which quotes nothing of it.
    NoJson(String),
    /// It is something else.
    NoObject,
    /// The name of a member has half of a surrogate pair (`\ud800` to `\udfff`), which is no character.
    HalfCharacter,
}

/// Names, and what was written for each, in the order of the text.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads an object. Of its values only the syntax is looked at, however deep they are nested.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn of(text: &'a str) -> Result<Self, NoMembers> {
        serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Data => NoMembers::NoObject,
            // Names are texts of their own, in which the parser finds more than where they end.
            _ if serde_json::from_str::<IgnoredAny>(text).is_ok() => NoMembers::HalfCharacter,
            _ => NoMembers::NoJson(error.to_string()),
        })
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // Room for those of a visit.
                let mut members = Vec::with_capacity(8);
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value::<&RawValue>()?.get()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

/// A text, which is a new one only where something in it is escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(text.to_owned().into()))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}
