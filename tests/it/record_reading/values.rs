//! What visits carried most: from sums and from rows, the same.

use std::collections::{BTreeMap, BTreeSet};

use footfall::{
    counting::carried::{Attributes, Stored},
    record::{Entry, Reason, upkeep},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use super::{DAY, MINUTE, Place, after_gap, at, carrying, plain, to};

const PATH: &str = "/api/counters/a/values";

#[tokio::test]
async fn values_and_other_add_up() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        let visits = [
            ("/a", Some("#x")),
            ("/a", Some("#x")),
            ("/a", Some("#y")),
            ("/b", Some("#y")),
            ("/c", None),
        ];
        let visits = visits.map(|(path, visitor)| to(path, visitor)).into();
        let entries = [
            carrying(7, noon, visits),
            after_gap(plain(10, 2, noon + 1), 7, Reason::Off),
        ];
        place.append("a", 2, &entries).await;
        let values = place.get(&format!("{PATH}?field=path&limit=1")).await;
        let expected = json!({
            "values": [
                { "value": "/a", "visits": 3, "visitors": 2 },
                { "value": null, "visits": 2, "visitors": 0 },
            ],
            "other": { "visits": 2 }, "visits": 7, "visitors": 2,
        });
        assert_eq!(values, expected, "{}", place.stage.kind);
        let none = place.get(&format!("{PATH}?field=country")).await;
        assert_eq!(
            none["values"],
            json!([{ "value": null, "visits": 7, "visitors": 2 }])
        );
        for query in [
            "",
            "field=",
            "field=visitor",
            "field=properties",
            "field=properties.",
            "field=path&limit=0",
            "field=path&limit=101",
            "field=path&from=x",
            "field=path&from=2026-03-02&to=2026-03-01",
            "field=path&tz=X/Y",
        ] {
            assert_eq!(
                place.problem(&format!("{PATH}?{query}")).await.1,
                "invalid_query",
                "{query}"
            );
        }
    }
}

#[tokio::test]
async fn values_of_properties_are_what_was_sent() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        let sent = [
            json!("pro"),
            json!("pro"),
            json!("pro"),
            json!(1.5),
            json!(1.5),
            json!(true),
            json!("true"),
            json!("a\"b"),
        ];
        let carried = sent.iter().map(|value| Stored {
            visitor: Some("#x".into()),
            attributes: Attributes {
                properties: [("a.\"b ".into(), value.clone())].into(),
                ..Attributes::default()
            },
        });
        place
            .append("a", 0, &[carrying(8, noon, carried.collect())])
            .await;
        let values = place
            .get(&format!("{PATH}?field=properties.a.%22b%20"))
            .await;
        let found: BTreeMap<String, Value> = values["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|value| (value["value"].to_string(), value["visits"].clone()))
            .collect();
        let expected = [
            ("\"pro\"", 3),
            ("1.5", 2),
            ("true", 1),
            ("\"true\"", 1),
            ("\"a\\\"b\"", 1),
        ];
        let expected = expected.map(|(value, visits)| (value.to_owned(), json!(visits)));
        assert_eq!(found, expected.into(), "{}", place.stage.kind);
        let other = place.get(&format!("{PATH}?field=properties.b")).await;
        assert_eq!(
            other["values"],
            json!([{ "value": null, "visits": 8, "visitors": 1 }])
        );
    }
}

/// A visit: when, what it says in a field, by whom.
type Said = (i64, Option<Value>, Option<String>);

/// What a visit carries: how long after the one before, where to, of what plan, by whom, and whether it has an order.
type Step = (i64, Option<u8>, Option<u8>, Option<u8>, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![20 => 0..90 * MINUTE, 2 => 0..2 * DAY, 1 => 0..5 * DAY];
    let visitor = prop::option::of(0..9_u8);
    let path = prop::option::of(0..6_u8);
    let plan = prop::option::of(0..8_u8);
    prop::collection::vec((after, path, plan, visitor, any::<bool>()), 1..160)
}

/// A key that has to be quoted.
const PLAN: &str = "the \"plan\" \\";

/// Plans: of those that look alike each is a value of its own.
fn plan(which: u8) -> Value {
    [
        json!("pro"),
        json!("a\"b\\\u{1}é"),
        json!(1),
        json!("1"),
        json!(0.1 + 0.2),
        json!(0.3),
        json!(u64::MAX),
        json!(true),
    ][usize::from(which)]
    .clone()
}

/// What the visits of these steps carry; nothing if they have no path.
fn carried(number: u64, step: &Step) -> Option<Stored> {
    let (_, path, of, visitor, is_order) = step;
    let mut stored = to(&format!("/{}", (*path)?), None);
    stored.visitor = visitor.map(|visitor| format!("#{visitor}").into());
    if let Some(of) = of {
        let properties = &mut stored.attributes.properties;
        properties.insert(PLAN.into(), plan(*of));
    }
    if *is_order {
        let properties = &mut stored.attributes.properties;
        properties.insert("order".into(), json!(number));
    }
    Some(stored)
}

/// What they say in a field.
fn said(field: &str, time: i64, carried: &Option<Stored>) -> Said {
    let Some(Stored {
        visitor,
        attributes,
    }) = carried
    else {
        return (time, None, None);
    };
    let value = match field.strip_prefix("properties.") {
        Some(key) => attributes.properties.get(key).cloned(),
        None => attributes.path.as_deref().map(Value::from),
    };
    (time, value, visitor.as_deref().map(str::to_owned))
}

async fn check(
    place: &Place,
    (name, field): (&str, &str),
    all: &[Said],
    (from, to): (Option<i64>, Option<i64>),
) {
    let within = |time: i64| from.is_none_or(|from| time >= from) && to.is_none_or(|to| time < to);
    let (mut often, mut who, mut everyone) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    for (_, value, visitor) in all.iter().filter(|(time, ..)| within(*time)) {
        let value = value.as_ref().map_or(Value::Null, Value::clone).to_string();
        *often.entry(value.clone()).or_insert(0_u64) += 1;
        let who: &mut BTreeSet<_> = who.entry(value).or_default();
        who.extend(visitor.clone());
        everyone.extend(visitor.clone());
    }
    let shown = |time: i64| jiff::Timestamp::from_millisecond(time).unwrap();
    let field = url::form_urlencoded::byte_serialize(field.as_bytes()).collect::<String>();
    let mut path = format!("/api/counters/{name}/values?field={field}&limit=4");
    from.into_iter()
        .for_each(|from| path += &format!("&from={}", shown(from)));
    to.into_iter()
        .for_each(|to| path += &format!("&to={}", shown(to)));
    let values = place.get(&path).await;
    let mut sum = values["other"]["visits"].as_u64().unwrap();
    for value in values["values"].as_array().unwrap() {
        let text = value["value"].to_string();
        assert_eq!(value["visits"], often[&text], "{path}: {values}");
        assert_eq!(value["visitors"], who[&text].len(), "{path}: {values}");
        sum += often[&text];
    }
    let total: u64 = often.values().sum();
    assert_eq!(
        (sum, &values["visits"]),
        (total, &json!(total)),
        "{path}: {values}"
    );
    assert_eq!(values["visitors"], everyone.len(), "{path}: {values}");
    // None is beyond the limit.
    let listed = values["values"].as_array().unwrap().len();
    let none = usize::from(often.contains_key("null"));
    assert_eq!(listed, (often.len() - none).min(4) + none, "{values}");
}

#[tokio::test]
async fn sums_of_days_say_what_rows_say() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let source = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), source);
    let plan = format!("properties.{PLAN}");
    let fields = ["path", &plan, "properties.order", "properties.none"];
    for place in Place::both().await {
        let database = place.stage.app.database.as_ref().unwrap();
        for case in 0..6 {
            let name = format!("case-{case}");
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let (mut time, mut all) = (at("2026-09-20T20:00:00Z"), Vec::new());
            for (number, step) in (1..).zip(&steps) {
                time += step.0;
                all.push((time, carried(number, step)));
            }
            let entries: Vec<Entry> = (1..)
                .zip(&all)
                .map(|(number, (time, carried))| match carried {
                    Some(carried) => carrying(number, *time, vec![carried.clone()]),
                    None => plain(number, 1, *time),
                })
                .collect();
            // Some days are summed up before later ones are there.
            let (early, late) = entries.split_at(entries.len() / 2);
            place.append(&name, 0, early).await;
            upkeep::once(database).await.unwrap();
            place.append(&name, 0, late).await;
            for summed in [false, true] {
                if summed {
                    upkeep::once(database).await.unwrap();
                }
                let day = time.div_euclid(DAY) * DAY;
                let first = all[0].0.div_euclid(DAY) * DAY;
                for (from, to) in [
                    (None, None),
                    (Some(first), Some(day)),
                    (Some(first + DAY), Some(day + DAY)),
                    (
                        Some(first + 20 * 60 * MINUTE + 45 * MINUTE),
                        Some(day + 3 * 60 * MINUTE),
                    ),
                    (None, Some(first + 21 * 60 * MINUTE)),
                    (Some(day + 15 * MINUTE), None),
                ] {
                    if from.zip(to).is_some_and(|(from, to)| from >= to) {
                        continue;
                    }
                    for field in fields {
                        let all = all.iter();
                        let said: Vec<_> = all
                            .map(|(time, carried)| said(field, *time, carried))
                            .collect();
                        check(&place, (&name, field), &said, (from, to)).await;
                    }
                }
            }
        }
        for summed in [
            "SELECT count(*) FROM value_days",
            "SELECT count(*) FROM property_days",
            "SELECT count(*) FROM visitor_days WHERE left_out LIKE '%order%'",
        ] {
            let number = place.stage.number(summed).await;
            assert!(number > 0, "{}: {summed}", place.stage.kind);
        }
    }
}
