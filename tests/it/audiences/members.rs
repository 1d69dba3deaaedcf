//! How many are in an audience, and who: now, and as of an earlier answer.

use std::collections::BTreeSet;

use footfall::counting::carried::Stored;

use super::{saved::execute, *};
use crate::record_reading::{Place, at, carrying, plain, to};

const LIST: List = List::Audiences;

/// A while ago, so that all of it counts.
const NOON: &str = "2026-03-01T12:00:00Z";

/// Who comes; who comes together is numbered in the order of their keys.
const VISITORS: [&str; 5] = ["#hash", "==1+1", "=@SUM(A1)", "=bob", "=ä \"x\", 😀"];

/// As lines show them: a name that could be taken for something else keeps its mark.
const SHOWN: [&str; 5] = ["#hash", "==1+1", "@SUM(A1)", "bob", "ä \"x\", 😀"];

const TABLE: &str =
    "visitor\r\n#hash\r\n\"'==1+1\"\r\n\"'@SUM(A1)\"\r\nbob\r\n\"ä \"\"x\"\", 😀\"\r\n";

fn came(visitors: &[&str]) -> Vec<Stored> {
    visitors.iter().map(|key| to("/", Some(key))).collect()
}

/// Visits of these on a counter of which so many were recorded before.
async fn visits(place: &Place, counter: &str, before: u64, visitors: &[&str]) {
    let last = before + visitors.len() as u64;
    let entry = carrying(last, at(NOON) + last.cast_signed(), came(visitors));
    place.append(counter, 0, &[entry]).await;
}

async fn filled() -> [(Place, String); 2] {
    let [one, other] = Place::both().await;
    [with_audience(one).await, with_audience(other).await]
}

/// Whoever came to `a`, as an audience.
async fn with_audience(place: Place) -> (Place, String) {
    place.append("a", 0, &[plain(2, 2, at(NOON))]).await;
    visits(&place, "a", 2, &VISITORS).await;
    visits(&place, "a", 7, &VISITORS[..2]).await;
    visits(&place, "b", 0, &["#other", "=bob"]).await;
    let id = LIST.save(&mut place.client(), "of a", &did("a")).await;
    (place, id)
}

fn members_path(id: &str) -> String {
    format!("{}/{id}/members", LIST.path())
}

/// The visitors on the lines of an answer.
#[track_caller]
fn lines(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let text = reply.text();
    assert!(text.is_empty() || text.ends_with('\n'));
    let visitor = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line.as_object().unwrap().len(), 1, "{line}");
        line["visitor"].as_str().unwrap().to_owned()
    };
    text.lines().map(visitor).collect()
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| format!("%{byte:02X}");
    text.bytes().map(byte).collect()
}

#[tokio::test]
async fn all_members_as_lines_and_as_a_table() {
    for (place, id) in filled().await {
        let (mut client, path) = (place.client(), members_path(&id));
        let size = client
            .get(&format!("{}/{id}/size", LIST.path()))
            .await
            .json();
        assert_eq!(size["size"], 5, "{size}");
        assert_eq!(size["counters"], json!({ "a": 9 }));
        let reply = client.get(&path).await;
        assert_eq!(lines(&reply), SHOWN, "{}", place.stage.kind);
        assert_eq!(reply.header("footfall-counters"), Some(r#"{"a":9}"#));
        let moment = reply.header("footfall-at").unwrap();
        assert!(moment.parse::<jiff::Timestamp>().is_ok(), "{moment}");
        for (query, accept, is_table) in [
            ("", "text/csv", true),
            ("", "text/csv;q=0.5, application/x-ndjson", false),
            ("?format=csv", "application/x-ndjson", true),
            ("?format=ndjson", "text/csv", false),
            ("?format=", "text/csv", true),
        ] {
            let accept = [("accept", accept)];
            let reply = client
                .send(Method::GET, &format!("{path}{query}"), &accept, "")
                .await;
            match is_table {
                true => {
                    let media_type = reply.header("content-type").unwrap();
                    assert!(media_type.starts_with("text/csv"), "{media_type}");
                    assert_eq!(reply.text(), TABLE);
                }
                false => assert_eq!(lines(&reply), SHOWN),
            }
        }
        let nobody = LIST.save(&mut client, "nobody", &did("never")).await;
        let reply = client.get(&members_path(&nobody)).await;
        assert_eq!((reply.status.as_u16(), reply.text()), (200, String::new()));
        let reply = client
            .get(&format!("{}?format=csv", members_path(&nobody)))
            .await;
        assert_eq!(reply.text(), "visitor\r\n");
        for query in [
            "format=xml",
            "format=CSV",
            "as_of=x",
            "after=nobody",
            "after=%00",
            "limit=1",
            "after=%ff",
        ] {
            let reply = client.get(&format!("{path}?{query}")).await;
            assert_eq!(reply.problem(), "invalid_query", "{query}");
        }
    }
}

#[tokio::test]
async fn going_on_after_any_line() {
    for (place, id) in filled().await {
        let (mut client, path) = (place.client(), members_path(&id));
        for (number, visitor) in SHOWN.into_iter().enumerate() {
            let reply = client
                .get(&format!("{path}?after={}", encoded(visitor)))
                .await;
            assert_eq!(lines(&reply), SHOWN[number + 1..], "{visitor}");
        }
        // Also after somebody who is no member.
        let reply = client.get(&format!("{path}?after=%23other")).await;
        assert_eq!(lines(&reply), [""; 0]);
        // A name that looks like the hash of somebody is shown as another.
        visits(&place, "a", 9, &["=#hash"]).await;
        let reply = client.get(&format!("{path}?after=%23hash")).await;
        let expected: Vec<_> = SHOWN[1..].iter().chain(&["=#hash"]).copied().collect();
        assert_eq!(lines(&reply), expected);
        let reply = client.get(&format!("{path}?after=%3D%23hash")).await;
        assert_eq!(lines(&reply), [""; 0]);
    }
}

/// More than are in memory at a time.
#[tokio::test]
async fn thousands_of_members() {
    for place in Place::both().await {
        let names: Vec<_> = (0..2500)
            .map(|number| format!("=visitor {number}"))
            .collect();
        let keys: Vec<_> = names.iter().map(String::as_str).collect();
        visits(&place, "a", 0, &keys).await;
        let mut client = place.client();
        let id = LIST.save(&mut client, "many", &did("a")).await;
        let members = client.get(&members_path(&id)).await;
        let members = lines(&members);
        let distinct: BTreeSet<_> = members.iter().collect();
        assert_eq!((members.len(), distinct.len()), (2500, 2500));
        let query = format!("after={}", encoded(&members[1000]));
        let rest = client.get(&format!("{}?{query}", members_path(&id))).await;
        assert_eq!(lines(&rest), members[1001..]);
        let built = client
            .post_json("/api/build-audience", &did("a").to_string())
            .await
            .json();
        assert_eq!(built["size"], 2500);
        assert_eq!(built["sample"], json!(members[..10]));
    }
}

/// Whatever is counted, changed or deleted meanwhile.
#[tokio::test]
async fn the_same_as_of_has_the_same_answer() {
    for (place, inner) in filled().await {
        let mut client = place.client();
        let outer = json!({ "version": 1, "include": { "audience": inner }, "exclude": { "did": { "counter": "b" } } });
        let id = LIST.save(&mut client, "outer", &outer).await;
        let size_path = format!("{}/{id}/size", LIST.path());
        let size = client.get(&size_path).await.json();
        assert_eq!(size["size"], 4, "{size}");
        assert_eq!(size["counters"], json!({ "a": 9, "b": 2 }));
        let as_of = size["as_of"].as_str().unwrap().to_owned();
        let members = client
            .get(&format!("{}?as_of={as_of}", members_path(&id)))
            .await;
        assert_eq!(members.header("footfall-as-of"), Some(&*as_of));
        let members = lines(&members);
        let build = format!("/api/build-audience?as_of={as_of}");
        let built = client.post_json(&build, &outer.to_string()).await.json();
        assert_eq!(built["size"], 4, "{built}");

        visits(&place, "a", 9, &["#new", "#other"]).await;
        visits(&place, "b", 2, &["#hash"]).await;
        let changed = LIST.put(&mut client, &inner, "of a", &did("b")).await;
        assert_eq!(changed.status, 200);
        let changed = LIST.put(&mut client, &id, "outer", &did("c")).await;
        assert_eq!(changed.status, 200);
        for _ in 0..2 {
            let again = client
                .get(&format!("{size_path}?as_of={as_of}"))
                .await
                .json();
            assert_eq!(again, size, "{}", place.stage.kind);
            let again = client
                .get(&format!("{}?as_of={as_of}", members_path(&id)))
                .await;
            assert_eq!(lines(&again), members);
            let after = encoded(&members[0]);
            let path = format!("{}?as_of={as_of}&after={after}", members_path(&id));
            assert_eq!(lines(&client.get(&path).await), members[1..]);
            let again = client.post_json(&build, &outer.to_string()).await.json();
            assert_eq!(
                (&again["size"], &again["sample"]),
                (&built["size"], &built["sample"])
            );
            // Then also without the audience to which it refers.
            let _ = LIST.delete(&mut client, &inner).await;
        }
        // Without it the answer is that of now.
        let now = client.get(&size_path).await.json();
        assert_eq!(now["size"], 0);
        assert_eq!(
            client.get(&members_path(&inner)).await.problem(),
            "not_found"
        );

        // Once what it names is kept no longer, it says so.
        execute(
            &place.stage,
            "UPDATE audience_filters SET replaced_at = 1 WHERE replaced_at IS NOT NULL".to_owned(),
        )
        .await;
        let database = place.stage.app.database.as_ref().unwrap();
        footfall::accounts::cleanup::tidy(database).await.unwrap();
        let path = format!("{}?as_of={as_of}", members_path(&id));
        for late in [
            client.get(&format!("{size_path}?as_of={as_of}")).await,
            client.get(&path).await,
            client.post_json(&build, &outer.to_string()).await,
        ] {
            assert_eq!(
                (late.status.as_u16(), late.problem()),
                (422, "as_of_too_old".into())
            );
        }
    }
}

#[tokio::test]
async fn who_was_erased_is_no_member() {
    for (place, id) in filled().await {
        let mut client = place.client();
        let path = format!("{}/{id}/size", LIST.path());
        let before = client.get(&path).await.json();
        // By whose salts they may be stored is read a moment after the start.
        let app = &place.stage.app;
        app.metric_becomes("footfall_collect_salts", 2.0).await;
        let erase = client
            .post_json("/api/visitors/erase", r#"{"visitor":"bob"}"#)
            .await;
        assert_eq!(erase.status, 204, "{erase:?}");
        let as_of = before["as_of"].as_str().unwrap();
        for query in [String::new(), format!("?as_of={as_of}")] {
            let size = client.get(&format!("{path}{query}")).await.json();
            assert_eq!(size["size"], 4, "{}", place.stage.kind);
            let left = client.get(&format!("{}{query}", members_path(&id))).await;
            let expected: Vec<_> = SHOWN.iter().filter(|name| **name != "bob").collect();
            assert_eq!(lines(&left).iter().collect::<Vec<_>>(), expected);
        }
        let reply = client
            .get(&format!("{}?after=bob", members_path(&id)))
            .await;
        assert_eq!(reply.problem(), "invalid_query");
        assert!(
            reply.json()["detail"]
                .as_str()
                .unwrap()
                .contains("the one before")
        );
    }
}

#[tokio::test]
async fn exports_are_in_the_trail() {
    for (place, id) in filled().await {
        let mut client = place.client();
        let path = members_path(&id);
        for query in ["", "?format=csv", "?after=bob"] {
            assert_eq!(client.get(&format!("{path}{query}")).await.status, 200);
        }
        // What was refused, and a size, are no exports.
        assert_eq!(client.get(&format!("{path}?format=x")).await.status, 400);
        client.get(&format!("{}/{id}/size", LIST.path())).await;
        let audit = place.get("/api/audit?action=export.audience").await;
        let entries = audit["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 3, "{audit}");
        for entry in entries {
            assert_eq!(entry["object"], json!({ "kind": "audience", "id": id }));
            assert_eq!(
                entry["actor"],
                json!({ "kind": "user", "id": place.anna.id })
            );
        }
    }
}

/// What goes wrong on the way cuts the connection: it does not end as if that were all.
#[tokio::test]
async fn an_answer_that_cannot_be_finished_is_cut_off() {
    for place in Place::both().await {
        let names: Vec<_> = (0..2500)
            .map(|number| format!("=visitor {number}"))
            .collect();
        let keys: Vec<_> = names.iter().map(String::as_str).collect();
        visits(&place, "a", 0, &keys).await;
        let mut client = place.client();
        let id = LIST.save(&mut client, "many", &did("a")).await;
        // Reading the last of them fails.
        match &place.stage.servers {
            Some((_, postgres)) => {
                postgres.sql(
                    "CREATE POLICY broken ON visitors AS RESTRICTIVE USING (1 / (id - 2500) IS NOT NULL)",
                );
            }
            None => {
                let broken = "UPDATE visitors SET key = CAST(x'3dff' AS TEXT) WHERE id = 2500";
                execute(&place.stage, broken.to_owned()).await;
            }
        }
        for format in ["ndjson", "csv"] {
            let path = format!("{}?format={format}", members_path(&id));
            let read = client.try_send(Method::GET, &path, &[], "").await;
            assert!(read.is_err(), "{}: {read:?}", place.stage.kind);
        }
        assert_eq!(client.get("/api/ping").await.status, 200);
    }
}

/// Two companies with the same names and filters: each has its own members.
#[tokio::test]
async fn members_are_ones_own() {
    for (place, id) in filled().await {
        let zoe = place.stage.person("other", "zoe", Role::Admin).await;
        let mut theirs = place.stage.client(&zoe);
        let same = LIST.save(&mut theirs, "of a", &did("a")).await;
        let size = theirs
            .get(&format!("{}/{same}/size", LIST.path()))
            .await
            .json();
        assert_eq!(
            (&size["size"], &size["counters"]),
            (&json!(0), &json!({ "a": 0 }))
        );
        let reply = theirs.get(&members_path(&same)).await;
        assert_eq!(lines(&reply), [""; 0]);
        let built = theirs
            .post_json("/api/build-audience", &did("a").to_string())
            .await
            .json();
        assert_eq!((&built["size"], &built["sample"]), (&json!(0), &json!([])));
        // Neither by the name of a visitor, nor by an answer of the other company.
        let after = theirs
            .get(&format!("{}?after=bob", members_path(&same)))
            .await;
        assert_eq!(after.problem(), "invalid_query");
        let ours = place.get(&format!("{}/{id}/size", LIST.path())).await;
        let as_of = ours["as_of"].as_str().unwrap();
        let stolen = theirs
            .get(&format!("{}/{same}/size?as_of={as_of}", LIST.path()))
            .await;
        match stolen.status.as_u16() {
            200 => assert_eq!(stolen.json()["size"], 0),
            status => assert!([400, 422].contains(&status), "{stolen:?}"),
        }
    }
}
