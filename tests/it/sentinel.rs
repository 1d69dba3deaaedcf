//! Redis Sentinel: counting follows the master, and with
//! `FOOTFALL_WAIT_REPLICAS` a failover loses nothing that was acknowledged.

use rustix::process::Signal;

use crate::support::{
    Footfall,
    client::Target,
    eventually,
    load::{Insistent, assert_exact},
    sentinels::Sentinels,
};

/// Two processes that count where these sentinels say.
fn replicas(sentinels: &Sentinels, wait_replicas: u32) -> [Footfall; 2] {
    [(), ()].map(|()| {
        Footfall::builder()
            .env("REDIS_URL", sentinels.url())
            .env("FOOTFALL_WAIT_REPLICAS", wait_replicas)
            .env("FOOTFALL_STORE_TIMEOUT", "2s")
            .start()
    })
}

/// Counts under load, breaks something, counts on: all visits have their numbers.
async fn count_through(
    sentinels: &mut Sentinels,
    wait_replicas: u32,
    fault: impl AsyncFnOnce(&mut Sentinels),
) {
    let footfalls = replicas(sentinels, wait_replicas);
    let targets: Vec<_> = footfalls
        .iter()
        .map(|footfall| Target::Tcp(footfall.public()))
        .collect();
    let token = footfalls[0].token().await;
    let load = Insistent::start(&targets, &token, 8, &["visits".to_owned()]);
    load.count(200).await;
    fault(sentinels).await;
    load.count(200).await;
    let numbers = load.stop().await;
    assert_exact(&numbers["visits"]);
    assert_eq!(
        footfalls[0].total(&token).await,
        numbers["visits"].len() as u64
    );
    for footfall in &footfalls {
        let regressions = footfall.metric("footfall_count_regressions_total").await;
        assert_eq!(regressions, Some(0.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_master_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut sentinels = Sentinels::start();
    count_through(&mut sentinels, 1, async |sentinels| {
        sentinels.servers[0].kill();
        eventually("another is the master", || {
            (sentinels.master() != 0).then_some(())
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_failover_is_followed() {
    let mut sentinels = Sentinels::start();
    // All of them: the sentinels promote one while the old master still has the other, and would
    // acknowledge what is thrown away when that becomes a replica.
    count_through(&mut sentinels, 2, async |sentinels| {
        sentinels.switch();
        eventually("another is the master", || {
            (sentinels.master() != 0).then_some(())
        });
        sentinels.settled(2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_hung_and_comes_back_is_not_counted_on() {
    let mut sentinels = Sentinels::start();
    count_through(&mut sentinels, 1, async |sentinels| {
        sentinels.servers[0].signal(Signal::STOP);
        eventually("another is the master", || {
            (sentinels.master() != 0).then_some(())
        });
        // Until the other replica follows the new master, the old one could have visits confirmed.
        sentinels.follow(1);
        sentinels.servers[0].signal(Signal::CONT);
    })
    .await;
}
