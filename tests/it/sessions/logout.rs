//! Logging out, and what one sees of one's sessions.

use hyper::Method;
use uuid::Uuid;

use super::*;

async fn log_out(client: &mut Client, path: &str, body: &Value) -> Reply {
    match body {
        Value::Null => client.post(path).await,
        body => client.post_json(path, &body.to_string()).await,
    }
}

fn session_of(pair: &Pair) -> String {
    claims(&pair.access)["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_shown_is_ended_on_every_replica() {
    for stack in Stack::both(2).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        for by_access in [true, false] {
            let pair = Pair::login(&mut stack.client(), &anna).await;
            let other = Pair::login(&mut stack.client(), &anna).await;
            let log_out = async || {
                let (mut client, body) = match by_access {
                    true => (stack.client().with_token(&pair.access), Value::Null),
                    false => (stack.client(), json!({ "refresh_token": pair.refresh })),
                };
                log_out(&mut client, "/auth/logout", &body).await
            };
            for _ in 0..2 {
                assert_eq!(log_out().await.status, 204);
                let mut client = stack.apps[1].client().with_token(&pair.access);
                refused(&client.get("/api/count").await, 401, "invalid_token");
            }
            refused(
                &refresh(&mut stack.client(), &pair.refresh).await,
                401,
                "session_ended",
            );
            assert_eq!(
                status(&stack.apps[1], &other.access).await,
                200,
                "another session goes on"
            );
        }
        let ended = r#"footfall_sessions_ended_total{reason="logout"}"#;
        assert_eq!(stack.apps[0].metric(ended).await, Some(2.0), "each once");
    }
}

#[tokio::test]
async fn an_expired_access_token_needs_a_refresh_token_beside_it() {
    let stack = Stack::sqlite(1, &[("FOOTFALL_TOKEN_TTL", "1s")]).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let reply = stack
        .client()
        .login(&anna.name(), people::PASSWORD)
        .await
        .json();
    let text = |name: &str| reply[name].as_str().unwrap().to_owned();
    let mut client = stack.client().with_token(&text("token"));
    crate::support::until("it has expired", async || {
        (client.get("/api/counters").await.status == 401).then_some(())
    })
    .await;
    refused(&client.post("/auth/logout").await, 401, "expired_token");
    let body = json!({ "refresh_token": text("refresh_token") });
    assert_eq!(
        log_out(&mut client, "/auth/logout", &body).await.status,
        204
    );
    refused(
        &refresh(&mut stack.client(), &text("refresh_token")).await,
        401,
        "session_ended",
    );
}

#[tokio::test]
async fn who_shows_nothing_is_not_logged_out() {
    let stack = Stack::sqlite(1, &[]).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let pair = Pair::login(&mut stack.client(), &anna).await;
    for path in ["/auth/logout", "/auth/logout/all"] {
        refused(&stack.client().post(path).await, 401, "missing_token");
        let rubbish = json!({ "refresh_token": "rubbish" });
        refused(
            &log_out(&mut stack.client(), path, &rubbish).await,
            401,
            "invalid_refresh_token",
        );
        refused(
            &stack.client().with_token("a.b.c").post(path).await,
            401,
            "invalid_token",
        );
        refused(
            &stack.client().post_json(path, "{").await,
            400,
            "invalid_json",
        );
    }
    assert_eq!(status(&stack.apps[0], &pair.access).await, 200);
}

#[tokio::test]
async fn all_sessions_of_one_are_ended_at_once() {
    for stack in Stack::both(2).await {
        let [anna, berta, _] = people(&stack.apps[0]).await;
        let mut pairs = Vec::new();
        for _ in 0..3 {
            pairs.push(Pair::login(&mut stack.client(), &anna).await);
        }
        let of_berta = Pair::login(&mut stack.client(), &berta).await;
        let mut client = stack.client().with_token(&pairs[0].access);
        for _ in 0..2 {
            assert_eq!(client.post("/auth/logout/all").await.status, 204);
        }
        for pair in &pairs {
            let mut client = stack.apps[1].client().with_token(&pair.access);
            refused(&client.get("/api/count").await, 401, "invalid_token");
            refused(
                &refresh(&mut stack.client(), &pair.refresh).await,
                401,
                "session_ended",
            );
        }
        assert_eq!(status(&stack.apps[1], &of_berta.access).await, 200);
        // What has ended ends nothing any more.
        let new = Pair::login(&mut stack.client(), &anna).await;
        assert_eq!(client.post("/auth/logout/all").await.status, 204);
        let old = json!({ "refresh_token": pairs[1].refresh });
        assert_eq!(
            log_out(&mut stack.client(), "/auth/logout/all", &old)
                .await
                .status,
            204
        );
        assert_eq!(status(&stack.apps[0], &new.access).await, 200);
        let by_refresh = json!({ "refresh_token": new.refresh });
        assert_eq!(
            log_out(&mut stack.client(), "/auth/logout/all", &by_refresh)
                .await
                .status,
            204
        );
        assert_eq!(status(&stack.apps[0], &new.access).await, 401);
        let ended = r#"footfall_sessions_ended_total{reason="logout_all"}"#;
        assert_eq!(stack.apps[0].metric(ended).await, Some(4.0));
    }
}

#[tokio::test]
async fn ones_own_sessions_are_listed_and_ended() {
    for stack in Stack::both(1).await {
        let [anna, berta, _] = people(&stack.apps[0]).await;
        let mut pairs = Vec::new();
        for number in 0..3 {
            let mut client = stack.apps[0].client_at("192.0.2.77");
            client = client.with("user-agent", &format!("agent {number}"));
            pairs.push(Pair::login(&mut client, &anna).await);
        }
        let of_berta = Pair::login(&mut stack.client(), &berta).await;
        let mut client = stack.client().with_token(&pairs[1].access);
        let page = client.get("/auth/sessions").await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let sessions = page["sessions"].as_array().unwrap();
        let ids: Vec<_> = sessions
            .iter()
            .map(|session| session["id"].clone())
            .collect();
        let expected: Vec<_> = pairs.iter().rev().map(session_of).collect();
        assert_eq!(ids, expected, "the newest first");
        for (index, session) in sessions.iter().enumerate() {
            assert_eq!(session["current"], index == 1, "{session}");
            assert_eq!(session["user_agent"], format!("agent {}", 2 - index));
            assert_eq!(session["network"], "192.0.2.0/24");
            assert_eq!(session["kind"], "bearer");
            assert!(
                session["created_at"].as_str().unwrap().ends_with('Z'),
                "{session}"
            );
        }
        assert_eq!(page["next"], Value::Null);

        let first = client.get("/auth/sessions?limit=2").await.json();
        assert_eq!(first["sessions"].as_array().unwrap().len(), 2);
        let next = first["next"].as_str().unwrap();
        let second = client
            .get(&format!("/auth/sessions?limit=2&cursor={next}"))
            .await
            .json();
        assert_eq!(second["sessions"][0]["id"], session_of(&pairs[0]));
        assert_eq!(
            (
                second["sessions"].as_array().unwrap().len(),
                &second["next"]
            ),
            (1, &Value::Null)
        );
        for query in [
            "cursor=x",
            "cursor=1-",
            "limit=0",
            "limit=1001",
            "limit=x",
            "other=1",
        ] {
            refused(
                &client.get(&format!("/auth/sessions?{query}")).await,
                400,
                "invalid_query",
            );
        }

        let end = async |id: &str| {
            let mut client = stack.client().with_token(&pairs[1].access);
            client
                .send(Method::DELETE, &format!("/auth/sessions/{id}"), &[], "")
                .await
        };
        for id in [
            session_of(&of_berta),
            Uuid::now_v7().to_string(),
            "x".to_owned(),
            "%00".to_owned(),
        ] {
            refused(&end(&id).await, 404, "not_found");
        }
        for _ in 0..2 {
            assert_eq!(end(&session_of(&pairs[0])).await.status, 204);
        }
        assert_eq!(status(&stack.apps[0], &pairs[0].access).await, 401);
        assert_eq!(status(&stack.apps[0], &of_berta.access).await, 200);
        refused(
            &refresh(&mut stack.client(), &pairs[0].refresh).await,
            401,
            "session_ended",
        );
        let left = client.get("/auth/sessions").await.json();
        assert_eq!(left["sessions"].as_array().unwrap().len(), 2);
    }
}

/// What is over is taken out of the database a day later, and nothing else.
#[tokio::test]
async fn what_is_over_is_tidied_away() {
    for stack in Stack::both(1).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let ended = Pair::login(&mut stack.client(), &anna).await;
        let mut client = stack.client().with_token(&ended.access);
        assert_eq!(client.post("/auth/logout").await.status, 204);
        let living = Pair::login(&mut stack.client(), &anna).await;
        let mut proxy = stack.apps[0].proxy().with("x-request-id", "one");
        Pair::login(&mut proxy, &anna).await;
        let tidy = async || {
            let database = stack.apps[0].database.as_ref().unwrap();
            footfall::accounts::cleanup::tidy(database).await.unwrap();
        };
        tidy().await;
        assert_eq!(stack.number("SELECT count(*) FROM sessions").await, 3);
        stack
            .execute("UPDATE sessions SET ended_at = ended_at - 86401000")
            .await;
        stack
            .execute("UPDATE request_ids SET created_at = created_at - 86401000")
            .await;
        // More than goes at once.
        let many = match stack.apps[0].database.as_ref().unwrap().health() {
            Some(_) => {
                "INSERT INTO request_ids (key, created_at)
                 SELECT sha256(number::text::bytea), 1 FROM generate_series(1, 2500) AS number"
            }
            None => {
                "WITH RECURSIVE numbers (number) AS
                     (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 2500)
                 INSERT INTO request_ids (key, created_at) SELECT randomblob(32), 1 FROM numbers"
            }
        };
        stack.execute(many).await;
        tidy().await;
        assert_eq!(stack.number("SELECT count(*) FROM sessions").await, 2);
        assert_eq!(stack.number("SELECT count(*) FROM request_ids").await, 0);
        Pair::of(&refresh(&mut stack.client(), &living.refresh).await);
        stack
            .execute("UPDATE sessions SET expires_at = expires_at - 2678400000")
            .await;
        tidy().await;
        assert_eq!(stack.number("SELECT count(*) FROM sessions").await, 0);
    }
}
