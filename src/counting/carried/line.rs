//! A visit among others: one line that says on which counter it is to be counted, too.

use super::{
    Carried, InvalidVisit,
    reading::{read, text},
};
use crate::counting::{
    CounterName,
    identity::{MAX_KEY_BYTES, is_valid_key},
};

/// One line of `POST /api/visits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it is counted.
    pub counter: CounterName,
    /// What makes it the same visit when it is sent again, as an `Idempotency-Key` does.
    pub key: Option<Box<str>>,
    /// What it carries, if anything.
    pub carried: Option<Carried>,
}

impl Line {
    /// Reads the JSON of a line.
    ///
    /// # Errors
    ///
    /// If it is not JSON, not a visit, or beyond a limit.
    pub fn from_json(line: &str) -> Result<Self, InvalidVisit> {
        let (mut counter, mut key) = (None, None);
        let carried = read(line, |name, value| {
            match name {
                "counter" => counter = Some(self::counter(value)?),
                "key" => key = self::key(value)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            counter: counter.ok_or_else(|| {
                InvalidVisit::member("counter", "is missing: it must be the name of a counter")
            })?,
            key,
            carried,
        })
    }
}

fn counter(value: &str) -> Result<CounterName, InvalidVisit> {
    let name = text(value).ok().flatten();
    let name = name.and_then(|name| name.parse().ok());
    name.ok_or_else(|| {
        InvalidVisit::member(
            "counter",
            "must be the name of a counter: 1 to 64 of a-z, 0-9, `.`, `_` and `-`, the first of them a letter or digit",
        )
    })
}

fn key(value: &str) -> Result<Option<Box<str>>, InvalidVisit> {
    let invalid = || {
        let expected =
            format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters, as an Idempotency-Key");
        InvalidVisit::member("key", &expected)
    };
    let Some(key) = text(value).map_err(|_| invalid())? else {
        return Ok(None);
    };
    match is_valid_key(key.as_bytes()) {
        true => Ok(Some(key.into())),
        false => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let name = "n".repeat(64);
        let key = "k".repeat(255);
        let line = format!(r#"{{"key":"{key}","path":"/","counter":"{name}"}}"#);
        let line = Line::from_json(&line).unwrap();
        assert_eq!(line.counter.as_str(), name);
        assert_eq!(line.key.as_deref(), Some(&*key));
        let attributes = line.carried.unwrap().rest.attributes();
        assert_eq!(attributes.path.as_deref(), Some("/"));
        let plain = Line::from_json(r#"{"counter":"a","key":null,"path":null}"#).unwrap();
        assert_eq!((plain.key, plain.carried), (None, None));
    }

    #[test]
    fn what_is_no_line() {
        for (line, field) in [
            ("{}", "counter"),
            (r#"{"path":"/"}"#, "counter"),
            (r#"{"counter":null}"#, "counter"),
            (r#"{"counter":""}"#, "counter"),
            (r#"{"counter":"A"}"#, "counter"),
            (r#"{"counter":1}"#, "counter"),
            (r#"{"counter":["a"]}"#, "counter"),
            (r#"{"counter":"\ud800"}"#, "counter"),
            (r#"{"counter":"a","counter":"a"}"#, "counter"),
            (r#"{"counter":"a","key":""}"#, "key"),
            (r#"{"counter":"a","key":"two words"}"#, "key"),
            (r#"{"counter":"a","key":"schön"}"#, "key"),
            (r#"{"counter":"a","key":7}"#, "key"),
            (r#"{"counter":"a","key":"k","key":"k"}"#, "key"),
            (r#"{"counter":"a","line":1}"#, "line"),
            (&format!(r#"{{"counter":"{}"}}"#, "n".repeat(65)), "counter"),
            (
                &format!(r#"{{"counter":"a","key":"{}"}}"#, "k".repeat(256)),
                "key",
            ),
        ] {
            match Line::from_json(line) {
                Err(InvalidVisit::Content {
                    field: found,
                    detail,
                }) => {
                    assert_eq!(found.as_deref(), Some(field), "{line}");
                    assert!(detail.starts_with(&format!("`{field}` ")), "{detail}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
    }
}
