//! Filters as a JSON Schema.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::{
    Field,
    condition::OPERATORS,
    limits::{MAX_DAYS, MAX_DEPTH, MAX_LEAVES, MAX_TIMES, MAX_VALUES},
    reading::VERSION,
};
use crate::counting::carried::{MAX_KEY_BYTES, MAX_TEXT_BYTES};

/// The JSON Schema (2020-12) of a filter. It refuses nothing that is a filter; what it cannot say (bytes, how many
/// conditions there are in all, that `to` is after `from`) is found only when a filter is read.
pub static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Filter",
        "description": format!(
            "Which visitors are meant: those of `include` that are not of `exclude`. At most {MAX_LEAVES} conditions, 16 KiB."
        ),
        "type": "object",
        "properties": {
            "version": {"const": VERSION},
            "include": {"$ref": "#/$defs/node1"},
            "exclude": {"$ref": "#/$defs/node1"},
        },
        "required": ["version", "include"],
        "additionalProperties": false,
        "$defs": definitions(),
    })
});

fn definitions() -> Map<String, Value> {
    let mut all = Map::new();
    for depth in 1..=MAX_DEPTH {
        all.insert(format!("node{depth}"), node(depth));
    }
    all.insert("leaf".to_owned(), leaf());
    all.insert("did".to_owned(), did());
    all.insert("within".to_owned(), within());
    all.insert(
        "visit".to_owned(),
        json!({
            "description": "What a visit has.",
            "oneOf": [of_field("field"), of_country("field"), of_property("property")],
        }),
    );
    let number_or_text = json!({"oneOf": [{"type": "number"}, {"$ref": "#/$defs/text"}]});
    let value = json!({"oneOf": [{"type": ["boolean", "number"]}, {"$ref": "#/$defs/text"}]});
    all.insert("value".to_owned(), value);
    all.insert("limit".to_owned(), number_or_text);
    all.insert("text".to_owned(), text(0, MAX_TEXT_BYTES));
    all.insert("part".to_owned(), text(1, MAX_TEXT_BYTES));
    all.insert(
        "country".to_owned(),
        json!({"type": "string", "pattern": "^[A-Za-z]{2}$"}),
    );
    all
}

fn text(least: usize, most: usize) -> Value {
    json!({"type": "string", "minLength": least, "maxLength": most, "pattern": "^[^\\u0000]*$"})
}

/// Each depth has its own, so that the schema knows how deep groups may be.
fn node(depth: usize) -> Value {
    let child = match depth == MAX_DEPTH {
        true => "#/$defs/leaf".to_owned(),
        false => format!("#/$defs/node{}", depth + 1),
    };
    let group = |name: &str, description: &str| {
        let children = json!({
            "description": description, "type": "array", "minItems": 1, "items": {"$ref": child},
        });
        closed(name, children)
    };
    json!({"oneOf": [
        group("all", "Who is in each of these."),
        group("any", "Who is in any of these."),
        {"$ref": "#/$defs/leaf"},
    ]})
}

/// An object with this one member.
fn closed(name: &str, value: Value) -> Value {
    json!({
        "type": "object", "properties": {name: value}, "required": [name], "additionalProperties": false,
    })
}

fn leaf() -> Value {
    let audience = json!({
        "description": "Who is in a saved audience.",
        "type": "string",
        "format": "uuid",
        "pattern": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    });
    json!({"oneOf": [
        closed("did", json!({"$ref": "#/$defs/did"})),
        of_field("visitor"),
        of_country("visitor"),
        of_property("visitor_property"),
        closed("audience", audience),
    ]})
}

fn did() -> Value {
    let times = json!({"type": "integer", "minimum": 1, "maximum": MAX_TIMES});
    json!({
        "description": "Visits on a counter, at least one, that each meet all of `where`.",
        "type": "object",
        "properties": {
            "counter": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
            "times": {
                "type": "object",
                "properties": {"at_least": times, "at_most": times},
                "minProperties": 1,
                "additionalProperties": false,
            },
            "within": {"$ref": "#/$defs/within"},
            "where": {"type": "array", "maxItems": MAX_LEAVES, "items": {"$ref": "#/$defs/visit"}},
        },
        "required": ["counter"],
        "additionalProperties": false,
    })
}

fn within() -> Value {
    let time = json!({"type": "string", "format": "date-time"});
    json!({"oneOf": [
        closed("days", json!({"type": "integer", "minimum": 1, "maximum": MAX_DAYS})),
        {
            "description": "From a time on and before another.",
            "type": "object",
            "properties": {"from": time, "to": time},
            "required": ["from", "to"],
            "additionalProperties": false,
        },
    ]})
}

fn of_field(member: &str) -> Value {
    let names = Field::ALL.map(Field::name);
    let names: Vec<_> = names
        .iter()
        .filter(|name| **name != Field::Country.name())
        .collect();
    condition(member, json!({"enum": names}), "text", "text")
}

fn of_country(member: &str) -> Value {
    condition(
        member,
        json!({"const": Field::Country.name()}),
        "country",
        "text",
    )
}

fn of_property(member: &str) -> Value {
    condition(member, text(1, MAX_KEY_BYTES), "value", "limit")
}

/// A condition: what it is of, and one operator.
fn condition(member: &str, of: Value, value: &str, limit: &str) -> Value {
    let mut properties = Map::new();
    properties.insert(member.to_owned(), of);
    for operator in OPERATORS {
        let schema = match operator {
            "in" | "not_in" => json!({
                "type": "array", "minItems": 1, "maxItems": MAX_VALUES,
                "items": {"$ref": format!("#/$defs/{value}")},
            }),
            "contains" | "starts_with" => json!({"$ref": "#/$defs/part"}),
            "exists" | "missing" => json!({"type": "boolean"}),
            _ => json!({"$ref": format!("#/$defs/{limit}")}),
        };
        properties.insert(operator.to_owned(), schema);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": [member],
        "minProperties": 2,
        "maxProperties": 2,
        "additionalProperties": false,
    })
}
