//! A node of a Swarm: its own replicas first, others when there are none.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hyper::Method;
use tokio::net::UdpSocket;

use crate::{
    support::{
        Footfall,
        process::free_port,
        proxy::{Prepared, Proxy},
    },
    visits_ndjson::largest,
};

/// The name server of Docker's network: `tasks.footfall` has these addresses,
/// or, without any, is unknown.
struct Names {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Names {
    async fn serve(addresses: &'static [Ipv4Addr]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        tokio::spawn(async move {
            let mut query = [0; 512];
            loop {
                let (length, peer) = socket.recv_from(&mut query).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let answer = answer(&query[..length], addresses);
                socket.send_to(&answer, peer).await.unwrap();
            }
        });
        Self { address, asked }
    }
}

/// RFC 1035, section 4.1.
fn answer(query: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let known = query[12..].starts_with(b"\x05tasks\x08footfall\0");
    let addresses = if known { addresses } else { &[] };
    let mut answer = query.to_vec();
    let code = if addresses.is_empty() { 3 } else { 0 };
    answer[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    answer[6..8].copy_from_slice(&(addresses.len() as u16).to_be_bytes());
    for address in addresses {
        // The name of the question, type A, class IN, for a second, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// An address where no replica is.
const NOBODY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// nginx on a node, and the port of the replicas of other nodes.
async fn node(addresses: &'static [Ipv4Addr]) -> (Proxy, Names, u16) {
    let (names, port) = (Names::serve(addresses).await, free_port());
    let proxy = Prepared::new("swarm.conf")
        .replace(
            "resolver 127.0.0.11 ",
            format!("resolver {} ", names.address),
        )
        .replace("tasks.footfall:8000", format!("tasks.footfall:{port}"))
        .start();
    (proxy, names, port)
}

/// A replica of this node, its sockets as the stack has them.
fn here(proxy: &Proxy) -> Footfall {
    let stack = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/compose/docker-compose.swarm.yaml"
    ));
    let mut lines = stack.lines().map(str::trim);
    let mode = lines.find_map(|line| line.strip_prefix("FOOTFALL_SOCKET_MODE: "));
    let mode = mode.expect("the stack says a mode").trim_matches('"');
    proxy.replica().env("FOOTFALL_SOCKET_MODE", mode).start()
}

/// A replica of another node: it has no socket here, and trusts the network of the proxies.
fn elsewhere(proxy: &Proxy, port: u16) -> Footfall {
    proxy
        .replica()
        .env("FOOTFALL_LISTEN", format!("tcp:127.0.0.1:{port}"))
        .env("FOOTFALL_TRUSTED_PROXIES", "127.0.0.0/8")
        .start()
}

/// Logs in and counts; each visit once.
async fn assert_counts(proxy: &Proxy, from: u64) {
    let mut client = proxy.client().logged_in().await;
    for number in from..from + 3 {
        assert_eq!(client.get("/api/count").await.visits(), number);
        let reply = client.post("/api/counters/signup").await;
        assert_eq!((reply.visits(), reply.replayed()), (number, false));
    }
    assert_eq!(client.get("/api/counters/visits").await.visits(), from + 2);
}

#[tokio::test]
async fn replicas_of_this_node_come_first() {
    let (proxy, names, _) = node(&[NOBODY]).await;
    let _here = here(&proxy);
    assert_counts(&proxy, 1).await;
    assert_eq!(names.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn without_one_others_serve() {
    let (proxy, names, port) = node(&[NOBODY, HERE]).await;
    let _other = elsewhere(&proxy, port);
    assert_counts(&proxy, 1).await;
    assert!(names.asked.load(Ordering::Relaxed) > 0);
    // The other node believes this one: the address is the client's, not the proxy's.
    let mut client = proxy.client();
    for _ in 0..10 {
        client.login("nobody", "guess").await;
    }
    let reply = client.login("nobody", "guess").await;
    assert_eq!(reply.problem(), "too_many_logins");
    // The first here takes over.
    let _here = here(&proxy);
    let reply = proxy.client().get("/api/ping").await;
    let id = reply.header("x-request-id").unwrap();
    let line = proxy.logged(|line| line["request_id"] == id);
    assert!(line["upstream"].as_str().unwrap().ends_with(".sock"));
}

#[tokio::test]
async fn when_all_of_this_node_died_at_once_others_serve() {
    let (proxy, _names, port) = node(&[HERE]).await;
    let _other = elsewhere(&proxy, port);
    let mut here = [(); 2].map(|()| here(&proxy));
    assert_counts(&proxy, 1).await;
    for replica in &mut here {
        replica.process.kill();
    }
    assert!(proxy.path("sockets/1.sock").symlink_metadata().is_ok());
    assert_counts(&proxy, 4).await;
    // Also what is larger than elsewhere.
    let mut client = proxy.client().logged_in().await;
    let headers = [("content-type", "application/x-ndjson")];
    let body = largest(1024 * 1024);
    let reply = client
        .send(Method::POST, "/api/visits", &headers, body)
        .await;
    assert_eq!(reply.text().lines().count(), 1000, "{}", reply.text());
}

#[tokio::test]
async fn without_any_replica_there_is_a_problem_document() {
    for addresses in [&[NOBODY][..], &[]] {
        let (proxy, _names, _) = node(addresses).await;
        let mut here = here(&proxy);
        for _ in 0..2 {
            let reply = proxy.client().get("/api/count").await;
            let expected = if reply.status == 401 {
                "missing_token"
            } else {
                "no_replica"
            };
            assert_eq!(reply.problem(), expected);
            here.process.kill();
        }
    }
}
