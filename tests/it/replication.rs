//! `FOOTFALL_WAIT_REPLICAS`: no visit is acknowledged before so many of Redis'
//! replicas have it.

use rustix::process::Signal;

use crate::support::{Footfall, Redis, eventually, footfall::AWAY, load::get_insistently};

fn follows(master: &Redis) {
    eventually("the replica follows", || {
        master
            .command("INFO replication")
            .contains("state=online")
            .then_some(())
    });
}

fn footfall(master: &Redis) -> Footfall {
    Footfall::builder()
        .env("REDIS_URL", master.url())
        .env("FOOTFALL_WAIT_REPLICAS", 1)
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .start()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_enough_replicas_nothing_is_acknowledged() {
    let master = Redis::start();
    let footfall = footfall(&master);
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.status, 503);
    let away = footfall.logged(AWAY);
    let reason = away["error"].as_str().unwrap();
    assert!(reason.contains("0 of 1 replicas"), "{reason}");
    let ready = footfall.ops_client().get("/readyz").await;
    assert_eq!(ready.status, 503);

    let _replica = master.replica();
    follows(&master);
    footfall.ready().await;
    assert_eq!(get_insistently(&mut client, "/api/count").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_waits_for_the_replicas_too() {
    let master = Redis::start();
    let replica = master.replica();
    follows(&master);
    let (first, second) = (footfall(&master), footfall(&master));
    let token = first.token().await;
    let client = |footfall: &Footfall| {
        footfall
            .client()
            .with_token(&token)
            .with("idempotency-key", "the-visit")
    };
    // The first visit of a counter is another matter: it lists the counter before it is counted.
    let mut anyone = first.client().with_token(&token);
    let reply = get_insistently(&mut anyone, "/api/count").await;
    assert_eq!(reply.visits(), 1);

    replica.signal(Signal::STOP);
    assert_eq!(
        client(&first).get("/api/count").await.problem(),
        "outcome_unknown"
    );
    assert!(
        master
            .command("GET footfall:{visits}:count")
            .contains("\r\n2\r\n")
    );
    // It only finds the number; but if the master died now, that would be gone.
    assert_eq!(client(&second).get("/api/count").await.status, 503);

    replica.signal(Signal::CONT);
    for footfall in [&first, &second] {
        let reply = get_insistently(&mut client(footfall), "/api/count").await;
        assert_eq!((reply.visits(), reply.replayed()), (2, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forbids_to_wait_leaves_outcomes_unknown() {
    let master = Redis::start();
    let _replica = master.replica();
    follows(&master);
    let footfall = Footfall::builder()
        .env("REDIS_URL", master.url())
        .env("FOOTFALL_WAIT_REPLICAS", 1)
        .start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    master.command("ACL SETUSER default -wait");
    // It was counted, and nobody knows whether a replica has it.
    assert_eq!(client.get("/api/count").await.problem(), "outcome_unknown");
    assert!(
        master
            .command("GET footfall:{visits}:count")
            .contains("\r\n2\r\n")
    );
    let away = footfall.logged(AWAY);
    let reason = away["error"].as_str().unwrap();
    assert!(reason.contains("'wait' command"), "{reason}");
}

/// What is refused was not counted, whether or not replicas follow.
#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_finds_no_room_waits_for_no_replica() {
    let master = Redis::start();
    let replica = master.replica();
    follows(&master);
    let footfall = Footfall::builder()
        .env("REDIS_URL", master.url())
        .env("FOOTFALL_WAIT_REPLICAS", 1)
        .env("FOOTFALL_COUNTER_LIMIT", 1)
        .start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    assert_eq!(client.post("/api/counters/first").await.visits(), 1);
    replica.signal(Signal::STOP);
    let reply = client.post("/api/counters/second").await;
    assert_eq!(reply.problem(), "counters_full");
    assert!(footfall.find(AWAY).is_none());
}
