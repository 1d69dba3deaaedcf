//! A visitor who is erased: nothing of them is left anywhere, and every number is as it was. The service is
//! one that logs all it can.

use std::process::Command;

use footfall::auth::role::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Client, Footfall, Redis, Reply,
    postgres::Database,
    process::{run, until},
    stage::Stage,
};

const ANN: &str = "uniqueann of the north";

/// What is only in visits of hers, in the visitor's name and in the names of the keys below.
const MARK: &str = "uniqueann";

/// How visitors are stored, and what Redis calls it.
const MODES: [(&str, u8); 3] = [("hashed", 1), ("daily", 2), ("given", 3)];

struct Place {
    footfall: Footfall,
    client: Client,
    folder: TempDir,
    servers: Option<(Redis, Database)>,
}

impl Place {
    async fn new(servers: Option<(Redis, Database)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut builder = Footfall::builder()
            .directory(folder.path())
            .env("FOOTFALL_LOG", "trace");
        if let Some((redis, database)) = &servers {
            redis.told("CONFIG SET rdbcompression no");
            builder = builder
                .env("REDIS_URL", redis.url())
                .env("DATABASE_URL", database.url());
        }
        let footfall = builder.start();
        if servers.is_some() {
            footfall.metric_becomes("footfall_database_up", 1.0).await;
        }
        footfall.metric_becomes("footfall_collect_salts", 2.0).await;
        let client = footfall.client().with_token(&footfall.token().await);
        Self {
            footfall,
            client,
            folder,
            servers,
        }
    }

    async fn both() -> [Self; 2] {
        let servers = (Redis::start(), Database::migrated());
        [Self::new(None).await, Self::new(Some(servers)).await]
    }

    fn sql(&self, text: &str) -> String {
        match &self.servers {
            Some((_, database)) => database.sql(text),
            None => {
                let mut sqlite = Command::new("sqlite3");
                let file = self.folder.path().join("data/footfall.db");
                let sqlite = sqlite.args(["-cmd", ".timeout 8000"]).arg(file).arg(text);
                String::from_utf8(run(sqlite).stdout)
                    .unwrap()
                    .trim()
                    .to_owned()
            }
        }
    }

    async fn sql_becomes(&self, text: &str, expected: &str) {
        until(text, async || (self.sql(text) == expected).then_some(())).await;
    }

    async fn visit(&mut self, counter: &str, carried: &Value) {
        let path = format!("/api/counters/{counter}");
        let reply = self.client.post_json(&path, &carried.to_string()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// A counter for each mode, on which one was counted who is neither.
    async fn counters(&mut self) {
        for (mode, in_redis) in MODES {
            self.visit(mode, &json!({ "path": "/first" })).await;
            let made =
                format!("SELECT count(*) FROM recordings WHERE counter = '{mode}' AND through = 1");
            self.sql_becomes(&made, "1").await;
            self.sql(&format!(
                "UPDATE recordings SET visitor = '{mode}', version = version + 1 WHERE counter = '{mode}'"
            ));
            if let Some((redis, _)) = &self.servers {
                redis.command(&format!(
                    "HSET footfall:{{{mode}}}:record mode {in_redis} version 1"
                ));
            }
        }
    }

    async fn erase(&mut self, visitor: &str) -> Reply {
        let body = json!({ "visitor": visitor }).to_string();
        self.client.post_json("/api/visitors/erase", &body).await
    }

    /// Counts, how far each is recorded and what its runs add up to.
    async fn totals(&mut self) -> Vec<(u64, String)> {
        let mut totals = Vec::new();
        for (mode, _) in MODES {
            let visits = self
                .client
                .get(&format!("/api/counters/{mode}"))
                .await
                .visits();
            let recorded = format!(
                "SELECT through || ' ' || (SELECT sum(last - first + 1) FROM runs WHERE recording_id = recordings.id)
                 FROM recordings WHERE counter = '{mode}'"
            );
            self.sql_becomes(&recorded, &format!("{visits} {visits}"))
                .await;
            totals.push((visits, self.sql(&recorded)));
        }
        totals
    }

    /// All rows of all tables, all that Redis has and all that was logged.
    async fn everything(&self) -> [(&'static str, String); 3] {
        let Some((redis, database)) = &self.servers else {
            return [
                ("tables", self.sql(".dump")),
                ("Redis", String::new()),
                ("log", self.footfall.log().join("\n")),
            ];
        };
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
        let tables: String = (database.sql(tables).lines())
            .map(|table| database.sql(&format!("SELECT * FROM {table}")))
            .collect();
        let client = redis::Client::open(redis.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let keys: Vec<String> = redis::cmd("KEYS")
            .arg("*")
            .query_async(&mut connection)
            .await
            .unwrap();
        let mut in_redis = keys.join("\n");
        for key in keys {
            let dump: Option<Vec<u8>> = redis::cmd("DUMP")
                .arg(key)
                .query_async(&mut connection)
                .await
                .unwrap();
            in_redis += &String::from_utf8_lossy(&dump.unwrap_or_default());
        }
        [
            ("tables", tables),
            ("Redis", in_redis),
            ("log", self.footfall.log().join("\n")),
        ]
    }
}

fn ann(place: usize) -> Value {
    json!({
        "visitor": ANN, "path": format!("/{MARK}/{place}"), "referrer": format!("https://{MARK}.example"),
        "campaign": format!("for {MARK}"), "country": "AQ", "properties": { MARK: "yes", "seat": MARK },
    })
}

const TEXTS_ADD_UP: &str = "SELECT count(*) FROM texts WHERE uses <>
    (SELECT count(*) FROM visits WHERE visits.recording_id = texts.recording_id AND path = texts.id)
    + (SELECT count(*) FROM visits WHERE visits.recording_id = texts.recording_id AND referrer = texts.id)
    + (SELECT count(*) FROM visits WHERE visits.recording_id = texts.recording_id AND campaign = texts.id)
    + (SELECT count(*) FROM visits WHERE visits.recording_id = texts.recording_id AND country = texts.id)";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_them_is_left_and_all_numbers_are_as_they_were() {
    for mut place in Place::both().await {
        place.counters().await;
        for (mode, _) in MODES {
            place.visit(mode, &ann(0)).await;
        }
        place
            .sql_becomes("SELECT count(*) FROM visitors", "3")
            .await;
        let keys = place.sql("SELECT key FROM visitors ORDER BY key");
        let marks: String = keys.chars().filter(|c| "#~=".contains(*c)).collect();
        assert!(
            marks.contains('#') && marks.contains('~') && marks.contains('='),
            "{keys}"
        );
        let bob = json!({ "visitor": "bob", "path": "/all", "country": "DE" });
        for (mode, _) in MODES {
            place.visit(mode, &bob).await;
            place
                .visit(mode, &json!({ "visitor": ANN, "path": "/all" }))
                .await;
        }
        if place.servers.is_some() {
            let aside = format!(
                r#"{{"1":{{"v":"={ANN}","p":"/{MARK}"}},"2":{{"v":"=bob","p":"/aside"}}}}"#
            );
            place.sql(&format!(
                "INSERT INTO repeated_visits SELECT company_id, id, 2, 2, 5, '{aside}' FROM recordings"
            ));
        }
        let before = place.totals().await;
        // As if the days were summed up.
        place.sql(
            "INSERT INTO value_days SELECT company_id, recording_id, min(at) / 86400000, 'path', path, 1, NULL
             FROM visits WHERE visitor IS NOT NULL GROUP BY company_id, recording_id, path",
        );
        let (property, nobody) = match place.servers {
            Some(_) => ("properties ->> 'seat'", "''"),
            None => ("properties ->> '$.seat'", "x''"),
        };
        place.sql(&format!(
            "INSERT INTO property_days SELECT company_id, recording_id, min(at) / 86400000, 'seat', {property}, 1, {nobody}
             FROM visits WHERE {property} IS NOT NULL GROUP BY company_id, recording_id, {property}"
        ));
        assert_eq!(place.sql("SELECT count(*) FROM property_days"), "3");
        place.sql("UPDATE recordings SET summed = 1000000");
        let all = place.everything().await;
        assert!(all[0].1.contains(MARK), "{}", all[0].1);
        // What waits in Redis is hers too.
        for seat in 1..20 {
            place.visit("given", &ann(seat)).await;
        }
        let reply = place.erase(ANN).await;
        assert_eq!(reply.status, 204, "{reply:?}");

        for (what, text) in place.everything().await {
            let at = text.find(MARK);
            assert_eq!(at.map(|at| &text[at.saturating_sub(200)..]), None, "{what}");
            for key in keys.lines() {
                assert!(!text.contains(key), "{key} is in {what}");
            }
        }
        let after = place.totals().await;
        assert_eq!(after[..2], before[..2]);
        assert_eq!(after[2].0, before[2].0 + 19);
        for (what, number) in [
            ("SELECT count(*) FROM texts WHERE text = 'AQ'", "0"),
            (TEXTS_ADD_UP, "0"),
            ("SELECT count(*) FROM value_days", "0"),
            ("SELECT count(*) FROM property_days", "0"),
            (
                "SELECT count(*) FROM recordings WHERE summed < 1000000",
                "3",
            ),
            // One who is nobody, and bob, on each.
            ("SELECT count(*) FROM visits", "6"),
            (
                "SELECT count(*) FROM texts WHERE text = '/all' AND uses = 1",
                "3",
            ),
            ("SELECT count(*) FROM visitors WHERE key IS NULL", "3"),
            ("SELECT count(*) FROM visitors WHERE key IS NOT NULL", "3"),
            (
                "SELECT count(*) FROM repeated_visits WHERE carried LIKE '%bob%/aside%'",
                "3",
            ),
        ] {
            if place.servers.is_some() || !what.contains("repeated_visits") {
                assert_eq!(place.sql(what), number, "{what}");
            }
        }
        // Again, somebody whom nobody knows, and somebody who comes back.
        for visitor in [ANN, "nobody"] {
            assert_eq!(place.erase(visitor).await.status, 204);
        }
        place.visit("hashed", &ann(0)).await;
        place
            .sql_becomes("SELECT count(*) FROM visitors WHERE key IS NOT NULL", "4")
            .await;
        let audited =
            "SELECT count(*) FROM audit_entries WHERE action = 'visitors.erase' AND object IS NULL";
        assert_eq!(place.sql(audited), "3");
    }
}

/// More than are erased in one transaction.
#[tokio::test(flavor = "multi_thread")]
async fn all_visits_of_a_visitor_go() {
    for mut place in Place::both().await {
        let line = json!({ "counter": "visits", "visitor": ANN, "path": "/p" }).to_string();
        let lines = vec![line; 1000].join("\n");
        let headers = [("content-type", "application/x-ndjson")];
        let sent = place
            .client
            .send(hyper::Method::POST, "/api/visits", &headers, lines)
            .await;
        assert_eq!(sent.status, 200, "{sent:?}");
        place
            .sql_becomes("SELECT count(*) FROM visits", "1000")
            .await;
        assert_eq!(place.erase(ANN).await.status, 204);
        for table in ["visits", "texts"] {
            assert_eq!(place.sql(&format!("SELECT count(*) FROM {table}")), "0");
        }
        assert_eq!(place.sql("SELECT through FROM recordings"), "1000");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_erased_while_visits_wait_that_may_be_theirs() {
    let servers = (Redis::start(), Database::migrated());
    let mut place = Place::new(Some(servers)).await;
    place.visit("hashed", &ann(0)).await;
    let known = "SELECT count(*) FROM visitors WHERE key IS NOT NULL";
    place.sql_becomes(known, "1").await;
    let (redis, _) = place.servers.as_ref().unwrap();
    // No stream, so it cannot be read.
    redis.told("SET footfall:{hashed}:visits x");
    redis.command("HSET footfall:{hashed}:record top 7");
    assert_eq!(place.erase(ANN).await.problem(), "recording_behind");
    assert_eq!(place.sql(known), "1");
    let (redis, _) = place.servers.as_ref().unwrap();
    redis.command("HSET footfall:{hashed}:record top 1");
    redis.command("DEL footfall:{hashed}:visits");
    assert_eq!(place.erase(ANN).await.status, 204);
    assert_eq!(place.sql(known), "0");
}

#[tokio::test]
async fn a_name_that_no_visit_can_have_is_refused() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let mut client = stage.client(&anna);
    for visitor in [
        json!(null),
        json!(""),
        json!(7),
        json!([ANN]),
        json!("a\0b"),
        json!("x".repeat(513)),
    ] {
        let body = json!({ "visitor": visitor }).to_string();
        let reply = client.post_json("/api/visitors/erase", &body).await;
        assert_eq!(reply.problem(), "invalid_body", "{visitor}");
        assert_eq!(reply.json()["field"], "visitor");
    }
}

#[tokio::test]
async fn a_visitor_of_another_company_stays() {
    for stage in Stage::both().await {
        let metric = "footfall_collect_salts";
        stage.app.metric_becomes(metric, 2.0).await;
        let known = "SELECT count(*) FROM visitors WHERE key IS NOT NULL";
        let companies = ["acme", "beta"];
        let mut admins = Vec::new();
        for company in companies {
            let admin = stage.person(company, company, Role::Admin).await;
            let mut client = stage.client(&admin);
            let counted = client
                .post_json("/api/counters/shop", &ann(0).to_string())
                .await;
            assert_eq!(counted.status, 200, "{counted:?}");
            admins.push(admin);
        }
        until("both are recorded", async || {
            (stage.number(known).await == 2).then_some(())
        })
        .await;
        for left in [1, 0] {
            let mut client = stage.client(&admins[left]);
            let body = json!({ "visitor": ANN }).to_string();
            let reply = client.post_json("/api/visitors/erase", &body).await;
            assert_eq!(reply.status, 204, "{reply:?}");
            assert_eq!(stage.number(known).await, left as i64);
            assert_eq!(
                stage.number("SELECT count(*) FROM visits").await,
                left as i64
            );
        }
    }
}
