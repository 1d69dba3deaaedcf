//! Replicas die and hang behind the shipped configuration.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rustix::process::Signal;

use crate::support::{
    Footfall, Redis, eventually,
    load::assert_exact,
    proxy::{Prepared, Proxy},
};

/// Clients see nothing but 200 and the count is right, whatever happens to one
/// of three replicas on the way.
async fn counted_exactly(proxy: &Proxy, requests: usize, mishap: impl FnOnce(&mut Footfall)) {
    let redis = Redis::start();
    let mut replicas: Vec<_> = (0..3)
        .map(|_| proxy.replica().env("REDIS_URL", redis.url()).start())
        .collect();
    let token = replicas[0].token().await;
    let sent = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (sent, mut client) = (sent.clone(), proxy.client().with_token(&token));
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                loop {
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    let reply = match number {
                        number if number >= requests => break numbers,
                        // The same counter, and a method that may not simply be repeated.
                        number if number % 2 == 0 => client.post("/api/counters/visits").await,
                        _ => client.get("/api/count").await,
                    };
                    numbers.push(reply.visits());
                }
            })
        })
        .collect();
    eventually("half of the requests are sent", || {
        (sent.load(Ordering::Relaxed) > requests / 2).then_some(())
    });
    mishap(&mut replicas[1]);
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    assert_eq!(numbers.len(), requests);
    assert_exact(&numbers);
    assert_eq!(replicas[0].total(&token).await, requests as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica() {
    counted_exactly(&Proxy::start(), 1500, |replica| replica.process.kill()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_replica() {
    let proxy = Prepared::new("http.conf")
        .replace("proxy_read_timeout 800ms", "proxy_read_timeout 300ms")
        .start();
    counted_exactly(&proxy, 120, |replica| replica.process.signal(Signal::STOP)).await;
}

#[tokio::test]
async fn a_post_goes_on_to_the_next_replica_too() {
    let proxy = Proxy::start();
    let mut replicas = [(); 2].map(|()| proxy.replica().start());
    let mut client = proxy.client().logged_in().await;
    replicas[0].process.kill();
    for number in 1..=32 {
        assert_eq!(client.post("/api/counters/signup").await.visits(), number);
    }
}
