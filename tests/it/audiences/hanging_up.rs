//! Who hangs up: the query ends in the database, and the next one is answered.

use std::{path::Path, time::Duration};

use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::*;
use crate::support::{Footfall, Redis, directories, postgres::Database, until};

/// So long does nobody wait: a query that ends before has not ended by its time.
const LONG: &str = "10m";

/// Queries of the service that are running in the database.
const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity
     WHERE usename = 'footfall' AND state = 'active' AND wait_event = 'PgSleep'";

/// Each row that is looked at takes so long that no query of them is ever answered in time.
const SLOW: &str = "CREATE POLICY slow ON visits AS RESTRICTIVE USING (pg_sleep(0.1) IS NOT NULL)";

/// Whoever looks for visits looks for ever.
const FOR_EVER: &str = "ALTER TABLE visits RENAME TO kept_visits;
     CREATE VIEW visits AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
         SELECT kept_visits.* FROM kept_visits, n WHERE i < 0";

const AS_BEFORE: &str = "DROP VIEW visits; ALTER TABLE kept_visits RENAME TO visits";

/// By a property, which is looked for visit by visit.
fn by_property() -> Value {
    json!({ "version": 1, "include": { "did": { "counter": "a", "where": [{ "property": "n", "gte": 0 }] } } })
}

/// Visits of so many visitors, and an audience of all of them.
async fn audience(client: &mut Client, visitors: usize) -> String {
    let lines: Vec<_> = (0..visitors)
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
    let id = List::Audiences.save(client, "slow", &by_property()).await;
    let path = format!("/api/audiences/{id}/size");
    until("all of it is recorded", async || {
        let size = client.get(&path).await.json();
        (size["size"] == visitors).then_some(())
    })
    .await;
    path
}

/// Asks for the members of an audience in every way, and hangs up when it is running, as somebody sees.
async fn hang_up(footfall: &Footfall, size: &str, is_running: impl AsyncFn() -> bool) {
    let token = footfall.token().await;
    let head = format!("Host: x\r\nAuthorization: Bearer {token}\r\n");
    let members = size.replace("/size", "/members");
    let body = by_property().to_string();
    let asked = "footfall_audience_queries_running";
    for request in [
        format!("GET {size} HTTP/1.1\r\n{head}\r\n"),
        format!("GET {members} HTTP/1.1\r\n{head}\r\n"),
        format!(
            "POST /api/build-audience HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    ] {
        let mut connection = TcpStream::connect(footfall.public()).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        footfall.metric_becomes(asked, 1.0).await;
        until("it is running", async || is_running().await.then_some(())).await;
        drop(connection);
        until("it has ended", async || (!is_running().await).then_some(())).await;
    }
    let cancelled = r#"footfall_audience_queries_total{outcome="cancelled"}"#;
    footfall.metric_becomes(cancelled, 3.0).await;
    footfall.metric_becomes(asked, 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_the_query_in_the_database() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url())
        .env("FOOTFALL_REQUEST_TIMEOUT", LONG)
        .start();
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    footfall.metric_becomes("footfall_collect_salts", 2.0).await;
    let mut client = footfall.client().logged_in().await;
    let size = audience(&mut client, 1000).await;
    database.sql(SLOW);
    hang_up(&footfall, &size, async || database.sql(RUNNING) != "0").await;
    // Nobody waits behind them.
    database.sql("DROP POLICY slow ON visits");
    assert_eq!(client.get(&size).await.json()["size"], 1000);
    assert_eq!(client.get("/api/counters/a").await.visits(), 1000);
}

/// The file, by somebody else.
async fn open(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    let options = options.busy_timeout(Duration::from_millis(200));
    SqliteConnection::connect_with(&options).await.unwrap()
}

/// Whether somebody reads the file for longer than a moment: its log cannot be emptied then.
async fn is_read(file: &Path) -> bool {
    let mut file = open(file).await;
    // What is not there when the log is empty cannot be in the way of anybody.
    let written = "CREATE TABLE IF NOT EXISTS written (n); INSERT INTO written VALUES (1)";
    sqlx::raw_sql(written).execute(&mut file).await.unwrap();
    let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
    let emptied = emptied.fetch_one(&mut file).await.unwrap();
    emptied.get::<i64, _>(0) != 0
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_the_query_of_a_file() {
    let directory = directories::on_disk();
    let footfall = Footfall::builder()
        .directory(directory.path())
        .env("FOOTFALL_REQUEST_TIMEOUT", LONG)
        .start();
    let mut client = footfall.client().logged_in().await;
    let size = audience(&mut client, 10).await;
    let path = directory.path().join("data/footfall.db");
    let mut file = open(&path).await;
    sqlx::raw_sql(FOR_EVER).execute(&mut file).await.unwrap();
    hang_up(&footfall, &size, async || is_read(&path).await).await;
    sqlx::raw_sql(AS_BEFORE).execute(&mut file).await.unwrap();
    assert_eq!(client.get(&size).await.json()["size"], 10);
    assert_eq!(client.get("/api/counters/a").await.visits(), 10);
}
