//! More connections than there should be.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use crate::support::{
    Footfall,
    client::pings,
    eventually,
    process::{PATIENCE, allow_descriptors},
};

const EXHAUSTED: &str = "connections cannot be accepted; raise the limit of open files (ulimit -n)";

const PING: &[u8] = b"GET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n";

/// Descriptors a service may have open here, `prlimit --nofile`.
const LIMIT: usize = 64;

/// Descriptors it has open.
fn descriptors(footfall: &Footfall) -> usize {
    let open = format!("/proc/{}/fd", footfall.process.0.id());
    std::fs::read_dir(open).unwrap().count()
}

/// A connection with a request on its way.
async fn ask(footfall: &Footfall) -> TcpStream {
    let mut stream = TcpStream::connect(footfall.public()).await.unwrap();
    stream.write_all(PING).await.unwrap();
    stream
}

/// Waits for the reply.
async fn answered(stream: &mut TcpStream) {
    let mut reply = [0; 15];
    let reading = stream.read_exact(&mut reply);
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("an answer")
        .unwrap();
    assert_eq!(&reply, b"HTTP/1.1 200 OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_it_waits_says_so_and_recovers() {
    let footfall = Footfall::builder().descriptors(LIMIT).start();
    let mut before = footfall.client().logged_in().await;
    assert_eq!(before.get("/api/count").await.visits(), 1);
    let room = LIMIT - descriptors(&footfall);
    let mut held: VecDeque<TcpStream> = VecDeque::new();
    for _ in 0..room + 30 {
        held.push_back(ask(&footfall).await);
    }
    footfall.logged(EXHAUSTED);
    // Who is in is served.
    assert_eq!(before.get("/api/count").await.visits(), 2);

    // The subject is the work done while nothing can be done, so this needs time.
    let (used, started) = (footfall.process.cpu_time(), Instant::now());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = footfall.process.cpu_time() - used;
    assert!(
        used < started.elapsed() / 4,
        "{used:?} of CPU while waiting"
    );

    // One goes and the next comes in, again and again.
    let mut waiting = held.split_off(room);
    held.pop_front();
    for _ in 0..20 {
        held.pop_front();
        let mut next = waiting.pop_front().unwrap();
        answered(&mut next).await;
        held.push_back(next);
    }
    let said = footfall
        .log()
        .iter()
        .filter(|line| line.contains(EXHAUSTED))
        .count();
    // The two workers and the internal listener accept for themselves.
    assert!((1..=3).contains(&said), "said {said} times");

    drop((held, waiting));
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 3);
    assert_eq!(footfall.ops_client().get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_idle_connections_hold_nothing_up_and_are_closed_in_the_end() {
    const EACH: usize = 1000;
    allow_descriptors(10_000);
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let footfall = Footfall::builder()
        .env("FOOTFALL_HEADER_TIMEOUT", "5s")
        .socket(&socket)
        .start();
    let mut client = footfall.client().logged_in().await;
    let resident = async || {
        let series = "process_resident_memory_bytes";
        footfall.metric(series).await.unwrap()
    };
    let before = resident().await;
    let mut idle = Vec::new();
    // Some never say anything, some stop in the middle, some were of use once.
    for bytes in [&b""[..], &PING[..20], PING] {
        for _ in 0..EACH {
            let mut stream = UnixStream::connect(&socket).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            idle.push(stream);
        }
    }
    let all = idle.len() as f64;
    footfall.metric_reaches("http_connections_open", all).await;
    let each = (resident().await - before) / all;
    assert!(each < 64e3, "{each} bytes for each connection");
    for number in 1..=20 {
        assert_eq!(client.get("/api/count").await.visits(), number);
        assert!(pings(&socket).await);
    }
    for mut stream in idle {
        let mut rest = Vec::new();
        let closed = stream.read_to_end(&mut rest);
        tokio::time::timeout(PATIENCE, closed)
            .await
            .expect("it is closed")
            .unwrap();
    }
    eventually("nothing else is open", || {
        (descriptors(&footfall) < 100).then_some(())
    });
}
