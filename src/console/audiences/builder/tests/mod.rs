//! From JSON to the form and back, and what the form says.

use proptest::prelude::*;
use serde_json::{Value, json};
use url::form_urlencoded;

mod drawn;
mod steps;

use self::drawn::filters;
use super::{
    draft::{Draft, Group, Item},
    fields::Fields,
    places::Errors,
    pretty::pretty,
    view::{Context, both},
};
use crate::{
    audiences::{filter::Filter, saved::read_filter},
    console::typed::Typed,
};

/// The fields of a page, as a browser sends them: the names and values of inputs, chosen options and texts.
fn sent(draft: &Draft) -> String {
    let Draft::Rules(rules) = draft else {
        panic!("it has no fields");
    };
    let errors = Errors::default();
    let context = Context {
        audiences: &[],
        errors: &errors,
        cursor: None,
    };
    let html = both(rules, &context)
        .map(|group| group.to_string())
        .concat();
    let mut form = form_urlencoded::Serializer::new(String::new());
    let mut rest = html.as_str();
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let tag = &rest[..rest.find('>').unwrap()];
        let name = attribute(tag, "name");
        match tag.split(' ').next().unwrap() {
            "input" => drop(form.append_pair(&name.unwrap(), &attribute(tag, "value").unwrap())),
            "textarea" => {
                let text = &rest[tag.len() + 1..rest.find("</textarea").unwrap()];
                // The first line feed is none of the text, and others are sent as two characters.
                let text = unescaped(text.strip_prefix('\n').unwrap());
                form.append_pair(&name.unwrap(), &text.replace('\n', "\r\n"));
            }
            "select" => {
                let options = &rest[..rest.find("</select").unwrap()];
                let chosen = options.split("<option").skip(1);
                let chosen: Vec<_> = chosen
                    .filter(|option| option.contains(" selected>"))
                    .collect();
                assert_eq!(chosen.len(), 1, "{options}");
                form.append_pair(&name.unwrap(), &attribute(chosen[0], "value").unwrap());
            }
            _ => {}
        }
    }
    form.finish()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(value.split('"').next().unwrap()))
}

fn unescaped(text: &str) -> String {
    let texts = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    texts
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Through the page and back.
fn again(draft: &Draft) -> Draft {
    Fields::of(&Typed::new(sent(draft).as_bytes())).draft()
}

/// What the API says of it: the canonical form, or all that is wrong.
fn meant(json: &str) -> Result<String, Vec<String>> {
    Filter::read(json)
        .map(|filter| filter.canonical)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn leaves(group: &Group) -> (usize, usize) {
    let mut found = (0, 0);
    for item in &group.items {
        match item {
            Item::Group(group) => {
                let (shown, json) = leaves(group);
                found = (found.0 + shown, found.1 + json);
            }
            Item::Json(_) => found.1 += 1,
            _ => found.0 += 1,
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// From JSON to the form, through a browser, and back: the same is meant, or the same is wrong.
    #[test]
    fn a_filter_goes_through_the_form(filter in filters()) {
        let json = filter.to_string();
        let draft = Draft::of_json(&json);
        let back = again(&draft);
        prop_assert_eq!(&back, &draft);
        let before = Filter::read(&json).map(|filter| filter.canonical);
        let after = back.write();
        match before {
            Ok(canonical) => {
                prop_assert_eq!(&after.wrong, &vec![]);
                prop_assert_eq!(meant(&after.json), Ok(canonical.clone()));
                // As it is saved it comes back, and all of it in fields but for texts that no field holds.
                let Draft::Rules(rules) = Draft::of_json(&canonical) else {
                    panic!("{canonical}");
                };
                let has_strange = canonical.contains('\\') || canonical.contains("\"\"") || canonical.chars().any(char::is_control)
                    || canonical.contains("_in\":") || canonical.contains("\"in\":");
                let (include, exclude) = (leaves(&rules.include), leaves(&rules.exclude));
                prop_assert!(has_strange || include.1 + exclude.1 == 0, "{}", canonical);
            }
            Err(_) => prop_assert!(meant(&after.json).is_err() || !after.wrong.is_empty(), "{}", after.json),
        }
    }

    /// The JSON that is shown is the same JSON.
    #[test]
    fn what_is_broken_into_lines_is_the_same(filter in filters()) {
        let json = filter.to_string();
        let shown = pretty(&json);
        prop_assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), filter);
        prop_assert_eq!(pretty(&shown), shown);
    }

    /// Everything the API finds wrong is said somewhere, in a field that is there.
    #[test]
    fn each_error_has_a_place(filter in filters()) {
        let draft = Draft::of_json(&filter.to_string());
        let written = draft.write();
        if let Err(problem) = read_filter(&written.json, "") {
            let mut errors = Errors::default();
            errors.note_places(&draft, "", problem.errors());
            let fields = sent(&draft);
            let typed = Typed::new(fields.as_bytes());
            for (name, said) in errors.all() {
                let is_rule = typed.has(&format!("{name}.kind"));
                prop_assert!(name.is_empty() || is_rule || typed.has(name), "{name}: {said} {fields}");
            }
            for error in problem.errors() {
                prop_assert!(errors.all().any(|(_, said)| said.contains(&error.detail)));
            }
        }
    }

    /// No form makes it fall, however it was made.
    #[test]
    fn any_form_is_read(pairs in prop::collection::vec((r"(include|exclude)(\.[0-3]){0,9}\.(kind|of|counter|where\.0\.of|json)", r"group|did|visitor|json|audience|property|\{"), 0..40)) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&pairs);
        let typed = Typed::new(form.finish().as_bytes());
        let draft = Fields::of(&typed).draft();
        prop_assert_eq!(again(&draft), draft.clone());
        draft.write();
    }
}

/// What each kind of rule looks like: in fields, if a field can hold it.
#[test]
fn what_is_in_fields_and_what_stays_json() {
    for (rule, is_shown) in [
        (json!({ "did": { "counter": "a" } }), true),
        (
            json!({ "did": { "counter": "a", "times": { "at_least": 3, "at_most": 5 } } }),
            true,
        ),
        (
            json!({ "did": { "counter": "a", "within": { "days": 30 } } }),
            true,
        ),
        (
            json!({ "did": { "counter": "a", "within": { "from": "2026-03-01T00:00:00.000Z", "to": "2026-03-02T00:00:00.001Z" } } }),
            true,
        ),
        (
            json!({ "did": { "counter": "a", "where": [{ "field": "path", "contains": "a\nb" }] } }),
            true,
        ),
        (
            json!({ "did": { "counter": "a", "where": [{ "field": "path", "in": ["a", " b "] }, { "property": "plan", "gte": 5.5 }] } }),
            true,
        ),
        (json!({ "visitor": "country", "in": ["DE", "AT"] }), true),
        (json!({ "visitor": "country", "contains": " " }), true),
        (
            json!({ "did": { "counter": "a", "where": [{ "field": "country", "starts_with": " d " }] } }),
            true,
        ),
        (
            json!({ "visitor_property": "seats", "not_in": [1, 2, 3] }),
            true,
        ),
        (json!({ "visitor_property": "beta", "in": [true] }), true),
        (json!({ "visitor": "campaign", "exists": false }), true),
        (
            json!({ "audience": "0192d4a5-7b1c-7def-8a90-0123456789ab" }),
            true,
        ),
        // Wrong, and shown where it is wrong.
        (json!({ "did": { "counter": "A B" } }), true),
        (json!({ "visitor": "country", "in": ["Germany"] }), true),
        (
            json!({ "did": { "counter": "a", "within": { "days": 500 } } }),
            true,
        ),
        // A line feed would part one value in two, nothing would be no value, and types would be mixed.
        (json!({ "visitor": "path", "in": ["a\nb"] }), false),
        (json!({ "visitor": "path", "in": [""] }), false),
        (json!({ "visitor": "path", "contains": "a\u{7}" }), false),
        (json!({ "visitor_property": "plan", "in": ["5", 5] }), false),
        (json!({ "did": { "counter": 5 } }), false),
        (
            json!({ "did": { "counter": "a", "within": { "from": "2026-03-01T00:00:00.0001Z", "to": "2026-03-02T00:00:00Z" } } }),
            false,
        ),
        (json!({ "did": { "counter": "a", "wehre": [] } }), false),
        (json!({ "not": { "did": { "counter": "a" } } }), false),
    ] {
        let json = json!({ "version": 1, "include": { "all": [rule] } }).to_string();
        let Draft::Rules(rules) = Draft::of_json(&json) else {
            panic!("{json}");
        };
        assert_eq!(
            leaves(&rules.include),
            (usize::from(is_shown), usize::from(!is_shown)),
            "{rule}"
        );
    }
}

/// What is no filter at all stays JSON as a whole, however deep it is.
#[test]
fn what_stays_json_as_a_whole() {
    for whole in [
        "",
        "{",
        "[]",
        "null",
        r#"{"version":2,"include":{}}"#,
        r#"{"include":{},"include":{}}"#,
        r#"{"includes":1}"#,
    ] {
        assert!(matches!(Draft::of_json(whole), Draft::Json(_)), "{whole}");
    }
    let deep = format!(
        "{}{}{}",
        r#"{"include":"#,
        r#"{"all":["#.repeat(5000),
        "]}".repeat(5000)
    );
    Draft::of_json(&format!("{deep}}}"));
}
