//! Filters in the OpenAPI document: their JSON Schema, with each of its definitions as a schema of the document.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        extensions::Extensions,
        schema::{ObjectBuilder, SchemaType},
    },
};

use super::filter::schema::SCHEMA;

/// A filter, as the document describes it.
pub struct FilterSchema;

/// Stands before the names of the definitions.
const NAME: &str = "Filter";

impl PartialSchema for FilterSchema {
    fn schema() -> RefOr<Schema> {
        let mut schema = SCHEMA.as_object().cloned().unwrap_or_default();
        schema.remove("$defs");
        schema.remove("$schema");
        schema.insert("example".to_owned(), example());
        of_document(schema)
    }
}

impl ToSchema for FilterSchema {
    fn name() -> Cow<'static, str> {
        NAME.into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let definitions = SCHEMA["$defs"].as_object().into_iter().flatten();
        schemas.extend(definitions.filter_map(|(name, schema)| {
            let schema = schema.as_object().cloned()?;
            Some((named(name), of_document(schema)))
        }));
    }
}

/// Who signed up for the pro plan in the last 30 days, from two countries, and had nothing refunded.
fn example() -> Value {
    json!({
        "version": 1,
        "include": {"all": [
            {"did": {"counter": "signup", "within": {"days": 30}, "where": [{"property": "plan", "in": ["pro"]}]}},
            {"visitor": "country", "in": ["AT", "DE"]},
        ]},
        "exclude": {"any": [{"did": {"counter": "refund"}}]},
    })
}

/// What a definition is called in the document.
fn named(definition: &str) -> String {
    let mut letters = definition.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let rest = letters.as_str();
    first.map_or_else(|| NAME.to_owned(), |first| format!("{NAME}{first}{rest}"))
}

/// Of JSON Schema the document's types know a part, and what they do not know they write as it is.
fn of_document(mut schema: Map<String, Value>) -> RefOr<Schema> {
    schema.values_mut().for_each(refer);
    let object = ObjectBuilder::new()
        .schema_type(SchemaType::AnyValue)
        .extensions(Some(Extensions::from_iter(schema)));
    RefOr::T(object.build().into())
}

/// Has references lead to the schemas of the document.
fn refer(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let definition = value
                    .as_str()
                    .and_then(|text| text.strip_prefix("#/$defs/"));
                match definition.filter(|_| name == "$ref").map(named) {
                    Some(named) => *value = format!("#/components/schemas/{named}").into(),
                    None => refer(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(refer),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audiences::filter::Filter;

    #[test]
    fn the_example_is_a_filter_in_its_canonical_form() {
        let filter = Filter::read(&example().to_string()).unwrap();
        let canonical: Value = serde_json::from_str(&filter.canonical).unwrap();
        assert_eq!(canonical, example());
    }

    /// Every reference leads to a schema of the document.
    #[test]
    fn every_definition_is_a_schema_of_the_document() {
        let mut schemas = vec![(NAME.to_owned(), FilterSchema::schema())];
        FilterSchema::schemas(&mut schemas);
        let text = serde_json::to_string(&schemas).unwrap();
        assert!(!text.contains("$defs"), "{text}");
        let named = text.split("\"#/components/schemas/").skip(1);
        let named: Vec<_> = named.filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() > 5, "{named:?}");
        for name in named {
            assert!(schemas.iter().any(|(known, _)| known == name), "{name}");
        }
    }
}
