//! `GET /api/audit`

mod export;
mod filters;

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
