//! `GET /api/audit`, all of it as lines of JSON.

use super::*;

async fn lines(client: &mut Client, query: &str, accept: &str) -> Reply {
    let path = format!("/api/audit{query}");
    client
        .send(Method::GET, &path, &[("accept", accept)], "")
        .await
}

#[tokio::test]
async fn an_export_has_all_and_is_recorded() {
    for reading in reading().await {
        let other = reading.trail.company("other").await;
        // All at once would take longer than a busy machine may.
        let all = vec![entry(other); 1203];
        for some in all.chunks(100).map(<[_]>::to_vec) {
            let recorded = reading.trail.database().write("test", move |connection| {
                Box::pin(async move {
                    connection.within(other).await?;
                    record_all(connection, &some).await
                })
            });
            recorded.await.unwrap();
        }
        record_each(reading.trail.database(), vec![entry(DEFAULT_ID)]).await;
        let mut client = reading.client("admin", other);
        let reply = lines(&mut client, "", "application/x-ndjson").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
        let text = reply.text();
        let exported: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let numbers: Vec<_> = exported
            .iter()
            .map(|entry| entry["seq"].as_i64().unwrap())
            .collect();
        let expected: Vec<_> = (1..=1204).rev().collect();
        assert_eq!(numbers, expected, "{}", reading.trail.kind());
        assert!(
            exported
                .iter()
                .all(|entry| entry["company"] == other.to_string())
        );
        let export = &exported[0];
        assert_eq!(export["action"], "export.audit");
        assert_eq!(export["actor"]["id"], Uuid::from_u128(70).to_string());
        assert_eq!(
            export["object"],
            json!({ "kind": "company", "id": other.to_string() })
        );
        assert_eq!(export["address"], "127.0.0.1");
        // The same as on the pages.
        let page = client.get("/api/audit?limit=1000").await;
        assert_eq!(entries(&page), exported[..1000]);
        let some = lines(
            &mut client,
            "?action=export.*",
            "text/html, application/x-ndjson;q=0.5",
        )
        .await;
        assert_eq!(some.text().lines().count(), 2);
        let none = lines(&mut client, "?action=mail.failed", "application/x-ndjson").await;
        assert_eq!((none.status.as_u16(), none.text().as_str()), (200, ""));
        for accept in [
            "*/*",
            "application/json",
            "application/x-ndjson;q=0",
            "application/*",
        ] {
            let reply = lines(&mut client, "?limit=1", accept).await;
            assert_eq!(
                reply.header("content-type"),
                Some("application/json"),
                "{accept}"
            );
        }
        for query in [
            "?limit=5",
            &format!("?cursor=1-{}", "0".repeat(64)),
            "?actor=x",
        ] {
            let reply = lines(&mut client, query, "application/x-ndjson").await;
            assert_eq!(reply.problem(), "invalid_query", "{query}");
        }
        // Nobody else's, and of what was refused nothing is recorded.
        let refused = lines(
            &mut client,
            &format!("?company={DEFAULT_ID}"),
            "application/x-ndjson",
        )
        .await;
        assert_eq!(refused.problem(), "not_found");
        let exports = client.get("/api/audit?action=export.*").await;
        assert_eq!(entries(&exports).len(), 3);
        assert_eq!(reading.trail.breaks(other, vec![]).await, []);
        // An operator exports all, which stands in the trail of their own company.
        let mut operator = reading.operator();
        let all = lines(&mut operator, "", "application/x-ndjson").await;
        assert_eq!(all.text().lines().count(), 1204 + 2 + 2);
        let own = operator
            .get(&format!(
                "/api/audit?company={DEFAULT_ID}&action=export.audit"
            ))
            .await;
        assert_eq!(entries(&own)[0]["actor"]["kind"], "operator");
    }
}

#[tokio::test]
async fn while_the_database_is_away_it_says_so() {
    let (redis, mut server) = (Redis::start(), postgres::Postgres::start());
    let builder = TestApp::builder().env("REDIS_URL", redis.url());
    let app = builder
        .env("DATABASE_URL", server.url("migrated"))
        .start()
        .await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let mut client = app.client().logged_in().await;
    assert_eq!(client.get("/api/audit").await.status, 200);
    server.kill();
    app.metric_becomes("footfall_database_up", 0.0).await;
    for accept in ["application/json", "application/x-ndjson"] {
        let reply = lines(&mut client, "", accept).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (503, "database_unavailable")
        );
    }
    assert_eq!(client.get("/api/count").await.visits(), 1);
}

/// What an application writes is measured.
#[tokio::test]
async fn rows_are_measured() {
    let reading = started(both().await.into_iter().next().unwrap()).await;
    let series = r#"footfall_audit_rows_total{group="export"}"#;
    let before = reading.app.metric(series).await.unwrap();
    lines(&mut reading.operator(), "", "application/x-ndjson").await;
    // Other tests of this process write, too.
    let after = reading.app.metric(series).await.unwrap();
    assert!(after > before, "{before} {after}");
    for name in [
        "folded_total",
        "dropped_total",
        "queue_depth",
        "expired_total",
        "addresses_cut_total",
    ] {
        let series = format!("footfall_audit_{name}");
        assert_eq!(reading.app.metric(&series).await, Some(0.0), "{name}");
    }
}
