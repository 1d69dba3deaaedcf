//! Replicas know the keys without asking the database for each visit, also while it is away.

use footfall::auth::role::Role;
use serde_json::json;

use super::{SHOP, made, post};
use crate::support::{
    Redis, TestApp,
    postgres::{self, Postgres},
    stage::Stage,
    until,
};

async fn replica(redis: &Redis, database: &str) -> TestApp {
    let app = TestApp::builder()
        .env("FOOTFALL_PUBLIC_URL", "http://footfall.example")
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database);
    let app = app.start().await;
    app.ready().await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    app
}

async fn status(app: &TestApp, key: &str) -> u16 {
    let reply = post(
        &mut app.client(),
        &[("origin", SHOP)],
        &json!({ "key": key }),
    )
    .await;
    reply.status.as_u16()
}

#[tokio::test]
async fn other_replicas_learn_of_what_is_made_and_ended() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let first = replica(&redis, &database.url()).await;
    let second = replica(&redis, &database.url()).await;
    let stage = Stage {
        app: first,
        kind: "postgres",
        servers: None,
    };
    let anna = stage.person("acme", "anna", Role::Admin).await;
    for round in 0..3 {
        let body = json!({ "name": "n", "counters": ["a"], "origins": [SHOP] });
        let (id, key) = made(&stage, &anna, &body).await;
        for app in [&stage.app, &second] {
            until("it is known", async || {
                (status(app, &key).await == 204).then_some(())
            })
            .await;
        }
        let path = format!("/api/write-keys/{id}");
        assert_eq!(stage.client(&anna).delete(&path).await.status, 204);
        assert_eq!(
            status(&second, &key).await,
            403,
            "at once, in round {round}"
        );
    }
}

#[tokio::test]
async fn known_keys_are_good_while_the_database_is_away() {
    let (redis, mut postgres) = (Redis::start(), Postgres::start());
    let url = postgres.url("migrated");
    let stage = Stage {
        app: replica(&redis, &url).await,
        kind: "postgres",
        servers: None,
    };
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let body = json!({ "name": "n", "counters": ["a"], "origins": [SHOP] });
    let (_, key) = made(&stage, &anna, &body).await;
    until("it is known", async || {
        (status(&stage.app, &key).await == 204).then_some(())
    })
    .await;
    let unknown = footfall::auth::api_token::generate("ffw_").unwrap();
    assert_eq!(status(&stage.app, &unknown).await, 403);

    postgres.kill();
    stage.app.metric_becomes("footfall_database_up", 0.0).await;
    for _ in 0..20 {
        assert_eq!(status(&stage.app, &key).await, 204);
    }
    // It may have been made elsewhere just before.
    until("nobody knows", async || {
        (status(&stage.app, &unknown).await == 503).then_some(())
    })
    .await;
    assert_eq!(status(&stage.app, "ffw_cut").await, 403, "none could be");
    let reply = post(
        &mut stage.app.client(),
        &[("origin", SHOP)],
        &json!({ "key": unknown }),
    )
    .await;
    assert_eq!(reply.problem(), "database_unavailable");
    assert_eq!(reply.header("retry-after"), Some("1"));

    // Who starts meanwhile knows none.
    let late = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", &url)
        .start()
        .await;
    late.ready().await;
    assert_eq!(status(&late, &key).await, 503);
    postgres.restart();
    until("it is known", async || {
        (status(&late, &key).await == 204).then_some(())
    })
    .await;
    until("it is none", async || {
        (status(&stage.app, &unknown).await == 403).then_some(())
    })
    .await;
}
