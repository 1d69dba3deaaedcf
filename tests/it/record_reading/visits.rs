//! Visits by their numbers: lines and tables, in pages that nobody sees.

use footfall::{
    auth::role::Role,
    counting::carried::{Attributes, Stored},
    record::Reason,
};
use hyper::Method;
use serde_json::{Value, json};

use super::{Place, after_gap, at, carrying, plain, to};
use crate::support::Reply;

const PATH: &str = "/api/counters/a/visits";

fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let text = reply.text();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn full() -> Stored {
    let properties = json!({ "plan": "pro", "n": 1.5, "yes": true });
    Stored {
        visitor: Some("=bob".into()),
        attributes: Attributes {
            path: Some("/a".into()),
            referrer: Some("=HYPERLINK(\"x\")".into()),
            campaign: Some("ä, \"b\"".into()),
            country: Some("DE".into()),
            properties: serde_json::from_value(properties).unwrap(),
        },
    }
}

async fn filled(place: &Place) {
    let noon = at("2026-03-01T12:00:00Z");
    let entries = [
        plain(5, 2, noon),
        carrying(7, noon + 1, vec![full(), to("/b", Some("#key"))]),
        after_gap(plain(12, 2, noon + 1000), 7, Reason::Off),
    ];
    place.append("a", 3, &entries).await;
}

#[tokio::test]
async fn each_number_has_its_line() {
    for place in Place::both().await {
        filled(&place).await;
        let reply = place.client().get(PATH).await;
        let expected = [
            json!({ "number": 1, "unrecorded": "before", "unrecorded_to": 3 }),
            json!({ "number": 4, "at": "2026-03-01T12:00:00.000Z" }),
            json!({ "number": 5, "at": "2026-03-01T12:00:00.000Z" }),
            json!({ "number": 6, "at": "2026-03-01T12:00:00.001Z", "visitor": "bob", "path": "/a",
                "referrer": "=HYPERLINK(\"x\")", "campaign": "ä, \"b\"", "country": "DE",
                "properties": { "plan": "pro", "n": 1.5, "yes": true } }),
            json!({ "number": 7, "at": "2026-03-01T12:00:00.001Z", "visitor": "#key", "path": "/b" }),
            json!({ "number": 8, "unrecorded": "off", "unrecorded_to": 10 }),
            json!({ "number": 11, "at": "2026-03-01T12:00:01.000Z" }),
            json!({ "number": 12, "at": "2026-03-01T12:00:01.000Z" }),
        ];
        assert_eq!(lines(&reply), expected, "{}", place.stage.kind);
        assert_eq!(reply.header("footfall-as-of"), Some("12"));
        for (query, first, last) in [
            ("after=5", 3, 8),
            ("before=6", 0, 3),
            ("after=4&before=7", 2, 4),
            ("as_of=7", 0, 5),
            ("after=5&as_of=6", 3, 4),
            ("after=12", 8, 8),
            ("before=0", 0, 0),
            ("before=1", 0, 0),
            ("after=9&before=5", 0, 0),
            ("after=", 0, 8),
        ] {
            let reply = place.client().get(&format!("{PATH}?{query}")).await;
            assert_eq!(lines(&reply), expected[first..last], "{query}");
        }
        for (number, line) in [(2, 0), (4, 1), (6, 3), (7, 4), (9, 5), (12, 7)] {
            let visit = place.get(&format!("{PATH}/{number}")).await;
            let mut expected = expected[line].clone();
            if expected.get("unrecorded").is_some() {
                expected["number"] = json!(number);
                expected["unrecorded_to"] = json!(number);
            }
            assert_eq!(visit, expected, "{number}");
        }
        for number in ["0", "13", "-1", "x", "99999999999999999999"] {
            assert_eq!(
                place.problem(&format!("{PATH}/{number}")).await.1,
                "not_found",
                "{number}"
            );
        }
        for query in ["after=x", "before=-1", "as_of=13", "limit=1"] {
            assert_eq!(
                place.problem(&format!("{PATH}?{query}")).await.1,
                "invalid_query",
                "{query}"
            );
        }
        assert_eq!(
            place.problem("/api/counters/b/visits").await.1,
            "counter_not_found"
        );
    }
}

#[tokio::test]
async fn a_table_has_no_formulas() {
    for place in Place::both().await {
        filled(&place).await;
        let accept = [("accept", "text/csv")];
        let reply = place.client().send(Method::GET, PATH, &accept, "").await;
        assert!(
            reply
                .header("content-type")
                .unwrap()
                .starts_with("text/csv")
        );
        let text = reply.text();
        let rows: Vec<_> = text.split("\r\n").collect();
        assert_eq!(
            rows[0],
            "number,at,visitor,path,referrer,campaign,country,properties,unrecorded,unrecorded_to"
        );
        assert_eq!(rows[1], "1,,,,,,,,before,3");
        assert_eq!(rows[2], "4,2026-03-01T12:00:00.000Z,,,,,,,,");
        let cells =
            "6,2026-03-01T12:00:00.001Z,bob,/a,\"'=HYPERLINK(\"\"x\"\")\",\"ä, \"\"b\"\"\",DE,";
        assert!(rows[4].starts_with(cells), "{}", rows[4]);
        assert_eq!((rows.len(), rows[9]), (10, ""));
    }
}

/// More than fit on a page, in runs and moments of all sizes.
#[tokio::test]
async fn pages_join_up() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        let (mut entries, mut number) = (Vec::new(), 0);
        for (step, visits) in [1, 999, 1, 2500, 700, 3, 1000, 1000]
            .into_iter()
            .enumerate()
        {
            let at = noon + step as i64 * 7_000_000;
            number += visits;
            entries.push(plain(number, visits, at));
            number += 2;
            entries.push(after_gap(
                carrying(number, at + 1, vec![to("/x", None)]),
                number - 2,
                Reason::Behind,
            ));
        }
        place.append("a", 0, &entries).await;
        let mut next = 1;
        for line in lines(&place.client().get(PATH).await) {
            assert_eq!(line["number"], next);
            next = line["unrecorded_to"].as_u64().unwrap_or(next) + 1;
        }
        assert_eq!(next, number + 1, "{}", place.stage.kind);
    }
}

/// A client must not take a part for all of it.
#[tokio::test]
async fn what_fails_on_the_way_cuts_the_connection() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        place
            .append(
                "a",
                0,
                &[plain(3000, 3000, noon), plain(3001, 1, noon + 86_400_000)],
            )
            .await;
        let database = place.stage.app.database.as_ref().unwrap();
        let broken = database.write("broken", |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                Ok(footfall::on_either!(connection, |database| {
                    sqlx::query("DELETE FROM runs WHERE first = 3001")
                        .execute(&mut **database)
                        .await
                }
                .map(drop))?)
            })
        });
        broken.await.unwrap();
        let read = place.client().try_send(Method::GET, PATH, &[], "").await;
        assert!(read.is_err(), "{}: {read:?}", place.stage.kind);
        let part = place.client().get(&format!("{PATH}?before=3001")).await;
        assert_eq!(lines(&part).len(), 3000);
    }
}

#[tokio::test]
async fn who_reads_visits_is_in_the_trail_and_needs_the_scope() {
    for place in Place::both().await {
        filled(&place).await;
        for (scope, status) in [("counters:read", 403), ("record:read", 200)] {
            let (_, token) = place.stage.api_token(&place.anna, &[scope]).await;
            let mut client = place.stage.app.client().with_token(&token);
            for path in [
                PATH,
                "/api/counters/a/visits/4",
                "/api/counters/a/values?field=path",
            ] {
                assert_eq!(client.get(path).await.status, status, "{scope} {path}");
            }
            let history = client.get("/api/counters/a/history").await.status.as_u16();
            assert_eq!(history, if status == 403 { 200 } else { 403 });
        }
        let audit = place.get("/api/audit?action=export.record").await;
        let entries = audit["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 1, "{audit}");
        assert_eq!(
            entries[0]["object"],
            json!({ "kind": "counter", "id": "a" })
        );
        assert_eq!(entries[0]["actor"]["kind"], "api_token");
        // Another company has no such counter.
        let zoe = place.stage.person("other", "zoe", Role::Admin).await;
        for path in [
            "visits",
            "visits/4",
            "history",
            "values?field=path",
            "recording",
        ] {
            let reply = place
                .stage
                .client(&zoe)
                .get(&format!("/api/counters/a/{path}"))
                .await;
            assert_eq!(reply.problem(), "counter_not_found", "{path}");
        }
    }
}

/// What begins with `#` or `~` is a hash; a name that was given is none, whatever it is.
#[tokio::test]
async fn no_name_that_was_given_is_taken_for_a_hash() {
    for place in Place::both().await {
        let shown = [
            ("#hash", "#hash", "#hash"),
            ("~hash", "~hash", "~hash"),
            ("=ann", "ann", "ann"),
            ("=a#b", "a#b", "a#b"),
            ("=#hash", "=#hash", "\"'=#hash\""),
            ("=~hash", "=~hash", "\"'=~hash\""),
            ("==ann", "==ann", "\"'==ann\""),
            ("='ann", "='ann", "\"'='ann\""),
            ("=-ann", "-ann", "\"'-ann\""),
        ];
        let carried = shown.map(|(stored, ..)| to("/a", Some(stored)));
        let noon = at("2026-03-01T12:00:00Z");
        let entry = carrying(shown.len() as u64, noon, carried.into());
        place.append("a", 0, &[entry]).await;
        let mut client = place.client();
        let lines = lines(&client.get(PATH).await);
        let csv = [("accept", "text/csv")];
        let table = client.send(Method::GET, PATH, &csv, "").await.text();
        let rows = table.lines().skip(1);
        for ((line, row), (stored, name, cell)) in lines.iter().zip(rows).zip(shown) {
            assert_eq!(line["visitor"], name, "{stored}");
            assert_eq!(row.split(',').nth(2), Some(cell), "{stored}");
        }
    }
}
