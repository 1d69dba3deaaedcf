//! The queue of visits.

use std::{
    io::ErrorKind,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinSet,
    time::sleep,
};

use crate::support::{
    Client, Footfall, Redis, Reply,
    load::assert_exact,
    process::{PATIENCE, allow_descriptors},
};

/// Visits that may wait, per worker (docs/architecture.md).
const QUEUE: usize = 8192;

/// One visit on a connection of its own.
async fn visit(socket: &Path, token: &str) -> Reply {
    let started = Instant::now();
    let mut stream = loop {
        assert!(started.elapsed() < PATIENCE, "no connection");
        match UnixStream::connect(socket).await {
            Ok(stream) => break stream,
            // So many at once are more than the kernel queues.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                sleep(Duration::from_millis(1)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    let request = format!(
        "GET /api/count HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    Reply::parse(&reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_a_full_queue_visits_are_refused_at_once_and_the_rest_is_counted() {
    allow_descriptors(10_000);
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_WORKERS", 1)
        .env("FOOTFALL_STORE_TIMEOUT", "50s")
        .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
        .socket(&socket)
        .start();
    let token = footfall.token().await;
    let mut client = Client::unix(&socket).with_token(&token);
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let resident = async || {
        let series = "process_resident_memory_bytes";
        footfall.metric(series).await.unwrap()
    };
    let before = resident().await;

    redis.signal(Signal::STOP);
    let mut waiting = JoinSet::new();
    let send = |waiting: &mut JoinSet<Reply>| {
        let (socket, token) = (socket.clone(), token.clone());
        waiting.spawn(async move { visit(&socket, &token).await });
    };
    // The first is on its way to the store, the others wait.
    send(&mut waiting);
    footfall
        .metric_becomes("footfall_count_batch_size_count", 2.0)
        .await;
    for _ in 0..QUEUE {
        send(&mut waiting);
    }
    footfall
        .metric_becomes("footfall_count_queue_depth", QUEUE as f64)
        .await;

    // The store still hangs, so what is answered now is answered without it.
    for _ in 0..50 {
        let reply = visit(&socket, &token).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (503, "overloaded")
        );
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(client.get("/api/ping").await.status, 200);
        assert_eq!(client.get("/healthz").await.status, 200);
    }
    assert_eq!(
        waiting
            .try_join_next()
            .map(|reply| reply.unwrap())
            .map(|reply| reply.status),
        None
    );
    let each = (resident().await - before) / QUEUE as f64;
    assert!(each < 64e3, "{each} bytes for each visit that waits");

    redis.signal(Signal::CONT);
    let mut numbers = vec![1];
    while let Some(reply) = waiting.join_next().await {
        numbers.push(reply.unwrap().visits());
    }
    assert_eq!(numbers.len(), QUEUE + 2);
    assert_exact(&numbers);
    assert_eq!(client.get("/api/count").await.visits(), QUEUE as u64 + 3);
    assert_eq!(
        footfall.metric("footfall_count_queue_depth").await,
        Some(0.0)
    );
}

/// Nobody would see its number.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_while_its_visit_waits_is_not_counted() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_WORKERS", 1)
        .env("FOOTFALL_STORE_TIMEOUT", "50s")
        .env("FOOTFALL_REQUEST_TIMEOUT", "60s")
        .socket(&socket)
        .start();
    let token = footfall.token().await;
    let send = || {
        let (socket, token) = (socket.clone(), token.clone());
        tokio::spawn(async move { visit(&socket, &token).await })
    };
    redis.signal(Signal::STOP);
    let first = send();
    footfall
        .metric_becomes("footfall_count_batch_size_count", 1.0)
        .await;
    let gone = send();
    footfall
        .metric_becomes("footfall_count_queue_depth", 1.0)
        .await;
    gone.abort();
    let series = r#"http_requests_total{method="GET",route="/api/count",status="499"}"#;
    footfall.metric_becomes(series, 1.0).await;
    redis.signal(Signal::CONT);
    assert_eq!(first.await.unwrap().visits(), 1);
    assert_eq!(send().await.unwrap().visits(), 2);
    let confirmed = footfall.metric("footfall_visits_confirmed_total").await;
    assert_eq!(confirmed, Some(2.0));
}
