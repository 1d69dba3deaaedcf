//! Floods of logins, of new counters and of identities.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use tokio::task::JoinSet;

use crate::support::{
    Client, Footfall, Redis, Reply,
    footfall::{AWAY, Builder},
    load::assert_exact,
};

/// Clients of a flood.
const CLIENTS: usize = 16;

async fn resident(footfall: &Footfall) -> f64 {
    let series = "process_resident_memory_bytes";
    footfall.metric(series).await.unwrap()
}

/// Sends requests 0, 1, 2, … over many connections, until `goes_on` says no to a reply.
async fn flood(
    footfall: &Footfall,
    token: &str,
    request: impl AsyncFn(&mut Client, usize) -> Reply + Copy,
    goes_on: impl Fn(usize, &Reply) -> bool + Copy,
) -> Vec<(usize, Reply)> {
    let next = AtomicUsize::new(0);
    let next = &next;
    let clients = (0..CLIENTS).map(|_| async move {
        let mut client = footfall.client().with_token(token);
        let mut replies = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let reply = request(&mut client, number).await;
            let more = goes_on(number, &reply);
            replies.push((number, reply));
            if !more {
                return replies;
            }
        }
    });
    futures_util::future::join_all(clients).await.concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_logins_does_not_hold_counting_up() {
    let redis = Redis::start();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
        .start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    let before = resident(&footfall).await;
    let (stop, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    // More than may wait (64), so that some are always refused.
    let mut logins = JoinSet::new();
    for _ in 0..90 {
        let (stop, done, mut client) = (stop.clone(), done.clone(), footfall.client());
        logins.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let reply = client.login("admin", "password").await;
                if reply.status == 200 {
                    done.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert_eq!(reply.problem(), "login_busy");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
    }
    while done.load(Ordering::Relaxed) < 5 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut visits, until) = (0, done.load(Ordering::Relaxed) + 20);
    while done.load(Ordering::Relaxed) < until {
        visits += 1;
        assert_eq!(client.get("/api/count").await.visits(), visits);
    }
    // A visit that waited its turn among the logins would be one for many of them.
    assert!(visits > 40, "{visits} visits during 20 logins");
    let grown = resident(&footfall).await - before;
    assert!(grown < 200e6, "{grown} bytes more");
    stop.store(true, Ordering::Relaxed);
    while let Some(login) = logins.join_next().await {
        login.unwrap();
    }
    assert!(footfall.find(AWAY).is_none());
}

/// Names that are there already are counted on; as many others as there is room for are created.
async fn new_counters_are_refused_beyond_the_limit(builder: Builder) {
    const LIMIT: usize = 300;
    let footfall = builder.env("FOOTFALL_COUNTER_LIMIT", LIMIT).start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    // Each name comes several times, also at once.
    let create = async |client: &mut Client, number: usize| {
        let name = number / 4;
        client.post(&format!("/api/counters/flood-{name}")).await
    };
    let more = |number, _: &Reply| number < 4 * 2 * LIMIT;
    let mut numbers = BTreeMap::<usize, Vec<u64>>::new();
    for (number, reply) in flood(&footfall, &token, create, more).await {
        if reply.status == 200 {
            numbers.entry(number / 4).or_default().push(reply.visits());
        } else {
            assert_eq!(
                (reply.status.as_u16(), &*reply.problem()),
                (507, "counters_full")
            );
            assert!(reply.header("retry-after").is_none(), "it would not help");
        }
    }
    assert_eq!(numbers.len(), LIMIT);
    for numbers in numbers.values() {
        assert_exact(numbers);
    }
    assert_eq!(listed(&mut client).await.len(), LIMIT);
    // There is always room for the default counter.
    assert_eq!(client.get("/api/count").await.visits(), 1);
    assert_eq!(client.post("/api/counters/late").await.status, 507);
    assert_eq!(client.get("/api/counters/late").await.status, 404);
    assert!(footfall.find(AWAY).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_new_counters_is_refused_beyond_the_limit() {
    let redis = Redis::start();
    let builder = Footfall::builder().env("REDIS_URL", redis.url());
    new_counters_are_refused_beyond_the_limit(builder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_new_embedded_counters_is_refused_beyond_the_limit() {
    new_counters_are_refused_beyond_the_limit(Footfall::builder()).await;
}

/// All names, page by page.
async fn listed(client: &mut Client) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/counters?limit=1000{cursor}");
        let page = client.get(&path).await.json();
        for counter in page["counters"].as_array().unwrap() {
            let name = counter["name"].as_str().unwrap().to_owned();
            assert!(listed.insert(name), "a name is on two pages");
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return listed,
        }
    }
}

/// What bounds counters where the limit is set too high: the memory of the store.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_new_counters_ends_when_the_store_is_full_and_loses_nothing() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let before = resident(&footfall).await;
    let memory = redis.command("INFO memory");
    let (_, used) = memory.split_once("used_memory:").unwrap();
    let used: u64 = used.lines().next().unwrap().parse().unwrap();
    redis.told(&format!("CONFIG SET maxmemory {}", used + 1_000_000));

    let create = async |client: &mut Client, number: usize| {
        client.post(&format!("/api/counters/flood-{number}")).await
    };
    let replies = flood(&footfall, &token, create, |number, reply| {
        reply.status == 200 && number < 50_000
    })
    .await;
    let mut created = BTreeSet::new();
    for (number, reply) in replies {
        if reply.status == 200 {
            assert_eq!(reply.visits(), 1);
            created.insert(format!("flood-{number}"));
        } else {
            assert_eq!(reply.problem(), "store_unavailable");
        }
    }
    assert!(created.len() > 100, "{} counters fit", created.len());
    let grown = resident(&footfall).await - before;
    assert!(grown < 64e6, "{grown} bytes more");
    assert_eq!(client.get("/api/ping").await.status, 200);
    assert_eq!(client.get("/api/counters/visits").await.visits(), 1);

    redis.told("CONFIG SET maxmemory 0");
    footfall.ready().await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
    let listed = listed(&mut client).await;
    assert!(created.is_subset(&listed), "a counter was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_identities_is_refused_beyond_the_limit() {
    const LIMIT: usize = 1000;
    let redis = Redis::start();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_DEDUP_LIMIT", LIMIT)
        .start();
    let token = footfall.token().await;
    let before = resident(&footfall).await;
    let visit = async |client: &mut Client, number: usize| {
        let headers = [("idempotency-key", &*number.to_string())];
        client.send(Method::GET, "/api/count", &headers, "").await
    };
    let replies = flood(&footfall, &token, visit, |number, _| number < 3 * LIMIT).await;
    let mut numbers = Vec::new();
    for (_, reply) in &replies {
        if reply.status == 200 {
            assert!(!reply.replayed());
            numbers.push(reply.visits());
        } else {
            assert_eq!(reply.problem(), "identities_full");
            assert!(reply.header("retry-after").is_some());
        }
    }
    assert_eq!(
        numbers.len(),
        LIMIT,
        "as many as are remembered are counted"
    );
    assert_exact(&numbers);
    assert_eq!(redis.command("HLEN footfall:{visits}:keys").trim(), ":1000");
    let grown = resident(&footfall).await - before;
    assert!(grown < 64e6, "{grown} bytes more");
    // Nobody else suffers: not who repeats, not who has no identity, not another counter.
    let mut client = footfall.client().with_token(&token);
    for (number, reply) in replies
        .iter()
        .filter(|(_, reply)| reply.status == 200)
        .take(20)
    {
        let again = visit(&mut client, *number).await;
        assert_eq!((again.visits(), again.replayed()), (reply.visits(), true));
    }
    assert_eq!(client.get("/api/count").await.visits(), LIMIT as u64 + 1);
    let mut other = client.with("idempotency-key", "k");
    assert_eq!(other.post("/api/counters/other").await.visits(), 1);
    assert!(footfall.find(AWAY).is_none());
}
