//! What a visit carries as the JSON in which it is kept. Its names are short, since they are there for each visit. It is
//! one structure: what is read by `serde(flatten)` is copied once more, and this is read for each visit.

use std::{collections::BTreeMap, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Attributes, Stored};

/// Somewhat longer than most are.
const USUAL_BYTES: usize = 256;

type Properties = BTreeMap<Box<str>, Value>;

/// The structure, of texts that it has or that it borrows.
#[derive(Serialize, Deserialize)]
struct Kept<T, P> {
    #[serde(rename = "v", skip_serializing_if = "Option::is_none")]
    visitor: Option<T>,
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    path: Option<T>,
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    referrer: Option<T>,
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    campaign: Option<T>,
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    country: Option<T>,
    #[serde(rename = "x", skip_serializing_if = "Option::is_none")]
    properties: Option<P>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Stored<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Kept::<T, Properties>::deserialize(deserializer)?;
        Ok(Self {
            visitor: read.visitor,
            attributes: Attributes {
                path: read.path,
                referrer: read.referrer,
                campaign: read.campaign,
                country: read.country,
                properties: read.properties.unwrap_or_default(),
            },
        })
    }
}

fn kept<'a, T: Deref<Target = str>>(
    visitor: Option<&'a str>,
    attributes: &'a Attributes<T>,
) -> Kept<&'a str, &'a Properties> {
    let properties = &attributes.properties;
    Kept {
        visitor,
        path: attributes.path.as_deref(),
        referrer: attributes.referrer.as_deref(),
        campaign: attributes.campaign.as_deref(),
        country: attributes.country.as_deref(),
        properties: (!properties.is_empty()).then_some(properties),
    }
}

impl<T: Deref<Target = str>> Serialize for Stored<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        kept(self.visitor.as_deref(), &self.attributes).serialize(serializer)
    }
}

/// [`Attributes`] as the JSON in which they are kept; empty if there are none. It is written once, when a visit is read,
/// and who came is known as it is stored only when it is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written(String);

impl Written {
    /// Writes them.
    pub fn of<T: Deref<Target = str>>(attributes: &Attributes<T>) -> Self {
        let mut json = Vec::with_capacity(USUAL_BYTES);
        write(&mut json, &kept(None, attributes));
        match &json[..] {
            b"{}" => Self::default(),
            _ => Self(text(json)),
        }
    }

    /// Reads them.
    pub fn attributes(&self) -> Attributes {
        match &*self.0 {
            "" => Attributes::default(),
            json => {
                let stored: Stored = serde_json::from_str(json).expect("it was written here");
                stored.attributes
            }
        }
    }

    /// The JSON of what [`Stored`] says of this visitor and of them.
    pub fn with(&self, visitor: Option<&str>) -> String {
        let members = self.0.strip_prefix('{').unwrap_or("}");
        let Some(visitor) = visitor else {
            return ["{", members].concat();
        };
        let mut json = Vec::with_capacity(USUAL_BYTES.max(members.len() + visitor.len()));
        json.extend_from_slice(br#"{"v":"#);
        write(&mut json, visitor);
        if !self.0.is_empty() {
            json.push(b',');
        }
        json.extend_from_slice(members.as_bytes());
        text(json)
    }
}

fn write(json: &mut Vec<u8>, what: &(impl Serialize + ?Sized)) {
    let written = serde_json::to_writer(json, what);
    written.expect("texts, numbers, true and false are JSON");
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).expect("JSON is text")
}
