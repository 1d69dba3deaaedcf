//! What makes a repeated request the same visit, and for how long.

use std::{path::PathBuf, time::Duration};

use hyper::Method;

use crate::support::{Client, Footfall, Redis};

/// The same on both stores: what an identity is and is not.
async fn identities(footfall: &Footfall, socket: PathBuf) {
    let mut direct = footfall.client().logged_in().await;
    let mut proxied = Client::unix(socket).logged_in().await;
    let get = async |client: &mut Client, headers: &[(&str, &str)]| {
        let reply = client.send(Method::GET, "/api/count", headers, "").await;
        (reply.visits(), reply.replayed())
    };
    // Over TCP a stranger's request id is no identity.
    assert_eq!(
        get(&mut direct, &[("x-request-id", "r1")]).await,
        (1, false)
    );
    assert_eq!(
        get(&mut direct, &[("x-request-id", "r1")]).await,
        (2, false)
    );
    // From the proxy it is.
    assert_eq!(
        get(&mut proxied, &[("x-request-id", "r1")]).await,
        (3, false)
    );
    assert_eq!(
        get(&mut proxied, &[("x-request-id", "r1")]).await,
        (3, true)
    );
    // A key is another identity than a request id of the same text, and goes before it.
    assert_eq!(
        get(
            &mut proxied,
            &[("x-request-id", "r2"), ("idempotency-key", "r1")]
        )
        .await,
        (4, false)
    );
    assert_eq!(
        get(
            &mut proxied,
            &[("x-request-id", "r3"), ("idempotency-key", "r1")]
        )
        .await,
        (4, true)
    );
    assert_eq!(
        get(&mut direct, &[("idempotency-key", "r1")]).await,
        (4, true)
    );
    // Each counter remembers for itself.
    let reply = direct
        .send(
            Method::POST,
            "/api/counters/other",
            &[("idempotency-key", "r1")],
            "",
        )
        .await;
    assert_eq!((reply.visits(), reply.replayed()), (1, false));
    let reply = direct
        .send(
            Method::POST,
            "/api/counters/other",
            &[("idempotency-key", "r1")],
            "",
        )
        .await;
    assert_eq!((reply.visits(), reply.replayed()), (1, true));
    // A malformed request id from the proxy is none.
    assert_eq!(
        get(&mut proxied, &[("x-request-id", "two words")]).await,
        (5, false)
    );
    assert_eq!(
        get(&mut proxied, &[("x-request-id", "two words")]).await,
        (6, false)
    );
}

#[tokio::test]
async fn what_an_identity_is_on_redis() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    identities(
        &Footfall::builder()
            .env("REDIS_URL", redis.url())
            .socket(&socket)
            .start(),
        socket,
    )
    .await;
}

#[tokio::test]
async fn what_an_identity_is_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    identities(&Footfall::builder().socket(&socket).start(), socket).await;
}

/// A short window passes, the request id is forgotten; then new identities fill the memory.
async fn windows_and_limits(builder: crate::support::footfall::Builder, pass_time: impl AsyncFn()) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let footfall = builder
        .env("FOOTFALL_DEDUP_WINDOW", "500ms")
        .env("FOOTFALL_DEDUP_LIMIT", "3")
        .socket(&socket)
        .start();
    let mut client = Client::unix(socket).logged_in().await;
    let send = async |client: &mut Client, name: &str, value: &str| {
        client
            .send(Method::GET, "/api/count", &[(name, value)], "")
            .await
    };
    assert_eq!(send(&mut client, "x-request-id", "r").await.visits(), 1);
    assert!(send(&mut client, "x-request-id", "r").await.replayed());
    pass_time().await;
    let reply = send(&mut client, "x-request-id", "r").await;
    assert_eq!(
        (reply.visits(), reply.replayed()),
        (2, false),
        "forgotten after the window"
    );

    for (key, number) in [("k1", 3), ("k2", 4), ("k3", 5)] {
        assert_eq!(
            send(&mut client, "idempotency-key", key).await.visits(),
            number
        );
    }
    let reply = send(&mut client, "idempotency-key", "k4").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (503, "identities_full")
    );
    assert!(reply.header("retry-after").is_some());
    assert_eq!(
        send(&mut client, "idempotency-key", "k3").await.visits(),
        5,
        "known keys are still replayed"
    );
    assert_eq!(
        footfall
            .client()
            .logged_in()
            .await
            .get("/api/count")
            .await
            .visits(),
        6,
        "other visits still count"
    );
}

#[tokio::test]
async fn windows_and_limits_on_redis() {
    let redis = Redis::start();
    // The set in use expires by itself after two windows.
    let pass_time = async || {
        crate::support::eventually("the window is over", || {
            redis
                .command("EXISTS footfall:{visits}:requests")
                .starts_with(":0")
                .then_some(())
        });
    };
    windows_and_limits(Footfall::builder().env("REDIS_URL", redis.url()), pass_time).await;
}

#[tokio::test]
async fn windows_and_limits_on_sqlite() {
    // The subject is time itself, and the window is 500 ms.
    windows_and_limits(Footfall::builder(), async || {
        tokio::time::sleep(Duration::from_millis(600)).await
    })
    .await;
}

#[tokio::test]
async fn a_window_of_zero_turns_request_ids_off() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let _footfall = Footfall::builder()
        .env("FOOTFALL_DEDUP_WINDOW", "0")
        .socket(&socket)
        .start();
    let mut client = Client::unix(socket)
        .logged_in()
        .await
        .with("x-request-id", "r");
    assert_eq!(client.get("/api/count").await.visits(), 1);
    assert_eq!(client.get("/api/count").await.visits(), 2);
}

#[tokio::test]
async fn a_tcp_proxy_is_trusted_if_it_is_listed() {
    let footfall = Footfall::builder()
        .env("FOOTFALL_TRUSTED_PROXIES", "127.0.0.0/8")
        .env("FOOTFALL_PROXY_REQUEST_ID", "on")
        .start();
    let mut client = footfall
        .client()
        .logged_in()
        .await
        .with("x-request-id", "r");
    let reply = client.get("/api/count").await;
    assert_eq!(
        (reply.visits(), reply.header("x-request-id")),
        (1, Some("r"))
    );
    assert!(client.get("/api/count").await.replayed());
}

#[tokio::test]
async fn numbers_beyond_what_a_double_prints_are_exact() {
    let redis = Redis::start();
    redis.command("SET footfall:{visits}:count 123456789012344");
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall
        .client()
        .logged_in()
        .await
        .with("idempotency-key", "k");
    assert_eq!(client.get("/api/count").await.visits(), 123_456_789_012_345);
    let reply = client.get("/api/count").await;
    assert_eq!(
        (reply.visits(), reply.replayed()),
        (123_456_789_012_345, true)
    );
}

/// `PTTL` of a key.
fn ttl(redis: &Redis, key: &str) -> i64 {
    redis
        .command(&format!("PTTL {key}"))
        .trim_start_matches(':')
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn an_identity_is_remembered_for_a_whole_window_while_sets_rotate() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let _footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_DEDUP_WINDOW", "3s")
        .socket(&socket)
        .start();
    let mut client = Client::unix(socket).logged_in().await;
    let visit = async |client: &mut Client, id: &str| {
        let reply = client
            .send(Method::GET, "/api/count", &[("x-request-id", id)], "")
            .await;
        (reply.visits(), reply.replayed())
    };
    assert_eq!(visit(&mut client, "old").await, (1, false));
    // Late in the first window.
    crate::support::eventually("most of the window is over", || {
        (ttl(&redis, "footfall:{visits}:requests") < 3500).then_some(())
    });
    assert_eq!(visit(&mut client, "late").await, (2, false));
    crate::support::eventually("the window is over", || {
        (ttl(&redis, "footfall:{visits}:requests") < 2900).then_some(())
    });
    assert_eq!(visit(&mut client, "new").await, (3, false));
    assert!(
        ttl(&redis, "footfall:{visits}:requests:previous") > 0,
        "the sets have rotated"
    );
    assert_eq!(visit(&mut client, "late").await, (2, true));
    assert_eq!(visit(&mut client, "new").await, (3, true));
}

/// In the last millisecond of a set the next one is due to take its place. At a busy counter there is
/// always a visit in that millisecond; it must not make the set in use last for another two windows.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_not_used_for_longer_because_a_visit_meets_its_end() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .socket(&socket)
        .start();
    let token = footfall.token().await;
    let now = || -> i64 {
        let reply = redis.command("TIME");
        let mut numbers = reply.lines().filter_map(|line| line.parse::<i64>().ok());
        numbers.next().unwrap() * 1000 + numbers.next().unwrap() / 1000
    };
    for round in 0..5 {
        let visit = |name: String| {
            let (socket, token) = (socket.clone(), token.clone());
            async move {
                let mut client = Client::unix(socket).with_token(&token);
                let headers = [("x-request-id", name.as_str())];
                client.send(Method::GET, "/api/count", &headers, "").await
            }
        };
        visit(format!("{round}")).await.visits();
        // As it is when two windows of 60 s end together: the set before now, the one in use to be replaced.
        let end = now() + 100;
        let current = "footfall:{visits}:requests";
        let previous = "footfall:{visits}:requests:previous";
        redis.command(&format!("COPY {current} {previous} REPLACE"));
        redis.command(&format!("PEXPIREAT {previous} {end}"));
        redis.command(&format!("PEXPIREAT {current} {}", end + 60_000));
        let load = (0..4).map(|client| {
            let visit = &visit;
            let now = &now;
            async move {
                let mut number = 0;
                while now() < end + 10 {
                    number += 1;
                    visit(format!("{round}-{client}-{number}")).await.visits();
                }
            }
        });
        futures_util::future::join_all(load).await;
        visit(format!("{round}-last")).await.visits();
        assert!(ttl(&redis, previous) > 0, "the sets have changed places");
        redis.command(&format!("DEL {current} {previous}"));
    }
}

#[tokio::test]
async fn replicas_with_different_windows_forget_nothing() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let start = |slot: u32, window: &str| {
        let socket = directory.path().join(format!("{slot}.sock"));
        let builder = Footfall::builder()
            .env("REDIS_URL", redis.url())
            .env("FOOTFALL_DEDUP_WINDOW", window);
        (builder.socket(&socket).start(), socket)
    };
    let (_short, short) = start(1, "30s");
    let (_long, long) = start(2, "1h");
    let mut clients = [
        Client::unix(short).logged_in().await,
        Client::unix(long).logged_in().await,
    ];
    for visit in 1..=10_u64 {
        for earlier in 1..=visit {
            for client in &mut clients {
                let id = earlier.to_string();
                let reply = client
                    .send(Method::GET, "/api/count", &[("x-request-id", &id)], "")
                    .await;
                assert_eq!(reply.visits(), earlier, "visit {visit}");
            }
        }
    }
}

#[tokio::test]
async fn what_has_expired_takes_no_room_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let builder = Footfall::builder()
        .env("FOOTFALL_DEDUP_WINDOW", "300ms")
        .env("FOOTFALL_DEDUP_LIMIT", 1);
    let _footfall = builder.socket(&socket).start();
    let mut client = Client::unix(socket).logged_in().await;
    assert_eq!(
        client
            .send(Method::GET, "/api/count", &[("x-request-id", "a")], "")
            .await
            .visits(),
        1
    );
    // The subject is time itself, and the window is 300 ms.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        client
            .send(Method::GET, "/api/count", &[("x-request-id", "b")], "")
            .await
            .visits(),
        2
    );
}
