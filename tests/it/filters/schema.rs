//! The JSON Schema accepts what is a filter, and refuses what is none as far as a schema can tell.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use footfall::audiences::filter::{Filter, schema::SCHEMA};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{
    possible,
    writing::{Choices, rewritten},
};

/// Reads the schema and then a document a line; says of each whether it is valid.
const VALIDATE: &str = "
import json, sys
import jsonschema_rs
lines = iter(sys.stdin)
schema = json.loads(next(lines))
jsonschema_rs.meta.validate(schema)
validator = jsonschema_rs.validator_for(schema)
for line in lines:
    print('yes' if validator.is_valid(json.loads(line)) else 'no')
";

/// What only the reader knows, in words of its errors.
const BEYOND: [&str; 10] = [
    "at most 50 conditions in all",
    "a time after `from`",
    "days after `from`",
    "`at_least` to be at most `at_most`",
    // A schema counts characters.
    "bytes",
    "a time from 1970 on",
    "exactly as it is written",
    "half of a surrogate pair",
    "once, and not twice",
    "JSON (RFC 8259)",
];

/// What the schema says of each document.
fn verdicts(documents: &[String]) -> Vec<bool> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let mut process = Command::new(python)
        .args(["-c", VALIDATE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python is there; ./test.sh installs it");
    let lines = [SCHEMA.to_string()]
        .into_iter()
        .chain(documents.iter().map(|json| json.replace(['\n', '\r'], " ")));
    let mut input: Vec<_> = lines.collect();
    input.push(String::new());
    let mut stdin = process.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.join("\n").as_bytes()));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(|line| line == "yes").collect()
}

/// The document, changed in one place: a value is another, a member is gone, is new or has another name.
pub fn changed(document: &Value, choices: &mut Choices) -> Value {
    let mut places = Vec::new();
    pointers(document, String::new(), &mut places);
    let mut changed = document.clone();
    let place = &places[choices.below(places.len())];
    let value = changed.pointer_mut(place).expect("it is there");
    let others = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(2),
        json!(401),
        json!(1001),
        json!(1.5),
        json!(-3),
        json!(""),
        json!("path"),
        json!("country"),
        json!("DE"),
        json!("Signup"),
        json!("a\u{0}b"),
        json!("x".repeat(65)),
        json!("ä".repeat(257)),
        json!("2026-01-01T00:00:00Z"),
        json!("0192d4a5-7b1c-7def-8a90-0123456789ab"),
        json!([]),
        json!({}),
        json!(["a"]),
        json!([1, "a", true]),
        json!([null]),
        json!({"days": 3}),
        json!({"did": {"counter": "a"}}),
        json!([{"did": {"counter": "a"}}]),
        json!({"audience": "x"}),
        json!({"visitor": "path", "gt": "a"}),
        json!({"field": "path", "in": ["a"]}),
        json!({"at_least": 3, "at_most": 2}),
        json!({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}),
        json!({"property": "n", "lt": 3}),
        json!((0..101).collect::<Vec<_>>()),
    ];
    let names = [
        "all",
        "any",
        "did",
        "visitor",
        "visitor_property",
        "audience",
        "field",
        "property",
        "in",
        "not_in",
        "contains",
        "exists",
        "missing",
        "gt",
        "lte",
        "times",
        "within",
        "where",
        "counter",
        "days",
        "from",
        "to",
        "at_most",
        "other",
        "exclude",
        "version",
    ];
    let other = others[choices.below(others.len())].clone();
    let name = names[choices.below(names.len())].to_owned();
    match (choices.below(4), value) {
        (0, Value::Object(members)) if !members.is_empty() => {
            let key = members
                .keys()
                .nth(choices.below(members.len()))
                .unwrap()
                .clone();
            members.remove(&key);
        }
        (1, Value::Object(members)) => drop(members.insert(name, other)),
        (2, Value::Object(members)) if !members.is_empty() => {
            let key = members
                .keys()
                .nth(choices.below(members.len()))
                .unwrap()
                .clone();
            let value = members.remove(&key).unwrap();
            members.insert(name, value);
        }
        (0 | 1, Value::Array(values)) => values.push(other),
        (_, value) => *value = other,
    }
    changed
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(value, format!("{at}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                pointers(value, format!("{at}/{place}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

/// Filters, the same ones written otherwise, and with one change each.
fn documents() -> Vec<String> {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let cases = config.cases;
    let mut runner = TestRunner::new(config);
    let filter = (
        possible::filter(possible::audience_ids().to_vec()),
        any::<u64>(),
    );
    let mut documents = Vec::new();
    for _ in 0..cases {
        let (filter, seed) = filter.new_tree(&mut runner).unwrap().current();
        let mut choices = Choices::of(seed);
        documents.push(rewritten(&filter, &mut choices));
        documents.extend((0..8).map(|_| changed(&filter, &mut choices).to_string()));
    }
    documents
}

#[test]
fn the_schema_accepts_what_the_reader_accepts() {
    let documents = documents();
    let verdicts = verdicts(&documents);
    assert_eq!(verdicts.len(), documents.len());
    let (mut accepted, mut refused) = (0, 0);
    for (json, is_valid) in documents.iter().zip(verdicts) {
        match Filter::read(json) {
            Ok(_) => {
                accepted += 1;
                assert!(is_valid, "the schema refuses {json}");
            }
            Err(errors) => {
                let only_beyond = errors.iter().all(|error| {
                    let expected = error.to_string();
                    BEYOND.iter().any(|beyond| expected.contains(beyond))
                });
                refused += usize::from(!only_beyond);
                assert!(
                    only_beyond || !is_valid,
                    "the schema accepts {json}: {errors:#?}"
                );
            }
        }
    }
    println!("{accepted} accepted, {refused} refused by both");
    let many = documents.len() / 10;
    assert!(accepted > many && refused > many, "{accepted} {refused}");
}

/// Each limit that a schema can say, by one too many.
#[test]
fn the_schema_knows_the_limits() {
    let including = |node: Value| json!({"version": 1, "include": node});
    let did = |rest: Value| {
        let mut did = json!({"counter": "a"});
        did.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        including(json!({"did": did}))
    };
    let nested = |depth| {
        (0..depth).fold(
            json!({"did": {"counter": "a"}}),
            |inner, _| json!({"all": [inner]}),
        )
    };
    let values = |count: usize| {
        did(json!({"where": [{"property": "n", "in": (0..count).collect::<Vec<_>>()}]}))
    };
    let text =
        |bytes: usize| did(json!({"where": [{"field": "path", "contains": "x".repeat(bytes)}]}));
    let key =
        |bytes: usize| including(json!({"visitor_property": "x".repeat(bytes), "missing": true}));
    let rows = [
        (including(nested(5)), including(nested(6))),
        (values(100), values(101)),
        (values(1), values(0)),
        (text(512), text(513)),
        (text(1), text(0)),
        (key(64), key(65)),
        (key(1), key(0)),
        (
            did(json!({"within": {"days": 400}})),
            did(json!({"within": {"days": 401}})),
        ),
        (
            did(json!({"within": {"days": 1.0}})),
            did(json!({"within": {"days": 0}})),
        ),
        (
            did(json!({"times": {"at_least": 1000}})),
            did(json!({"times": {"at_least": 1001}})),
        ),
        (
            did(json!({"times": {"at_most": 1}})),
            did(json!({"times": {}})),
        ),
        (
            including(json!({"did": {"counter": "x".repeat(64)}})),
            including(json!({"did": {"counter": "x".repeat(65)}})),
        ),
        (did(json!({"where": []})), including(json!({"all": []}))),
    ];
    let documents: Vec<_> = rows
        .iter()
        .flat_map(|(good, bad)| [good.to_string(), bad.to_string()])
        .collect();
    for (json, (place, is_valid)) in documents
        .iter()
        .zip(verdicts(&documents).iter().enumerate())
    {
        assert_eq!(*is_valid, place % 2 == 0, "{json}");
        assert_eq!(Filter::read(json).is_ok(), *is_valid, "{json}");
    }
}
