//! Filters of audiences: which texts are one, said once more.

use footfall::{
    audiences::filter::{Filter, Invalid, Tree, limits::MAX_ERRORS, words},
    audit::time,
    counting::CounterName,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A filter as it is sent, and a text at each place of one that takes any.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let value = serde_json::from_str::<Value>(text);
    match Filter::read(text) {
        Ok(filter) => {
            assert!(is_filter(&value.expect("JSON")), "{text}");
            holds(&filter);
        }
        Err(errors) => {
            are_told(&errors, value.as_ref().ok());
            if let Ok(value) = value {
                assert!(
                    !is_filter(&value) || errors.iter().all(is_lost),
                    "{text}: {errors:?}"
                );
            }
        }
    }
    let is_text = |most: usize| (1..=most).contains(&text.len()) && !text.contains('\0');
    for (condition, is_one) in [
        (json!({"visitor": "path", "contains": text}), is_text(512)),
        (
            json!({"visitor_property": text, "missing": true}),
            is_text(64),
        ),
        (
            json!({"visitor": "country", "in": [text]}),
            is_country(text),
        ),
        (json!({"audience": text}), is_id(text)),
        (
            json!({"did": {"counter": text}}),
            text.parse::<CounterName>().is_ok(),
        ),
    ] {
        let json = json!({"version": 1, "include": condition}).to_string();
        match Filter::read(&json) {
            Ok(filter) => {
                assert!(is_one, "{json}");
                holds(&filter);
            }
            Err(errors) => assert!(!is_one || json.len() > 16 * 1024, "{errors:?}"),
        }
    }
}

/// Of every filter.
fn holds(filter: &Filter) {
    assert_eq!(Filter::read(&filter.canonical).as_ref(), Ok(filter));
    assert_eq!(
        Tree::from_stored(&filter.canonical).as_ref(),
        Ok(&filter.tree)
    );
    let sentence = words::sentence(&filter.tree, &|_| None);
    assert!(
        sentence.starts_with("Visitors who ") && sentence.ends_with('.'),
        "{sentence}"
    );
    assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
    let canonical: Value = serde_json::from_str(&filter.canonical).expect("JSON");
    for (id, pointer) in filter.tree.references() {
        assert_eq!(
            canonical.pointer(&pointer),
            Some(&Value::from(id.to_string()))
        );
    }
}

/// Of every answer to what is no filter: each error is at a place that is there.
fn are_told(errors: &[Invalid], value: Option<&Value>) {
    assert!((1..=MAX_ERRORS).contains(&errors.len()), "{errors:?}");
    for error in errors {
        assert!(
            !error.expected.is_empty() && !error.expected.ends_with('.'),
            "{error:?}"
        );
        if let Some(value) = value {
            assert!(
                value.pointer(&error.pointer).is_some(),
                "{error:?} in {value}"
            );
        }
    }
}

/// What is no longer to be seen in a value that has been read: members that were there twice, the digits of
/// numbers, how long it was.
fn is_lost(error: &Invalid) -> bool {
    ["once, and not twice", "number", "bytes of JSON"]
        .iter()
        .any(|lost| error.expected.contains(lost))
}

fn is_filter(value: &Value) -> bool {
    let mut leaves = 0;
    let Some(members) = value.as_object() else {
        return false;
    };
    let knows = members.iter().all(|(name, value)| match name.as_str() {
        "version" => is_whole(value, 1.0),
        "include" | "exclude" => is_node(value, 1, &mut leaves),
        _ => false,
    });
    let has = |name| members.contains_key(name);
    knows && has("version") && has("include") && leaves <= 50
}

fn is_node(node: &Value, depth: usize, leaves: &mut usize) -> bool {
    let Some(members) = node.as_object() else {
        return false;
    };
    let mut only = members.iter();
    match (only.next(), only.next()) {
        (Some((group, Value::Array(children))), None) if group == "all" || group == "any" => {
            let mut are_nodes = !children.is_empty() && depth <= 5;
            for child in children {
                are_nodes = are_nodes && is_node(child, depth + 1, leaves);
            }
            are_nodes
        }
        (Some((did, value)), None) if did == "did" => {
            *leaves += value["where"].as_array().map_or(1, |all| all.len().max(1));
            is_did(value)
        }
        (Some((audience, Value::String(id))), None) if audience == "audience" => {
            *leaves += 1;
            is_id(id)
        }
        _ => {
            *leaves += 1;
            is_condition(members, "visitor", "visitor_property")
        }
    }
}

fn is_did(did: &Value) -> bool {
    let Some(members) = did.as_object() else {
        return false;
    };
    let is_counter = |value: &Value| {
        value
            .as_str()
            .is_some_and(|name| name.parse::<CounterName>().is_ok())
    };
    members.contains_key("counter")
        && members
            .iter()
            .all(|(name, value)| match (name.as_str(), value) {
                ("counter", name) => is_counter(name),
                ("times", Value::Object(times)) => is_times(times),
                ("within", Value::Object(within)) => is_within(within),
                ("where", Value::Array(conditions)) => conditions.iter().all(|condition| {
                    let condition = condition.as_object();
                    condition.is_some_and(|condition| is_condition(condition, "field", "property"))
                }),
                _ => false,
            })
}

fn is_times(times: &Map<String, Value>) -> bool {
    let is_known = |(name, value): (&String, &Value)| {
        (name == "at_least" || name == "at_most") && is_whole(value, 1000.0)
    };
    let number = |name, missing| times.get(name).and_then(Value::as_f64).unwrap_or(missing);
    !times.is_empty()
        && times.iter().all(is_known)
        && number("at_least", 1.0) <= number("at_most", 1000.0)
}

fn is_within(within: &Map<String, Value>) -> bool {
    let millis = |name| within.get(name).and_then(Value::as_str).and_then(instant);
    match (within.get("days"), millis("from"), millis("to")) {
        (Some(days), ..) => within.len() == 1 && is_whole(days, 400.0),
        (None, Some(from), Some(to)) => {
            within.len() == 2 && (1..=400 * 86_400_000).contains(&(to - from))
        }
        _ => false,
    }
}

/// To the millisecond, and from 1970 on.
fn instant(text: &str) -> Option<i64> {
    let is_fine = match text.split_once('.') {
        Some((_, fraction)) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit);
            digits.skip(3).all(|digit| digit == b'0')
        }
        None => true,
    };
    time::parse(text).filter(|millis| is_fine && *millis >= 0)
}

fn is_condition(members: &Map<String, Value>, field: &str, property: &str) -> bool {
    let of_field = members.get(field).and_then(Value::as_str);
    let of_property = members.get(property).and_then(Value::as_str);
    let (is_subject, is_field) = match (of_field, of_property) {
        (Some(name), None) => (
            ["path", "referrer", "campaign", "country"].contains(&name),
            true,
        ),
        (None, Some(key)) => ((1..=64).contains(&key.len()) && !key.contains('\0'), false),
        _ => return false,
    };
    let is_text =
        |text: &str, least: usize| (least..=512).contains(&text.len()) && !text.contains('\0');
    let is_scalar = |value: &Value| match value {
        Value::String(text) if of_field == Some("country") => is_country(text),
        Value::String(text) => is_text(text, 0),
        Value::Bool(_) | Value::Number(_) => !is_field,
        _ => false,
    };
    let mut tests = members
        .iter()
        .filter(|(name, _)| *name != field && *name != property);
    let Some((operator, asked)) = tests.next() else {
        return false;
    };
    let is_test = match (operator.as_str(), asked) {
        ("in" | "not_in", Value::Array(values)) => {
            (1..=100).contains(&values.len()) && values.iter().all(is_scalar)
        }
        ("contains" | "starts_with", Value::String(text)) => is_text(text, 1),
        ("exists" | "missing", Value::Bool(_)) => true,
        ("gt" | "gte" | "lt" | "lte", Value::String(text)) => is_text(text, 0),
        ("gt" | "gte" | "lt" | "lte", Value::Number(_)) => !is_field,
        _ => false,
    };
    is_subject && is_test && members.len() == 2
}

fn is_whole(value: &Value, most: f64) -> bool {
    value
        .as_f64()
        .is_some_and(|number| number.fract() == 0.0 && number >= 1.0 && number <= most)
}

fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_id(text: &str) -> bool {
    let hyphens: Vec<_> = text.match_indices('-').map(|(at, _)| at).collect();
    text.len() == 36 && hyphens == [8, 13, 18, 23] && text.parse::<Uuid>().is_ok()
}
