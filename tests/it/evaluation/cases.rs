//! Each kind of condition, and each way to put them together, by cases that one can read.

use serde_json::{Value, json};

use super::*;

/// What anybody says in the property `p`.
fn said() -> Vec<(&'static str, Value)> {
    vec![
        ("text", json!("pro")),
        ("longer", json!("professional")),
        ("capital", json!("Pro")),
        ("umlaut", json!("prö")),
        ("one", json!(1)),
        ("one-point", json!(1.0)),
        ("one-text", json!("1")),
        ("minus", json!(-7)),
        ("tenth", json!(0.1)),
        ("three-tenths", json!(0.300_000_000_000_000_04)),
        ("hundred", json!(100.0)),
        ("tiny", json!(5e-324)),
        ("even", json!(9_007_199_254_740_992_i64)),
        ("odd", json!(9_007_199_254_740_993_i64)),
        ("signed", json!(i64::MAX)),
        ("unsigned", json!(u64::MAX)),
        ("almost", json!(u64::MAX - 1)),
        ("huge", json!(1e25)),
        ("most", json!(f64::MAX)),
        ("true", json!(true)),
        ("true-text", json!("true")),
        ("empty", json!("")),
    ]
}

/// A condition on that, and who meets it.
const CASES: &[(&str, &str)] = &[
    (r#""in":["pro"]"#, "text"),
    (r#""in":["pro","Pro","nobody"]"#, "text capital"),
    (r#""in":[1]"#, "one one-point"),
    (r#""in":[1.0]"#, "one one-point"),
    (r#""in":["1"]"#, "one-text"),
    (r#""in":[true]"#, "true"),
    (r#""in":["true",false]"#, "true-text"),
    (r#""in":[""]"#, "empty"),
    (r#""in":[0.1,1e2]"#, "tenth hundred"),
    (r#""in":[9007199254740993]"#, "odd"),
    (r#""in":[18446744073709551615]"#, "unsigned"),
    (r#""in":[9223372036854775807]"#, "signed"),
    (r#""in":[1e25]"#, "huge"),
    (r#""in":[10000000000000000000000000]"#, "huge"),
    (r#""in":[1.7976931348623157e308,5e-324]"#, "most tiny"),
    (r#""contains":"pro""#, "text longer"),
    (r#""contains":"1""#, "one-text"),
    (r#""contains":"ö""#, "umlaut"),
    (r#""starts_with":"pr""#, "text longer umlaut"),
    (r#""starts_with":"ro""#, ""),
    (r#""gt":"pro""#, "longer umlaut true-text"),
    (r#""gte":"pro""#, "text longer umlaut true-text"),
    (r#""lt":"Pro""#, "one-text empty"),
    (r#""lte":"Pro""#, "one-text empty capital"),
    (r#""lt":1"#, "minus tenth three-tenths tiny"),
    (r#""lte":1"#, "minus tenth three-tenths tiny one one-point"),
    (r#""lt":0"#, "minus"),
    (r#""lte":-7.5"#, ""),
    (
        r#""gte":-7"#,
        "one one-point minus tenth three-tenths hundred tiny even odd signed unsigned almost huge most",
    ),
    (
        r#""gt":-6.5"#,
        "one one-point tenth three-tenths hundred tiny even odd signed unsigned almost huge most",
    ),
    (
        r#""gt":0.3"#,
        "one one-point three-tenths hundred even odd signed unsigned almost huge most",
    ),
    (
        r#""gt":0.30000000000000004"#,
        "one one-point hundred even odd signed unsigned almost huge most",
    ),
    (r#""lt":5e-324"#, "minus"),
    (r#""lte":5e-324"#, "minus tiny"),
    (
        r#""gt":9007199254740992"#,
        "odd signed unsigned almost huge most",
    ),
    (
        r#""gte":9007199254740992.0"#,
        "even odd signed unsigned almost huge most",
    ),
    (r#""gt":9223372036854775807"#, "unsigned almost huge most"),
    (
        r#""gte":9223372036854775807"#,
        "signed unsigned almost huge most",
    ),
    (r#""gt":18446744073709551614"#, "unsigned huge most"),
    (r#""gte":18446744073709551615"#, "unsigned huge most"),
    (r#""gt":18446744073709551615"#, "huge most"),
    (r#""gt":1e25"#, "most"),
    (r#""gte":1.7976931348623157e308"#, "most"),
    (r#""gt":1.7976931348623157e308"#, ""),
    (r#""lt":-1e300"#, ""),
];

#[tokio::test]
async fn properties_are_compared_as_json_has_them() {
    for place in Place::both().await {
        let visits: Vec<_> = said()
            .into_iter()
            .map(|(who, value)| {
                with(
                    at("2026-03-01T12:00:00Z"),
                    who,
                    json!({ "p": value, "q": 1 }),
                )
            })
            .chain([
                with(at("2026-03-01T12:00:01Z"), "none", json!({ "q": 1 })),
                to(at("2026-03-01T12:00:02Z"), "bare", "/a"),
                with(at("2026-03-01T12:00:03Z"), "", json!({ "p": "pro" })),
            ])
            .collect();
        place.visits("a", &visits).await;
        let everybody = place
            .who(&include(json!([{ "did": { "counter": "a" } }])))
            .await;
        let somebody: BTreeSet<String> = said().iter().map(|(who, _)| (*who).to_owned()).collect();
        assert_eq!(everybody, &somebody | &names("none bare"));
        for (condition, expected) in CASES {
            let test: Value =
                serde_json::from_str(&format!(r#"{{"property":"p",{condition}}}"#)).unwrap();
            let filter = include(json!([{ "did": { "counter": "a", "where": [test] } }]));
            assert_eq!(
                place.who(&filter).await,
                names(expected),
                "{} {condition}",
                place.kind()
            );
            let mut of_visitor = test.clone();
            let key = of_visitor
                .as_object_mut()
                .unwrap()
                .remove("property")
                .unwrap();
            of_visitor["visitor_property"] = key;
            let filter = include(json!([of_visitor]));
            assert_eq!(
                place.who(&filter).await,
                names(expected),
                "{} {filter}",
                place.kind()
            );
            // What is not in a set is all else, and what is missing.
            if let Some(values) = test.get("in") {
                let not = json!([{ "did": { "counter": "a", "where": [{ "property": "p", "not_in": values }] } }]);
                let rest = &everybody - &names(expected);
                assert_eq!(
                    place.who(&include(not)).await,
                    rest,
                    "{} not {condition}",
                    place.kind()
                );
            }
        }
        for (condition, expected) in [
            (json!({ "property": "p", "exists": true }), somebody.clone()),
            (
                json!({ "property": "p", "missing": true }),
                names("none bare"),
            ),
            (json!({ "property": "other", "exists": true }), names("")),
            (
                json!({ "property": "other", "missing": true }),
                everybody.clone(),
            ),
        ] {
            let filter = include(json!([{ "did": { "counter": "a", "where": [condition] } }]));
            assert_eq!(
                place.who(&filter).await,
                expected,
                "{} {filter}",
                place.kind()
            );
        }
    }
}

#[tokio::test]
async fn fields_are_texts() {
    for place in Place::both().await {
        let time = at("2026-03-01T12:00:00Z");
        let visits = ["/a", "/ab", "/A", "/ö", "/%", "/_", "", "10", "9"];
        let who = [
            "a",
            "ab",
            "A",
            "umlaut",
            "percent",
            "underscore",
            "none",
            "ten",
            "nine",
        ];
        let visits: Vec<_> = visits
            .iter()
            .zip(who)
            .map(|(path, who)| to(time, who, path))
            .collect();
        place.visits("a", &visits).await;
        // A text that only another counter has.
        place.visits("b", &[to(time, "b", "/b")]).await;
        for summed in [false, true] {
            if summed {
                place
                    .visits("a", &[(time + 2 * DAY, Stored::default())])
                    .await;
                place.sum_up().await;
            }
            for (condition, expected) in [
                (json!({ "in": ["/a", "/%"] }), "a percent"),
                (
                    json!({ "not_in": ["/a", "/b", "/%"] }),
                    "ab A umlaut underscore none ten nine",
                ),
                (json!({ "contains": "a" }), "a ab"),
                (json!({ "contains": "%" }), "percent"),
                (json!({ "contains": "_" }), "underscore"),
                (json!({ "starts_with": "/a" }), "a ab"),
                (json!({ "starts_with": "a" }), ""),
                (
                    json!({ "exists": true }),
                    "a ab A umlaut percent underscore ten nine",
                ),
                (json!({ "missing": true }), "none"),
                (json!({ "gt": "/a" }), "ab umlaut ten nine"),
                (json!({ "gte": "/a" }), "a ab umlaut ten nine"),
                (json!({ "lt": "/_" }), "A percent"),
                (json!({ "lte": "/_" }), "A percent underscore"),
                (json!({ "lt": "9" }), "a ab A umlaut percent underscore ten"),
            ] {
                let (mut of_visit, mut of_visitor) = (condition.clone(), condition.clone());
                of_visit["field"] = json!("path");
                of_visitor["visitor"] = json!("path");
                let filter = include(json!([{ "did": { "counter": "a", "where": [of_visit] } }]));
                assert_eq!(
                    place.who(&filter).await,
                    names(expected),
                    "{} {filter}",
                    place.kind()
                );
                // On any counter: somebody of another one may be among them.
                let mut everywhere = place.who(&include(json!([of_visitor]))).await;
                everywhere.remove("b");
                assert_eq!(
                    everywhere,
                    names(expected),
                    "{} {of_visitor} {summed}",
                    place.kind()
                );
            }
            let everywhere = include(json!([{ "visitor": "path", "in": ["/b", "/a"] }]));
            assert_eq!(place.who(&everywhere).await, names("a b"));
        }
    }
}

#[tokio::test]
async fn visits_are_counted_and_sets_are_put_together() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        let mut visits = Vec::new();
        for (who, times) in [("once", 1), ("twice", 2), ("thrice", 3), ("often", 20)] {
            visits.extend(
                (0..times)
                    .map(|nth| to(noon + nth, who, if nth == 0 { "/first" } else { "/again" })),
            );
        }
        visits.sort_by_key(|(at, _)| *at);
        place.visits("a", &visits).await;
        place
            .visits("b", &[to(noon, "twice", "/b"), to(noon, "other", "/b")])
            .await;
        let a = |more: Value| {
            let mut did = json!({ "counter": "a" });
            did.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            json!({ "did": did })
        };
        let b = json!({ "did": { "counter": "b" } });
        let nobody = json!({ "did": { "counter": "nobody" } });
        for (all, exclude, expected) in [
            (
                json!([a(json!({}))]),
                json!(null),
                "once twice thrice often",
            ),
            (
                json!([a(json!({ "times": { "at_least": 2 } }))]),
                json!(null),
                "twice thrice often",
            ),
            (
                json!([a(json!({ "times": { "at_most": 2 } }))]),
                json!(null),
                "once twice",
            ),
            (
                json!([a(json!({ "times": { "at_least": 2, "at_most": 3 } }))]),
                json!(null),
                "twice thrice",
            ),
            (
                json!([a(json!({ "times": { "at_least": 20, "at_most": 20 } }))]),
                json!(null),
                "often",
            ),
            (
                json!([a(json!({ "times": { "at_least": 21 } }))]),
                json!(null),
                "",
            ),
            (
                json!([a(json!({ "times": { "at_most": 1000 } }))]),
                json!(null),
                "once twice thrice often",
            ),
            (
                json!([a(
                    json!({ "times": { "at_least": 2 }, "where": [{ "field": "path", "in": ["/again"] }] })
                )]),
                json!(null),
                "thrice often",
            ),
            (
                json!([a(
                    json!({ "where": [{ "field": "path", "in": ["/again"] }, { "field": "path", "in": ["/first"] }] })
                )]),
                json!(null),
                "",
            ),
            (json!([a(json!({})), b.clone()]), json!(null), "twice"),
            (
                json!([{ "any": [a(json!({})), b.clone()] }]),
                json!(null),
                "once twice thrice often other",
            ),
            (
                json!([a(json!({}))]),
                json!({ "any": [b.clone()] }),
                "once thrice often",
            ),
            (
                json!([b.clone()]),
                a(json!({ "times": { "at_least": 2 } })),
                "other",
            ),
            (
                json!([{ "any": [a(json!({})), b.clone()] }]),
                json!({ "all": [a(json!({})), b.clone()] }),
                "once thrice often other",
            ),
            (json!([nobody.clone()]), json!(null), ""),
            (json!([a(json!({})), nobody.clone()]), json!(null), ""),
            (
                json!([a(json!({}))]),
                nobody.clone(),
                "once twice thrice often",
            ),
        ] {
            let mut filter = include(all);
            if !exclude.is_null() {
                filter["exclude"] = exclude;
            }
            assert_eq!(
                place.who(&filter).await,
                names(expected),
                "{} {filter}",
                place.kind()
            );
        }
    }
}

#[tokio::test]
async fn a_time_has_a_first_and_no_last_moment() {
    for place in Place::both().await {
        let start = now() - 3 * DAY;
        let visits: Vec<_> = [("early", 0), ("middle", DAY), ("late", 2 * DAY)]
            .map(|(who, after)| to(start + after, who, "/"))
            .into();
        place.visits("a", &visits).await;
        let shown = |at: i64| jiff::Timestamp::from_millisecond(at).unwrap().to_string();
        let between = |from: i64, to: i64| json!({ "from": shown(from), "to": shown(to) });
        for (within, expected) in [
            (json!({ "days": 400 }), "early middle late"),
            (json!({ "days": 2 }), "late"),
            (json!({ "days": 1 }), ""),
            (between(start, start + DAY), "early"),
            (between(start, start + DAY + 1), "early middle"),
            (between(start + 1, start + DAY), ""),
            (between(start + DAY, start + 2 * DAY + 1), "middle late"),
            (between(start - DAY, start), ""),
        ] {
            let filter = include(json!([{ "did": { "counter": "a", "within": within } }]));
            assert_eq!(
                place.who(&filter).await,
                names(expected),
                "{} {filter}",
                place.kind()
            );
        }
    }
}
