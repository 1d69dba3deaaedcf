//! What visits look like, for the OpenAPI document: `counting::carried` is what reads them.
#![allow(dead_code, reason = "only documents what is read elsewhere")]

use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{AdditionalProperties, AnyOfBuilder, SchemaType, Type},
    },
};

use crate::edge::problem::ProblemDocument;

/// What a visit carries. All of it may be left out; an empty text is as if it were.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CarriedVisit {
    /// Who came: any text that is the same for the same visitor, such as an id of yours. How it is stored is a setting of
    /// the counter; 512 bytes of UTF-8 at most, as of each text here.
    #[schema(max_length = 512, example = "customer-4711")]
    visitor: Option<String>,
    /// To what.
    #[schema(max_length = 512, example = "/pricing")]
    path: Option<String>,
    /// From where.
    #[schema(max_length = 512, example = "https://search.example/")]
    referrer: Option<String>,
    /// By which campaign.
    #[schema(max_length = 512, example = "spring")]
    campaign: Option<String>,
    /// From which country: two letters of ISO 3166-1. Small letters are made capital ones.
    #[schema(pattern = "^([A-Za-z]{2})?$", example = "DE")]
    country: Option<String>,
    /// Anything else: up to 20 texts (512 bytes), numbers, true and false, by keys of up to 64 bytes. Numbers are kept as they are
    /// written; what neither an integer of 64 bits nor a double can be exactly is refused.
    #[schema(schema_with = properties, required = false)]
    properties: Option<serde_json::Value>,
}

/// A visit among others: what it carries, on which counter it is counted, and its key.
pub(super) struct VisitLine;

impl ToSchema for VisitLine {}

/// Not by `allOf`: what a visit carries alone has no other members.
impl PartialSchema for VisitLine {
    fn schema() -> RefOr<Schema> {
        let mut schema = CarriedVisit::schema();
        if let RefOr::T(Schema::Object(line)) = &mut schema {
            line.description = Some("A visit among others.".to_owned());
            let members = [
                (
                    "counter",
                    "The counter on which it is counted.",
                    "^[a-z0-9][a-z0-9._-]{0,63}$",
                    "signup.page",
                ),
                (
                    "key",
                    "Makes it one visit however often it is sent, as an `Idempotency-Key` does.",
                    "^[!-~]{1,255}$",
                    "order-4711",
                ),
            ];
            for (name, description, pattern, example) in members {
                let member = ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(description))
                    .pattern(Some(pattern))
                    .examples([example]);
                let member = Schema::from(member.build());
                line.properties.insert(name.to_owned(), member.into());
            }
            line.required.push("counter".to_owned());
        }
        schema
    }
}

/// What became of a line: the number of the visit, or the problem.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum LineOutcome {
    /// It was counted.
    Counted(CountedLine),
    /// It was not, or it is not known whether it was.
    Failed(FailedLine),
}

/// A line that was counted.
#[derive(ToSchema)]
pub(super) struct CountedLine {
    /// Of the request, counted from 1.
    #[schema(minimum = 1, example = 1)]
    line: usize,
    /// The counter.
    #[schema(example = "signup.page")]
    counter: String,
    /// The number of this visit.
    #[schema(minimum = 1, example = 42)]
    visits: u64,
    /// Whether it had been counted before.
    replayed: bool,
}

/// A line that was not counted: a problem document with its line.
#[derive(ToSchema)]
pub(super) struct FailedLine {
    /// Of the request, counted from 1.
    #[schema(minimum = 1, example = 2)]
    line: usize,
    #[serde(flatten)]
    problem: ProblemDocument<'static>,
    /// Seconds to wait, where that helps.
    retry_after: Option<u64>,
}

fn properties() -> Schema {
    let of = |kind| Schema::from(ObjectBuilder::new().schema_type(kind).build());
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(512));
    let values = AnyOfBuilder::new()
        .item(text)
        .item(of(Type::Number))
        .item(of(Type::Boolean))
        .item(of(Type::Null));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some(
            "Anything else: up to 20 texts (512 bytes), numbers, true and false, by keys of up to 64 bytes. \
             Numbers are kept as they are written; what neither an integer of 64 bits nor a double can be exactly is refused.",
        ))
        .max_properties(Some(20))
        .additional_properties(Some(AdditionalProperties::RefOr(
            Schema::from(values.build()).into(),
        )))
        .examples([serde_json::json!({ "plan": "pro", "seats": 3, "trial": false })])
        .into()
}
