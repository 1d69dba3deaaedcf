//! How long nginx waits for an answer: where a replica may take its time, it is asked once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use hyper::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    time::sleep,
};

use crate::support::proxy::Proxy;

/// Longer than a visit may take, and shorter than the database.
const A_WHILE: Duration = Duration::from_millis(1500);

/// A replica that takes a while for each answer.
struct Slow {
    proxy: Proxy,
    /// The first line of each request that it got.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Slow {
    fn start() -> Self {
        let proxy = Proxy::start();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = UnixListener::bind(proxy.path("sockets/1.sock")).unwrap();
        let lines = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, lines.clone()));
            }
        });
        Self { proxy, asked }
    }

    /// The status of the answer, and how often the replica got the request.
    async fn ask(&self, method: &Method, path: &str) -> (u16, usize) {
        let mut client = self.proxy.client();
        let reply = client.send(method.clone(), path, &[], "").await;
        let line = format!("{method} {path} HTTP/1.1");
        let asked = self.asked.lock().unwrap();
        let often = asked.iter().filter(|asked| **asked == line).count();
        (reply.status.as_u16(), often)
    }
}

async fn answer(mut stream: UnixStream, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = vec![0; 4096];
    while let Ok(bytes @ 1..) = stream.read(&mut head).await {
        let head = String::from_utf8_lossy(&head[..bytes]);
        let line = head.lines().next().unwrap_or_default();
        asked.lock().unwrap().push(line.to_owned());
        sleep(A_WHILE).await;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn what_asks_the_database_may_take_its_time() {
    let slow = Slow::start();
    let get = [
        "/api/counters/a/history",
        "/api/counters/a/recording",
        "/api/counters/a/values?field=path",
        "/api/counters/a/visits",
        "/api/counters/a/visits/1",
        "/api/audit",
        "/api/companies",
        "/api/company",
        "/api/users",
        "/api/write-keys",
        "/api/audiences",
        "/api/audiences/x/size",
        "/api/audiences/x/members?format=csv",
        "/api/presets",
        "/console/counters",
    ];
    let post = [
        "/api/visitors/erase",
        "/api/build-filter",
        "/api/build-audience",
        "/auth/login",
    ];
    let asked = get.map(|path| (Method::GET, path)).into_iter();
    let asked = asked.chain([(Method::PUT, "/api/counters/b/recording")]);
    let asked = asked.chain(post.map(|path| (Method::POST, path)));
    let asking = asked.map(|(method, path)| {
        let slow = &slow;
        async move { assert_eq!(slow.ask(&method, path).await, (200, 1), "{path}") }
    });
    join_all(asking).await;
}

/// Whoever hangs is about to lose its slots: a visit is sent to the next.
#[tokio::test]
async fn a_visit_may_not() {
    let slow = Slow::start();
    let paths = [
        "/api/count",
        "/api/counters/a",
        "/api/counters/history",
        "/api/counters/a/nothing",
        "/api/counters/a/visitsx",
    ];
    let asking = paths.map(async |path| {
        let (status, often) = slow.ask(&Method::GET, path).await;
        assert_eq!(often, 1, "{path}");
        assert!([502, 504].contains(&status), "{path} {status}");
    });
    join_all(asking).await;
}
