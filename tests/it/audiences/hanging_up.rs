//! Who hangs up: the query ends in the database, and the next one is answered.

use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::*;
use crate::support::{Footfall, Redis, postgres::Database, until};

/// Queries of the service that are running in the database.
const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE usename = 'footfall' AND state = 'active' AND wait_event = 'PgSleep'";

/// Each row that is looked at takes so long that no query of them is ever answered in time.
const SLOW: &str = "CREATE POLICY slow ON visits AS RESTRICTIVE USING (pg_sleep(0.1) IS NOT NULL)";

async fn running(database: &Database, number: &str) {
    until("the database says so", async || {
        (database.sql(RUNNING) == number).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_the_query_in_the_database() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url())
        .start();
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    footfall.metric_becomes("footfall_collect_salts", 2.0).await;
    let mut client = footfall.client().logged_in().await;
    let lines: Vec<_> = (0..1000)
        .map(|number| {
            json!({ "counter": "a", "visitor": format!("v{number}"), "properties": { "n": number } })
                .to_string()
        })
        .collect();
    let headers = [("content-type", "application/x-ndjson")];
    let sent = client
        .send(Method::POST, "/api/visits", &headers, lines.join("\n"))
        .await;
    assert_eq!(sent.status, 200, "{sent:?}");
    // By a property, which is looked for visit by visit.
    let filter = json!({ "version": 1, "include": { "did": { "counter": "a", "where": [{ "property": "n", "gte": 0 }] } } });
    let id = List::Audiences.save(&mut client, "slow", &filter).await;
    let path = format!("/api/audiences/{id}/size");
    until("all of it is recorded", async || {
        let size = client.get(&path).await.json();
        (size["size"] == 1000).then_some(())
    })
    .await;
    let token = footfall.token().await;
    database.sql(SLOW);
    let head = format!("Host: x\r\nAuthorization: Bearer {token}\r\n");
    let body = filter.to_string();
    for request in [
        format!("GET {path} HTTP/1.1\r\n{head}\r\n"),
        format!("GET /api/audiences/{id}/members HTTP/1.1\r\n{head}\r\n"),
        format!(
            "POST /api/build-audience HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    ] {
        let mut connection = TcpStream::connect(footfall.public()).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        running(&database, "1").await;
        drop(connection);
        running(&database, "0").await;
    }
    let cancelled = r#"footfall_audience_queries_total{outcome="cancelled"}"#;
    footfall.metric_becomes(cancelled, 3.0).await;
    footfall
        .metric_becomes("footfall_audience_queries_running", 0.0)
        .await;
    // Nobody waits behind them.
    database.sql("DROP POLICY slow ON visits");
    assert_eq!(client.get(&path).await.json()["size"], 1000);
    assert_eq!(client.get("/api/counters/a").await.visits(), 1000);
}
