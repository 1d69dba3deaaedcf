//! Identities of all counters together leave room for visits without one.

use std::{path::Path, time::Duration};

use futures_util::future::join_all;
use hyper::Method;

use crate::support::{
    Client, Footfall, Redis, Reply,
    clock::Clock,
    footfall::{AWAY, footfall_command},
    process::{run, until},
};

const HOUR: i64 = 3600;

async fn visit(client: &mut Client, counter: &str, headers: &[(&str, &str)]) -> Reply {
    let path = format!("/api/counters/{counter}");
    client.send(Method::POST, &path, headers, "").await
}

/// Sends visits with ever new keys to several counters until they are refused, and gives the seconds
/// after which there is said to be room.
async fn fill(socket: &Path, token: &str) -> u64 {
    let clients = (0..32).map(async |number| {
        let mut client = Client::unix(socket).with_token(token);
        let counter = format!("flooded-{}", number % 3);
        let mut key = 0;
        loop {
            key += 1;
            let key = format!("{number}-{key}");
            let reply = visit(&mut client, &counter, &[("idempotency-key", &key)]).await;
            if reply.status != 200 {
                assert_eq!(reply.problem(), "identities_full");
                return retry_after(&reply);
            }
        }
    });
    let waits = join_all(clients).await;
    *waits.iter().max().unwrap()
}

fn retry_after(reply: &Reply) -> u64 {
    reply.header("retry-after").unwrap().parse().unwrap()
}

/// All that goes on when there is no room for more keys. `early` and `flooded` are the first keys of
/// the counters of these names.
async fn goes_on(socket: &Path, token: &str) {
    let mut client = Client::unix(socket).with_token(token);
    for counter in ["flooded-0", "new"] {
        for _ in 0..10 {
            visit(&mut client, counter, &[]).await.visits();
        }
        for number in 0..10 {
            let id = number.to_string();
            let counted = visit(&mut client, counter, &[("x-request-id", &id)]).await;
            let again = visit(&mut client, counter, &[("x-request-id", &id)]).await;
            assert!(!counted.replayed() && again.replayed());
            assert_eq!(counted.visits(), again.visits());
        }
    }
    for (counter, key) in [("flooded-0", "0-1"), ("flooded-1", "1-1"), ("early", "k")] {
        let again = visit(&mut client, counter, &[("idempotency-key", key)]).await;
        again.visits();
        assert!(again.replayed(), "{counter}");
    }
}

/// Repeats a visit with a new key until it is counted.
async fn accepted_again(client: &mut Client, counter: &str) {
    let key = [("idempotency-key", "accepted-again")];
    until(&format!("{counter} has room"), async || {
        let reply = visit(client, counter, &key).await;
        if reply.status != 200 {
            assert_eq!(reply.problem(), "identities_full");
            return None;
        }
        Some(())
    })
    .await;
}

/// Seconds that a set of keys of Redis still lives.
fn lives(redis: &Redis, counter: &str) -> u64 {
    let reply = redis.command(&format!("PTTL footfall:{{{counter}}}:keys"));
    reply.trim_start_matches(':').trim().parse::<u64>().unwrap() / 1000
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_several_counters_leave_room_in_redis() {
    let clock = Clock::new();
    let redis = Redis::start_with(&clock);
    redis.told("CONFIG SET maxmemory 6mb");
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        let socket = directory.path().join(name);
        let builder = Footfall::builder().env("REDIS_URL", redis.url());
        (builder.socket(&socket).start(), socket)
    };
    let (footfall, socket) = start("1.sock");
    let token = footfall.token().await;
    let mut client = Client::unix(&socket).with_token(&token);
    // A day before there was one, whose end will make no room worth mentioning.
    visit(&mut client, "early", &[("idempotency-key", "k")])
        .await
        .visits();
    clock.set(25 * HOUR);
    let wait = fill(&socket, &token).await;
    let truth = lives(&redis, "flooded-0");
    assert!(lives(&redis, "early") < 24 * HOUR as u64);
    assert!(truth > 47 * HOUR as u64);
    assert!(wait.abs_diff(truth) < 120, "{wait} of {truth}");
    goes_on(&socket, &token).await;

    // A replica that has seen nothing of it knows as much, also for a counter that has no keys.
    let (second, other) = start("2.sock");
    let mut fresh = Client::unix(&other).with_token(&token);
    let refused = visit(&mut fresh, "another", &[("idempotency-key", "k")]).await;
    assert_eq!(refused.problem(), "identities_full");
    let (wait, truth) = (retry_after(&refused), lives(&redis, "flooded-0"));
    assert!(wait.abs_diff(truth) < 120, "{wait} of {truth}");

    clock.set(25 * HOUR + 49 * HOUR);
    for counter in ["flooded-0", "another"] {
        accepted_again(&mut client, counter).await;
        accepted_again(&mut fresh, counter).await;
    }
    for footfall in [&footfall, &second] {
        assert!(footfall.find(AWAY).is_none(), "{:?}", footfall.log());
    }
}

/// Then each counter's own limit is all there is, and that is said.
#[tokio::test]
async fn a_redis_that_may_not_be_asked_how_full_it_is_is_used_all_the_same() {
    let redis = Redis::start();
    redis.told("ACL SETUSER app on >word ~* &* +@all -info");
    let url = format!("redis://app:word@127.0.0.1:{}", redis.port);
    let footfall = Footfall::builder()
        .env("REDIS_URL", &url)
        .env("FOOTFALL_DEDUP_LIMIT", 1)
        .start();
    footfall.ready().await;
    let mut client = footfall.client().logged_in().await;
    for (key, status) in [("a", 200), ("b", 503), ("a", 200)] {
        let reply = visit(&mut client, "c", &[("idempotency-key", key)]).await;
        assert_eq!(reply.status, status, "{reply:?}");
        if status == 503 {
            let wait = retry_after(&reply);
            assert!(wait.abs_diff(48 * HOUR as u64) < 60, "{wait}");
        }
    }
    let found = run(footfall_command().env("REDIS_URL", &url).arg("doctor"));
    let found = String::from_utf8(found.stdout).unwrap();
    assert!(found.contains("FOOTFALL_DEDUP_LIMIT"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_several_counters_leave_room_on_the_disk() {
    let clock = Clock::new();
    let sockets = tempfile::tempdir().unwrap();
    let socket = sockets.path().join("f.sock");
    let footfall = Footfall::builder()
        .on_small_disk("6m")
        .clock(&clock)
        .env("FOOTFALL_TOKEN_TTL", "72h")
        .socket(&socket)
        .start();
    let token = footfall.token().await;
    let mut client = Client::unix(&socket).with_token(&token);
    visit(&mut client, "early", &[("idempotency-key", "k")])
        .await
        .visits();
    clock.set(HOUR);
    let wait = fill(&socket, &token).await;
    let window = 24 * HOUR as u64;
    assert!((window - 600..=window).contains(&wait), "{wait}");
    goes_on(&socket, &token).await;
    clock.set(26 * HOUR);
    accepted_again(&mut client, "flooded-0").await;
    accepted_again(&mut client, "another").await;
    assert!(footfall.find(AWAY).is_none(), "{:?}", footfall.log());
}

#[tokio::test]
async fn a_full_counter_says_when_it_has_room_on_sqlite() {
    let clock = Clock::new();
    let footfall = Footfall::builder()
        .clock(&clock)
        .env("FOOTFALL_TOKEN_TTL", "72h")
        .env("FOOTFALL_DEDUP_LIMIT", 2)
        .start();
    let mut client = footfall.client().logged_in().await;
    visit(&mut client, "c", &[("idempotency-key", "a")])
        .await
        .visits();
    clock.set(5 * HOUR);
    visit(&mut client, "c", &[("idempotency-key", "b")])
        .await
        .visits();
    let refused = visit(&mut client, "c", &[("idempotency-key", "c")]).await;
    let wait = Duration::from_secs(retry_after(&refused));
    let truth = Duration::from_hours(19);
    assert!(wait.abs_diff(truth) < Duration::from_mins(1), "{wait:?}");
    // As it says.
    clock.set(5 * HOUR + wait.as_secs() as i64 + 1);
    visit(&mut client, "c", &[("idempotency-key", "c")])
        .await
        .visits();
}
