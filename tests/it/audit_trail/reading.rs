//! `GET /api/audit`

use std::collections::BTreeSet;

use footfall::audit::{Outcome, record_all};
use hyper::Method;
use serde_json::{Value, json};

use super::*;
use crate::{
    support::{Client, Redis, Reply, TestApp, footfall::SECRET_KEY, until},
    tokens::{kid_of, sign},
};

/// An application on a database that the test has, too.
struct Reading {
    trail: Trail,
    app: TestApp,
    kid: String,
    _redis: Option<Redis>,
}

async fn reading() -> [Reading; 2] {
    let [sqlite, postgres] = both().await;
    [started(sqlite).await, started(postgres).await]
}

async fn started(trail: Trail) -> Reading {
    let mut builder = TestApp::builder();
    let redis = trail.postgres.as_ref().map(|_| Redis::start());
    builder = match (&trail.postgres, &redis) {
        (Some(postgres), Some(redis)) => builder
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", postgres.url()),
        _ => {
            let file = trail.opened.folder().join("footfall.db");
            builder.env("DATABASE_URL", format!("sqlite:{}", file.display()))
        }
    };
    let app = builder.start().await;
    if trail.postgres.is_some() {
        app.metric_becomes("footfall_database_up", 1.0).await;
    }
    // Of another application with this key: a login would be an entry.
    let kid = kid_of(&TestApp::start().await.token().await);
    Reading {
        trail,
        app,
        kid,
        _redis: redis,
    }
}

impl Reading {
    /// A client with the token of somebody of this role.
    fn client(&self, role: &str, company: Uuid) -> Client {
        let id = Uuid::from_u128(70);
        self.with_claims(json!({ "sub": id, "role": role, "uid": id, "cid": company }))
    }

    /// A client with a token of the settings' account.
    fn operator(&self) -> Client {
        self.with_claims(json!({ "sub": "admin", "role": "admin" }))
    }

    fn with_claims(&self, mut claims: Value) -> Client {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        claims["iss"] = "footfall".into();
        claims["iat"] = now.into();
        claims["exp"] = (now + 600).into();
        claims["jti"] = "1".into();
        let token = sign("HS256", Some(&self.kid), &claims, SECRET_KEY);
        self.app.client().with_token(&token)
    }
}

fn entries(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["entries"].as_array().unwrap().clone()
}

fn ids(entries: &[Value]) -> Vec<String> {
    let id = |entry: &Value| entry["id"].as_str().unwrap().to_owned();
    entries.iter().map(id).collect()
}

#[tokio::test]
async fn an_entry_is_shown_as_it_was_told() {
    for reading in reading().await {
        let failed = Entry::new(DEFAULT_ID, Actor::Anonymous, Action::SessionLogin)
            .ended(Outcome::Failure)
            .from_request("another", "2001:db8:1:2::3".parse().ok());
        record_each(reading.trail.database(), vec![entry(DEFAULT_ID), failed]).await;
        let mut client = reading.client("admin", DEFAULT_ID);
        let reply = client.get("/api/audit").await;
        assert_eq!(reply.json()["next"], Value::Null);
        let entries = entries(&reply);
        let stored = reading.trail.entries(DEFAULT_ID).await;
        let row = &stored[0].row;
        let hash: String = row.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = &entries[1];
        let at = shown["recorded_at"].as_str().unwrap();
        let read = humantime::parse_rfc3339(at).unwrap();
        let millis = read
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis();
        assert_eq!(millis as i64, row.recorded_at);
        assert_eq!(
            *shown,
            json!({
                "id": row.id, "company": DEFAULT_ID, "seq": 1, "recorded_at": at,
                "events": 1, "first_at": at, "last_at": at,
                "actor": { "kind": "user", "id": Uuid::from_u128(7) },
                "action": "account.role",
                "object": { "kind": "user", "id": Uuid::from_u128(8).to_string() },
                "outcome": "success", "request_id": "a-request", "address": "192.0.2.77",
                "details": { "from": "member", "to": "admin" }, "hash": hash,
            })
        );
        let newest = &entries[0];
        assert_eq!(newest["seq"], 2);
        assert_eq!(newest["actor"], json!({ "kind": "anonymous", "id": null }));
        assert_eq!(newest["object"], Value::Null);
        assert_eq!(newest["address"], "2001:db8:1:2::3");
        assert_eq!(newest["details"], json!({}));
    }
}

/// All that were there at the first page are on some page, once, whatever comes meanwhile.
#[tokio::test]
async fn pages_are_complete_while_entries_come() {
    for reading in reading().await {
        let other = reading.trail.company("other").await;
        let companies = [DEFAULT_ID, other];
        let batch = |number: usize| -> Vec<Entry> {
            (0..number)
                .map(|index| entry(companies[index % 2]))
                .collect()
        };
        // Many in one millisecond.
        let many = batch(21);
        let recorded = reading.trail.database().write("test", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                record_all(connection, &many).await
            })
        });
        recorded.await.unwrap();
        record_each(reading.trail.database(), batch(10)).await;
        for (query, mut client, expected) in [
            ("", reading.operator(), 31),
            ("", reading.client("admin", DEFAULT_ID), 16),
            (
                "&action=account.*&actor=user",
                reading.client("admin", other),
                15,
            ),
        ] {
            let first = client.get(&format!("/api/audit?limit=1000{query}")).await;
            let there = ids(&entries(&first));
            let (mut cursor, mut seen) = (String::new(), Vec::new());
            loop {
                let path = format!("/api/audit?limit=4&cursor={cursor}{query}");
                let reply = client.get(&path).await;
                let page = entries(&reply);
                seen.extend(ids(&page));
                record_each(reading.trail.database(), batch(2)).await;
                match reply.json()["next"].as_str() {
                    Some(next) => {
                        assert_eq!(page.len(), 4);
                        next.clone_into(&mut cursor);
                    }
                    None => break,
                }
            }
            let of_before: Vec<_> = seen
                .iter()
                .filter(|id| there.contains(id))
                .cloned()
                .collect();
            assert_eq!(of_before, there, "{}", reading.trail.kind());
            let unique: BTreeSet<_> = seen.iter().collect();
            assert_eq!(unique.len(), seen.len());
            assert!(there.len() >= expected, "{}", there.len());
        }
    }
}

#[tokio::test]
async fn filters() {
    for reading in reading().await {
        let other = reading.trail.company("other").await;
        let (ann, bob) = (Uuid::from_u128(71), Uuid::from_u128(72));
        let told = vec![
            Entry::new(DEFAULT_ID, Actor::User(ann), Action::SessionLogin),
            Entry::new(DEFAULT_ID, Actor::Anonymous, Action::SessionLogin).ended(Outcome::Failure),
            Entry::new(DEFAULT_ID, Actor::User(bob), Action::SessionLogoutAll),
            Entry::new(DEFAULT_ID, Actor::ApiToken(bob), Action::AccessDenied)
                .ended(Outcome::Denied),
            Entry::new(DEFAULT_ID, Actor::Operator, Action::CompanySuspend)
                .on(Kind::Company, other),
            Entry::new(other, Actor::System, Action::MailFailed).ended(Outcome::Failure),
        ];
        record_each(reading.trail.database(), told).await;
        reading.trail.append_old(other, 10).await;
        let mut client = reading.operator();
        let day = |days: i64| {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
            let then = std::time::Duration::from_millis((now - days * DAY) as u64);
            let then = std::time::UNIX_EPOCH + then;
            humantime::format_rfc3339_seconds(then).to_string()
        };
        let plus = day(5).replace('Z', "%2B00:00");
        for (query, expected) in [
            ("", vec![6, 5, 4, 3, 2, 1, 0]),
            (
                "actor=&action=&outcome=&from=&to=&company=&cursor=&limit=",
                vec![6, 5, 4, 3, 2, 1, 0],
            ),
            (&format!("actor={ann}"), vec![0]),
            (&format!("actor={bob}"), vec![3, 2]),
            (
                &format!("actor={}", bob.to_string().to_uppercase()),
                vec![3, 2],
            ),
            (&format!("actor={}", Uuid::from_u128(9)), vec![]),
            ("actor=user", vec![2, 0]),
            ("actor=anonymous", vec![1]),
            ("actor=operator", vec![4]),
            ("action=session.login", vec![1, 0]),
            ("action=session.*", vec![2, 1, 0]),
            ("action=session.logout", vec![]),
            ("action=sess.*", vec![]),
            ("action=account.*", vec![6]),
            ("action=of_a_later.version", vec![]),
            ("outcome=failure", vec![5, 1]),
            ("outcome=denied", vec![3]),
            ("action=session.*&outcome=success&actor=user", vec![2, 0]),
            (&format!("from={}", day(5)), vec![5, 4, 3, 2, 1, 0]),
            (&format!("from={plus}"), vec![5, 4, 3, 2, 1, 0]),
            (&format!("to={}", day(5)), vec![6]),
            (&format!("from={}&to={}", day(20), day(5)), vec![6]),
            (&format!("from={}", day(-1)), vec![]),
            (&format!("company={other}"), vec![6, 5]),
            (&format!("company={DEFAULT_ID}"), vec![4, 3, 2, 1, 0]),
            (&format!("company={}", Uuid::from_u128(9)), vec![]),
        ] {
            let reply = client.get(&format!("/api/audit?{query}")).await;
            let mut found: Vec<_> = entries(&reply)
                .iter()
                .map(|entry| {
                    let (action, actor) =
                        (entry["action"].as_str(), entry["actor"]["kind"].as_str());
                    match (action.unwrap(), actor.unwrap()) {
                        ("session.login", "user") => 0,
                        ("session.login", _) => 1,
                        ("session.logout_all", _) => 2,
                        ("access.denied", _) => 3,
                        ("company.suspend", _) => 4,
                        ("mail.failed", _) => 5,
                        _ => 6,
                    }
                })
                .collect();
            // Those of one moment are apart by what is not told here.
            found.sort_unstable_by(|one, other| other.cmp(one));
            assert_eq!(found, expected, "{}: {query}", reading.trail.kind());
        }
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let reading = started(both().await.into_iter().next().unwrap()).await;
    let mut client = reading.operator();
    let long = "x".repeat(41);
    for (query, name) in [
        ("actor=nobody", "actor"),
        ("actor=00000000000070008000000000000001", "actor"),
        ("actor=%7B00000000-0000-7000-8000-000000000001%7D", "actor"),
        ("action=session", "action"),
        ("action=session.", "action"),
        ("action=.login", "action"),
        ("action=*", "action"),
        ("action=*.login", "action"),
        ("action=session.log*", "action"),
        ("action=session.login.more", "action"),
        ("action=Session.login", "action"),
        ("action=session.%25", "action"),
        ("action=session.%00", "action"),
        ("action=session.%F0%9F%98%80", "action"),
        (&format!("action={long}.login"), "action"),
        ("outcome=SUCCESS", "outcome"),
        ("outcome=ok", "outcome"),
        ("from=yesterday", "from"),
        ("from=2026-01-01", "from"),
        ("from=2026-01-01T00:00:00+02:00", "from"),
        ("to=1700000000", "to"),
        ("to=10000-01-01T00:00:00Z", "to"),
        ("company=default", "company"),
        ("company=%00", "company"),
        ("cursor=1", "cursor"),
        ("cursor=null", "cursor"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("unknown=1", "unknown"),
        ("Actor=user", "Actor"),
        ("actor=user&actor=user", "actor"),
    ] {
        let reply = client.get(&format!("/api/audit?{query}")).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (400, "invalid_query"),
            "{query}"
        );
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(name), "{query}: {detail}");
    }
    // Any place that has the form of one is a place.
    for digits in ["0", "7", "8", "f"] {
        let cursor = format!("1-{}", digits.repeat(64));
        let reply = client.get(&format!("/api/audit?cursor={cursor}")).await;
        assert_eq!(reply.status, 200, "{cursor}");
    }
}

#[tokio::test]
async fn each_sees_its_own_company_and_operators_all() {
    for reading in reading().await {
        let other = reading.trail.company("other").await;
        record_each(
            reading.trail.database(),
            vec![entry(DEFAULT_ID), entry(other)],
        )
        .await;
        let companies = async |mut client: Client, query: &str| -> Vec<String> {
            let reply = client.get(&format!("/api/audit{query}")).await;
            let company = |entry: &Value| entry["company"].as_str().unwrap().to_owned();
            let mut found: Vec<_> = entries(&reply).iter().map(company).collect();
            found.sort();
            found
        };
        let (ours, theirs) = (DEFAULT_ID.to_string(), other.to_string());
        let all = [ours.clone(), theirs.clone()];
        assert_eq!(companies(reading.operator(), "").await, all);
        for (own, foreign) in [(DEFAULT_ID, other), (other, DEFAULT_ID)] {
            let client = || reading.client("admin", own);
            assert_eq!(companies(client(), "").await, [own.to_string()]);
            let query = format!("?company={own}");
            assert_eq!(companies(client(), &query).await, [own.to_string()]);
            for nobodys in [foreign, Uuid::from_u128(9)] {
                let reply = client().get(&format!("/api/audit?company={nobodys}")).await;
                let seen = (reply.status.as_u16(), reply.problem());
                assert_eq!(seen, (404, "not_found".into()), "{nobodys}");
            }
            // A place in another's trail is a place among one's own.
            let page = reading.operator().get("/api/audit?limit=1").await;
            let next = page.json()["next"].as_str().unwrap().to_owned();
            let below = companies(client(), &format!("?cursor={next}")).await;
            assert!(below.iter().all(|company| *company == own.to_string()));
        }
    }
}

/// Who may not read it is told so, and is in it.
#[tokio::test]
async fn who_may_not_is_refused_and_recorded() {
    for reading in reading().await {
        let other = reading.trail.company("other").await;
        assert_eq!(
            reading.app.client().get("/api/audit").await.problem(),
            "missing_token"
        );
        for role in ["viewer", "member"] {
            let reply = reading.client(role, other).get("/api/audit").await;
            assert_eq!(
                (reply.status.as_u16(), reply.problem().as_str()),
                (403, "forbidden"),
                "{role}"
            );
        }
        let mut admin = reading.client("admin", other);
        let found = until("it is recorded", async || {
            let reply = admin.get("/api/audit?action=access.denied").await;
            entries(&reply).into_iter().next()
        });
        let found = found.await;
        assert_eq!(found["outcome"], "denied");
        assert_eq!(found["actor"]["id"], Uuid::from_u128(70).to_string());
        assert_eq!(
            found["object"],
            json!({ "kind": "operation", "id": "GET /api/audit" })
        );
        assert_eq!(found["details"], json!({ "reason": "read_audit" }));
        assert_eq!(found["address"], "127.0.0.1");
        assert!(found["request_id"].as_str().unwrap().len() > 30);
    }
}

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
async fn without_a_database_it_says_so() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let reply = app.client().logged_in().await.get("/api/audit").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (501, "no_database")
    );
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
