//! Filters as proptest draws them: good ones, strange ones, and wrong ones.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Texts as people and strangers write them.
fn texts() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z]{1,8}".prop_map(Value::from),
        r#"(?s)[ \t\r\n"'<>&%_\\;\u{0}\u{7}\u{202e}\u{fffe}äßé😀ا]{0,6}"#.prop_map(Value::from),
        Just(json!("")),
        Just(json!(" ")),
        Just(json!("5")),
        Just(json!("</textarea><script>")),
    ]
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => texts(),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => (-1e9..1e9f64).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn conditions(field: &'static str, property: &'static str) -> impl Strategy<Value = Value> {
    let of = prop_oneof![
        prop::sample::select(vec!["path", "referrer", "campaign", "country", "color"])
            .prop_map(move |name| (field, json!(name))),
        texts().prop_map(move |key| (property, key)),
    ];
    let test = prop_oneof![
        4 => (
            prop::sample::select(vec!["in", "not_in"]),
            prop_oneof![
                prop::collection::vec(texts(), 0..4),
                prop::collection::vec(scalars(), 0..4),
                prop::collection::vec(any::<i32>().prop_map(Value::from), 1..4),
                Just(vec![json!("DE"), json!("at")]),
            ],
        )
            .prop_map(|(op, values)| (op, Value::from(values))),
        2 => (prop::sample::select(vec!["contains", "starts_with"]), texts()),
        1 => (prop::sample::select(vec!["contains", "starts_with", "gt", "gte", "lt", "lte", "like"]), scalars()),
        1 => (prop::sample::select(vec!["exists", "missing"]), any::<bool>().prop_map(Value::from)),
    ];
    (of, test).prop_map(|((subject, of), (op, value))| json!({ subject: of, op: value }))
}

fn dids() -> impl Strategy<Value = Value> {
    let counter = prop_oneof![4 => "[a-z][a-z0-9._-]{0,7}".prop_map(Value::from), 1 => scalars()];
    let number = prop_oneof![4 => (1..1000_u16).prop_map(Value::from), 1 => scalars()];
    let times = (
        prop::option::of(number.clone()),
        prop::option::of(number.clone()),
    );
    let moment = prop_oneof![
        6 => (0..1_i64 << 43).prop_map(|millis| json!(crate::audit::time::format(millis))),
        1 => Just(json!("2026-03-01T02:00:00+02:00")),
        1 => Just(json!("2026-03-01T00:00:00.1234Z")),
        1 => Just(json!("2026-03-01")),
        1 => Just(json!("1969-12-31T00:00:00Z")),
    ];
    let within = prop_oneof![
        number.prop_map(|days| json!({ "days": days })),
        (moment.clone(), moment).prop_map(|(from, to)| json!({ "from": from, "to": to })),
        Just(json!({})),
    ];
    let conditions = prop::collection::vec(conditions("field", "property"), 0..3);
    (
        counter,
        prop::option::of(times),
        prop::option::of(within),
        prop::option::of(conditions),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(counter, times, within, conditions, is_strange)| {
            let mut did = json!({ "counter": counter });
            if let Some((at_least, at_most)) = times {
                did["times"] = json!({});
                for (name, number) in [("at_least", at_least), ("at_most", at_most)] {
                    if let Some(number) = number {
                        did["times"][name] = number;
                    }
                }
            }
            for (name, part) in [("within", within), ("where", conditions.map(Value::from))] {
                if let Some(part) = part {
                    did[name] = part;
                }
            }
            if is_strange {
                did["strange"] = json!(1);
            }
            json!({ "did": did })
        })
}

fn nodes() -> impl Strategy<Value = Value> {
    let id =
        any::<u128>().prop_map(|id| json!({ "audience": uuid::Uuid::from_u128(id).to_string() }));
    let leaf = prop_oneof![
        5 => dids(),
        2 => conditions("visitor", "visitor_property"),
        1 => id,
        1 => prop::sample::select(vec![
            json!({}), json!([]), json!(null), json!({ "not": 1 }), json!({ "all": {} }), json!({ "did": [] }),
            json!({ "audience": "Customers" }), json!({ "did": { "counter": "a" }, "all": [] }),
        ]),
    ];
    leaf.prop_recursive(8, 24, 4, |inner| {
        let group = prop::sample::select(vec!["all", "any"]);
        (group, prop::collection::vec(inner, 0..4))
            .prop_map(|(group, nodes)| json!({ group: nodes }))
    })
}

pub fn filters() -> impl Strategy<Value = Value> {
    (nodes(), prop::option::of(nodes())).prop_map(|(include, exclude)| {
        let mut filter = json!({ "version": 1, "include": include });
        if let Some(exclude) = exclude {
            filter["exclude"] = exclude;
        }
        filter
    })
}
