//! Filters and visits as they may be: of so few people, counters and values that they meet.

use std::collections::BTreeMap;

use footfall::audit::time;
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::oracle::{Visit, World};

/// 2026-11-26T04:00:00Z, the instant at which all is asked.
pub const INSTANT: i64 = 1_795_752_000_000;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Counters that are asked for; nobody ever came to the last one.
pub const COUNTERS: [&str; 4] = ["signup", "refund", "a.b-c_d", "never"];

/// Who comes.
pub const VISITORS: [&str; 6] = ["ada", "grace", "Ada", "%", "_", "linus'; --"];

const PATHS: [&str; 9] = [
    "/",
    "/a",
    "/ab",
    "/A",
    "/%",
    "/_",
    "/\\",
    "/'\"",
    "/\u{202e}ä🦀",
];

const COUNTRIES: [&str; 3] = ["DE", "AT", "CH"];

const KEYS: [&str; 5] = ["plan", "n", "a\"b", "$.n", "%_\\'"];

/// When a visit may have been, before the instant: mostly at the borders of days that are asked for, and beside them.
fn age() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => border(),
        1 => 1..3 * DAY,
        1 => 1..40 * DAY,
    ]
}

/// So few that a time that is asked for often has a visit at it, and one beside it.
fn border() -> impl Strategy<Value = i64> {
    let border = (select(vec![0, 1, 2, 3, 30, 400]), -1..=1_i64);
    border.prop_map(|(days, beside)| (days * DAY + beside).max(1))
}

/// A value of a property: of all types, some of which look like others.
fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!("pro"),
        json!("Pro"),
        json!("prö"),
        json!("5"),
        json!("true"),
        json!(""),
        json!("a%b_c\\"),
        json!("🦀'\""),
        json!(5),
        json!(5.0),
        json!(5.5),
        json!(-1),
        json!(0),
        json!(9_007_199_254_740_993_i64),
        json!(9_007_199_254_740_992.0),
        json!(u64::MAX),
        json!(1e300),
        json!(0.1),
        json!(true),
        json!(false),
    ])
}

fn value_of(field: &'static str) -> BoxedStrategy<String> {
    match field {
        "country" => select(COUNTRIES.to_vec()).prop_map(str::to_owned).boxed(),
        _ => select(PATHS.to_vec()).prop_map(str::to_owned).boxed(),
    }
}

const FIELDS: [&str; 4] = ["path", "referrer", "campaign", "country"];

fn fields() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let all = FIELDS.map(|field| option::weighted(0.4, value_of(field)));
    all.prop_map(|values| {
        let named = FIELDS.into_iter().zip(values);
        named
            .filter_map(|(field, value)| Some((field, value?)))
            .collect()
    })
}

/// Visits in the order of their times; the numbers of each counter are in that order, too.
pub fn visits(most: usize) -> impl Strategy<Value = Vec<Visit>> {
    let key = select(KEYS.to_vec()).prop_map(str::to_owned);
    let visit = (
        select(COUNTERS[..3].to_vec()),
        age(),
        option::weighted(0.9, select(VISITORS.to_vec())),
        fields(),
        btree_map(key, scalar(), 0..3),
    );
    let visit = visit.prop_map(|(counter, age, visitor, fields, properties)| Visit {
        counter,
        number: 0,
        at: INSTANT - age,
        visitor,
        fields,
        properties,
    });
    vec(visit, 0..=most).prop_map(|mut visits| {
        visits.sort_by_key(|visit| visit.at);
        let mut numbers = BTreeMap::new();
        for visit in &mut visits {
            let number: &mut u64 = numbers.entry(visit.counter).or_default();
            *number += 1;
            visit.number = *number;
        }
        visits
    })
}

/// One operator with what is asked, of a field or of a property.
fn operator(values: BoxedStrategy<Value>) -> impl Strategy<Value = (&'static str, Value)> {
    let list = vec(values.clone(), 1..4).prop_map(Value::from);
    let limit = values.prop_map(|value| match value {
        // There is no order of true and false.
        Value::Bool(_) => json!(5),
        other => other,
    });
    let part = select(vec![
        "/", "a", "p", "%", "_", "\\", "ä", "🦀", "'", "5", "/a", "pro", "\u{202e}",
    ]);
    prop_oneof![
        3 => (select(vec!["in", "not_in"]), list),
        2 => (select(vec!["contains", "starts_with"]), part.prop_map(Value::from)),
        1 => (select(vec!["exists", "missing"]), any::<bool>().prop_map(Value::from)),
        2 => (select(vec!["gt", "gte", "lt", "lte"]), limit),
    ]
}

/// A condition whose subject has these names.
fn condition(field: &'static str, property: &'static str) -> BoxedStrategy<Value> {
    let of_field = select(FIELDS.to_vec()).prop_flat_map(move |name| {
        let values = value_of(name).prop_map(Value::from).boxed();
        operator(values).prop_map(move |(operator, asked)| json!({field: name, operator: asked}))
    });
    let of_property = (select(KEYS.to_vec()), operator(scalar().boxed()))
        .prop_map(move |(key, (operator, asked))| json!({property: key, operator: asked}));
    prop_oneof![of_field, of_property].boxed()
}

fn within() -> impl Strategy<Value = Value> {
    let days = select(vec![1, 2, 3, 30, 400]).prop_map(|days| json!({"days": days}));
    let (borders, any) = ((border(), border()), (age(), 1..30 * DAY));
    let between = prop_oneof![
        3 => borders.prop_map(|(one, other)| (one.max(other), (one - other).abs().max(1))),
        1 => any,
    ];
    let between = between.prop_map(|(age, long)| {
        let from = INSTANT - age;
        json!({"from": time::format(from), "to": time::format(from + long)})
    });
    prop_oneof![days, between]
}

fn times() -> impl Strategy<Value = Value> {
    (1..4_u16, 0..3_u16, 0..3).prop_map(|(least, more, kind)| match kind {
        0 => json!({"at_least": least}),
        1 => json!({"at_most": least}),
        _ => json!({"at_least": least, "at_most": least + more}),
    })
}

fn did() -> impl Strategy<Value = Value> {
    let conditions = vec(condition("field", "property"), 1..3).prop_map(Value::from);
    (
        select(COUNTERS.to_vec()),
        option::weighted(0.4, times()),
        option::weighted(0.5, within()),
        option::weighted(0.4, conditions),
    )
        .prop_map(|(counter, times, within, conditions)| {
            let mut did = Map::new();
            did.insert("counter".to_owned(), counter.into());
            let members = [("times", times), ("within", within), ("where", conditions)];
            for (name, member) in members {
                did.extend(member.map(|member| (name.to_owned(), member)));
            }
            json!({"did": did})
        })
}

fn node(audiences: Vec<Uuid>) -> impl Strategy<Value = Value> {
    let visitor = condition("visitor", "visitor_property");
    let leaf = match audiences.is_empty() {
        true => prop_oneof![3 => did(), 1 => visitor].boxed(),
        false => {
            let audience = select(audiences).prop_map(|id| json!({"audience": id}));
            prop_oneof![3 => did(), 1 => visitor, 1 => audience].boxed()
        }
    };
    leaf.prop_recursive(4, 10, 3, |inner| {
        (any::<bool>(), vec(inner, 1..4)).prop_map(|(all, children)| match all {
            true => json!({"all": children}),
            false => json!({"any": children}),
        })
    })
}

/// A filter that may refer to these audiences. It is within all limits.
pub fn filter(audiences: Vec<Uuid>) -> impl Strategy<Value = Value> {
    let node = node(audiences).boxed();
    (node.clone(), option::weighted(0.4, node)).prop_map(|(include, exclude)| {
        let mut filter = json!({"version": 1, "include": include});
        if let Some(exclude) = exclude {
            filter["exclude"] = exclude;
        }
        filter
    })
}

/// The ids of the audiences of [`world`], in the order in which they can be made: each refers to those before it.
pub fn audience_ids() -> [Uuid; 3] {
    [1, 2, 3].map(|number| Uuid::from_u128(0x0192_d4a5_7b1c_7000_8000_0000_0000_0000 + number))
}

/// Visits, and up to three audiences, each of which may refer to those before it.
pub fn world(most_visits: usize) -> impl Strategy<Value = World> {
    let [first, second, third] = audience_ids();
    let audiences = (
        filter(vec![]),
        filter(vec![first]),
        filter(vec![first, second]),
        0..=3_usize,
    );
    (visits(most_visits), audiences).prop_map(move |(visits, (one, two, three, how_many))| {
        let all = [(first, one), (second, two), (third, three)];
        World {
            visits,
            audiences: all.into_iter().take(how_many).collect(),
            instant: INSTANT,
        }
    })
}

/// A world, and some filters that may be asked in it.
pub fn questions(
    most_visits: usize,
    filters: std::ops::Range<usize>,
) -> impl Strategy<Value = (World, Vec<Value>)> {
    world(most_visits).prop_flat_map(move |world| {
        // The third is 3 deep if it refers to the second, and that to the first.
        let ids: Vec<_> = world.audiences.keys().copied().collect();
        let asked = vec(filter(ids), filters.clone());
        (Just(world), asked)
    })
}
