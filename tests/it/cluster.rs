//! Redis Cluster: each counter on the master that has its slot, wherever that goes.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{
    Footfall, Reply,
    client::Target,
    cluster::Cluster,
    footfall::AWAY,
    load::{Insistent, assert_exact},
    process::{throughout, until},
};

/// Enough to have some on each master.
fn counters() -> Vec<String> {
    (0..12).map(|number| format!("counter-{number}")).collect()
}

fn footfall(cluster: &Cluster) -> Footfall {
    Footfall::builder()
        .env("REDIS_URL", cluster.url())
        .env("FOOTFALL_WAIT_REPLICAS", 1)
        .env("FOOTFALL_STORE_TIMEOUT", "2s")
        .start()
}

/// Counts under load while something happens to the cluster; gives what is listed then.
async fn count_through(cluster: &mut Cluster, event: impl AsyncFnOnce(&mut Cluster)) {
    let footfalls = [footfall(cluster), footfall(cluster)];
    let targets: Vec<_> = footfalls
        .iter()
        .map(|footfall| Target::Tcp(footfall.public()))
        .collect();
    let token = footfalls[0].token().await;
    let load = Insistent::start(&targets, &token, 8, &counters());
    load.count(200).await;
    event(cluster).await;
    load.count(200).await;
    let numbers = load.stop().await;
    let list = listed(
        footfalls[0]
            .client()
            .with_token(&token)
            .get("/api/counters")
            .await,
    );
    for (counter, numbers) in &numbers {
        assert_exact(numbers);
        let total = (counter.clone(), numbers.len() as u64);
        assert!(list.contains(&total), "{total:?} is not in {list:?}");
    }
    assert_eq!(list.len(), counters().len());
}

fn listed(reply: Reply) -> Vec<(String, u64)> {
    let counters = reply.json()["counters"].as_array().unwrap().clone();
    let entry = |counter: &serde_json::Value| {
        let name = counter["name"].as_str().unwrap().to_owned();
        (name, counter["visits"].as_u64().unwrap())
    };
    counters.iter().map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_master_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start();
    count_through(&mut cluster, async |cluster| {
        let master = cluster.master_of("footfall:{counter-0}:count");
        cluster.nodes[master].kill();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_hangs_is_replaced() {
    let mut cluster = Cluster::start();
    count_through(&mut cluster, async |cluster| {
        let master = cluster.master_of("footfall:{counter-0}:count");
        cluster.nodes[master].signal(Signal::STOP);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_move_under_load() {
    let mut cluster = Cluster::start();
    count_through(&mut cluster, async |cluster| {
        for counter in ["counter-0", "counter-1"] {
            let key = format!("footfall:{{{counter}}}:count");
            let (slot, from) = (cluster.slot(&key), cluster.master_of(&key));
            let to = cluster.other_than(from);
            cluster.begin_move(slot, from, to);
            cluster.finish_move(slot, from, to);
            assert_eq!(cluster.master_of(&key), to);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_on_its_way_is_a_503_that_says_so() {
    let cluster = Cluster::start();
    let footfall = footfall(&cluster);
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.post("/api/counters/here").await.visits(), 1);
    assert_eq!(client.post("/api/counters/elsewhere").await.visits(), 1);
    let key = "footfall:{here}:count";
    let (slot, from) = (cluster.slot(key), cluster.master_of(key));
    assert_ne!(slot, cluster.slot("footfall:{elsewhere}:count"));
    let to = cluster.other_than(from);
    cluster.begin_move(slot, from, to);
    // Its keys for identities do not exist, so the cluster cannot tell where they would be.
    let reply = client.post("/api/counters/here").await;
    assert_eq!(reply.problem(), "store_unavailable");
    // Nothing is unknown here: it was not counted, and the store is not away.
    assert_eq!(client.post("/api/counters/elsewhere").await.visits(), 2);
    assert_eq!(client.get("/api/counters/here").await.visits(), 1);
    cluster.finish_move(slot, from, to);
    assert_eq!(client.post("/api/counters/here").await.visits(), 2);
}

/// As in a cluster that goes on without some of its slots: what is elsewhere is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_nobody_serves_takes_no_other_with_it() {
    let cluster = Cluster::of_one();
    let footfall = Footfall::builder().env("REDIS_URL", cluster.url()).start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    assert_eq!(client.post("/api/counters/lost").await.visits(), 1);
    let target = Target::Tcp(footfall.public());
    let load = Insistent::start(&[target], &token, 4, &["healthy".to_owned()]);
    load.count(50).await;
    let node = &cluster.nodes[0];
    let slot = cluster.slot("footfall:{lost}:count");
    node.told(&format!("CLUSTER DELSLOTS {slot}"));
    // Long enough for the store to be asked about it more than once.
    throughout(Duration::from_millis(2500), async || {
        let refused = client.post("/api/counters/lost").await;
        assert_eq!(refused.problem(), "store_unavailable");
    })
    .await;
    load.count(50).await;
    node.told(&format!("CLUSTER ADDSLOTS {slot}"));
    until("it is counted again", async || {
        (client.post("/api/counters/lost").await.status == 200).then_some(())
    })
    .await;
    assert!(load.refused().is_empty(), "{:?}", load.refused());
    assert!(footfall.find(AWAY).is_none(), "{:?}", footfall.log());
    for numbers in load.stop().await.values() {
        assert_exact(numbers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_logins_are_counted_across_the_cluster() {
    let cluster = Cluster::start();
    let footfalls = [footfall(&cluster), footfall(&cluster)];
    let mut clients = footfalls.each_ref().map(Footfall::client);
    let mut statuses = Vec::new();
    for attempt in 0..40 {
        let reply = clients[attempt % 2].login("admin", "wrong").await;
        statuses.push(reply.status.as_u16());
        if statuses.last() == Some(&429) {
            break;
        }
    }
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    for footfall in &footfalls {
        let reply = footfall.client().login("admin", "password").await;
        assert_eq!(reply.status, 429);
    }
}
