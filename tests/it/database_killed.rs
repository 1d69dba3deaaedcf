//! PostgreSQL is killed while visits are counted and accounts are used.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hyper::Method;
use serde_json::json;

use crate::support::{
    Client, Footfall, Redis, client::Target, load::assert_exact, postgres::Postgres, until,
};

/// What is promised, from when PostgreSQL takes connections again.
const BACK: Duration = Duration::from_secs(3);

/// API tokens that are made; there is a most of them.
const MADE: usize = 40;

/// Counts until it is told to stop; anything but a number fails the test.
async fn count(target: Target, token: String, stop: Arc<AtomicBool>) -> Vec<u64> {
    let mut client = Client::new(target).with_token(&token);
    let mut numbers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        numbers.push(client.get("/api/count").await.visits());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    numbers
}

/// Makes API tokens, a few, until it is told to stop; gives those that were acknowledged, and the codes
/// of what was refused.
async fn make(
    target: Target,
    token: String,
    stop: Arc<AtomicBool>,
) -> (Vec<String>, BTreeSet<String>) {
    let mut client = Client::new(target).with_token(&token);
    let (mut made, mut refused) = (Vec::new(), BTreeSet::new());
    while !stop.load(Ordering::Relaxed) && made.len() < MADE {
        let body = json!({ "name": format!("number {}", made.len()), "scopes": ["counters:read"] });
        let headers = [("content-type", "application/json")];
        let reply = client
            .send(Method::POST, "/auth/tokens", &headers, body.to_string())
            .await;
        match reply.status.as_u16() {
            201 => made.push(reply.json()["id"].as_str().unwrap().to_owned()),
            503 => drop(refused.insert(reply.problem())),
            _ => panic!("{}", reply.text()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (made, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_go_on_exactly_and_accounts_are_back_within_three_seconds() {
    let (redis, mut postgres) = (Redis::start(), Postgres::start());
    let url = postgres.url("migrated");
    let replica = || {
        let builder = Footfall::builder().env("REDIS_URL", redis.url());
        builder.env("DATABASE_URL", &url).start()
    };
    let replicas = [replica(), replica()];
    for replica in &replicas {
        replica.ready().await;
        replica.metric_becomes("footfall_database_up", 1.0).await;
    }
    let token = replicas[0].token().await;
    let stop = Arc::new(AtomicBool::new(false));
    let target = |index: usize| Target::Tcp(replicas[index % 2].public());
    let counting: Vec<_> = (0..4)
        .map(|index| tokio::spawn(count(target(index), token.clone(), stop.clone())))
        .collect();
    let making = tokio::spawn(make(target(1), token.clone(), stop.clone()));
    let mut client = replicas[0].client().with_token(&token);
    until("somebody counts", async || {
        let reply = replicas[0]
            .client()
            .with_token(&token)
            .get("/api/counters/visits")
            .await;
        (reply.status == 200).then_some(())
    })
    .await;
    let goes_on = async |client: &mut Client| {
        let now = client.get("/api/counters/visits").await.visits();
        until("counting goes on", async || {
            let visits = replicas[1].total(&token).await;
            (visits > now + 200).then_some(())
        })
        .await;
    };
    goes_on(&mut client).await;

    postgres.kill();
    until("accounts are not served", async || {
        let reply = replicas[0]
            .client()
            .with_token(&token)
            .get("/auth/sessions")
            .await;
        (reply.status == 503).then_some(())
    })
    .await;
    let refused = client.get("/auth/sessions").await;
    assert_eq!(refused.problem(), "database_unavailable");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    goes_on(&mut client).await;

    postgres.restart();
    let back = Instant::now();
    for replica in &replicas {
        let mut client = replica.client().with_token(&token);
        until("accounts are back", async || {
            (client.get("/auth/sessions").await.status == 200).then_some(())
        })
        .await;
        assert!(back.elapsed() < BACK, "after {:?}", back.elapsed());
    }
    goes_on(&mut client).await;
    stop.store(true, Ordering::Relaxed);
    let mut numbers = Vec::new();
    for task in counting {
        numbers.extend(task.await.unwrap());
    }
    assert_exact(&numbers);
    let (made, refused) = making.await.unwrap();
    let known = ["database_unavailable", "outcome_unknown"];
    assert!(
        refused.iter().all(|code| known.contains(&code.as_str())),
        "{refused:?}"
    );
    assert!(!made.is_empty());
    let listed = client.get("/auth/tokens?limit=1000").await.text();
    for id in &made {
        assert!(
            listed.contains(id.as_str()),
            "{id} was acknowledged: {listed}"
        );
    }
}
