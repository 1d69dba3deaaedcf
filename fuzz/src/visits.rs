//! What visits carry, whoever sends them.

use std::borrow::Cow;

use axum::http::Method;
use footfall::counting::{CounterName, carried::Page, identity::is_valid_key};
use serde_json::Value;

use super::{
    SHORT, answer,
    service::{Question, TOKEN},
};

/// What a visit carries: as the body of a request, and as the lines of another.
pub fn visit(data: &[u8]) {
    if data.len() > 2 * SHORT {
        return;
    }
    let authorization = format!("Bearer {TOKEN}");
    let post = |target: &str, media_type: &[u8]| {
        let headers = [
            ("authorization", authorization.as_bytes()),
            ("content-type", media_type),
        ];
        let question = Question {
            method: Method::POST,
            body: data,
            ..Question::get(target, &headers)
        };
        answer(&question).expect("any body can be sent")
    };
    let alone = post("/api/counters/a", b"application/json");
    match alone.status.as_u16() {
        // It is right, and would have been counted.
        503 => assert!(data.is_empty() || is_visit(data)),
        422 => assert_eq!(alone.code(), "invalid_visit"),
        400 => {
            assert_eq!(alone.code(), "invalid_json");
            let without_mark = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
            assert!(serde_json::from_slice::<Value>(without_mark).is_err());
        }
        status => panic!("{status}"),
    }

    let lines = data.split(|byte| *byte == b'\n');
    let is_blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let numbers = (1..).zip(lines).filter(|(_, line)| !is_blank(line));
    let numbers: Vec<u64> = numbers.map(|(number, _)| number).collect();
    let answer = post("/api/visits", b"application/x-ndjson");
    if numbers.len() > 1000 {
        return assert_eq!(answer.code(), "invalid_visit");
    }
    assert_eq!(answer.status, 200);
    let answers = answer.body.split(|byte| *byte == b'\n');
    let answered = answers.filter(|line| !line.is_empty()).map(|line| {
        let line: Value = serde_json::from_slice(line).expect("JSON");
        let code = line["code"].as_str().expect("nothing is counted here");
        assert!(code == "invalid_visit" || line["status"] == 503, "{line}");
        line["line"].as_u64().expect("a number")
    });
    assert_eq!(answered.collect::<Vec<_>>(), numbers);
}

/// Whether a text may be what a visit carries. That no member is there twice is not seen here.
fn is_visit(data: &[u8]) -> bool {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let members = match serde_json::from_slice(data) {
        Ok(Value::Object(members)) => members,
        Ok(Value::Null) => return true,
        _ => return false,
    };
    let is_text = |text: &str| text.len() <= 512 && !text.contains('\0');
    let is_scalar = |value: &Value| match value {
        Value::String(text) => is_text(text),
        Value::Array(_) | Value::Object(_) => false,
        _ => true,
    };
    let is_country = |text: &str| {
        text.is_empty() || text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    data.trim_ascii_end().len() <= 2048
        && members
            .iter()
            .all(|(name, value)| match (name.as_str(), value) {
                (
                    "visitor" | "path" | "referrer" | "campaign" | "country" | "properties",
                    Value::Null,
                ) => true,
                ("visitor" | "path" | "referrer" | "campaign", Value::String(text)) => {
                    is_text(text)
                }
                ("country", Value::String(text)) => is_country(text),
                ("properties", Value::Object(properties)) => {
                    let is_key = |key: &String| key.len() <= 64 && !key.contains('\0');
                    properties.len() <= 20
                        && properties.keys().all(is_key)
                        && properties.values().all(is_scalar)
                }
                _ => false,
            })
}

/// A visit as a web page sends it: as JSON, and in the query of an image.
pub fn page(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let sent = Page::from_json(text);
    if let Ok(page) = &sent {
        let members = serde_json::from_str(text).expect("it was read");
        let Value::Object(members) = members else {
            panic!("{text:?} is no object");
        };
        let pairs = members.iter().filter_map(|(name, value)| match value {
            Value::Null => None,
            value => Some((name.as_str(), value.as_str().expect("a text"))),
        });
        let pairs: Vec<_> = pairs.collect();
        assert!(
            pairs.iter().all(|(name, value)| may_send(name, value)),
            "{text:?}"
        );
        let query = pairs.iter().map(|(name, value)| {
            let encoded = value.bytes().map(|byte| format!("%{byte:02x}"));
            format!("{name}={}", encoded.collect::<String>())
        });
        let query = query.collect::<Vec<_>>().join("&");
        assert_eq!(Page::from_query(&query).as_ref(), Ok(page), "{query}");
    }
    if let Ok(page) = &Page::from_query(text) {
        let pairs: serde_json::Map<_, _> = decoded(text).collect();
        let json = Value::from(pairs).to_string();
        assert_eq!(Page::from_json(&json).as_ref(), Ok(page), "{text:?} {json}");
    }
    if data.len() <= SHORT {
        page_is_answered(data, sent.is_ok_and(|page| page.key.is_some()));
    }
}

/// Where there is no database no key is known; but first it is said what is wrong with the visit, or that it
/// names no key.
fn page_is_answered(data: &[u8], is_right: bool) {
    let headers: [(&str, &[u8]); 2] = [
        ("content-type", b"text/plain"),
        ("origin", b"https://shop.example"),
    ];
    let question = Question {
        method: Method::POST,
        body: data,
        ..Question::get("/collect", &headers)
    };
    let answer = answer(&question).expect("any body can be sent");
    let is_wrong = ["invalid_json", "invalid_visit"].contains(&answer.code().as_str());
    let has_mark = data.starts_with(b"\xef\xbb\xbf");
    assert!(
        is_wrong != is_right || has_mark,
        "{:?}: {}",
        data.escape_ascii(),
        answer.code()
    );
}

/// Whether a page may say this.
fn may_send(name: &str, value: &str) -> bool {
    let is_text = value.len() <= 512 && !value.contains('\0');
    is_text
        && match name {
            "key" | "path" | "referrer" | "campaign" | "visitor" => true,
            "counter" => value.is_empty() || value.parse::<CounterName>().is_ok(),
            "id" => value.is_empty() || is_valid_key(value.as_bytes()),
            _ => false,
        }
}

/// The pairs of a query, as forms write it.
fn decoded(query: &str) -> impl Iterator<Item = (String, Value)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name).into_owned(), Value::from(plain(value)))
    })
}

fn plain(encoded: &str) -> Cow<'_, str> {
    if !encoded.contains(['+', '%']) {
        return encoded.into();
    }
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        (rest, _) = match (first, byte) {
            (b'%', Some(byte)) => (&after[2..], bytes.push(byte)),
            (b'+', _) => (after, bytes.push(b' ')),
            (first, _) => (after, bytes.push(*first)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}
