//! The questions of `docs/audiences.md` have the answers and the sentences that stand there.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use footfall::{
    audiences::filter::{Filter, words},
    audit::time,
    counting::carried::Stored,
};
use serde_json::Value;

use crate::{
    filters::oracle::{Visit, World},
    record_reading::{Place, at, carrying},
};

const PAGE: &str = include_str!("../../../docs/audiences.md");

/// The moment at which the page asks.
const NOON: &str = "2026-03-01T12:00:00Z";

/// What stands between two marks.
fn between(begin: &str, end: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(begin).unwrap();
    rest.split_once(end).unwrap().0
}

struct Question {
    filter: Value,
    sentence: &'static str,
    answer: BTreeSet<&'static str>,
}

fn questions() -> Vec<Question> {
    let all = between("<!-- questions -->", "<!-- rules -->");
    let questions: Vec<_> = all
        .split("\n**")
        .skip(1)
        .map(|question| {
            let (title, rest) = question.split_once("```json").unwrap();
            let (filter, rest) = rest.split_once("```").unwrap();
            let (_, answer) = title.split_once("** ").unwrap();
            Question {
                filter: serde_json::from_str(filter).unwrap(),
                sentence: rest.trim().strip_prefix("> ").unwrap(),
                answer: answer.trim().split(", ").collect(),
            }
        })
        .collect();
    assert_eq!(questions.len(), 10);
    questions
}

/// When, on which counter, by whom, and with what.
fn visits() -> Vec<(i64, &'static str, &'static str, Value)> {
    let lines = between("<!-- visits -->\n```\n", "```").lines();
    lines
        .map(|line| {
            let (moment, rest) = line.split_once(' ').unwrap();
            let (counter, rest) = rest.trim().split_once(' ').unwrap();
            let (visitor, carried) = rest.trim().split_once(' ').unwrap();
            let carried = serde_json::from_str(carried).unwrap();
            (at(moment), counter, visitor, carried)
        })
        .collect()
}

fn stored(visitor: &str, carried: &Value) -> Stored {
    let text = |name: &str| carried[name].as_str().map(Into::into);
    let properties = carried["properties"].as_object().into_iter().flatten();
    let mut stored = Stored {
        visitor: Some(format!("={visitor}").into()),
        ..Stored::default()
    };
    let attributes = &mut stored.attributes;
    attributes.path = text("path");
    attributes.campaign = text("campaign");
    attributes.country = text("country");
    attributes.properties = properties
        .map(|(key, value)| (key.as_str().into(), value.clone()))
        .collect();
    stored
}

/// The filter, asked as much later as it is now than on the page.
fn later(value: &Value, millis: i64) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(name, value)| (name.clone(), later(value, millis)))
                .collect()
        }
        Value::Array(values) => values.iter().map(|value| later(value, millis)).collect(),
        Value::String(text) => match time::parse(text) {
            Some(moment) => time::format(moment + millis).into(),
            None => value.clone(),
        },
        other => other.clone(),
    }
}

/// Visits of the page on both databases, moved to now, since `days` go back from the moment of the answer.
#[tokio::test]
async fn each_question_has_its_answer_over_http() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let moved = i64::try_from(now.as_millis()).unwrap() - at(NOON);
    for place in Place::both().await {
        let mut counted = BTreeMap::new();
        for (moment, counter, visitor, carried) in visits() {
            let number: &mut u64 = counted.entry(counter).or_default();
            *number += 1;
            let entry = carrying(*number, moment + moved, vec![stored(visitor, &carried)]);
            place.append(counter, 0, &[entry]).await;
        }
        let mut client = place.client();
        for question in questions() {
            let kind = &place.stage.kind;
            let asked = question.filter.to_string();
            let built = client.post_json("/api/build-filter", &asked).await;
            assert_eq!(built.json()["sentence"], question.sentence, "{kind}");
            let asked = later(&question.filter, moved).to_string();
            let built = client.post_json("/api/build-audience", &asked).await;
            assert_eq!(built.status, 200, "{kind}: {asked}: {built:?}");
            let built = built.json();
            let sample = built["sample"].as_array().unwrap().iter();
            let sample: BTreeSet<_> = sample.map(|name| name.as_str().unwrap()).collect();
            assert_eq!(sample, question.answer, "{kind}: {asked}");
            assert_eq!(built["size"], question.answer.len(), "{kind}: {asked}");
        }
        let refused = between("<!-- refused -->\n```json\n", "```");
        let reply = client.post_json("/api/build-filter", refused).await;
        assert_eq!(reply.problem(), "invalid_filter");
        let (_, errors) = PAGE.split_once("with these `errors`:").unwrap();
        let (_, errors) = errors.split_once("```json").unwrap();
        let (errors, _) = errors.split_once("```").unwrap();
        let errors: Value = serde_json::from_str(errors).unwrap();
        assert_eq!(reply.json()["errors"], errors, "{}", reply.text());
    }
}

/// The oracle, which looks at every visit, agrees with the page.
#[test]
fn each_question_has_its_answer_by_the_oracle() {
    let fields = ["path", "campaign", "country"];
    let visits = visits()
        .into_iter()
        .map(|(at, counter, visitor, carried)| Visit {
            counter,
            number: 0,
            at,
            visitor: Some(visitor),
            fields: fields
                .into_iter()
                .filter_map(|field| Some((field, carried[field].as_str()?.to_owned())))
                .collect(),
            properties: carried["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        });
    let world = World {
        visits: visits.collect(),
        audiences: BTreeMap::new(),
        instant: at(NOON),
    };
    for question in questions() {
        let json = question.filter.to_string();
        assert_eq!(world.visitors(&question.filter), question.answer, "{json}");
        let filter = Filter::read(&json).unwrap();
        assert_eq!(words::sentence(&filter.tree, &|_| None), question.sentence);
    }
}

/// The filter with which the page begins is one.
#[test]
fn the_example_is_a_filter() {
    let example = between("## A filter\n\n```json\n", "```");
    let filter = Filter::read(example).unwrap();
    assert_eq!(filter.tree.counters().len(), 2);
}
