//! What clients may say of themselves, and how slowly.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
};

use hyper::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use crate::support::{
    process::PATIENCE,
    proxy::{Prepared, Proxy, send},
};

/// A replica's place, taken by one who answers with the head of each request.
fn echo(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let start = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", head.len());
            stream.write_all(start.as_bytes()).await.unwrap();
            stream.write_all(&head).await.unwrap();
        }
    });
}

#[tokio::test]
async fn a_client_cannot_pass_for_another() {
    let proxy = Proxy::start();
    echo(&proxy.path("sockets/1.sock"));
    let claims = [
        ("x-request-id", "claimed"),
        ("x-real-ip", "192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-for", "192.0.2.2"),
        ("X_Forwarded_For", "192.0.2.3"),
        ("x-forwarded-proto", "https"),
        ("connection", "close"),
        ("x-other", "kept"),
    ];
    let reply = proxy.client().send(Method::GET, "/", &claims, "").await;
    let head = reply.text().to_lowercase();
    let said = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let values = lines.filter(|(other, _)| *other == name);
        values.map(|(_, value)| value).collect::<Vec<_>>()
    };
    assert_eq!(said("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(said("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(said("x-forwarded-proto"), ["http"]);
    assert_eq!(said("x-other"), ["kept"]);
    assert_eq!(said("connection"), [""; 0]);
    let [id] = said("x-request-id")[..] else {
        panic!("{head}")
    };
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()));
    assert!(!head.contains("192.0.2."), "{head}");
}

#[tokio::test]
async fn visits_with_the_same_request_id_of_a_client_are_two() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client().logged_in().await;
    client = client.with("x-request-id", "claimed");
    for number in 1..=3 {
        let reply = client.get("/api/count").await;
        assert_eq!((reply.visits(), reply.replayed()), (number, false));
        assert_ne!(reply.header("x-request-id"), Some("claimed"));
    }
    // nginx' log and the replica's have one name for a request.
    let reply = client.get("/api/ping").await;
    let id = reply.header("x-request-id").unwrap();
    let line = proxy.logged(|line| line["request_id"] == id);
    assert_eq!(line["uri"], "/api/ping");
}

#[tokio::test]
async fn a_guesser_cannot_change_address() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let guess = async |number: u8| {
        let address = format!("192.0.2.{number}");
        let client = proxy.client().with("x-forwarded-for", &address);
        let user = format!("user-{number}");
        client
            .with("x-real-ip", &address)
            .login(&user, "guess")
            .await
    };
    for number in 1..=10 {
        assert_eq!(guess(number).await.status, 401);
    }
    assert_eq!(guess(11).await.problem(), "too_many_logins");
}

#[tokio::test]
async fn each_line_of_the_access_log_is_json() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let requests: &[&[u8]] = &[
        b"GET /a\"b\\c?token=secret HTTP/1.1\r\nHost: x\r\nUser-Agent: \"\\\t\x7f\r\nConnection: close\r\n\r\n",
        b"GET /%ff%c3%28\xff HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\xfe\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\xff\xff\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nUser-Agent: m/1.0\r\nConnection: close\r\n\r\n",
        b"GET /api/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ];
    for request in requests {
        send(&proxy.address, request).await;
    }
    // Every line is parsed on the way to the one that is looked for.
    let line = proxy.logged(|line| line["uri"] == "/api/ping");
    assert_eq!(
        (&line["method"], &line["status"]),
        (&"GET".into(), &"200".into())
    );
    assert_eq!(
        (&line["client"], &line["user_agent"]),
        (&"127.0.0.1".into(), &"".into())
    );
    assert!(line["upstream"].as_str().unwrap().ends_with(".sock"));
    assert_eq!(line["upstream_status"], "200");
    for name in [
        "seconds",
        "upstream_connect_seconds",
        "upstream_header_seconds",
        "upstream_seconds",
    ] {
        let seconds: f64 = line[name].as_str().unwrap().parse().unwrap();
        assert!((0.0..30.0).contains(&seconds), "{name}");
    }
    let time = line["time"].as_str().unwrap();
    assert!(time.len() == 25 && time.contains('T'), "{time}");

    let line = proxy.logged(|line| line["uri"] == "/metrics");
    assert_eq!(
        (&line["method"], &line["status"]),
        (&"POST".into(), &"404".into())
    );
    assert_eq!(
        (&line["user_agent"], &line["upstream"]),
        (&"m/1.0".into(), &"".into())
    );
    proxy.logged(|line| line["uri"] == "/a\"b\\c");
    proxy.logged(|line| line["uri"] == "(not ASCII)" && line["user_agent"] == "(not ASCII)");
    proxy.logged(|line| line["status"] == "400" && line["method"] == "");
    let log = std::fs::read_to_string(proxy.path("access.log")).unwrap();
    assert!(!log.contains("secret"), "queries are not logged");
}

/// Sends this and no more; what comes back until nginx hangs up, if it does.
fn wait(address: &str, start: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(start).unwrap();
    let mut reply = Vec::new();
    if let Err(error) = stream.read_to_end(&mut reply) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{start:?}");
    }
    reply
}

const SLOW_HEADS: &[&[u8]] = &[b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: "];
const SLOW_BODY: &[u8] = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{";
/// Served at once, and then nothing comes any more.
const IDLE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn a_slow_client_is_let_go() {
    let hasty = |server| {
        Prepared::new(server)
            .replace("client_header_timeout 10s", "client_header_timeout 1s")
            .replace("client_body_timeout 10s", "client_body_timeout 1s")
    };
    let proxy = hasty("http.conf")
        .replace("keepalive_timeout 65s", "keepalive_timeout 1s")
        .start();
    let redirecting = hasty("tls.conf").start();
    std::thread::scope(|scope| {
        for address in [&proxy.address, &redirecting.address] {
            for head in SLOW_HEADS {
                scope.spawn(|| assert_eq!(wait(address, head), b""));
            }
        }
        scope.spawn(|| assert!(wait(&proxy.address, IDLE).starts_with(b"HTTP/1.1 404 ")));
        scope.spawn(|| assert_eq!(wait(&proxy.address, SLOW_BODY), b""));
    });
}
