//! What is said of a filter.

use std::collections::BTreeSet;

use footfall::audiences::filter::{Filter, words};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::possible;

fn said(filter: &Value) -> String {
    let json = filter.to_string();
    let filter = Filter::read(&json).unwrap_or_else(|errors| panic!("{json}: {errors:#?}"));
    let name = |id: uuid::Uuid| {
        possible::audience_ids()
            .contains(&id)
            .then(|| format!("A {id}"))
    };
    words::sentence(&filter.tree, &name)
}

fn including(node: &Value) -> Value {
    json!({"version": 1, "include": node})
}

#[test]
fn each_part_has_its_words() {
    let did = |rest: Value| {
        let mut did = json!({"counter": "a"});
        did.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        json!({"did": did})
    };
    let on = |condition: Value| did(json!({"where": [condition]}));
    let of = |test: &str, value: Value| on(json!({"property": "n", test: value}));
    let between = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"});
    for (node, expected) in [
        (did(json!({})), r#"have a visit on "a""#),
        (
            did(json!({"times": {"at_least": 2}})),
            r#"have at least 2 visits on "a""#,
        ),
        (
            did(json!({"times": {"at_most": 2}})),
            r#"have 1 to 2 visits on "a""#,
        ),
        (
            did(json!({"times": {"at_most": 1}})),
            r#"have exactly 1 visit on "a""#,
        ),
        (
            did(json!({"times": {"at_least": 2, "at_most": 2}})),
            r#"have exactly 2 visits on "a""#,
        ),
        (
            did(json!({"times": {"at_least": 2, "at_most": 3}})),
            r#"have 2 to 3 visits on "a""#,
        ),
        (
            did(json!({"within": {"days": 1}})),
            r#"have a visit on "a" in the last 24 hours"#,
        ),
        (
            did(json!({"within": {"days": 30}})),
            r#"have a visit on "a" in the last 30 days"#,
        ),
        (
            did(json!({"within": between})),
            r#"have a visit on "a" from 2026-01-01T00:00:00.000Z to before 2026-02-01T00:00:00.000Z"#,
        ),
        (
            of("in", json!(["x"])),
            r#"have a visit on "a" where property "n" is "x""#,
        ),
        (
            of("in", json!([5, "5", true])),
            r#"have a visit on "a" where property "n" is one of (true, 5, "5")"#,
        ),
        (
            of("not_in", json!(["x"])),
            r#"have a visit on "a" where property "n" is not "x" (or is missing)"#,
        ),
        (
            of("not_in", json!(["x", "y"])),
            r#"have a visit on "a" where property "n" is not one of ("x", "y") (or is missing)"#,
        ),
        (
            of("in", json!(["שלום"])),
            "have a visit on \"a\" where property \"n\" is \u{2068}\"שלום\"\u{2069}",
        ),
        (
            of("contains", json!("x")),
            r#"have a visit on "a" where property "n" contains "x""#,
        ),
        (
            of("starts_with", json!("x")),
            r#"have a visit on "a" where property "n" starts with "x""#,
        ),
        (
            of("exists", json!(true)),
            r#"have a visit on "a" where property "n" is present"#,
        ),
        (
            of("missing", json!(true)),
            r#"have a visit on "a" where property "n" is missing"#,
        ),
        (
            of("gt", json!(5)),
            r#"have a visit on "a" where property "n" is greater than 5"#,
        ),
        (
            of("gte", json!(5)),
            r#"have a visit on "a" where property "n" is at least 5"#,
        ),
        (
            of("lt", json!(5.5)),
            r#"have a visit on "a" where property "n" is less than 5.5"#,
        ),
        (
            of("lte", json!(-5)),
            r#"have a visit on "a" where property "n" is at most -5"#,
        ),
        (
            of("gt", json!("m")),
            r#"have a visit on "a" where property "n" is a text that sorts after "m""#,
        ),
        (
            of("gte", json!("m")),
            r#"have a visit on "a" where property "n" is a text that does not sort before "m""#,
        ),
        (
            of("lt", json!("m")),
            r#"have a visit on "a" where property "n" is a text that sorts before "m""#,
        ),
        (
            of("lte", json!("m")),
            r#"have a visit on "a" where property "n" is a text that does not sort after "m""#,
        ),
        (
            did(
                json!({"where": [{"field": "path", "contains": "x"}, {"field": "country", "in": ["de"]}]}),
            ),
            r#"have a visit on "a" where (path contains "x" and country is "DE")"#,
        ),
        (
            json!({"visitor": "campaign", "exists": true}),
            "have a visit on any counter where campaign is present",
        ),
        (
            json!({"visitor_property": "campaign", "exists": true}),
            r#"have a visit on any counter where property "campaign" is present"#,
        ),
        (
            json!({"audience": possible::audience_ids()[0]}),
            r#"are in the audience "A 0192d4a5-7b1c-7000-8000-000000000001""#,
        ),
        (
            json!({"audience": "0192d4a5-7b1c-7def-8a90-0123456789ab"}),
            "are in the audience 0192d4a5-7b1c-7def-8a90-0123456789ab",
        ),
    ] {
        assert_eq!(said(&including(&node)), format!("Visitors who {expected}."));
    }
    let [a, b, c] = ["a", "b", "c"].map(|counter| json!({"did": {"counter": counter}}));
    for (include, exclude, expected) in [
        (
            json!({"all": [a, b]}),
            None,
            r#"have a visit on "a" and have a visit on "b""#,
        ),
        (
            json!({"any": [a, b]}),
            None,
            r#"have a visit on "a" or have a visit on "b""#,
        ),
        (
            json!({"all": [a, {"any": [b, c]}]}),
            None,
            r#"(have a visit on "b" or have a visit on "c") and have a visit on "a""#,
        ),
        (
            json!({"any": [a, b]}),
            Some(json!({"any": [b, c]})),
            r#"have a visit on "a" or have a visit on "b", but not those who have a visit on "b" or have a visit on "c""#,
        ),
    ] {
        let mut filter = including(&include);
        filter
            .as_object_mut()
            .unwrap()
            .extend(exclude.map(|exclude| ("exclude".to_owned(), exclude)));
        assert_eq!(said(&filter), format!("Visitors who {expected}."));
    }
}

/// Texts that are made to look like what is around them.
fn hostile() -> impl Strategy<Value = String> {
    let tricks = vec![
        "\" or are in the audience \"x",
        "\\",
        "\\\"",
        "\u{202e}",
        "\u{2069}\u{2067}",
        "\u{2028}",
        "\u{feff}",
        "\u{200b}",
        "\n",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{e0001}",
        "שלום",
        "مرحبا",
        "%s{}",
        "🦀",
        "a\u{308}",
        ") and (",
        "”",
        "'",
    ];
    prop_oneof![
        3 => vec(select(tricks), 1..4).prop_map(|tricks| tricks.concat()),
        1 => "[^\u{0}]{1,12}",
    ]
}

/// What stands in quotes, as it was before it was escaped, and what is left of the sentence.
fn unquoted(sentence: &str) -> (BTreeSet<String>, String) {
    let (mut texts, mut rest) = (BTreeSet::new(), String::new());
    let mut characters = sentence.chars();
    while let Some(character) = characters.next() {
        if character != '"' {
            rest.push(character);
            continue;
        }
        let mut text = String::new();
        loop {
            text.push(match characters.next().expect("an end quote") {
                '"' => break,
                '\\' => match characters.next().expect("what is escaped") {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'u' => {
                        let code: String = characters.by_ref().take_while(|c| *c != '}').collect();
                        let code = code.trim_start_matches('{');
                        char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap()
                    }
                    plain => plain,
                },
                plain => plain,
            });
        }
        texts.insert(text);
        rest.push('"');
    }
    (texts, rest)
}

/// Every text that is a value, a key or a counter.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let is_word = matches!(
                    name.as_str(),
                    "field" | "visitor" | "audience" | "from" | "to"
                );
                if !is_word {
                    texts(value, found);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::String(text) => drop(found.insert(text.clone())),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Filters differ where their sentences do, and nowhere else.
    #[test]
    fn a_sentence_has_one_meaning(filters in vec(possible::filter(possible::audience_ids().to_vec()), 2..5)) {
        for one in &filters {
            for other in &filters {
                let canonical = |filter: &Value| Filter::read(&filter.to_string()).unwrap().canonical;
                prop_assert_eq!(canonical(one) == canonical(other), said(one) == said(other));
            }
        }
    }

    /// One that differs from it in one place says something else.
    #[test]
    fn each_place_is_said(filter in possible::filter(possible::audience_ids().to_vec()), seed in any::<u64>()) {
        let other = super::schema::changed(&filter, &mut super::writing::Choices::of(seed));
        if let Ok(read) = Filter::read(&other.to_string()) {
            let same = read.canonical == Filter::read(&filter.to_string()).unwrap().canonical;
            prop_assert_eq!(said(&filter) == said(&other), same, "{}", other);
        }
    }

    /// No text ends its quotes, turns the direction of what is around it, or is lost.
    #[test]
    fn nothing_breaks_out_of_its_quotes(key in hostile(), values in vec(hostile(), 1..4), part in hostile(), name in hostile()) {
        prop_assume!(key.len() <= 64);
        let filter = json!({"version": 1,
            "include": {"all": [
                {"did": {"counter": "a", "where": [{"property": key, "in": values}, {"field": "path", "contains": part}]}},
                {"audience": possible::audience_ids()[0]},
            ]},
            "exclude": {"visitor_property": key, "not_in": values}});
        let read = Filter::read(&filter.to_string()).unwrap();
        let sentence = words::sentence(&read.tree, &|_| Some(name.clone()));
        let (said, rest) = unquoted(&sentence);
        let mut expected = BTreeSet::from([name]);
        texts(&filter, &mut expected);
        prop_assert_eq!(said, expected);
        let is_word = |c: char| c == ' ' || c.is_ascii_graphic() && c != '\\';
        let outside = rest.replace(['\u{2068}', '\u{2069}'], "");
        prop_assert!(outside.chars().all(is_word), "{:?}", sentence);
        // Isolates are in pairs around whole texts, and nothing else has a direction of its own.
        prop_assert_eq!(rest.matches('\u{2068}').count(), rest.matches("\u{2068}\"\u{2069}").count());
        prop_assert_eq!(sentence.matches('\u{2069}').count(), rest.matches("\u{2068}\"\u{2069}").count());
        let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}' | '\u{2067}');
        prop_assert!(!sentence.chars().any(|c| c.is_control() || turns(c)), "{:?}", sentence);
        prop_assert_eq!(sentence.lines().count(), 1);
    }
}
