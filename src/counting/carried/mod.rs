//! What a visit carries beside being one: who came, from where, to what.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod invalid;
mod line;
mod mode;
mod page;
mod reading;
mod salts;
mod visitor;

pub use self::{
    invalid::InvalidVisit,
    line::Line,
    mode::VisitorMode,
    page::Page,
    reading::{MAX_KEY_BYTES, MAX_PROPERTIES, MAX_TEXT_BYTES, MAX_VISIT_BYTES, Member},
    salts::{SALT_BYTES, Salt, Salts},
    visitor::Visitors,
};

/// What a visit carries, as its client said it and within all limits. At least one thing of it is
/// there: what carries nothing is a plain visit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// Whoever came, by a name of the client's choice. It is stored as the counter's
    /// [`VisitorMode`] says.
    pub visitor: Option<Box<str>>,
    /// How they were seen, if they have no name.
    pub seen: Option<Seen>,
    /// All else.
    pub attributes: Attributes,
}

/// By what a visitor without a name is told apart for a day (UTC), whatever the mode of the counter.
/// None of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The client's address.
    pub address: IpAddr,
    /// The client's `User-Agent`; empty if there was none.
    pub agent: Box<str>,
}

/// What is stored of a visit as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// To what.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Box<str>>,
    /// From where.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub referrer: Option<Box<str>>,
    /// By which campaign.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Box<str>>,
    /// From which country: two letters of ISO 3166-1.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Box<str>>,
    /// Anything else: texts, numbers, true and false.
    #[serde(rename = "x", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<Box<str>, Value>,
}

/// What a visit carries as it is kept: in the stream of Redis, until it is in the database. Short
/// names, since they are there for each visit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Who came, as the counter's [`VisitorMode`] says: `#` and a hash, `~` and a hash of one day,
    /// `=` and the name as it was sent.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub visitor: Option<Box<str>>,
    /// All else.
    #[serde(flatten)]
    pub attributes: Attributes,
}

impl From<Attributes> for Stored {
    /// A visit of nobody.
    fn from(attributes: Attributes) -> Self {
        Self {
            visitor: None,
            attributes,
        }
    }
}
#[cfg(test)]
mod tests;
