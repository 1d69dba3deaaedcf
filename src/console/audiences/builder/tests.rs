use proptest::prelude::*;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    draft::{Draft, Group, Item},
    fields::Fields,
    places::Errors,
    pretty::pretty,
    view::{Context, both},
};
use crate::{
    audiences::{filter::Filter, saved::read_filter},
    console::sent::Typed,
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
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
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
        (prop::sample::select(vec!["contains", "starts_with", "gt", "gte", "lt", "lte", "like"]), scalars()),
        (prop::sample::select(vec!["exists", "missing"]), any::<bool>().prop_map(Value::from)),
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
        Just(json!("2026-03-01T02:00:00+02:00")),
        Just(json!("2026-03-01T00:00:00.1234Z")),
        Just(json!("2026-03-01")),
        Just(json!("1969-12-31T00:00:00Z")),
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

fn filters() -> impl Strategy<Value = Value> {
    (nodes(), prop::option::of(nodes())).prop_map(|(include, exclude)| {
        let mut filter = json!({ "version": 1, "include": include });
        if let Some(exclude) = exclude {
            filter["exclude"] = exclude;
        }
        filter
    })
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
    for whole in [
        "",
        "{",
        "[]",
        "null",
        r#"{"version":2,"include":{}}"#,
        r#"{"include":{},"include":{}}"#,
        r#"{"includes":1}"#,
    ] {
        assert_eq!(Draft::of_json(whole), Draft::Json(whole.to_owned()));
    }
    let deep = format!(
        "{}{}{}",
        r#"{"include":"#,
        r#"{"all":["#.repeat(5000),
        "]}".repeat(5000)
    );
    Draft::of_json(&format!("{deep}}}"));
}

/// Fields that are left empty, or hold something else, are told in the words of the form.
#[test]
fn what_is_wrong_in_fields() {
    for (field, value, said) in [
        ("counter", "", "Choose a counter."),
        ("counter", "Sign up", "Did you mean `sign-up`?"),
        ("at_least", "many", "Expected a whole number."),
        ("at_least", "0", "whole number from 1 to 1000"),
        ("at_most", "1001", "whole number from 1 to 1000"),
        ("days", "", "Expected a whole number."),
        ("days", "401", "whole number from 1 to 400"),
        ("where.0.key", "", "Fill this in."),
        ("where.0.value", "", "Fill this in."),
        (
            "where.0.value",
            "5 apples",
            "Expected a number, such as 5 or 19.5, and not “5 apples”.",
        ),
    ] {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, good) in [
            ("kind", "did"),
            ("counter", "signup"),
            ("at_least", "1"),
            ("at_most", ""),
            ("when", "days"),
            ("days", "7"),
            ("where.0.of", "property"),
            ("where.0.key", "seats"),
            ("where.0.op", "gte"),
            ("where.0.kind", "number"),
            ("where.0.value", "5"),
        ] {
            let value = if name == field { value } else { good };
            form.append_pair(&format!("include.0.{name}"), value);
        }
        let typed = Typed::new(form.finish().as_bytes());
        let mut state = super::State::of_sent(&Fields::of(&typed), "look");
        state.check();
        let all: Vec<_> = state.errors.all().collect();
        assert_eq!(all.len(), 1, "{field} {value:?}: {all:?}");
        assert_eq!(all[0].0, format!("include.0.{field}"));
        assert!(all[0].1.contains(said), "{all:?}");
    }
}

/// Buttons change what they name, and nothing else.
#[test]
fn buttons_add_and_remove() {
    let mut draft = Draft::default();
    for (button, cursor) in [
        ("add visitor include", Some("include.1.where.0.of")),
        ("add group include", Some("include.2.of")),
        ("add audience include.2", Some("include.2.1.audience")),
        ("add condition include.2.0", Some("include.2.0.where.0.of")),
        ("add did exclude", Some("exclude.0.counter")),
        ("remove include.2.0.where.0", Some("include.2.0.counter")),
        ("remove include.2.0", Some("include.2.of")),
        ("remove include.0", Some("include.of")),
        ("remove include.9", None),
        ("remove include", None),
        ("remove include.0.where.0", None),
        ("add group nowhere", None),
        ("add condition include.0", None),
        ("add strange include", None),
        ("add did include.0", None),
        ("", None),
    ] {
        let before = draft.clone();
        assert_eq!(draft.step(button).as_deref(), cursor, "{button}");
        assert_eq!(cursor.is_none(), before == draft, "{button}");
    }
    let json: Value = serde_json::from_str(&draft.write().json).unwrap();
    let expected = json!({
        "version": 1,
        "include": { "all": [{ "visitor": "path", "in": [] }, { "any": [{ "audience": "" }] }] },
        "exclude": { "any": [{ "did": { "counter": "" } }] },
    });
    assert_eq!(json, expected);
}

/// What was edited last is taken, and nothing is lost where both were.
#[test]
fn rules_and_json_are_edited() {
    let sent = |counter: &str, json: &str, was: &str, button: &str| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("include.0.kind", "did"),
            ("include.0.counter", counter),
            ("include.0.at_least", "1"),
        ]);
        form.extend_pairs([("json", json), ("json_was", was)]);
        let form = form.finish();
        let typed = Typed::new(form.as_bytes());
        super::State::of_sent(&Fields::of(&typed), button)
    };
    let shown = sent("a", "", "", "look");
    let (json, was) = (shown.shown_json(), shown.json_was());
    let crlf = json.replace('\n', "\r\n");
    for json in [&json, &crlf] {
        let same = sent("a", json, &was, "look");
        assert!(same.errors.is_empty() && same.draft == shown.draft);
        let other = sent("b", json, &was, "look");
        assert!(other.errors.is_empty() && other.draft != shown.draft);
    }
    let edited = json.replace("\"a\"", "\"c\"");
    for button in ["look", "save", "json"] {
        let taken = sent("a", &edited, &was, button);
        assert!(
            taken.errors.is_empty() && taken.shown_json() == edited,
            "{button}"
        );
    }
    for button in ["look", "save", "save-preset", "add did include"] {
        let both = sent("b", &edited, &was, button);
        assert!(both.errors.of("json").unwrap().contains("both"), "{button}");
        assert_eq!(
            (both.shown_json(), &both.draft),
            (edited.clone(), &sent("b", &json, &was, "look").draft)
        );
        // It is still known then that it was edited.
        assert_eq!(
            sent("b", &both.shown_json(), &both.json_was(), "look").shown_json(),
            edited
        );
    }
    assert_eq!(
        sent("b", &edited, &was, "rules").shown_json(),
        json.replace("\"a\"", "\"b\"")
    );
    for broken in ["{", "[]", "{\"version\":2}", "{\"version\":1,\"x\":1}"] {
        let kept = sent("a", broken, &was, "json");
        assert_eq!(
            (kept.shown_json().as_str(), &kept.draft),
            (broken, &shown.draft)
        );
        assert!(kept.errors.of("json").is_some(), "{broken}");
    }
}
