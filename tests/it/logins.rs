//! Passwords, and how often they may be wrong.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Footfall, Redis, TestApp};

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_look_the_same() {
    let app = TestApp::start().await;
    let mut client = app.client();
    let mut replies = Vec::new();
    for (username, password) in [
        ("admin", "wrong"),
        ("nobody", "password"),
        ("nobody", "wrong"),
        ("", ""),
        ("Admin", "password"),
    ] {
        let reply = client.login(username, password).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, "invalid_credentials")
        );
        let mut body = reply.json();
        body["request_id"] = Value::Null;
        let names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
        replies.push((body, names));
    }
    assert!(
        replies.iter().all(|reply| *reply == replies[0]),
        "{replies:?}"
    );
}

#[tokio::test]
async fn a_hash_may_stand_for_the_password() {
    let mut child = crate::support::footfall::footfall_command();
    let mut child = child
        .arg("hash-password")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"correct horse\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
    let app = TestApp::builder()
        .env("FOOTFALL_ADMIN_PASSWORD_HASH", hash.trim())
        .env("FOOTFALL_ADMIN_USERNAME", "root")
        .start()
        .await;
    assert_eq!(
        app.client().login("root", "correct horse").await.status,
        200
    );
    assert_eq!(app.client().login("root", "password").await.status, 401);
}

/// Failures over two replicas are one count.
async fn throttle(replicas: [TestApp; 2]) {
    let from =
        |index: usize, address: &str| replicas[index].proxy().with("x-forwarded-for", address);
    for attempt in 0..10 {
        assert_eq!(
            from(attempt % 2, "192.0.2.1")
                .login("admin", "wrong")
                .await
                .status,
            401
        );
    }
    for index in [0, 1] {
        let reply = from(index, "192.0.2.1").login("admin", "password").await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (429, "too_many_logins")
        );
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=300).contains(&wait), "{wait}");
    }
    // A forged left part of the list changes nothing, another address does.
    assert_eq!(
        from(0, "198.51.100.9, 192.0.2.1")
            .login("admin", "password")
            .await
            .status,
        429
    );
    assert_eq!(
        from(0, "192.0.2.2").login("admin", "password").await.status,
        200
    );
    // Neighbours in one IPv6 network are one client.
    for host in 0..10 {
        assert_eq!(
            from(0, &format!("2001:db8::{host}"))
                .login("someone", "wrong")
                .await
                .status,
            401
        );
    }
    assert_eq!(
        from(0, "2001:db8::ffff")
            .login("someone", "wrong")
            .await
            .status,
        429
    );
    assert_eq!(
        from(0, "2001:db8:0:1::1")
            .login("someone", "wrong")
            .await
            .status,
        401
    );

    // 50 failures of one name lock it, wherever they come from; other names go on.
    for attempt in 0..50 {
        assert_eq!(
            from(0, &format!("203.0.113.{attempt}"))
                .login("victim", "wrong")
                .await
                .status,
            401
        );
    }
    assert_eq!(
        from(1, "192.0.2.200").login("victim", "wrong").await.status,
        429
    );
    assert_eq!(
        from(1, "192.0.2.200")
            .login("admin", "password")
            .await
            .status,
        200
    );
    assert_eq!(
        replicas[1]
            .metric(r#"footfall_logins_total{outcome="throttled"}"#)
            .await,
        Some(2.0)
    );
    assert_eq!(
        replicas[1]
            .metric(r#"footfall_logins_total{outcome="success"}"#)
            .await,
        Some(1.0)
    );
}

#[tokio::test]
async fn failed_logins_are_throttled_over_redis() {
    let redis = Redis::start();
    let start = || TestApp::builder().env("REDIS_URL", redis.url()).start();
    throttle([start().await, start().await]).await;
}

#[tokio::test]
async fn failed_logins_are_throttled_over_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let start = || TestApp::builder().directory(directory.path()).start();
    throttle([start().await, start().await]).await;
}

#[tokio::test]
async fn forwarding_headers_of_a_stranger_are_ignored() {
    let app = TestApp::start().await;
    for attempt in 0..10 {
        let mut client = app
            .client()
            .with("x-forwarded-for", &format!("192.0.2.{attempt}"));
        assert_eq!(client.login("admin", "wrong").await.status, 401);
    }
    assert_eq!(
        app.client()
            .with("x-forwarded-for", "192.0.2.99")
            .login("admin", "wrong")
            .await
            .status,
        429
    );
}

/// What a store took in when nobody waited for its answer any more is no failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_came_too_late_is_given_back() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .start()
        .await;
    let mut client = app.client();
    assert_eq!(client.login("admin", "password").await.status, 200);
    redis.signal(Signal::STOP);
    assert_eq!(client.login("admin", "password").await.status, 200);
    redis.signal(Signal::CONT);
    let series =
        r#"footfall_store_operation_duration_seconds_count{operation="throttle",outcome="ok"}"#;
    // The two of the first login, and that this charge was given back.
    app.metric_becomes(series, 3.0).await;
    assert_eq!(redis.command("KEYS footfall:attempts:*"), "*0\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_logins_at_once_than_may_wait_are_shed() {
    let app = TestApp::builder()
        .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
        .start()
        .await;
    let attempts: Vec<_> = (0..150)
        .map(|_| {
            let mut client = app.client();
            tokio::spawn(async move { client.login("admin", "password").await })
        })
        .collect();
    let mut shed = 0;
    for attempt in attempts {
        let reply = attempt.await.unwrap();
        if reply.status == 503 {
            assert_eq!(reply.problem(), "login_busy");
            shed += 1;
        } else {
            assert_eq!(reply.status, 200);
        }
    }
    assert!(
        shed > 0,
        "150 logins at once are more than the queue of 64 holds"
    );
    assert_eq!(app.client().login("admin", "password").await.status, 200);
}

/// Each hash takes 19 MiB; many of them take no more than the few that run at a time.
#[tokio::test(flavor = "multi_thread")]
async fn many_logins_take_no_more_memory_than_one() {
    let footfall = Footfall::start();
    footfall.client().logged_in().await;
    let resident = async || footfall.metric("process_resident_memory_bytes").await;
    let before = resident().await.unwrap();
    let logins: Vec<_> = (0..50)
        .map(|_| {
            let mut client = footfall.client();
            tokio::spawn(async move { client.login("admin", "password").await.status })
        })
        .collect();
    for login in logins {
        assert_eq!(login.await.unwrap(), 200);
    }
    let after = resident().await.unwrap();
    // The hashes that run at a time, on any machine of ours, and what 50 connections take.
    assert!(after < before + 200e6, "{before} then {after} bytes");
}
