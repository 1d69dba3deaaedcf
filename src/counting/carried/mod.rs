//! What a visit carries beside being one: who came, from where, to what.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

mod invalid;
mod kept;
mod line;
mod mode;
mod page;
mod reading;
mod salts;
mod visitor;

pub use self::{
    invalid::InvalidVisit,
    kept::Written,
    line::Line,
    mode::VisitorMode,
    page::Page,
    reading::{MAX_KEY_BYTES, MAX_PROPERTIES, MAX_TEXT_BYTES, MAX_VISIT_BYTES, Member, Sent},
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
    /// All else, as it is kept.
    pub rest: Written,
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

/// What is stored of a visit as it was sent, in texts of its own or in borrowed ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes<T = Box<str>> {
    /// To what.
    pub path: Option<T>,
    /// From where.
    pub referrer: Option<T>,
    /// By which campaign.
    pub campaign: Option<T>,
    /// From which country: two letters of ISO 3166-1.
    pub country: Option<T>,
    /// Anything else: texts, numbers, true and false.
    pub properties: BTreeMap<Box<str>, Value>,
}

/// What a visit carries as it is kept: in the stream of Redis, until it is in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored<T = Box<str>> {
    /// Who came, as the counter's [`VisitorMode`] says: `#` and a hash, `~` and a hash of one day,
    /// `=` and the name as it was sent.
    pub visitor: Option<T>,
    /// All else.
    pub attributes: Attributes<T>,
}

#[cfg(test)]
mod tests;
