//! Which visitors a filter means, found by looking at every visit.
//!
//! It is written from what `docs/audiences.md` promises and shares nothing with what answers in the service: it
//! reads the JSON as it was sent, and knows neither sets nor tables.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use footfall::audit::time;
use serde_json::{Number, Value};
use uuid::Uuid;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A visit, and what it carried.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// Its counter.
    pub counter: &'static str,
    /// Its number there.
    pub number: u64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// Who came, if they said.
    pub visitor: Option<&'static str>,
    /// `path`, `referrer`, `campaign`, `country`.
    pub fields: BTreeMap<&'static str, String>,
    /// Anything else.
    pub properties: BTreeMap<String, Value>,
}

/// All that is known when a filter is asked.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Every visit that counts.
    pub visits: Vec<Visit>,
    /// The filters of the audiences there are.
    pub audiences: BTreeMap<Uuid, Value>,
    /// The instant of `as_of`, in Unix milliseconds.
    pub instant: i64,
}

impl World {
    /// Whom a filter means.
    pub fn visitors(&self, filter: &Value) -> BTreeSet<&'static str> {
        let everybody: BTreeSet<_> = self
            .visits
            .iter()
            .filter_map(|visit| visit.visitor)
            .collect();
        everybody
            .into_iter()
            .filter(|visitor| self.means(filter, visitor))
            .collect()
    }

    fn means(&self, filter: &Value, visitor: &str) -> bool {
        assert_eq!(filter["version"], 1.0, "{filter}");
        let is_excluded = filter
            .get("exclude")
            .is_some_and(|exclude| self.holds(exclude, visitor));
        !is_excluded && self.holds(&filter["include"], visitor)
    }

    fn holds(&self, node: &Value, visitor: &str) -> bool {
        let node = node.as_object().expect("an object");
        let own = || {
            let visits = self.visits.iter();
            visits.filter(|visit| visit.visitor == Some(visitor))
        };
        if let Some(children) = node.get("all") {
            return list(children)
                .iter()
                .all(|child| self.holds(child, visitor));
        }
        if let Some(children) = node.get("any") {
            return list(children)
                .iter()
                .any(|child| self.holds(child, visitor));
        }
        if let Some(id) = node.get("audience") {
            let id: Uuid = text(id).parse().expect("a UUID");
            return self.means(&self.audiences[&id], visitor);
        }
        if let Some(did) = node.get("did") {
            let meant = own().filter(|visit| self.is_meant(did, visit)).count();
            let times = &did["times"];
            let at_least = times["at_least"].as_f64().unwrap_or(1.0);
            let at_most = times["at_most"].as_f64().unwrap_or(f64::INFINITY);
            let meant = meant as f64;
            return meant >= 1.0 && meant >= at_least && meant <= at_most;
        }
        let value = |visit: &Visit| match (node.get("visitor"), node.get("visitor_property")) {
            (Some(field), None) => visit.field(text(field)),
            (None, Some(key)) => visit.property(text(key)),
            _ => panic!("neither group nor leaf: {node:?}"),
        };
        let is_country = node.get("visitor").is_some_and(|field| field == "country");
        own().any(|visit| asked(node, is_country, value(visit)))
    }

    /// Whether a visit is one of those that a `did` counts.
    fn is_meant(&self, did: &Value, visit: &Visit) -> bool {
        let within = &did["within"];
        let millis = |time: &Value| time::parse(text(time)).expect("a time");
        let is_within = match (within.get("days"), within.get("from")) {
            (Some(days), None) => {
                let days = days.as_f64().expect("a number") as i64;
                visit.at >= self.instant - days * DAY
            }
            (None, Some(from)) => visit.at >= millis(from) && visit.at < millis(&within["to"]),
            _ => true,
        };
        let mut conditions = did.get("where").map(list).unwrap_or_default().iter();
        visit.counter == text(&did["counter"])
            && is_within
            && conditions.all(|condition| {
                let condition = condition.as_object().expect("an object");
                let (value, is_country) = match condition.get("field") {
                    Some(field) => (visit.field(text(field)), field == "country"),
                    None => (visit.property(text(&condition["property"])), false),
                };
                asked(condition, is_country, value)
            })
    }
}

impl Visit {
    fn field(&self, name: &str) -> Option<Value> {
        self.fields.get(name).map(|value| value.as_str().into())
    }

    fn property(&self, key: &str) -> Option<Value> {
        self.properties.get(key).cloned()
    }
}

/// Whether a value, or that there is none, is as the one operator of a condition asks.
fn asked(
    condition: &serde_json::Map<String, Value>,
    is_country: bool,
    value: Option<Value>,
) -> bool {
    let mut operators = condition.iter().filter(|(name, _)| {
        !["field", "property", "visitor", "visitor_property"].contains(&name.as_str())
    });
    let (operator, asked) = operators.next().expect("an operator");
    assert!(operators.next().is_none(), "one operator: {condition:?}");
    let is_one = |value: &Value| {
        list(asked).iter().any(|one| match is_country {
            true => text(one).to_ascii_uppercase() == text(value),
            false => compare(value, one) == Some(Ordering::Equal),
        })
    };
    let order = |value: &Value| compare(value, asked);
    let value = value.as_ref();
    match operator.as_str() {
        "in" => value.is_some_and(is_one),
        "not_in" => !value.is_some_and(is_one),
        "contains" => value.is_some_and(|value| {
            value
                .as_str()
                .is_some_and(|value| value.contains(text(asked)))
        }),
        "starts_with" => value.is_some_and(|value| {
            value
                .as_str()
                .is_some_and(|value| value.starts_with(text(asked)))
        }),
        "exists" => value.is_some() == flag(asked),
        "missing" => value.is_none() == flag(asked),
        "gt" => value.and_then(order).is_some_and(Ordering::is_gt),
        "gte" => value.and_then(order).is_some_and(Ordering::is_ge),
        "lt" => value.and_then(order).is_some_and(Ordering::is_lt),
        "lte" => value.and_then(order).is_some_and(Ordering::is_le),
        other => panic!("{other} is no operator"),
    }
}

/// `None` for values of different types, of which neither is before the other.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Number(a), Value::Number(b)) => Some(compare_numbers(a, b)),
        (Value::Bool(a), Value::Bool(b)) => (a == b).then_some(Ordering::Equal),
        _ => None,
    }
}

/// By their exact values: a double that is near to an integer is not that integer.
fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    let whole = |number: &Number| {
        let signed = number.as_i64().map(i128::from);
        signed.or_else(|| number.as_u64().map(i128::from))
    };
    let double = |number: &Number| number.as_f64().expect("a number");
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (None, None) => (double(a) + 0.0).total_cmp(&(double(b) + 0.0)),
        (Some(a), None) => compare_to_double(a, double(b)),
        (None, Some(b)) => compare_to_double(b, double(a)).reverse(),
    }
}

fn compare_to_double(whole: i128, double: f64) -> Ordering {
    // Far beyond all integers that a visit can have, and far within those of 128 bits.
    if double.abs() > 1e30 {
        return if double > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
    }
    let fraction = double.fract();
    whole
        .cmp(&(double.trunc() as i128))
        .then_with(|| 0.0_f64.partial_cmp(&fraction).expect("a number"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn flag(value: &Value) -> bool {
    value.as_bool().expect("true or false")
}

/// What is easily wrong in an oracle.
#[test]
fn numbers_are_compared_by_their_values() {
    let number = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    for (a, b, expected) in [
        ("5", "5.0", Ordering::Equal),
        ("0", "-0.0", Ordering::Equal),
        ("0.0", "-0.0", Ordering::Equal),
        ("9007199254740993", "9007199254740992.0", Ordering::Greater),
        (
            "18446744073709551615",
            "18446744073709551616.0",
            Ordering::Less,
        ),
        (
            "-9223372036854775808",
            "-9223372036854775808.0",
            Ordering::Equal,
        ),
        ("-1", "-0.5", Ordering::Less),
        ("-1", "-1.5", Ordering::Greater),
        ("1", "0.5", Ordering::Greater),
        ("1", "1.5", Ordering::Less),
        ("1", "1e300", Ordering::Less),
        ("1", "-1e300", Ordering::Greater),
        ("0.1", "0.2", Ordering::Less),
    ] {
        assert_eq!(compare(&number(a), &number(b)), Some(expected), "{a} {b}");
        assert_eq!(
            compare(&number(b), &number(a)),
            Some(expected.reverse()),
            "{b} {a}"
        );
    }
    for (a, b) in [
        ("\"5\"", "5"),
        ("true", "\"true\""),
        ("1", "true"),
        ("true", "false"),
    ] {
        assert_eq!(compare(&number(a), &number(b)), None, "{a} {b}");
    }
}
