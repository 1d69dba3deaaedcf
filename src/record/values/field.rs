//! What values are of: a field of visits.

use crate::{
    counting::carried::MAX_KEY_BYTES,
    edge::{Problem, query::invalid},
};

/// What stands before the key of a property.
const PROPERTY: &str = "properties.";

/// A field that visits carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// One of which texts are kept in a dictionary, and sums of days that are over.
    Text(&'static str),
    /// A property, by its key. Those with few values have such sums too.
    Property(String),
}

/// Those of the first kind.
pub const TEXTS: [&str; 4] = ["path", "referrer", "campaign", "country"];

impl Field {
    /// The field of this name.
    ///
    /// # Errors
    ///
    /// `invalid_query` if there is none.
    pub fn named(name: &str) -> Result<Self, Problem> {
        if let Some(text) = TEXTS.into_iter().find(|text| *text == name) {
            return Ok(Self::Text(text));
        }
        let key = name.strip_prefix(PROPERTY);
        let key = key.filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()) && !key.contains('\0'));
        key.map(|key| Self::Property(key.to_owned()))
            .ok_or_else(|| {
                invalid(
                    "field must be path, referrer, campaign, country, or properties. and a key.",
                )
            })
    }

    /// Its name where sums are kept: a property has its key.
    pub fn name(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Property(key) => key,
        }
    }
}
