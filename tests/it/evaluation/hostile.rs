//! Texts that mean something elsewhere mean themselves in a filter, in every place.

use footfall::counting::carried::Attributes;
use serde_json::json;

use super::*;

/// What means something to SQL, to patterns, to JSON and its paths, and to who reads.
const TEXTS: [&str; 24] = [
    "'",
    "''; DROP TABLE visits; --",
    "\"",
    "\\",
    "\\\"",
    "%",
    "_",
    "a%b_c",
    "$1",
    "$.p",
    "$[0]",
    "[0]",
    "#-1",
    ".",
    "a.b",
    "a\"b",
    "?",
    "??",
    "\u{1}\n\t\r",
    "\u{202e}live\u{202c}",
    "𝒳😀",
    "e\u{301}",
    "/* */",
    "{\"a\":1}",
];

/// Each text is said by its own visitor in every field, as a property and as the key of one.
async fn say(place: &Place) {
    let noon = at("2026-03-01T12:00:00Z");
    let visits: Vec<Visit> = (0..)
        .zip(TEXTS)
        .map(|(nth, text)| {
            let said: Box<str> = text.into();
            let properties = [(said.clone(), json!(text)), ("p".into(), json!(text))];
            let attributes = Attributes {
                path: Some(said.clone()),
                referrer: Some(said.clone()),
                campaign: Some(said),
                country: Some("AT".into()),
                properties: properties.into(),
            };
            (noon, stored(&format!("#{nth}"), attributes))
        })
        .collect();
    place.visits("a", &visits).await;
    place.visits("b", &[to(noon, "#other", "other")]).await;
}

/// Those who said a text with this in it, as Rust sees it.
fn who(meets: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let who = (0..).zip(TEXTS).filter(|(_, text)| meets(text));
    who.map(|(nth, _): (i32, _)| format!("#{nth}")).collect()
}

#[tokio::test]
async fn a_text_means_itself_in_every_place() {
    for place in Place::both().await {
        say(&place).await;
        for (nth, text) in (0..).zip(TEXTS) {
            let itself: BTreeSet<_> = [format!("#{nth}")].into();
            for of in [
                json!({ "field": "path" }),
                json!({ "field": "referrer" }),
                json!({ "field": "campaign" }),
                json!({ "property": "p" }),
            ] {
                for (operator, value, expected) in [
                    ("in", json!([text]), itself.clone()),
                    ("contains", json!(text), who(|said| said.contains(text))),
                    (
                        "starts_with",
                        json!(text),
                        who(|said| said.starts_with(text)),
                    ),
                    ("gt", json!(text), who(|said| said > text)),
                    ("lte", json!(text), who(|said| said <= text)),
                ] {
                    let mut condition = of.clone();
                    condition[operator] = value;
                    let filter =
                        include(json!([{ "did": { "counter": "a", "where": [condition] } }]));
                    assert_eq!(
                        place.who(&filter).await,
                        expected,
                        "{} {filter}",
                        place.kind()
                    );
                }
            }
            for condition in [
                json!({ "property": text, "exists": true }),
                json!({ "property": text, "in": [text] }),
                json!({ "property": text, "starts_with": text }),
            ] {
                // `p` is the key of nobody else's.
                let filter = include(json!([{ "did": { "counter": "a", "where": [condition] } }]));
                assert_eq!(
                    place.who(&filter).await,
                    itself,
                    "{} {filter}",
                    place.kind()
                );
            }
            let filter = include(
                json!([{ "visitor_property": text, "exists": true }, { "visitor": "path", "in": [text] }]),
            );
            assert_eq!(
                place.who(&filter).await,
                itself,
                "{} {filter}",
                place.kind()
            );
        }
    }
}
