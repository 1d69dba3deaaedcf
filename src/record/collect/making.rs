//! What a new write key is to be.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    accounts::fields::{Text, label},
    config::Origin,
    counting::CounterName,
    edge::{Code, Problem},
    json,
};

/// Counters of a key, and origins.
const MOST_NAMES: usize = 50;

/// Visits a second, unless its maker wants another number.
const DEFAULT_RATE: u32 = 100;
/// Visits a second at most.
const MAX_RATE: u32 = 10_000;

/// A write key that is to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWriteKey)]
#[serde(deny_unknown_fields)]
pub struct KeyBody {
    /// What you call it: the site, say.
    #[serde(default)]
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64, example = "our shop")]
    pub name: Text,
    /// The counters it is for. The first is that of visits that name none.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = true, min_items = 1, max_items = 50, example = json!(["shop.page"]))]
    pub counters: Value,
    /// The origins whose pages may show it, each as browsers send it.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = true, min_items = 1, max_items = 50, example = json!(["https://shop.example"]))]
    pub origins: Value,
    /// Visits a second that each replica takes by it.
    #[serde(default)]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 10_000, default = 100)]
    pub rate: Value,
}

fn invalid(field: &'static str, detail: String) -> Problem {
    Problem::from(Code::InvalidBody)
        .with_detail(detail)
        .of_field(field)
}

impl KeyBody {
    /// What it is called.
    pub fn name(&mut self) -> Result<String, Problem> {
        label(std::mem::take(&mut self.name), "name")
    }

    /// Its counters.
    pub fn counters(&self) -> Result<Vec<String>, Problem> {
        texts(&self.counters, "counters", "names of counters", |text| {
            let name = text.parse::<CounterName>();
            name.map(drop).map_err(|error| error.to_string())
        })
    }

    /// Its origins.
    pub fn origins(&self) -> Result<Vec<String>, Problem> {
        texts(&self.origins, "origins", "origins of pages", |text| {
            text.parse::<Origin>().map(drop)
        })
    }

    /// Visits a second.
    pub fn rate(&self) -> Result<u32, Problem> {
        let rate = match &self.rate {
            Value::Null => Some(DEFAULT_RATE),
            rate => json::whole(rate).and_then(|rate| rate.try_into().ok()),
        };
        let rate = rate.filter(|rate| (1..=MAX_RATE).contains(rate));
        rate.ok_or_else(|| {
            let detail = format!("The field `rate` must be a number from 1 to {MAX_RATE}.");
            invalid("rate", detail)
        })
    }
}

/// A list of 1 to [`MOST_NAMES`] texts, each once, of which each passes a check.
fn texts(
    value: &Value,
    field: &'static str,
    what: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<Vec<String>, Problem> {
    let expected = || {
        let detail = format!("The field `{field}` must be a list of 1 to {MOST_NAMES} {what}.");
        invalid(field, detail)
    };
    let list = value.as_array().ok_or_else(expected)?;
    if !(1..=MOST_NAMES).contains(&list.len()) {
        return Err(expected());
    }
    let mut texts = Vec::new();
    for (position, entry) in list.iter().enumerate() {
        let place = format!("Entry {} of the field `{field}`", position + 1);
        let text = entry.as_str().ok_or_else(expected)?;
        check(text).map_err(|error| invalid(field, format!("{place} is wrong: {error}.")))?;
        if texts.iter().any(|before| before == text) {
            return Err(invalid(field, format!("{place} is there before.")));
        }
        texts.push(text.to_owned());
    }
    Ok(texts)
}
