//! What the form says when its buttons are pressed.

use serde_json::{Value, json};
use url::form_urlencoded;

use super::super::{draft::Draft, fields::Fields, state::State};
use crate::console::typed::Typed;

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
        let mut state = State::of_sent(&Fields::of(&typed), "look");
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
        State::of_sent(&Fields::of(&typed), button)
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
