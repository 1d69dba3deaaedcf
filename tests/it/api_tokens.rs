//! API tokens: made, shown once, used within scope and role, ended; on both databases.

use footfall::auth::{api_token::is_well_formed, role::Role};
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    stage::{Person, Stage, refusal},
    until,
};

async fn make(stage: &Stage, by: &Person, body: Value) -> crate::support::Reply {
    stage
        .client(by)
        .post_json("/auth/tokens", &body.to_string())
        .await
}

/// The token, without what of it is a person's.
fn ids(page: &Value) -> Vec<String> {
    let tokens = page["tokens"].as_array().unwrap().iter();
    tokens
        .map(|token| token["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_token_is_made_used_listed_and_ended() {
    for stage in Stage::both().await {
        let bo = stage.person("acme", "bo", Role::Member).await;
        let (anna, cy) = (
            stage.person("acme", "anna", Role::Admin).await,
            stage.person("acme", "cy", Role::Member).await,
        );
        let body = json!({ "name": "shop in Graz", "scopes": ["visits:write", "counters:read"], "expires_at": "2099-01-01T01:00:00+01:00" });
        let made = make(&stage, &bo, body).await;
        assert_eq!(
            (made.status.as_u16(), made.header("cache-control")),
            (201, Some("no-store"))
        );
        let (made, token) = (
            made.json(),
            made.json()["token"].as_str().unwrap().to_owned(),
        );
        assert!(is_well_formed(&token));
        assert_eq!(
            (&made["expires_at"], &made["last_used_at"]),
            (&json!("2099-01-01T00:00:00.000Z"), &Value::Null)
        );
        let mut machine = stage.app.client().with_token(&token);
        machine.get("/api/count").await.visits();
        assert_eq!(machine.get("/api/counters").await.status, 200);
        // Visits are those of its owner: the same key is the same visit.
        let count = "/api/counters/x";
        let key = [("idempotency-key", "k")];
        let first = machine.send(hyper::Method::POST, count, &key, "").await;
        let by_owner = stage
            .client(&bo)
            .send(hyper::Method::POST, count, &key, "")
            .await;
        assert!(!first.replayed() && by_owner.replayed());
        for path in ["/auth/tokens", "/api/users", "/auth/admins"] {
            assert_eq!(machine.get(path).await.problem(), "forbidden", "{path}");
        }
        let is_used = async || {
            let page = stage.client(&bo).get("/auth/tokens").await.json();
            page["tokens"][0]["last_used_at"].as_str().map(drop)
        };
        until("its last use is noted", is_used).await;
        // Nobody keeps the token itself.
        let listed = stage.client(&bo).get("/auth/tokens").await;
        assert!(!listed.text().contains(&token[4..]) && !listed.text().contains("\"token\""));

        let (of_cy, _) = stage.api_token(&cy, &["visits:write"]).await;
        let of_bo = made["id"].as_str().unwrap().to_owned();
        assert_eq!(
            ids(&stage.client(&bo).get("/auth/tokens").await.json()),
            [of_bo.as_str()]
        );
        let all = stage.client(&anna).get("/auth/tokens").await.json();
        assert_eq!(ids(&all), [of_bo.clone(), of_cy.clone()]);
        assert_eq!(
            all["tokens"][1]["owner"],
            json!({ "id": cy.id, "username": "cy" })
        );
        let page = stage.client(&anna).get("/auth/tokens?limit=1").await.json();
        let next = format!("/auth/tokens?cursor={}", page["next"].as_str().unwrap());
        assert_eq!(
            ids(&stage.client(&anna).get(&next).await.json()),
            [of_cy.as_str()]
        );

        let path = format!("/auth/tokens/{of_bo}");
        assert_eq!(stage.client(&cy).delete(&path).await.problem(), "not_found");
        for _ in 0..2 {
            assert_eq!(stage.client(&anna).delete(&path).await.status, 204);
            assert_eq!(machine.get("/api/count").await.problem(), "invalid_token");
        }
        assert_eq!(
            stage
                .client(&cy)
                .delete(&format!("/auth/tokens/{of_cy}"))
                .await
                .status,
            204
        );
        assert_eq!(stage.number("SELECT count(*) FROM audit_entries WHERE action IN ('token.create', 'token.end')").await, 4);
        assert_eq!(stage.number("SELECT count(*) FROM api_tokens WHERE secret_hash IS NULL OR length(secret_hash) <> 32").await, 0);
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_there_is_a_most() {
    let stage = Stage::sqlite().await;
    let bo = stage.person("acme", "bo", Role::Member).await;
    let good = json!({ "name": "n", "scopes": ["visits:write"] });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let mut cases = Vec::new();
    for bad in [
        json!(null),
        json!(1),
        json!([]),
        json!(""),
        json!(" "),
        json!(" a"),
        json!("a\0"),
        json!("a\nb"),
        json!("a\u{200b}"),
        json!("a\u{202e}b"),
        json!("a".repeat(65)),
        json!("😀".repeat(65)),
    ] {
        cases.push((with("name", bad), "name"));
    }
    for bad in [
        json!(null),
        json!("visits:write"),
        json!({}),
        json!([]),
        json!([1]),
        json!(["visits"]),
        json!(["visits:write", "x"]),
        json!(vec!["visits:write"; 6]),
    ] {
        cases.push((with("scopes", bad), "scopes"));
    }
    for bad in [
        json!(1),
        json!(""),
        json!("tomorrow"),
        json!("2099-01-01"),
        json!("2099-02-30T00:00:00Z"),
        json!("2001-01-01T00:00:00Z"),
    ] {
        cases.push((with("expires_at", bad), "expires_at"));
    }
    cases.push((json!({}), "name"));
    cases.push((json!({ "name": "n" }), "scopes"));
    for (body, field) in cases {
        let reply = make(&stage, &bo, body.clone()).await;
        assert_eq!(
            refusal(&reply),
            (422, "invalid_body".into(), json!(field)),
            "{body}"
        );
    }
    for (number, name) in (1..=50).map(|number| {
        (
            number,
            if number == 50 {
                "😀".repeat(64)
            } else {
                number.to_string()
            },
        )
    }) {
        assert_eq!(
            make(&stage, &bo, with("name", json!(name))).await.status,
            201,
            "{number}"
        );
    }
    assert_eq!(
        make(&stage, &bo, good.clone()).await.problem(),
        "tokens_full"
    );
    let first = ids(&stage.client(&bo).get("/auth/tokens?limit=1").await.json());
    assert_eq!(
        stage
            .client(&bo)
            .delete(&format!("/auth/tokens/{}", first[0]))
            .await
            .status,
        204
    );
    assert_eq!(make(&stage, &bo, good).await.status, 201);
}

/// What expires ends by itself, remembered or not.
#[tokio::test]
async fn a_token_expires() {
    let stage = Stage::sqlite().await;
    let bo = stage.person("acme", "bo", Role::Member).await;
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(2);
    let soon = humantime::format_rfc3339_millis(soon).to_string();
    let made = make(
        &stage,
        &bo,
        json!({ "name": "n", "scopes": ["visits:write"], "expires_at": soon }),
    )
    .await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let mut machine = stage.app.client().with_token(&token);
    machine.get("/api/count").await.visits();
    let expired = async || (machine.get("/api/count").await.status == 401).then_some(());
    until("it has expired", expired).await;
    assert_eq!(machine.get("/api/count").await.problem(), "expired_token");
}

#[tokio::test]
async fn wrong_ones_are_limited_by_address() {
    for stage in Stage::both().await {
        let bo = stage.person("acme", "bo", Role::Member).await;
        let (_, good) = stage.api_token(&bo, &["visits:write"]).await;
        let others: Vec<_> = (0..21)
            .map(|_| {
                footfall::auth::api_token::ApiToken::generate()
                    .unwrap()
                    .text
            })
            .collect();
        let at = async |address: &str, token: &str| {
            stage
                .app
                .client_at(address)
                .with_token(token)
                .get("/api/count")
                .await
        };
        // What has a wrong checksum, or is no token at all but for how it begins, is a wrong one, too.
        let last = if good.ends_with('0') { "1" } else { "0" };
        let mistyped = format!("{}{last}", &good[..good.len() - 1]);
        for bad in [&mistyped, "ffk_", "ffk_a", &good[..20]] {
            for number in 0..21 {
                let reply = at(&format!("192.0.2.{}", 10 + bad.len()), bad).await;
                let expected = if number < 20 {
                    "invalid_token"
                } else {
                    "too_many_requests"
                };
                assert_eq!(reply.problem(), expected, "{bad} {number}");
            }
        }
        for (number, other) in others.iter().enumerate() {
            let reply = at("192.0.2.1", secrecy::ExposeSecret::expose_secret(other)).await;
            let expected = if number < 20 {
                "invalid_token"
            } else {
                "too_many_requests"
            };
            assert_eq!(reply.problem(), expected, "{number}");
        }
        assert_eq!(at("192.0.2.1", &good).await.problem(), "too_many_requests");
        at("192.0.2.2", &good).await.visits();
        // Remembered now, and so nothing to be guessed.
        at("192.0.2.1", &good).await.visits();
    }
}

/// Whoever repeats a request has not seen the first secret; but somebody on the way may have.
#[tokio::test]
async fn a_secret_that_was_replaced_stops_with_the_answer() {
    use crate::support::people::{PASSWORD, both};
    for place in both(&[]).await {
        place.founder("anna@a.example").await;
        let reply = place.client().login("anna@a.example", PASSWORD).await;
        let session = reply.json()["token"].as_str().unwrap().to_owned();
        let body = json!({ "name": "n", "scopes": ["visits:write"] }).to_string();
        let make = async |replica: usize, id: &str| {
            let client = place.replicas[replica].proxy().with_token(&session);
            let reply = client
                .with("x-request-id", id)
                .post_json("/auth/tokens", &body)
                .await;
            assert_eq!(reply.status, 201, "{reply:?}");
            let made = reply.json();
            let text = |field: &str| made[field].as_str().unwrap().to_owned();
            assert_eq!(
                reply.header("location"),
                Some(format!("tokens/{}", text("id")).as_str())
            );
            (text("id"), text("token"))
        };
        let machine =
            |replica: usize, token: &str| place.replicas[replica].proxy().with_token(token);
        let (id, mut secret) = make(0, "one").await;
        for replica in [1, 0, 1] {
            // Both replicas remember it.
            for replica in [0, 1] {
                let count = machine(replica, &secret).get("/api/count").await;
                assert_eq!(count.status, 200, "{}", place.kind);
            }
            let (same, next) = make(replica, "one").await;
            assert_eq!(same, id);
            for replica in [0, 1] {
                let count = machine(replica, &secret).get("/api/count").await;
                assert_eq!(count.problem(), "invalid_token", "{}", place.kind);
                machine(replica, &next).get("/api/count").await.visits();
            }
            secret = next;
        }
        let mut owner = place.replicas[0].proxy().with_token(&session);
        let path = format!("/auth/tokens/{id}");
        assert_eq!(owner.delete(&path).await.status, 204);
        for replica in [0, 1] {
            let count = machine(replica, &secret).get("/api/count").await;
            assert_eq!(count.problem(), "invalid_token");
        }
    }
}

/// Made and ended again without end they would fill the memory of every replica.
#[tokio::test]
async fn a_user_makes_a_hundred_in_an_hour() {
    for stage in Stage::both().await {
        let bo = stage.person("acme", "bo", Role::Member).await;
        for _ in 0..100 {
            let (id, _) = stage.api_token(&bo, &["visits:write"]).await;
            let path = format!("/auth/tokens/{id}");
            assert_eq!(stage.client(&bo).delete(&path).await.status, 204);
        }
        let body = json!({ "name": "n", "scopes": ["visits:write"] });
        let reply = make(&stage, &bo, body).await;
        assert_eq!(reply.problem(), "too_many_requests", "{}", stage.kind);
        assert!(reply.header("retry-after").is_some());
        let cy = stage.person("acme", "cy", Role::Member).await;
        stage.api_token(&cy, &["visits:write"]).await;
    }
}

/// Counting never needs the database: what the process has verified is good while it is away.
#[tokio::test]
async fn a_verified_token_is_good_while_the_database_is_away() {
    let (redis, mut postgres) = (
        crate::support::Redis::start(),
        crate::support::postgres::Postgres::start(),
    );
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", postgres.url("migrated"));
    let app = app.start().await;
    app.ready().await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let stage = Stage {
        app,
        kind: "postgres",
        servers: None,
    };
    let bo = stage.person("acme", "bo", Role::Member).await;
    let (_, known) = stage.api_token(&bo, &["visits:write"]).await;
    let (_, unknown) = stage.api_token(&bo, &["visits:write"]).await;
    let count = async |token: &str| stage.app.client().with_token(token).get("/api/count").await;
    assert_eq!(count(&known).await.visits(), 1);
    postgres.kill();
    stage.app.metric_becomes("footfall_database_up", 0.0).await;
    for number in 2..10 {
        assert_eq!(count(&known).await.visits(), number);
    }
    assert_eq!(count(&unknown).await.problem(), "database_unavailable");
    assert_eq!(
        stage.client(&bo).get("/auth/tokens").await.problem(),
        "database_unavailable"
    );
    postgres.restart();
    stage.app.metric_becomes("footfall_database_up", 1.0).await;
    assert_eq!(count(&unknown).await.visits(), 10);
}

/// Without a database there are none.
#[tokio::test]
async fn without_a_database_there_are_none() {
    let redis = crate::support::Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    app.ready().await;
    let mut operator = app.client().logged_in().await;
    for path in [
        "/auth/tokens",
        "/api/users",
        "/api/company",
        "/api/companies",
        "/auth/admins",
    ] {
        assert_eq!(operator.get(path).await.problem(), "no_database", "{path}");
    }
    let token = footfall::auth::api_token::ApiToken::generate()
        .unwrap()
        .text;
    let token = secrecy::ExposeSecret::expose_secret(&token).to_owned();
    assert_eq!(
        app.client()
            .with_token(&token)
            .get("/api/count")
            .await
            .problem(),
        "invalid_token"
    );
}
