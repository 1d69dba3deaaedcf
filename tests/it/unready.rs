//! Replicas that cannot count leave their slots to those that can.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{
    Redis,
    client::{Client, Target},
    fault_proxy::{FaultProxy, Mischief},
    load::{assert_exact, count_visits},
    process::throughout,
    proxy::Proxy,
    slots::Slots,
    steady::{SteadyLoad, p99},
};

/// Nobody listens there.
const WRONG: &str = "redis://127.0.0.1:1";

/// Behind the shipped nginx with its shipped timeouts.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_with_a_wrong_store_gets_no_visits() {
    let proxy = Proxy::start();
    let slots = Slots::of(&proxy.path("sockets"));
    let redis = Redis::start();
    let start = |url: &str| proxy.replica().env("REDIS_URL", url).start();
    let _replicas = [start(&redis.url()), start(WRONG), start(&redis.url())];
    let token = _replicas[0].token().await;
    // Not a wait for it: it takes no slot at all.
    assert_eq!(slots.sockets(), [1, 2]);
    let target = Target::Tcp(proxy.address.clone());
    let numbers = count_visits(&[target], &token, 16, 10_000).await;
    assert_exact(&numbers);
    assert_eq!(slots.sockets(), [1, 2]);
}

/// The store goes away for one of three, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_loses_its_store_leaves_and_comes_back() {
    let proxy = Proxy::start();
    let slots = Slots::of(&proxy.path("sockets"));
    let redis = Redis::start();
    let way = FaultProxy::start(redis.port).await;
    let start = |url: &str| {
        let replica = proxy.replica().env("REDIS_URL", url);
        // As in the shipped stacks.
        replica.env("FOOTFALL_STORE_TIMEOUT", "700ms").start()
    };
    let replicas = [start(&redis.url()), start(&way.url()), start(&redis.url())];
    let token = replicas[0].token().await;
    let load = SteadyLoad::start(&Target::Tcp(proxy.address.clone()), &token, 200);
    load.answer(200).await;
    way.set(Mischief::Delay(Duration::from_mins(1)));
    let away = Instant::now();
    slots.become_sockets(&[1, 3]);
    while away.elapsed() < Duration::from_secs(5) {
        load.answer(100).await;
    }
    way.set(Mischief::Nothing);
    slots.become_sockets(&[1, 2, 3]);
    load.answer(200).await;
    let exchanges = load.stop().await;
    println!("p99 of all: {:?}", p99(exchanges.iter()));
    let (mut counted, mut last) = (0, Duration::ZERO);
    for exchange in &exchanges {
        let after = exchange.at.saturating_duration_since(away);
        match exchange.reply.status.as_u16() {
            200 => counted += 1,
            503 => {
                last = last.max(after);
                // The promise is 3 s; the rest is for a busy machine.
                assert!(after < Duration::from_secs(5), "a 503 after {after:?}");
            }
            status => panic!("{status}"),
        }
    }
    println!("the last 503 was to a request after {last:?}");
    // What the one without an answer had sent was counted, and it could not know.
    let total = replicas[0].total(&token).await;
    assert!(total >= counted, "{total} of {counted}");
}

/// A clear answer is better than none: nobody leaves when all would.
#[tokio::test(flavor = "multi_thread")]
async fn when_none_can_count_all_stay() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let mut redis = Redis::start();
    let start = || slots.replica().env("REDIS_URL", redis.url()).start();
    let replicas = [start(), start(), start()];
    let sockets = slots.inodes();
    redis.kill();
    for replica in &replicas {
        replica.logged(crate::support::footfall::AWAY);
    }
    throughout(Duration::from_secs(3), async || {
        assert_eq!(slots.inodes(), sockets);
    })
    .await;
    let mut client = Client::unix(slots.slot(2)).logged_in().await;
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
}

/// A store that hangs is found away by a busy replica up to a second before an idle one.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_store_hangs_for_all_all_stay() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let redis = Redis::start();
    let start = || {
        let replica = slots.replica().env("REDIS_URL", redis.url());
        replica.env("FOOTFALL_STORE_TIMEOUT", "700ms").start()
    };
    let replicas = [start(), start(), start()];
    let sockets = slots.inodes();
    let mut client = replicas[0].client().logged_in().await;
    // The moment of the hang falls anywhere between two looks of an idle one.
    for round in 1..=3 {
        client.get("/api/count").await.visits();
        redis.signal(Signal::STOP);
        let begin = Instant::now();
        assert_eq!(client.get("/api/count").await.status, 503);
        throughout(Duration::from_secs(4), async || {
            assert_eq!(slots.inodes(), sockets, "{round}: {:?}", begin.elapsed());
        })
        .await;
        redis.signal(Signal::CONT);
        for replica in &replicas {
            replica.metric_becomes("footfall_store_up", 1.0).await;
        }
        assert_eq!(slots.inodes(), sockets, "{round}");
        tokio::time::sleep(Duration::from_millis(370)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_count_takes_a_slot_when_nobody_else_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let mut sound = slots.replica().start();
    let lost = slots.replica().env("REDIS_URL", WRONG).start();
    assert_eq!(slots.sockets(), [1]);
    assert!(
        lost.log().iter().all(|line| !line.contains("1.sock")),
        "it takes no slot, and says no address of one"
    );
    sound.process.kill();
    lost.logged("the socket is published again");
    assert_eq!(slots.sockets(), [1]);
    let mut client = Client::unix(slots.slot(1)).logged_in().await;
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    let mut alone = slots.replica().env("REDIS_URL", WRONG).start();
    assert_eq!(slots.sockets(), [1, 2], "none of them can count");
    assert_eq!(alone.stop().code(), Some(0));
    let _next = slots.replica().start();
    slots.become_sockets(&[2]);
}

/// Also one that hangs is no reason to stay away.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_count_stands_in_for_one_that_hangs() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let sound = slots.replica().start();
    let _lost = slots.replica().env("REDIS_URL", WRONG).start();
    sound.process.signal(Signal::STOP);
    slots.become_sockets(&[2]);
    sound.process.signal(Signal::CONT);
    slots.become_sockets(&[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_drains_leaves_at_once_while_others_serve() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let start = || slots.replica().env("FOOTFALL_DRAIN_DELAY", "60s").start();
    let replicas = [start(), start()];
    replicas[0].process.signal(Signal::TERM);
    slots.become_sockets(&[2]);
    // The last one stays to the end of the delay.
    replicas[1].process.signal(Signal::TERM);
    replicas[1].logged("draining");
    throughout(Duration::from_secs(2), async || {
        assert!(!slots.sockets().is_empty());
    })
    .await;
}
