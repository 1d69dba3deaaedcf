//! By which names one logs in, who is not let in, and what is answered.

use footfall::auth::SETTINGS_ACCOUNT;

use super::{people::PASSWORD, *};
use crate::support::until;

const FAILED: &str = r#"footfall_logins_total{outcome="failure"}"#;

#[tokio::test]
async fn by_each_of_ones_names() {
    for stack in Stack::both(1).await {
        let [anna, _, carla] = people(&stack.apps[0]).await;
        for (name, person) in [
            ("Acme/anna", &anna),
            ("acme/ANNA", &anna),
            ("anna@example.org", &anna),
            ("Anna@Example.ORG", &anna),
            ("carla", &carla),
            ("default/carla", &carla),
            ("carla@example.org", &carla),
        ] {
            let pair = Pair::of(&stack.client().login(name, PASSWORD).await);
            let claims = claims(&pair.access);
            assert_eq!(claims["sub"], person.id.to_string(), "{name}");
            assert_eq!(claims["uid"], person.id.to_string(), "{name}");
            assert_eq!(claims["cid"], person.company.to_string(), "{name}");
            assert_eq!(
                (&claims["role"], &claims["ugn"]),
                (&json!("member"), &json!(1)),
                "{name}"
            );
            let mut client = stack.client().with_token(&pair.access);
            assert_eq!(client.get("/api/count").await.status, 200, "{name}");
        }
        let long = "a".repeat(5000);
        for name in [
            "anna",
            "berta",
            "Acme/carla",
            "Acme/",
            "/anna",
            "Acme/anna/",
            "Acme//anna",
            "anna@",
            "anna@example.com",
            "@",
            "",
            "\0",
            "Acme/an\0na",
            "anna@exam\0ple.org",
            "😀/😀",
            &long,
        ] {
            refused(
                &stack.client().login(name, PASSWORD).await,
                401,
                "invalid_credentials",
            );
            // A name of each kind costs one failure of the address; ten would lock it.
            people::unlock(&stack).await;
        }
        assert_eq!(
            stack
                .number("SELECT count(*) FROM users WHERE last_login_at > 0")
                .await,
            2
        );
    }
}

#[tokio::test]
async fn the_account_of_the_settings_is_first_and_has_its_own_password() {
    for stack in Stack::both(1).await {
        let [_, _, carla] = people(&stack.apps[0]).await;
        // Somebody is called as it is.
        stack.execute("UPDATE users SET username = 'admin', username_key = 'adrnln' WHERE username = 'carla'").await;
        let reply = stack.client().login("admin", "password").await;
        let pair = Pair::of(&reply);
        assert_eq!(claims(&pair.access)["sub"], "admin");
        assert_eq!(claims(&pair.access)["role"], "admin");
        assert_eq!(claims(&pair.access)["uid"], SETTINGS_ACCOUNT.to_string());
        refused(
            &stack.client().login("admin", PASSWORD).await,
            401,
            "invalid_credentials",
        );
        let other = Pair::of(&stack.client().login("default/admin", PASSWORD).await);
        assert_eq!(claims(&other.access)["sub"], carla.id.to_string());
        let next = Pair::of(&refresh(&mut stack.client(), &pair.refresh).await);
        assert_eq!(claims(&next.access)["sub"], "admin");
    }
}

#[tokio::test]
async fn who_is_not_let_in_looks_like_a_wrong_password() {
    for stack in Stack::both(1).await {
        people(&stack.apps[0]).await;
        let mut replies = Vec::new();
        for change in [
            "UPDATE users SET state = 'disabled' WHERE username = 'anna'",
            "UPDATE users SET state = 'invited' WHERE username = 'anna'",
            "UPDATE users SET state = 'invited', password_hash = NULL WHERE username = 'anna'",
            "UPDATE companies SET state = 'suspended' WHERE name = 'Acme'",
        ] {
            stack.execute(change).await;
            for password in [PASSWORD, "wrong"] {
                let reply = stack.client().login("anna@example.org", password).await;
                refused(&reply, 401, "invalid_credentials");
                let mut body = reply.json();
                body["request_id"] = Value::Null;
                let names: Vec<_> = reply.headers.keys().map(ToString::to_string).collect();
                replies.push((body, names));
            }
        }
        assert!(
            replies.iter().all(|reply| *reply == replies[0]),
            "{replies:?}"
        );
        // Each was charged as a failure, the right password too.
        assert_eq!(stack.apps[0].metric(FAILED).await, Some(8.0));
        assert_eq!(stack.number("SELECT count(*) FROM sessions").await, 0);
    }
}

#[tokio::test]
async fn an_unconfirmed_address_is_told_to_who_knows_the_password() {
    for stack in Stack::both(1).await {
        for (name, id, expires_at) in [
            ("old", 1, i64::MAX),
            ("new", 2, i64::MAX),
            ("expired", 3, 1),
        ] {
            let hash = people::cheap_hash(&format!("the {name} password"));
            let id = match stack.postgres.is_some() {
                true => format!("'00000000-0000-7000-8000-00000000010{id}'"),
                false => format!("x'0000000000007000800000000000010{id}'"),
            };
            people::execute(
                &stack.apps[0],
                format!(
                    "INSERT INTO registrations (id, company_name, email, email_key, username, password_hash, created_at, expires_at)
                     VALUES ({id}, 'New', 'dora@example.org', 'dora@example.org', 'dora', '{hash}', 0, {expires_at})"
                ),
            )
            .await;
        }
        let mut client = stack.client();
        for (password, status, code) in [
            ("the new password", 403, "email_unconfirmed"),
            ("the old password", 401, "invalid_credentials"),
            ("the expired password", 401, "invalid_credentials"),
            ("wrong", 401, "invalid_credentials"),
        ] {
            refused(
                &client.login("dora@example.org", password).await,
                status,
                code,
            );
        }
        let unconfirmed = r#"footfall_logins_total{outcome="unconfirmed"}"#;
        assert_eq!(stack.apps[0].metric(unconfirmed).await, Some(1.0));
    }
}

#[tokio::test]
async fn a_hash_of_old_parameters_is_made_anew() {
    for stack in Stack::both(1).await {
        people(&stack.apps[0]).await;
        const OLD: &str = "SELECT count(*) FROM users WHERE password_hash LIKE '%m=8,%'";
        assert_eq!(stack.number(OLD).await, 3);
        for _ in 0..2 {
            assert_eq!(stack.client().login("carla", PASSWORD).await.status, 200);
            assert_eq!(stack.number(OLD).await, 2);
        }
        const NEW: &str = "SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'";
        assert_eq!(stack.number(NEW).await, 1);
        assert_eq!(stack.client().login("carla", "wrong").await.status, 401);
    }
}

/// nginx repeats a login whose replica has died: it is one session, and one answer is as good as the other.
#[tokio::test]
async fn a_repeated_login_is_one_session() {
    for stack in Stack::both(2).await {
        let [anna, ..] = people(&stack.apps[0]).await;
        let mut pairs = Vec::new();
        for app in &stack.apps {
            let mut proxy = app
                .proxy()
                .with("x-request-id", "one")
                .with("x-real-ip", "192.0.2.1");
            pairs.push(Pair::login(&mut proxy, &anna).await);
        }
        assert_eq!(pairs[0].refresh, pairs[1].refresh);
        assert_eq!(stack.number("SELECT count(*) FROM sessions").await, 1);
        let mut other = stack.apps[0].proxy().with("x-request-id", "two");
        assert_ne!(
            Pair::login(&mut other, &anna).await.refresh,
            pairs[0].refresh
        );
        // A stranger's id is none.
        for _ in 0..2 {
            let mut stranger = stack.client().with("x-request-id", "one");
            Pair::login(&mut stranger, &anna).await;
        }
        assert_eq!(stack.number("SELECT count(*) FROM sessions").await, 4);
    }
}

/// Whoever is known by their device is not locked out by what strangers try.
#[tokio::test]
async fn a_known_device_is_not_locked_out_by_strangers() {
    let stack = Stack::sqlite(1, &[]).await;
    let [anna, ..] = people(&stack.apps[0]).await;
    let reply = stack.client().login(&anna.name(), PASSWORD).await;
    let cookie = reply.header("set-cookie").unwrap();
    let (device, attributes) = cookie.split_once(';').unwrap();
    assert!(device.starts_with("footfall-device="), "{device}");
    assert!(
        attributes.contains("HttpOnly; SameSite=Strict"),
        "{attributes}"
    );
    for index in 0..50 {
        let mut stranger = stack.apps[0].client_at(&format!("203.0.113.{index}"));
        assert_eq!(stranger.login(&anna.name(), "wrong").await.status, 401);
    }
    assert_eq!(
        stack.client().login(&anna.name(), PASSWORD).await.status,
        429
    );
    let known = || stack.client().with("cookie", device);
    assert_eq!(known().login(&anna.name(), PASSWORD).await.status, 200);
    // For another user it is nobody's.
    assert_eq!(known().login("carla", PASSWORD).await.status, 200);
    for _ in 0..10 {
        assert_eq!(known().login(&anna.name(), "wrong").await.status, 401);
    }
    assert_eq!(known().login(&anna.name(), PASSWORD).await.status, 429);
}

/// The account of the settings gets in, without a session; everyone else hears why not.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_the_account_of_the_settings_gets_in() {
    let redis = Redis::start();
    let mut server = postgres::Postgres::start();
    let url = server.url("migrated");
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", &url)
        .start()
        .await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let before = Pair::of(&app.client().login("admin", "password").await);
    server.kill();
    app.metric_becomes("footfall_database_up", 0.0).await;
    let reply = app.client().login("admin", "password").await;
    assert_eq!(reply.status, 200);
    let body = reply.json();
    assert!(body.get("refresh_token").is_none(), "{body}");
    let token = body["token"].as_str().unwrap();
    assert!(claims(token).get("sid").is_none());
    for token in [token, &before.access] {
        let mut client = app.client().with_token(token);
        assert_eq!(client.get("/api/count").await.status, 200);
    }
    // Which of the names is that of the settings is not to be seen, however often somebody tries.
    for (number, name) in ["admin", "anna", "anna@example.org"].iter().enumerate() {
        let mut client = app.client_at(&format!("192.0.2.{number}"));
        for _ in 0..10 {
            let reply = client.login(name, PASSWORD).await;
            refused(&reply, 503, "database_unavailable");
        }
        let reply = client.login(name, PASSWORD).await;
        refused(&reply, 429, "too_many_logins");
    }
    refused(
        &refresh(&mut app.client(), &before.refresh).await,
        503,
        "database_unavailable",
    );
    server.restart();
    app.metric_becomes("footfall_database_up", 1.0).await;
    let next = until("the session goes on", async || {
        let reply = refresh(&mut app.client(), &before.refresh).await;
        (reply.status == 200).then_some(reply)
    });
    Pair::of(&next.await);
}

/// Redis and no database: all is as it was before there were accounts.
#[tokio::test]
async fn where_there_is_no_database_nothing_is_new() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let reply = app.client().login("admin", "password").await;
    let body = reply.json();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["expires_in", "token", "token_type"]);
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    assert_eq!(reply.header("set-cookie"), None);
    let token = body["token"].as_str().unwrap();
    let claims = claims(token);
    let names: Vec<_> = claims.as_object().unwrap().keys().collect();
    assert_eq!(names, ["exp", "iat", "iss", "jti", "role", "sub"]);
    let mut client = app.client().with_token(token);
    assert_eq!(client.get("/api/count").await.visits(), 1);
    refused(&client.get("/auth/sessions").await, 501, "no_database");
    refused(&client.post("/auth/logout/all").await, 501, "no_database");
    refused(
        &app.client().login("anna@example.org", PASSWORD).await,
        401,
        "invalid_credentials",
    );
}
