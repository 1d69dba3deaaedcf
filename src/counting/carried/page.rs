//! A visit as a web page sends it: by which key, and on which counter.

use url::form_urlencoded;

use super::{
    Carried, InvalidVisit, Member, Sent,
    invalid::shortened,
    reading::{check, read, text},
};
use crate::counting::{
    CounterName, InvalidName,
    identity::{MAX_KEY_BYTES, is_valid_key},
};

/// What a page may say of who came and to what.
const MEMBERS: [Member; 4] = [
    Member::Path,
    Member::Referrer,
    Member::Campaign,
    Member::Visitor,
];

/// What a web page sends. A member that is empty says nothing, as one that is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The write key.
    pub key: Option<Box<str>>,
    /// Where it is counted; `None` for the first counter of the key.
    pub counter: Option<CounterName>,
    /// What makes it the same visit when it is sent again, as an `Idempotency-Key` does.
    pub id: Option<Box<str>>,
    /// What it carries.
    pub carried: Carried,
}

impl Page {
    /// Reads the JSON that a page sends.
    ///
    /// # Errors
    ///
    /// If it is not JSON, not a visit of a page, or beyond a limit.
    pub fn from_json(sent: &str) -> Result<Self, InvalidVisit> {
        let mut page = Self::default();
        let carried = read(sent, |name, value| {
            let Some(name) = own(name) else {
                // Whatever it says: also an empty text, which would be as good as nothing.
                let is_said = matches!(name, "country" | "properties") && value != "null";
                return if is_said {
                    Err(unknown(name))
                } else {
                    Ok(false)
                };
            };
            let text = text(value).map_err(|wrong| InvalidVisit::member(name, &wrong))?;
            page.put(name, &text.unwrap_or_default())?;
            Ok(true)
        })?;
        page.carried = carried.unwrap_or_default();
        Ok(page)
    }

    /// Reads the query of an image on a page.
    ///
    /// # Errors
    ///
    /// If it is not a visit of a page, or beyond a limit.
    pub fn from_query(query: &str) -> Result<Self, InvalidVisit> {
        let (mut page, mut sent) = (Self::default(), Sent::default());
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        for (position, (name, value)) in pairs.iter().enumerate() {
            if pairs[..position].iter().any(|(before, _)| before == name) {
                let name = shortened(name).into_owned();
                let twice = "is there twice, and must be there once at most";
                return Err(InvalidVisit::member(name, twice));
            }
            let member = MEMBERS.into_iter().find(|member| member.name() == name);
            match (member, own(name)) {
                (Some(member), _) => sent.put(member, (&**value).into())?,
                (None, Some(name)) => page.put(name, value)?,
                (None, None) => return Err(unknown(name)),
            }
        }
        page.carried = sent.into();
        Ok(page)
    }

    /// Sets what is not of the visit itself.
    fn put(&mut self, name: &'static str, value: &str) -> Result<(), InvalidVisit> {
        check(value).map_err(|wrong| InvalidVisit::member(name, &wrong))?;
        match (name, value) {
            (_, "") => {}
            ("counter", value) => {
                let counter = value.parse().map_err(|error: InvalidName| {
                    InvalidVisit::member(name, &format!("is none: {error}"))
                });
                self.counter = Some(counter?);
            }
            ("id", value) if !is_valid_key(value.as_bytes()) => {
                let expected = format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters");
                return Err(InvalidVisit::member(name, &expected));
            }
            ("id", value) => self.id = Some(value.into()),
            (_, value) => self.key = Some(value.into()),
        }
        Ok(())
    }
}

/// The members that are not of the visit itself.
fn own(name: &str) -> Option<&'static str> {
    ["key", "counter", "id"]
        .into_iter()
        .find(|own| *own == name)
}

fn unknown(name: &str) -> InvalidVisit {
    InvalidVisit::member(
        shortened(name).into_owned(),
        "is none of what a page may send: key, counter, id, path, referrer, campaign, visitor",
    )
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::counting::carried::{Attributes, Written};

    const NAMES: [&str; 9] = [
        "key", "counter", "id", "path", "referrer", "campaign", "visitor", "other", "",
    ];

    fn encoded(pairs: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(pairs).finish()
    }

    fn json(pairs: &[(&str, &str)]) -> String {
        let members = pairs.iter().map(|(name, value)| {
            let text = serde_json::Value::from(*value);
            format!("{}:{text}", serde_json::Value::from(*name))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn a_page_says_the_same_in_both_ways() {
        let long = "ü".repeat(256);
        let all = [
            ("key", "ffw_k"),
            ("counter", "shop.page"),
            ("id", "!~"),
            ("path", "/a b?c=d&e"),
            ("referrer", "https://x.example/\u{1f600}"),
            ("campaign", &long[..]),
            ("visitor", "anna"),
        ];
        let expected = Page {
            key: Some("ffw_k".into()),
            counter: Some("shop.page".parse().unwrap()),
            id: Some("!~".into()),
            carried: Carried {
                visitor: Some("anna".into()),
                seen: None,
                rest: Written::of(&Attributes {
                    path: Some("/a b?c=d&e"),
                    referrer: Some("https://x.example/\u{1f600}"),
                    campaign: Some(&long),
                    ..Attributes::default()
                }),
            },
        };
        assert_eq!(Page::from_json(&json(&all)), Ok(expected.clone()));
        assert_eq!(Page::from_query(&encoded(&all)), Ok(expected));
        let empty = all.map(|(name, _)| (name, ""));
        for nothing in [
            json(&empty),
            "{}".into(),
            r#"{"id":null,"path":null}"#.into(),
        ] {
            assert_eq!(Page::from_json(&nothing), Ok(Page::default()), "{nothing}");
        }
        for nothing in [encoded(&empty), String::new(), "&&".into(), "key".into()] {
            assert_eq!(Page::from_query(&nothing), Ok(Page::default()), "{nothing}");
        }
    }

    proptest! {
        /// Whatever is sent, and however often: what one way takes the other does, for the same.
        #[test]
        fn both_ways_take_the_same(
            pairs in vec((select(&NAMES[..]), "([!-~]{0,80}|.{0,80}|[a-z]{500,515})"), 0..4)
        ) {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (json, query) = (Page::from_json(&json(&pairs)), Page::from_query(&encoded(&pairs)));
            prop_assert_eq!(json.ok(), query.ok());
        }
    }

    #[track_caller]
    fn wrong(read: Result<Page, InvalidVisit>) -> String {
        match read {
            Err(InvalidVisit::Content { field, .. }) => field.unwrap_or_default().into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_is_named_in_both_ways() {
        let (long, name, key) = ("x".repeat(513), "n".repeat(65), "k".repeat(256));
        let mut cases = vec![
            ("counter", "A"),
            ("counter", "a b"),
            ("counter", name.as_str()),
            ("id", "two words"),
            ("id", "schön"),
            ("id", key.as_str()),
            ("country", "DE"),
            ("country", ""),
            ("properties", "{}"),
            ("properties", ""),
            ("other", "x"),
            ("Key", "x"),
        ];
        for member in MEMBERS {
            cases.extend([(member.name(), long.as_str()), (member.name(), "a\0b")]);
        }
        for case in cases {
            // As JSON has it, properties are no text.
            assert_eq!(wrong(Page::from_json(&json(&[case]))), case.0, "{case:?}");
            assert_eq!(
                wrong(Page::from_query(&encoded(&[case]))),
                case.0,
                "{case:?}"
            );
        }
        for name in [
            "key", "counter", "id", "path", "referrer", "campaign", "visitor",
        ] {
            for value in ["1", "true", "[]", "{}", r#""\ud800""#] {
                let sent = format!("{{\"{name}\":{value}}}");
                assert_eq!(wrong(Page::from_json(&sent)), name, "{sent}");
            }
            let twice = [(name, "a"), (name, "a")];
            assert_eq!(wrong(Page::from_json(&json(&twice))), name);
            assert_eq!(wrong(Page::from_query(&encoded(&twice))), name);
        }
        assert_eq!(
            wrong(Page::from_json(r#"{"properties":{"a":1}}"#)),
            "properties"
        );
        for not_json in ["", "{", "{'a':1}", "{} {}", "{\"key\":\"\t\"}"] {
            let read = Page::from_json(not_json);
            assert!(
                matches!(read, Err(InvalidVisit::Syntax(_))),
                "{not_json}: {read:?}"
            );
        }
        for no_object in ["[]", "1", "null", "\"a\""] {
            assert_eq!(wrong(Page::from_json(no_object)), "", "{no_object}");
        }
    }
}
