//! Redis at a distance: a worker has several batches under way at once, and promises what it does nearby.

use std::{slice, time::Duration};

use crate::support::{
    Footfall, Redis,
    client::Target,
    fault_proxy::{FaultProxy, Mischief},
    footfall::Builder,
    load::{Insistent, assert_exact, count_visits},
    process::until,
};

/// Far enough for batches to be spread over a round trip.
const ROUND_TRIP: Duration = Duration::from_millis(20);

const DISTANCE: &str = "footfall_store_distance_seconds";

/// From there on it is a distance, in seconds.
const NEAR: f64 = 0.0005;

/// Batches that are under way at once at the most, with one worker.
const BATCHES: usize = 4;

fn footfall(proxy: &FaultProxy) -> Builder {
    let footfall = Footfall::builder().env("REDIS_URL", proxy.url());
    footfall.env("FOOTFALL_WORKERS", 1)
}

async fn distant(redis: &Redis) -> FaultProxy {
    let proxy = FaultProxy::start(redis.port).await;
    proxy.set(Mischief::Delay(ROUND_TRIP));
    proxy
}

#[tokio::test(flavor = "multi_thread")]
async fn several_calls_are_under_way_at_once() {
    let redis = Redis::start();
    let proxy = distant(&redis).await;
    let footfall = footfall(&proxy).start();
    let (target, token) = (Target::Tcp(footfall.public()), footfall.token().await);
    // Nothing is known yet.
    proxy.most_under_way();
    let numbers = count_visits(slice::from_ref(&target), &token, 16, 50).await;
    assert_exact(&numbers);
    if footfall.metric(DISTANCE).await == Some(0.0) {
        assert_eq!(proxy.most_under_way(), 1);
    }
    footfall
        .metric_reaches(DISTANCE, ROUND_TRIP.as_secs_f64())
        .await;
    proxy.most_under_way();
    let more = count_visits(&[target], &token, 16, 1000).await;
    assert_eq!(proxy.most_under_way(), BATCHES);
    assert_exact(&[numbers, more].concat());
    assert_eq!(
        footfall.metric("footfall_count_queue_depth").await,
        Some(0.0)
    );
    assert_eq!(
        footfall.metric("footfall_visits_unanswered").await,
        Some(0.0)
    );
    assert_eq!(
        footfall.metric("footfall_count_regressions_total").await,
        Some(0.0)
    );
}

/// Connections to Redis that call scripts.
fn lanes(redis: &Redis) -> usize {
    let clients = redis.command("CLIENT LIST TYPE normal");
    let calls = |client: &&str| client.contains(" cmd=eval");
    clients.lines().filter(calls).count()
}

/// Also where it answers late since each write goes to the disk first.
#[tokio::test(flavor = "multi_thread")]
async fn nearby_there_is_one_at_a_time() {
    let redis = Redis::with(&["--appendfsync", "always"]);
    let footfall = Footfall::builder().env("REDIS_URL", redis.url());
    let footfall = footfall.env("FOOTFALL_WORKERS", 1).start();
    let (target, token) = (Target::Tcp(footfall.public()), footfall.token().await);
    // A machine that is busy with other tests may take some time to show how near it is.
    until("it is near", async || {
        let distance = footfall.metric(DISTANCE).await;
        distance.filter(|distance| (1e-6..NEAR).contains(distance))
    })
    .await;
    let load = Insistent::start(&[target], &token, 16, &["one".to_owned()]);
    for _ in 0..20 {
        load.count(100).await;
        assert_eq!(lanes(&redis), 1);
    }
    assert_exact(&load.stop().await["one"]);
}

/// Each worker's connection breaks with a batch under way, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn each_visit_is_counted_once_whatever_breaks() {
    let redis = Redis::start();
    let proxy = distant(&redis).await;
    let footfall = footfall(&proxy).start();
    let (target, token) = (Target::Tcp(footfall.public()), footfall.token().await);
    footfall
        .metric_reaches(DISTANCE, ROUND_TRIP.as_secs_f64())
        .await;
    let counters = ["one", "two"].map(str::to_owned);
    let load = Insistent::start(&[target], &token, 16, &counters);
    for _ in 0..20 {
        load.count(100).await;
        proxy.most_under_way();
        load.count(100).await;
        // A batch is a call for each counter.
        assert!(proxy.most_under_way() > counters.len());
        redis.command("CLIENT KILL TYPE normal");
    }
    assert!(load.refused().contains_key("outcome_unknown"));
    let numbers = load.stop().await;
    let mut client = footfall.client().with_token(&token);
    for counter in &counters {
        assert_exact(&numbers[counter]);
        let reply = client.get(&format!("/api/counters/{counter}")).await;
        assert_eq!(reply.visits(), numbers[counter].len() as u64);
    }
    assert_eq!(
        footfall.metric("footfall_count_regressions_total").await,
        Some(0.0)
    );
    assert_eq!(
        footfall.metric("footfall_visits_unanswered").await,
        Some(0.0)
    );
}

/// `WAIT` is for what its own connection has written.
#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_waited_for_where_it_was_made() {
    let redis = Redis::start();
    let _replica = redis.replica();
    let proxy = distant(&redis).await;
    let footfall = footfall(&proxy).env("FOOTFALL_WAIT_REPLICAS", 1).start();
    footfall.ready().await;
    let (target, token) = (Target::Tcp(footfall.public()), footfall.token().await);
    footfall
        .metric_reaches(DISTANCE, ROUND_TRIP.as_secs_f64())
        .await;
    proxy.most_under_way();
    let numbers = count_visits(&[target], &token, 16, 500).await;
    assert_exact(&numbers);
    // Half of the time it is a `WAIT` that is under way.
    assert!(proxy.most_under_way() > 1);
    let (waits, stray) = proxy.waits();
    assert!(waits > 500 / 16, "{waits}");
    assert_eq!(stray, 0);
}

/// What was queued is counted before the process ends.
#[tokio::test(flavor = "multi_thread")]
async fn draining_counts_all_that_waits() {
    let redis = Redis::start();
    let proxy = distant(&redis).await;
    let mut footfall = footfall(&proxy).start();
    let (target, token) = (Target::Tcp(footfall.public()), footfall.token().await);
    footfall
        .metric_reaches(DISTANCE, ROUND_TRIP.as_secs_f64())
        .await;
    proxy.set(Mischief::Delay(ROUND_TRIP * 20));
    let load = tokio::spawn(async move { count_visits(&[target], &token, 64, 64).await });
    footfall
        .metric_becomes("http_requests_in_flight", 64.0)
        .await;
    assert!(footfall.stop().success());
    assert_exact(&load.await.unwrap());
}
