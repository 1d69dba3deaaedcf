//! The limits of a visit, each by one too many.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The field that is wrong and what is said of it.
fn wrong(json: &str) -> (Option<String>, String) {
    match Carried::from_json(json) {
        Err(InvalidVisit::Content { field, detail }) => (field.map(String::from), detail),
        other => panic!("{json}: {other:?}"),
    }
}

fn carried(json: &str) -> Carried {
    let read = Carried::from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    read.unwrap_or_else(|| panic!("{json} carries nothing"))
}

fn with(name: &str, value: impl Into<Value>) -> String {
    json!({ name: value.into() }).to_string()
}

fn properties(members: impl IntoIterator<Item = (String, Value)>) -> String {
    let members: serde_json::Map<_, _> = members.into_iter().collect();
    json!({ "properties": members }).to_string()
}

/// This many properties.
fn many(count: usize) -> String {
    properties((0..count).map(|number| (number.to_string(), number.into())))
}

/// An object of exactly this length.
fn padded(bytes: usize) -> String {
    let object = r#"{"path":"/"}"#;
    format!("{object}{}", " ".repeat(bytes - object.len()))
}

const TEXTS: [&str; 4] = ["visitor", "path", "referrer", "campaign"];

#[test]
fn all_of_it() {
    let carried = carried(
        r#" {"visitor":"ann","path":"/a?b=\u00e4\ud83d\ude00","referrer":"https://r.example/","campaign":"spring",
            "country":"de","properties":{"plan":"pro","seats":3,"trial":false,"ratio":0.5,"old":-7,"none":null,"":""}} "#,
    );
    assert_eq!(carried.visitor.as_deref(), Some("ann"));
    let kept: Value = serde_json::from_str(&carried.rest.with(None)).unwrap();
    assert_eq!(
        kept,
        json!({ "p": "/a?b=ä😀", "r": "https://r.example/", "c": "spring", "n": "DE",
            "x": { "plan": "pro", "seats": 3, "trial": false, "ratio": 0.5, "old": -7, "": "" } })
    );
    // As it is kept it can be read again.
    let stored = Stored {
        visitor: Some("=ann".into()),
        attributes: carried.rest.attributes(),
    };
    let kept = serde_json::to_string(&stored).unwrap();
    assert_eq!(carried.rest.with(Some("=ann")), kept);
    assert_eq!(serde_json::from_str::<Stored>(&kept).unwrap(), stored);
}

#[test]
fn what_says_nothing_is_a_plain_visit() {
    for plain in [
        " null ",
        "{}",
        " {\n} ",
        r#"{"visitor":null,"path":null,"country":null,"properties":null}"#,
        r#"{"visitor":"","path":"","referrer":"","campaign":"","country":""}"#,
        r#"{"properties":{}}"#,
        r#"{"properties":{"a":null}}"#,
    ] {
        assert_eq!(Carried::from_json(plain), Ok(None), "{plain}");
    }
}

#[test]
fn up_to_each_limit() {
    for text in ["x".repeat(512), "ä".repeat(256), "😀".repeat(128)] {
        for name in TEXTS {
            carried(&with(name, &*text));
        }
        let property = properties([("k".repeat(64), (&*text).into())]);
        let carried = carried(&property);
        assert_eq!(
            carried.rest.attributes().properties[&*"k".repeat(64)],
            *text
        );
    }
    carried(&properties([("😀".repeat(16), 1.into())]));
    assert_eq!(carried(&many(20)).rest.attributes().properties.len(), 20);
    assert_eq!(padded(2048).len(), 2048);
    carried(&padded(2048));
}

#[test]
fn one_too_many_of_each() {
    // A character of four bytes in a limit that ends within it; and escapes, which are longer as sent.
    for text in ["x".repeat(513), format!("x{}", "😀".repeat(128))] {
        for name in TEXTS {
            let (field, detail) = wrong(&with(name, &*text));
            assert_eq!(field.as_deref(), Some(name));
            assert!(detail.contains("512") && detail.contains("513"), "{detail}");
        }
        let (field, detail) = wrong(&properties([("plan".to_owned(), (&*text).into())]));
        assert_eq!(field.as_deref(), Some("/properties/plan"));
        assert!(detail.contains("512") && detail.len() < 150, "{detail}");
    }
    for key in ["k".repeat(65), format!("k{}", "😀".repeat(16))] {
        let (field, detail) = wrong(&properties([(key, 1.into())]));
        assert_eq!(field.as_deref(), Some("properties"));
        assert!(detail.contains("64") && detail.contains("65"), "{detail}");
    }
    let (field, detail) = wrong(&many(21));
    assert_eq!(field.as_deref(), Some("properties"));
    assert!(detail.contains("20") && detail.contains("21"), "{detail}");
    let (field, detail) = wrong(&padded(2049));
    assert_eq!(field, None);
    assert!(
        detail.contains("2048") && detail.contains("2049"),
        "{detail}"
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (json, field) in [
        // Not what it should be.
        (r#"{"path":1}"#, "path"),
        (r#"{"path":true}"#, "path"),
        (r#"{"visitor":{"id":1}}"#, "visitor"),
        (r#"{"referrer":["a"]}"#, "referrer"),
        (r#"{"properties":[]}"#, "properties"),
        (r#"{"properties":"a"}"#, "properties"),
        (r#"{"properties":{"a":[1]}}"#, "/properties/a"),
        (r#"{"properties":{"a":{}}}"#, "/properties/a"),
        // Countries.
        (r#"{"country":"D"}"#, "country"),
        (r#"{"country":"DEU"}"#, "country"),
        (r#"{"country":"D1"}"#, "country"),
        (r#"{"country":" D"}"#, "country"),
        (r#"{"country":"ä"}"#, "country"),
        (r#"{"country":49}"#, "country"),
        // NUL.
        (r#"{"path":"/\u0000"}"#, "path"),
        (r#"{"properties":{"a":"\u0000"}}"#, "/properties/a"),
        (r#"{"properties":{"a\u0000":1}}"#, "properties"),
        // Halves of surrogate pairs.
        (r#"{"path":"\ud800"}"#, "path"),
        (r#"{"path":"\ud800\ud800"}"#, "path"),
        (r#"{"path":"\ud800x"}"#, "path"),
        (r#"{"path":"\udc00\ud800"}"#, "path"),
        (r#"{"properties":{"a":"\udfff"}}"#, "/properties/a"),
        (r#"{"properties":{"\ud800":1}}"#, "properties"),
        // Unknown.
        (r#"{"vistor":"ann"}"#, "vistor"),
        (r#"{"Path":"/"}"#, "Path"),
        (r#"{"counter":"a"}"#, "counter"),
        (r#"{"key":"a"}"#, "key"),
        (r#"{"time":1}"#, "time"),
        (r#"{"":1}"#, ""),
        // Twice.
        (r#"{"path":"/","path":"/"}"#, "path"),
        (r#"{"path":null,"path":"/"}"#, "path"),
        (r#"{"path":"/","p\u0061th":"/"}"#, "path"),
        (r#"{"properties":{},"properties":{}}"#, "properties"),
        (r#"{"properties":{"a":1,"a":1}}"#, "/properties/a"),
        (r#"{"properties":{"a":null,"\u0061":1}}"#, "/properties/a"),
        // As RFC 6901 writes it.
        (r#"{"properties":{"a/b~c":[]}}"#, "/properties/a~1b~0c"),
        // Numbers.
        (r#"{"properties":{"n":1e999}}"#, "/properties/n"),
        (
            r#"{"properties":{"n":123456789012345678901234567890}}"#,
            "/properties/n",
        ),
    ] {
        let (found, detail) = wrong(json);
        assert_eq!(found.as_deref(), Some(field), "{json}");
        assert!(
            detail.starts_with(&format!("`{field}` ")),
            "{json}: {detail}"
        );
        assert!(detail.ends_with('.') && detail.len() < 200, "{detail}");
    }
    let number = format!(r#"{{"properties":{{"n":1{}}}}}"#, "0".repeat(512));
    assert_eq!(wrong(&number).0.as_deref(), Some("/properties/n"));
    let (field, detail) = wrong(&with(&"u".repeat(1000), 1));
    assert!(field.unwrap().len() < 40 && detail.len() < 200, "{detail}");
}

#[test]
fn what_is_no_object() {
    for json in [
        "1",
        "\"a\"",
        "true",
        "[]",
        r#"[{"path":"/"}]"#,
        "[[[[",
        r#"{"\ud800":1}"#,
    ] {
        assert_eq!(wrong(json).0, None, "{json}");
    }
    for text in [
        "",
        "{",
        "{]",
        "{\"path\":\"/\"",
        "{} {}",
        "{'path':1}",
        "{path:1}",
        r#"{"path":"/",}"#,
        r#"{"path":"\x"}"#,
        "{\"path\":\"a\tb\"}",
        r#"{"properties":{"a":01}}"#,
        r#"{"properties":{"a":NaN}}"#,
        r#"{"path":"\u12"}"#,
        r#"{"properties":{"a":-}}"#,
        "<visit/>",
    ] {
        let read = Carried::from_json(text);
        assert!(
            matches!(read, Err(InvalidVisit::Syntax(_))),
            "{text}: {read:?}"
        );
    }
}

/// However deep: neither a stack that is too small nor a parser's own limit is met.
#[test]
fn deep_nesting() {
    for depth in [1, 127, 128, 129, 500] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            for (json, field) in [
                (format!(r#"{{"path":{deep}}}"#), "path"),
                (
                    format!(r#"{{"properties":{{"a":{deep}}}}}"#),
                    "/properties/a",
                ),
                (format!(r#"{{"deep":{deep}}}"#), "deep"),
            ] {
                let found = Carried::from_json(&json);
                let too_long = json.len() > MAX_VISIT_BYTES;
                match found {
                    Err(InvalidVisit::Content { field: found, .. }) => {
                        assert_eq!(found.as_deref(), Some(field).filter(|_| !too_long));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// Whatever is sent is either kept as it was, or refused; and nothing that is kept is beyond a limit.
fn either_kept_or_refused(sent: &Value) {
    let Ok(read) = Carried::from_json(&sent.to_string()) else {
        return;
    };
    let carried = read.unwrap_or_default();
    let attributes = carried.rest.attributes();
    let kept = [
        ("visitor", &carried.visitor),
        ("path", &attributes.path),
        ("referrer", &attributes.referrer),
        ("campaign", &attributes.campaign),
    ];
    for (name, kept) in kept {
        let sent = sent[name].as_str().filter(|sent| !sent.is_empty());
        assert_eq!(kept.as_deref(), sent, "{name}");
        assert!(
            kept.as_ref()
                .is_none_or(|kept| kept.len() <= 512 && !kept.contains('\0'))
        );
    }
    let mut sent = sent["properties"].as_object().cloned().unwrap_or_default();
    sent.retain(|_, value| !value.is_null());
    let kept = serde_json::to_value(&attributes.properties).unwrap();
    assert_eq!(kept, Value::Object(sent));
}

proptest! {
    #[test]
    fn texts_are_kept_or_refused(
        texts in prop::collection::vec(prop::option::of("\\PC{0,20}|.{0,6}|[a\u{10000}]{120,140}"), 4),
        properties in prop::collection::btree_map(
            ".{0,4}|[kü]{30,66}",
            prop_oneof![
                any::<i64>().prop_map(Value::from),
                any::<f64>().prop_map(Value::from),
                any::<bool>().prop_map(Value::from),
                Just(Value::Null),
                ".{0,9}|[x😀]{127,130}".prop_map(Value::from),
                Just(json!([1])),
            ],
            0..22,
        ),
    ) {
        let mut sent = json!({ "properties": properties });
        for (name, text) in TEXTS.iter().zip(texts) {
            sent[*name] = json!(text);
        }
        either_kept_or_refused(&sent);
    }

    #[test]
    fn no_bytes_panic(text in ".{0,200}|[{}\\[\\]\":,\\\\ud8c0e\\-+.0-9a-z \u{0}]{0,80}") {
        let _ = Carried::from_json(&text);
        let _ = Line::from_json(&text);
    }
}
