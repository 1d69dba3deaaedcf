//! Things die, hang and go away; the count stays right.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hyper::Method;

use rustix::process::Signal;

use crate::support::{
    Client, Footfall, Redis, client::Target, eventually, load::assert_exact, nginx::Nginx,
};

/// Counts until told to stop, reconnecting after errors; gives the acknowledged numbers.
async fn count_until(
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    target: Target,
    token: String,
) -> Vec<u64> {
    let mut client = Client::new(target).with_token(&token);
    let mut numbers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match client.try_send(Method::GET, "/api/count", &[], "").await {
            Ok(reply) if reply.status == 200 => {
                numbers.push(reply.visits());
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => assert_eq!(reply.status, 503, "{reply:?}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
    numbers
}

/// Counts against all targets while `disturb` does its worst, then gives all
/// acknowledged numbers. `disturb` gets the number of acknowledged visits.
async fn count_while(
    targets: &[Target],
    token: &str,
    disturb: impl AsyncFnOnce(Arc<AtomicUsize>),
) -> Vec<u64> {
    let (stop, acknowledged) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let tasks: Vec<_> = (0..24)
        .map(|index| {
            let target = targets[index % targets.len()].clone();
            tokio::spawn(count_until(
                stop.clone(),
                acknowledged.clone(),
                target,
                token.to_owned(),
            ))
        })
        .collect();
    disturb(acknowledged.clone()).await;
    stop.store(true, Ordering::Relaxed);
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    numbers
}

/// Waits until so many more visits have been acknowledged.
async fn more(acknowledged: &AtomicUsize, visits: usize) {
    let goal = acknowledged.load(Ordering::Relaxed) + visits;
    let waiting = async {
        while acknowledged.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(crate::support::process::PATIENCE, waiting)
        .await
        .expect("visits are being counted");
}

/// No number twice, and all acknowledged visits in the total.
fn assert_nothing_lost(numbers: &[u64], total: u64) {
    let distinct: std::collections::HashSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    let highest = *numbers.iter().max().unwrap();
    assert!(
        highest <= total,
        "number {highest} was acknowledged, and the total is {total}"
    );
    assert!(numbers.len() as u64 <= total);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_killed_under_load_loses_and_doubles_nothing() {
    let redis = Redis::start();
    let mut replicas: Vec<_> = (0..3)
        .map(|_| Footfall::builder().env("REDIS_URL", redis.url()).start())
        .collect();
    let targets: Vec<_> = replicas
        .iter()
        .map(|replica| Target::Tcp(replica.public()))
        .collect();
    let token = replicas[0].token().await;
    let mut victim = replicas.pop().unwrap();
    let numbers = count_while(&targets, &token, async |acknowledged| {
        more(&acknowledged, 2000).await;
        victim.process.kill();
        more(&acknowledged, 2000).await;
    })
    .await;
    assert_nothing_lost(&numbers, replicas[0].total(&token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut footfall = Footfall::builder().directory(directory.path()).start();
    let token = footfall.token().await;
    let numbers = count_while(
        &[Target::Tcp(footfall.public())],
        &token,
        async |acknowledged| {
            more(&acknowledged, 500).await;
            footfall.process.kill();
        },
    )
    .await;
    let successor = Footfall::builder().directory(directory.path()).start();
    assert_nothing_lost(&numbers, successor.total(&token).await);
}

/// Behind nginx, where each request has its own `X-Request-ID`: every client
/// sees 200 and the count is the number of requests, whatever happens to one
/// of three replicas half-way.
async fn behind_nginx(location: &str, mishap: impl FnOnce(&mut Footfall)) {
    const REQUESTS: usize = 6000;
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let sockets: Vec<_> = (1..=3)
        .map(|slot| directory.path().join(format!("{slot}.sock")))
        .collect();
    let mut replicas: Vec<_> = sockets
        .iter()
        .map(|socket| {
            Footfall::builder()
                .env("REDIS_URL", redis.url())
                .socket(socket)
                .start()
        })
        .collect();
    let token = replicas[0].token().await;
    let nginx = Nginx::start(
        &sockets.iter().map(AsRef::as_ref).collect::<Vec<&Path>>(),
        "",
        location,
    );

    let sent = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..24)
        .map(|_| {
            let (sent, mut client) = (sent.clone(), Client::tcp(&nginx.address).with_token(&token));
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while sent.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                    numbers.push(client.get("/api/count").await.visits());
                }
                numbers
            })
        })
        .collect();
    eventually("half of the requests are sent", || {
        (sent.load(Ordering::Relaxed) > REQUESTS / 2).then_some(())
    });
    mishap(&mut replicas[2]);
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    assert_eq!(numbers.len(), REQUESTS);
    assert_exact(&numbers);
    assert_eq!(replicas[0].total(&token).await, REQUESTS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_repeats_what_a_killed_replica_left_and_the_count_is_right() {
    behind_nginx("", |replica| replica.process.kill()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_repeats_what_a_hung_replica_left_and_the_count_is_right() {
    behind_nginx("proxy_read_timeout 3s;", |replica| {
        replica.process.signal(Signal::STOP)
    })
    .await;
}
