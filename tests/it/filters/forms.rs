//! One form for each filter.

use std::collections::BTreeMap;

use footfall::audiences::filter::{Filter, Tree};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    oracle::World,
    possible,
    writing::{Choices, rewritten},
};

fn read(json: &str) -> Filter {
    Filter::read(json).unwrap_or_else(|errors| panic!("{json}: {errors:#?}"))
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// `include` is this.
fn including(node: &Value) -> String {
    json!({"version": 1, "include": node}).to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Shuffled, repeated, nested, numbers, times and texts written otherwise: it is the same filter, and the
    /// oracle, which reads it as it was written, finds the same visitors.
    #[test]
    fn however_it_is_written_it_is_the_same(
        (world, filters) in possible::questions(30, 1..3),
        seed in any::<u64>(),
    ) {
        let mut choices = Choices::of(seed);
        for filter in filters {
            let expected = read(&filter.to_string());
            let again = rewritten(&filter, &mut choices);
            prop_assert_eq!(&read(&again), &expected, "{}", again);
            let visitors = world.visitors(&filter);
            prop_assert_eq!(&world.visitors(&parsed(&again)), &visitors, "{}", again);
            let canonical = parsed(&expected.canonical);
            prop_assert_eq!(&world.visitors(&canonical), &visitors, "{}", expected.canonical);
        }
    }

    #[test]
    fn the_canonical_form_is_its_own(filter in possible::filter(possible::audience_ids().to_vec())) {
        let filter = read(&filter.to_string());
        prop_assert_eq!(&read(&filter.canonical), &filter);
        prop_assert_eq!(Tree::from_stored(&filter.canonical), Ok(filter.tree.clone()));
        let value = parsed(&filter.canonical);
        for (id, pointer) in filter.tree.references() {
            prop_assert_eq!(value.pointer(&pointer), Some(&json!(id.to_string())));
        }
        let counters = filter.canonical.matches("\"did\":").count();
        prop_assert!(filter.tree.counters().len() <= counters);
        prop_assert_eq!(filter.tree.counters().is_empty(), counters == 0);
        let asks = filter.canonical.contains("\"visitor");
        prop_assert_eq!(filter.tree.looks_at_all_counters(), asks);
    }
}

/// Each row is one filter, in several ways to write it; no two rows are the same.
#[test]
fn what_means_something_else_has_another_hash() {
    let a = json!({"did": {"counter": "a"}});
    let b = json!({"did": {"counter": "b"}});
    let c = json!({"did": {"counter": "c"}});
    let did = |members: Value| {
        let mut did = json!({"counter": "a"});
        did.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        json!({"did": did})
    };
    let with = |condition: Value| did(json!({"where": [condition]}));
    let of = |test: &str, value: Value| with(json!({"property": "p", test: value}));
    let at = "2026-01-01T00:00:00Z";
    let rows: Vec<Vec<Value>> = vec![
        vec![
            a.clone(),
            json!({"all": [a]}),
            json!({"any": [{"all": [a, a]}]}),
            did(json!({"times": {"at_least": 1.0}})),
        ],
        vec![b.clone(), json!({"any": [b, b]})],
        vec![json!({"all": [a, b]}), json!({"all": [b, {"all": [a]}, a]})],
        vec![
            json!({"any": [a, b]}),
            json!({"any": [{"any": [b]}, {"any": [a, b]}]}),
        ],
        vec![
            json!({"all": [a, {"any": [b, c]}]}),
            json!({"all": [{"any": [c, b]}, {"any": [a]}]}),
        ],
        vec![
            json!({"any": [a, {"all": [b, c]}]}),
            json!({"any": [{"all": [c, b, b]}, {"all": [a]}]}),
        ],
        vec![json!({"all": [b, {"any": [a, c]}]})],
        vec![
            json!({"all": [a, b, c]}),
            json!({"all": [a, {"all": [b, c]}]}),
        ],
        vec![
            json!({"any": [a, b, c]}),
            json!({"any": [{"any": [a, b]}, c]}),
        ],
        vec![
            did(json!({"times": {"at_least": 2}})),
            did(json!({"times": {"at_least": 2.0}})),
        ],
        vec![
            did(json!({"times": {"at_most": 2}})),
            did(json!({"times": {"at_least": 1, "at_most": 2}})),
        ],
        vec![did(json!({"times": {"at_least": 2, "at_most": 2}}))],
        vec![did(json!({"times": {"at_most": 1}}))],
        vec![did(json!({"within": {"days": 1}}))],
        vec![
            did(json!({"within": {"days": 2}})),
            did(json!({"within": {"days": 20e-1}})),
        ],
        vec![
            did(json!({"within": {"from": at, "to": "2026-01-02T00:00:00Z"}})),
            did(
                json!({"within": {"from": "2026-01-01T01:00:00+01:00", "to": "2026-01-01t23:00:00.000-01:00"}}),
            ),
        ],
        vec![did(
            json!({"within": {"from": at, "to": "2026-01-02T00:00:00.001Z"}}),
        )],
        vec![did(
            json!({"within": {"from": "2026-01-01T00:00:00.001Z", "to": "2026-01-02T00:00:00Z"}}),
        )],
        vec![of("in", json!(["5"]))],
        vec![of("in", json!([5])), of("in", json!([5.0, 5]))],
        vec![of("in", json!([-5]))],
        vec![of("in", json!([true]))],
        vec![of("in", json!(["true"]))],
        vec![of("in", json!([false]))],
        vec![of("in", json!([1]))],
        vec![of("in", json!([0])), of("in", json!([-0.0]))],
        vec![of("in", json!([""]))],
        vec![
            of("in", json!(["a", "b"])),
            of("in", json!(["b", "a", "b"])),
        ],
        vec![of("in", json!(["a,b"]))],
        vec![of("in", json!(["a\",\"b"]))],
        vec![of("in", json!(["a"]))],
        vec![of("in", json!(["A"]))],
        // Two texts that look the same (NFC and NFD) are two.
        vec![of("in", json!(["\u{e4}"]))],
        vec![of("in", json!(["a\u{308}"]))],
        vec![of("in", json!([9_007_199_254_740_993_u64]))],
        vec![
            of("in", json!([9_007_199_254_740_992_u64])),
            of("in", json!([9_007_199_254_740_992.0])),
        ],
        vec![of("in", json!([u64::MAX]))],
        vec![
            of("in", json!([1e20])),
            of("in", json!([100_000_000_000_000_000_000.0])),
        ],
        vec![of("in", json!([0.1])), of("in", json!([1e-1]))],
        vec![of("not_in", json!(["a"]))],
        vec![of("contains", json!("a"))],
        vec![of("starts_with", json!("a"))],
        vec![of("exists", json!(true)), of("missing", json!(false))],
        vec![of("exists", json!(false)), of("missing", json!(true))],
        vec![of("gt", json!(5)), of("gt", json!(5.0))],
        vec![of("gte", json!(5))],
        vec![of("lt", json!(5))],
        vec![of("lte", json!(5))],
        vec![of("gt", json!("5"))],
        vec![with(json!({"property": "P", "in": ["a"]}))],
        vec![with(json!({"property": "path", "in": ["a"]}))],
        vec![with(json!({"field": "path", "in": ["a"]}))],
        vec![with(json!({"field": "referrer", "in": ["a"]}))],
        vec![
            with(json!({"field": "country", "in": ["DE"]})),
            with(json!({"field": "country", "in": ["de", "DE"]})),
        ],
        vec![with(json!({"field": "country", "contains": "DE"}))],
        vec![with(json!({"field": "country", "contains": "de"}))],
        vec![with(json!({"property": "country", "in": ["DE"]}))],
        vec![with(json!({"property": "country", "in": ["de"]}))],
        vec![json!({"visitor": "path", "in": ["a"]})],
        vec![json!({"visitor_property": "path", "in": ["a"]})],
        // Both of one visit, and each of some visit.
        vec![did(
            json!({"where": [{"property": "p", "gt": 1}, {"property": "p", "lt": 3}]}),
        )],
        vec![json!({"all": [of("gt", json!(1)), of("lt", json!(3))]})],
        vec![json!({"any": [of("gt", json!(1)), of("lt", json!(3))]})],
        vec![
            json!({"audience": "0192d4a5-7b1c-7def-8a90-0123456789ab"}),
            json!({"audience": "0192D4A5-7B1C-7DEF-8A90-0123456789AB"}),
        ],
        vec![json!({"audience": "0192d4a5-7b1c-7def-8a90-0123456789ac"})],
    ];
    let mut rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(including).collect())
        .collect();
    let sides = |include: &Value, exclude: &Value| {
        json!({"version": 1, "include": include, "exclude": exclude}).to_string()
    };
    rows.push(vec![
        sides(&a, &b),
        sides(&json!({"any": [a]}), &json!({"all": [b, b]})),
    ]);
    rows.push(vec![sides(&b, &a)]);
    rows.push(vec![sides(&a, &json!({"any": [b, c]}))]);
    rows.push(vec![sides(&a, &json!({"all": [b, c]}))]);
    rows.push(vec![sides(&json!({"all": [a, b]}), &c)]);
    rows.push(vec![sides(&a, &a)]);

    let mut hashes = BTreeMap::new();
    for row in &rows {
        let filters: Vec<_> = row.iter().map(|json| read(json)).collect();
        for filter in &filters {
            assert_eq!(filter, &filters[0], "{row:#?}");
        }
        let before = hashes.insert(filters[0].hash.clone(), row.clone());
        assert_eq!(before, None, "{row:#?}");
    }
    assert_eq!(hashes.len(), rows.len());
}

/// The identity of what is saved must not change from one release to the next.
#[test]
fn hashes_are_as_they_were() {
    let everything = including(&json!({"all": [
        {"did": {"counter": "signup", "times": {"at_least": 2, "at_most": 9}, "within": {"days": 30}, "where": [
            {"property": "plan \"\\\u{1}\u{7f}ä🦀", "in": [true, 5.0, 1e25, "pro\n"]},
            {"field": "country", "not_in": ["de"]},
        ]}},
        {"any": [
            {"did": {"counter": "a", "within": {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}}},
            {"visitor": "path", "starts_with": "/"},
            {"visitor_property": "n", "gte": 0.000_000_1},
            {"audience": "0192d4a5-7b1c-7def-8a90-0123456789ab"},
        ]},
    ]}));
    let filter = read(&everything);
    assert_eq!(
        filter.canonical,
        concat!(
            r#"{"include":{"all":[{"any":[{"audience":"0192d4a5-7b1c-7def-8a90-0123456789ab"},"#,
            r#"{"did":{"counter":"a","within":{"from":"2026-01-01T00:00:00.000Z","to":"2026-01-02T00:00:00.000Z"}}},"#,
            r#"{"gte":1e-7,"visitor_property":"n"},{"starts_with":"/","visitor":"path"}]},"#,
            r#"{"did":{"counter":"signup","times":{"at_least":2,"at_most":9},"where":["#,
            r#"{"field":"country","not_in":["DE"]},"#,
            "{\"in\":[true,1e+25,5,\"pro\\n\"],\"property\":\"plan \\\"\\\\\\u0001\u{7f}ä🦀\"}],",
            r#""within":{"days":30}}}]},"version":1}"#,
        )
    );
    assert_eq!(
        filter.hash,
        "4318aed7009c2e235d3672c24c61833384b7ed2e5e2b34a5cf6b3cc2e2fbcf6d"
    );
    assert_eq!(read(&filter.canonical), filter);
}

/// What a later release saved is not read by guessing.
#[test]
fn a_filter_of_another_version_is_named_as_such() {
    for (stored, expected) in [
        (
            r#"{"include":{"all":[{"did":{"counter":"a"}}]},"version":2}"#,
            "cannot be read by this release, and should be saved again: at `/version`: Expected the number 1, and not 2.",
        ),
        ("{", "cannot be read by this release"),
        ("", "cannot be read by this release"),
        (
            r#"{"include":{"all":[]},"version":1}"#,
            "at `/include/all`: Expected at least one",
        ),
    ] {
        let error = Tree::from_stored(stored).unwrap_err().to_string();
        assert!(error.contains(expected), "{stored}: {error}");
    }
}

/// The oracle is asked what the contract says in words.
#[test]
fn the_oracle_knows_the_rules() {
    let visit = |counter, days: f64, visitor, properties: Value| super::oracle::Visit {
        counter,
        number: 1,
        at: possible::INSTANT - (days * 86_400_000.0) as i64,
        visitor: Some(visitor),
        fields: BTreeMap::new(),
        properties: serde_json::from_value(properties).unwrap(),
    };
    let world = World {
        visits: vec![
            visit("signup", 1.0, "ada", json!({"plan": "pro", "n": 5})),
            visit("signup", 40.0, "ada", json!({"n": "5"})),
            visit("signup", 2.0, "grace", json!({"n": 5.0})),
            visit("refund", 2.0, "grace", json!({})),
        ],
        audiences: BTreeMap::new(),
        instant: possible::INSTANT,
    };
    let means = |include: Value| -> Vec<_> {
        world
            .visitors(&json!({"version": 1, "include": include}))
            .into_iter()
            .collect()
    };
    let did = |rest: Value| {
        let mut did = json!({"counter": "signup"});
        did.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        json!({"did": did})
    };
    let on = |condition: Value| did(json!({"where": [condition]}));
    assert_eq!(means(did(json!({}))), ["ada", "grace"]);
    assert_eq!(means(did(json!({"times": {"at_least": 2}}))), ["ada"]);
    assert_eq!(means(did(json!({"times": {"at_most": 1}}))), ["grace"]);
    assert_eq!(
        means(did(
            json!({"times": {"at_least": 2}, "within": {"days": 30}})
        )),
        [""; 0]
    );
    assert_eq!(means(did(json!({"within": {"days": 1}}))), ["ada"]);
    assert_eq!(
        means(on(json!({"property": "n", "in": [5]}))),
        ["ada", "grace"]
    );
    assert_eq!(means(on(json!({"property": "n", "in": ["5"]}))), ["ada"]);
    assert_eq!(
        means(on(json!({"property": "n", "gt": 4}))),
        ["ada", "grace"]
    );
    assert_eq!(means(on(json!({"property": "n", "gt": "4"}))), ["ada"]);
    assert_eq!(
        means(on(json!({"property": "n", "contains": "5"}))),
        ["ada"]
    );
    assert_eq!(
        means(on(json!({"property": "plan", "not_in": ["pro"]}))),
        ["ada", "grace"]
    );
    assert_eq!(
        means(on(json!({"property": "plan", "missing": true}))),
        ["ada", "grace"]
    );
    assert_eq!(
        means(on(json!({"property": "plan", "exists": true}))),
        ["ada"]
    );
    assert_eq!(
        means(json!({"visitor_property": "n", "missing": true})),
        ["grace"]
    );
    let exclude =
        json!({"version": 1, "include": did(json!({})), "exclude": {"did": {"counter": "refund"}}});
    assert_eq!(
        world.visitors(&exclude).into_iter().collect::<Vec<_>>(),
        ["ada"]
    );
}
