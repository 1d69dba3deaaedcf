//! The database: one code for SQLite and PostgreSQL, and a PostgreSQL in every trouble beside a
//! service that counts on.

mod ahead;
mod embedded;
mod looks;
mod migrate;
mod one_text;
mod operations;
mod outages;
mod schemas;
mod secrets;
mod tls;
mod urls;

use serde_json::Value;

use crate::support::{Footfall, Redis, footfall::Builder, process::PATIENCE};

/// What is logged when it goes away.
const AWAY: &str = "database is away; counting goes on without it";

/// A service on this Redis and this database.
fn service(redis: &Redis, url: &str) -> Builder {
    Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", url)
}

/// What `/readyz` says of the database; the replica is ready whatever that is.
async fn told(footfall: &Footfall) -> Value {
    let reply = footfall.ops_client().get("/readyz").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let said = reply.json();
    let (status, state) = (&said["status"], &said["dependencies"]["database"]["state"]);
    let expected = if *state == "up" { "ready" } else { "degraded" };
    assert_eq!(*status, expected, "{said}");
    said["dependencies"]["database"].clone()
}

/// Waits until the database is up.
async fn up(footfall: &Footfall) {
    let waiting = async { while told(footfall).await["state"] != "up" {} };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "never up: {}", told(footfall).await);
    assert_eq!(footfall.metric("footfall_database_up").await, Some(1.0));
}

/// Waits until the database is away for this reason.
async fn away(footfall: &Footfall, reason: &str) {
    let waiting = async {
        loop {
            let said = told(footfall).await;
            let given = said["reason"].as_str().unwrap_or_default();
            if said["state"] == "down" && given.contains(reason) {
                assert_eq!(said["kind"], "postgres");
                return;
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "not {reason:?}: {}", told(footfall).await);
    assert_eq!(footfall.metric("footfall_database_up").await, Some(0.0));
}
