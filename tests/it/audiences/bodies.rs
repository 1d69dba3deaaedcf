//! What is sent: each place says what is wrong with it.

use super::*;
use crate::{
    carried::cut_off,
    support::{Footfall, stage::refusal},
};

const KIB: usize = 1024;

/// All routes that take a filter, and the place of the filter in their bodies.
const TAKE_FILTERS: [(&str, &str); 4] = [
    ("/api/build-filter", ""),
    ("/api/build-audience", ""),
    ("/api/audiences", "/filter"),
    ("/api/presets", "/preset_filter_json"),
];

/// The body of a route with this filter in it.
fn with(path: &str, filter: &str) -> String {
    match path {
        "/api/audiences" => format!(r#"{{"name":"n","filter":{filter}}}"#),
        "/api/presets" => format!(r#"{{"preset_name":"n","preset_filter_json":{filter}}}"#),
        _ => filter.to_owned(),
    }
}

fn including(node: &Value) -> String {
    json!({ "version": 1, "include": node }).to_string()
}

/// Groups within each other around a leaf.
fn groups(number: usize) -> Value {
    (0..number).fold(json!({ "did": { "counter": "a" } }), |inner, place| {
        let group = ["all", "any"][place % 2];
        json!({ group: [inner] })
    })
}

/// Each limit by one too many; and what is as much as may be.
#[tokio::test]
async fn limits_of_a_filter_by_one_too_many() {
    let (stage, anna) = with_member(Stage::sqlite().await).await;
    let mut client = stage.client(&anna);
    let leaves = |number: usize| {
        let leaf = |number: usize| json!({ "did": { "counter": format!("c{number}") } });
        json!({ "any": (0..number).map(leaf).collect::<Vec<_>>() })
    };
    let wheres = |number: usize| {
        let condition = |number: usize| json!({ "property": format!("k{number}"), "exists": true });
        json!({ "did": { "counter": "a", "where": (0..number).map(condition).collect::<Vec<_>>() } })
    };
    let values = |number: usize| {
        let values: Vec<_> = (0..number).map(|number| number.to_string()).collect();
        json!({ "visitor": "path", "in": values })
    };
    let days = |days: usize| json!({ "did": { "counter": "a", "within": { "days": days } } });
    let times = |most: usize| json!({ "did": { "counter": "a", "times": { "at_most": most } } });
    let text = |bytes: usize| json!({ "visitor": "path", "contains": "é".repeat(bytes / 2) + &"x".repeat(bytes % 2) });
    let padded = |bytes: usize| {
        let filter = including(&groups(0));
        let blanks = " ".repeat(bytes - filter.len());
        filter.replacen(':', &format!(":{blanks}"), 1)
    };
    let cases: [(&str, String, String); 8] = [
        ("groups", including(&groups(5)), including(&groups(6))),
        ("leaves", including(&leaves(50)), including(&leaves(51))),
        (
            "conditions of where",
            including(&wheres(50)),
            including(&wheres(51)),
        ),
        ("values", including(&values(100)), including(&values(101))),
        ("days", including(&days(400)), including(&days(401))),
        ("times", including(&times(1000)), including(&times(1001))),
        (
            "bytes of a text",
            including(&text(512)),
            including(&text(513)),
        ),
        ("bytes of a filter", padded(16 * KIB), padded(16 * KIB + 1)),
    ];
    for (what, most, too_many) in cases {
        for (path, place) in TAKE_FILTERS {
            let reply = client.post_json(path, &with(path, &too_many)).await;
            for (pointer, detail) in wrong_at(&reply) {
                assert!(pointer.starts_with(place), "{what} {path}: {pointer}");
                assert!(detail.starts_with("Expected "), "{what} {path}: {detail}");
            }
        }
        let built = client.post_json("/api/build-filter", &most).await;
        assert_eq!(built.status, 200, "{what}: {built:?}");
        let saved = client
            .post_json("/api/presets", &with("/api/presets", &most))
            .await;
        assert_eq!(saved.status, 201, "{what}: {saved:?}");
        let id = saved.json()["id"].as_str().unwrap().to_owned();
        // What is shown is what was sent, in its canonical form.
        assert_eq!(saved.json()["hash"], built.json()["hash"], "{what}");
        assert_eq!(saved.json()["preset_filter_json"], built.json()["filter"]);
        assert_eq!(List::Presets.delete(&mut client, &id).await.status, 204);
    }
}

/// A filter may leave its version out only where it is built.
#[tokio::test]
async fn what_is_built_gets_a_version() {
    let (stage, anna) = with_member(Stage::sqlite().await).await;
    let mut client = stage.client(&anna);
    let sides = r#"{"include":{"did":{"counter":"a"}},"exclude":{"did":{"counter":"b"}}}"#;
    let built = client.post_json("/api/build-filter", sides).await;
    assert_eq!(built.status, 200, "{built:?}");
    let built = built.json();
    assert_eq!(built["filter"]["version"], 1);
    let mut members: Vec<_> = built.as_object().unwrap().keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["filter", "hash", "sentence"]);
    // The canonical form is the same filter.
    let again = client
        .post_json("/api/build-filter", &built["filter"].to_string())
        .await;
    assert_eq!(again.json(), built);
    for path in ["/api/audiences", "/api/presets"] {
        let reply = client.post_json(path, &with(path, sides)).await;
        assert!(wrong_at(&reply)[0].1.contains("version"), "{reply:?}");
    }
    // An empty one says what it lacks.
    let reply = client.post_json("/api/build-filter", "{}").await;
    assert!(wrong_at(&reply)[0].1.contains("include"), "{reply:?}");
}

#[tokio::test]
async fn wrong_types_are_named() {
    let (stage, anna) = with_member(Stage::sqlite().await).await;
    let mut client = stage.client(&anna);
    for list in List::BOTH {
        let long = "a".repeat(65);
        for name in [
            json!(null),
            json!(1),
            json!(true),
            json!(["a"]),
            json!({ "a": 1 }),
            json!(""),
            json!(" "),
            json!("a\u{0}b"),
            json!("a\nb"),
            json!("a\u{202e}b"),
            json!(long),
        ] {
            let body = json!({ list.name(): name, list.filter(): did("a") });
            let reply = client.post_json(list.path(), &body.to_string()).await;
            let expected = (422, "invalid_body".to_owned(), json!(list.name()));
            assert_eq!(refusal(&reply), expected, "{name}");
        }
        let body = json!({ list.filter(): did("a") });
        let reply = client.post_json(list.path(), &body.to_string()).await;
        assert_eq!(refusal(&reply).2, json!(list.name()));
        let missing = json!({ list.name(): "n" });
        for body in [missing, json!({ list.name(): "n", list.filter(): null })] {
            let reply = client.post_json(list.path(), &body.to_string()).await;
            let expected = (422, "invalid_body".to_owned(), json!(list.filter()));
            assert_eq!(refusal(&reply), expected);
        }
    }
    for (path, place) in TAKE_FILTERS {
        for filter in [
            "1",
            "\"a\"",
            "true",
            r#"{"version":1,"include":[]}"#,
            r#"{"version":2,"include":{"did":{"counter":"a"}}}"#,
        ] {
            let reply = client.post_json(path, &with(path, filter)).await;
            let wrong = wrong_at(&reply);
            assert!(
                wrong.iter().all(|(pointer, _)| pointer.starts_with(place)),
                "{path} {filter}"
            );
        }
        // A member that is there twice, or that nobody knows, is an error in its place.
        let twice = r#"{"version":1,"include":{"did":{"counter":"a","counter":"b"}}}"#;
        let reply = client.post_json(path, &with(path, twice)).await;
        assert!(
            wrong_at(&reply)[0]
                .0
                .starts_with(&format!("{place}/include/did")),
            "{reply:?}"
        );
        let unknown =
            r#"{"version":1,"include":{"did":{"counter":"a"}},"exlude":{"did":{"counter":"b"}}}"#;
        let reply = client.post_json(path, &with(path, unknown)).await;
        let first = &reply.json()["errors"][0];
        assert_eq!(first["pointer"], format!("{place}/exlude"));
        assert!(
            first["suggestion"].as_str().unwrap().contains("exclude"),
            "{first}"
        );
        for body in ["", "{", "[]", "[{}]", "\u{fffe}", r#"{"a":1}{"#] {
            let reply = client.post_json(path, body).await;
            assert!(
                ["invalid_json", "invalid_body"].contains(&&*reply.problem()),
                "{path} {body}"
            );
        }
        for surrogate in [r#"{"version":1,"include":{"visitor":"path","contains":"\ud800"}}"#] {
            let reply = client.post_json(path, &with(path, surrogate)).await;
            assert!(
                ["invalid_json", "invalid_filter"].contains(&&*reply.problem()),
                "{path}"
            );
        }
        let text = [("content-type", "text/plain")];
        let reply = client
            .send(Method::POST, path, &text, with(path, &did("a").to_string()))
            .await;
        assert_eq!(reply.problem(), "unsupported_media_type");
    }
}

/// Texts of every kind are kept, compared and shown as they were sent.
#[tokio::test]
async fn hostile_texts_are_texts() {
    let texts = [
        "'; DROP TABLE audiences; --",
        "\"quoted\" \\back\\slash\\",
        "100% _under_",
        "😀🦀 4-byte",
        "مرحبا",
        "$1 ${x} {{y}}",
        "<script>alert(1)</script>",
    ];
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        for list in List::BOTH {
            for text in texts {
                let filter = json!({ "version": 1, "include": { "all": [
                    { "visitor": "path", "contains": text },
                    { "did": { "counter": "a", "where": [{ "property": text, "in": [text] }] } }
                ] } });
                let reply = list.post(&mut client, text, &filter).await;
                assert_eq!(reply.status, 201, "{text}: {reply:?}");
                let made = reply.json();
                assert_eq!(made[list.name()], text);
                let path = format!("{}/{}", list.path(), made["id"].as_str().unwrap());
                assert_eq!(client.get(&path).await.json(), made, "{text}");
                assert!(
                    made[list.filter()]
                        .to_string()
                        .contains(&json!(text).to_string())
                );
                let again = list.post(&mut client, "another name", &filter).await;
                list.assert_taken(&again, "filter_exists", made["id"].as_str().unwrap(), text);
            }
            // A right-to-left override would turn around what follows a name; in a filter it is a text like any.
            let turned = json!({ "version": 1, "include": { "visitor": "path", "starts_with": "a\u{202e}b" } });
            let made = list.post(&mut client, "turned", &turned).await.json();
            let sentence = made["sentence"].as_str().unwrap();
            assert!(!sentence.contains('\u{202e}'), "{sentence}");
            // NUL is in no text.
            for wrong in [
                json!({ "visitor": "path", "contains": "a\u{0}b" }),
                json!({ "visitor_property": "a\u{0}b", "exists": true }),
                json!({ "did": { "counter": "a\u{0}" } }),
                json!({ "audience": "\u{0}" }),
            ] {
                let reply = list
                    .post(
                        &mut client,
                        "nul",
                        &json!({ "version": 1, "include": wrong }),
                    )
                    .await;
                wrong_at(&reply);
            }
        }
    }
}

#[tokio::test]
async fn bodies_have_64_kib_and_no_more() {
    let (stage, anna) = with_member(Stage::sqlite().await).await;
    let mut client = stage.client(&anna);
    for (path, _) in TAKE_FILTERS {
        let body = with(path, &did("a").to_string());
        let padded = |bytes: usize| format!("{}{body}", " ".repeat(bytes - body.len()));
        let reply = client.post_json(path, &padded(64 * KIB + 1)).await;
        assert_eq!(reply.problem(), "payload_too_large", "{path}");
        assert!(reply.json()["detail"].as_str().unwrap().contains("64 KiB"));
        let mut client = stage.client(&anna);
        let reply = client.post_json(path, &padded(64 * KIB)).await;
        assert_ne!(reply.status, 413, "{path} {reply:?}");
        assert!(
            path == "/api/build-audience" || reply.status.is_success(),
            "{path} {reply:?}"
        );
    }
    for list in List::BOTH {
        let page = client.get(list.path()).await.json();
        let id = ids(list, &page)[0].clone();
        let body = list.body("n", &did("b"));
        let body = format!("{}{body}", " ".repeat(64 * KIB + 1 - body.len()));
        let reply = client
            .put_json(&format!("{}/{id}", list.path()), &body)
            .await;
        assert_eq!(reply.problem(), "payload_too_large");
    }
}

/// Who hangs up within a body has saved nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_off_saves_nothing() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    let token = footfall.token().await;
    for list in List::BOTH {
        let body = list.body("n", &did("a"));
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n",
            list.path()
        );
        for framing in [
            format!("Content-Length: {}\r\n\r\n{body}", body.len() + 1),
            format!(
                "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n",
                body.len()
            ),
        ] {
            // When the other side hangs up, what it had of the request is over.
            cut_off(&footfall.public(), &format!("{head}{framing}")).await;
        }
        let page = client.get(list.path()).await.json();
        assert_eq!(ids(list, &page), [""; 0]);
        list.save(&mut client, "n", &did("a")).await;
    }
}
