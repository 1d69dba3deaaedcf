//! SIGTERM and its like: unready, unpublished, served to the end, closed, exit 0.

use std::{os::unix::fs::FileTypeExt, path::Path};

use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

use rustix::process::Signal;

use crate::support::{Client, Footfall, Redis, eventually, until};

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|file| file.file_type().is_socket())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_served_and_its_connection_closed() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let mut footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .socket(&socket)
        .start();
    let mut client = Client::unix(&socket).logged_in().await;
    redis.signal(Signal::STOP);
    let request = tokio::spawn(async move { client.get("/api/count").await });
    footfall
        .metric_becomes("http_requests_in_flight", 1.0)
        .await;
    footfall.process.signal(Signal::TERM);
    eventually("the path is withdrawn", || {
        (!is_socket(&socket)).then_some(())
    });
    redis.signal(Signal::CONT);
    let reply = request.await.unwrap();
    assert_eq!(
        (reply.visits(), reply.header("connection")),
        (1, Some("close"))
    );
    assert_eq!(footfall.process.wait().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_drain_delay_it_is_unready_and_serves() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let footfall = Footfall::builder()
        .env("FOOTFALL_DRAIN_DELAY", "60s")
        .socket(&socket)
        .start();
    let mut client = footfall.client().logged_in().await;
    footfall.process.signal(Signal::TERM);
    footfall.logged("draining");
    let reply = client.get("/healthz").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (503, "draining")
    );
    let reply = footfall.ops_client().get("/readyz").await;
    assert_eq!(
        (reply.status.as_u16(), reply.json()["status"].as_str()),
        (503, Some("draining"))
    );
    assert_eq!(footfall.ops_client().get("/healthz").await.status, 503);
    assert_eq!(footfall.metric("footfall_draining").await, Some(1.0));
    assert_eq!(client.get("/api/count").await.visits(), 1);
    assert!(
        is_socket(&socket),
        "the path stays while requests are welcome"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signal_that_asks_for_the_end_drains() {
    for (signal, name) in [
        (Signal::TERM, "SIGTERM"),
        (Signal::INT, "SIGINT"),
        (Signal::HUP, "SIGHUP"),
        (Signal::QUIT, "SIGQUIT"),
    ] {
        let redis = Redis::start();
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("f.sock");
        // The store stands still until it is seen that the visit waits, which may take a busy machine a while. What is
        // ignored here, under nohup say, would be ignored by the process as well.
        let builder = Footfall::builder()
            .under(&["env", "--default-signal"])
            .env("REDIS_URL", redis.url())
            .env("FOOTFALL_REQUEST_TIMEOUT", "30s")
            .env("FOOTFALL_STORE_TIMEOUT", "20s");
        let mut footfall = builder.socket(&socket).start();
        let mut client = Client::unix(&socket).logged_in().await;
        redis.signal(Signal::STOP);
        let request = tokio::spawn(async move { client.get("/api/count").await });
        footfall
            .metric_becomes("http_requests_in_flight", 1.0)
            .await;
        footfall.process.signal(signal);
        assert_eq!(footfall.logged("draining")["signal"], name);
        redis.signal(Signal::CONT);
        assert_eq!(request.await.unwrap().visits(), 1, "{name}");
        assert_eq!(footfall.process.wait().code(), Some(0), "{name}");
        assert!(!is_socket(&socket), "{name} leaves no path");
    }
}

/// What `nohup` is for: the terminal may be closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_that_is_to_be_ignored_is() {
    let mut footfall = Footfall::builder().under(&["nohup"]).start();
    footfall.process.signal(Signal::HUP);
    assert_eq!(footfall.client().get("/api/ping").await.status, 200);
    footfall.process.signal(Signal::TERM);
    assert_eq!(footfall.logged("draining")["signal"], "SIGTERM");
    assert_eq!(footfall.process.wait().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("f.sock");
        let mut footfall = Footfall::builder()
            .env("FOOTFALL_DRAIN_DELAY", "60s")
            .socket(&socket)
            .start();
        footfall.process.signal(Signal::TERM);
        footfall.logged("draining");
        // The first of these may still be taken for the twin of the signal before.
        let status = eventually("it has ended", || {
            let status = footfall.process.0.try_wait().unwrap();
            if status.is_none() {
                footfall.process.signal(signal);
            }
            status
        });
        assert_eq!(status.code(), Some(code));
        assert!(!is_socket(&socket), "no stale path is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_sent_twice_at_once_is_one() {
    let redis = Redis::start();
    let mut footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    redis.signal(Signal::STOP);
    let request = tokio::spawn(async move { client.get("/api/count").await });
    footfall
        .metric_becomes("http_requests_in_flight", 1.0)
        .await;
    footfall.process.signal(Signal::INT);
    footfall.process.signal(Signal::INT);
    footfall.logged("draining");
    redis.signal(Signal::CONT);
    assert_eq!(request.await.unwrap().visits(), 1);
    assert_eq!(footfall.process.wait().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_half_sent_connections_do_not_hold_it() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let mut footfall = Footfall::builder().socket(&socket).start();
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut client = Client::unix(&socket);
        assert_eq!(client.get("/api/ping").await.status, 200);
        idle.push(client);
    }
    let mut silent = Vec::new();
    for bytes in [
        "",
        "GET /api/pi",
        "GET /api/ping HTTP/1.1\r\nhost: x\r\nx-half: ",
    ] {
        let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    assert_eq!(footfall.stop().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_in_flight_at_the_deadline_is_cut_and_the_exit_code_says_so() {
    let redis = Redis::start();
    let mut footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_SHUTDOWN_TIMEOUT", "300ms")
        .start();
    let mut client = footfall.client().logged_in().await;
    redis.signal(Signal::STOP);
    let request =
        tokio::spawn(async move { client.try_send(Method::GET, "/api/count", &[], "").await });
    footfall
        .metric_becomes("http_requests_in_flight", 1.0)
        .await;
    assert_eq!(footfall.stop().code(), Some(3));
    assert!(request.await.unwrap().is_err());
    let cut = footfall
        .find("the shutdown timeout has passed; what is in flight is cut")
        .unwrap();
    assert_eq!(cut["requests"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_still_arriving_is_waited_for() {
    let mut footfall = Footfall::start();
    let mut stream = tokio::net::TcpStream::connect(footfall.public())
        .await
        .unwrap();
    let body = r#"{"username":"admin","password":"password"}"#;
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    footfall
        .metric_becomes("http_requests_in_flight", 1.0)
        .await;
    footfall.process.signal(Signal::TERM);
    footfall.logged("draining");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(
        reply.starts_with("HTTP/1.1 200 ") && reply.contains("connection: close"),
        "{reply}"
    );
    assert_eq!(footfall.process.wait().code(), Some(0));
}

/// Connections the kernel has queued when the signal comes are served, not reset.
#[tokio::test(flavor = "multi_thread")]
async fn queued_connections_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let mut footfall = Footfall::builder().socket(&socket).start();
    footfall.process.signal(Signal::STOP);
    let mut queued = Vec::new();
    for index in 0..100 {
        let request = b"GET /api/ping HTTP/1.1\r\nhost: x\r\n\r\n";
        if index % 2 == 0 {
            let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
            stream.write_all(request).await.unwrap();
            queued.push(Box::new(stream) as Box<dyn tokio::io::AsyncRead + Unpin>);
        } else {
            let mut stream = tokio::net::TcpStream::connect(footfall.public())
                .await
                .unwrap();
            stream.write_all(request).await.unwrap();
            queued.push(Box::new(stream));
        }
    }
    footfall.process.signal(Signal::TERM);
    footfall.process.signal(Signal::CONT);
    for mut stream in queued {
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply:?}");
    }
    assert_eq!(footfall.process.wait().code(), Some(0));
}

/// One replica after another takes the same path over, under a client that
/// takes any failed request for a failure.
#[tokio::test(flavor = "multi_thread")]
async fn successors_take_the_path_over_without_a_failed_request() {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let sockets = [1, 2].map(|slot| directory.path().join(format!("{slot}.sock")));
    let start = |socket: &Path| {
        Footfall::builder()
            .env("REDIS_URL", redis.url())
            .socket(socket)
            .start()
    };
    let mut replicas = [start(&sockets[0]), start(&sockets[1])];
    let token = replicas[0].token().await;
    let nginx = crate::support::nginx::Nginx::start(&[&sockets[0], &sockets[1]], "max_fails=0", "");
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (stop, mut client) = (stop.clone(), Client::tcp(&nginx.address).with_token(&token));
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    numbers.push(client.get("/api/count").await.visits());
                }
                numbers
            })
        })
        .collect();
    for round in 0..4 {
        let slot = round % 2;
        assert_eq!(replicas[slot].stop().code(), Some(0));
        replicas[slot] = start(&sockets[slot]);
    }
    stop.store(true, Ordering::Relaxed);
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    crate::support::load::assert_exact(&numbers);
}

/// A large response of which only the head has been read.
async fn slow_reader(path: &Path) -> (tokio::net::UnixStream, Vec<u8>) {
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    stream
        .write_all(b"GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut start = vec![0; 1000];
    stream.read_exact(&mut start).await.unwrap();
    assert!(start.starts_with(b"HTTP/1.1 200 "));
    (stream, start)
}

fn content_length(response: &[u8]) -> usize {
    let text = String::from_utf8_lossy(response);
    let (_, rest) = text.split_once("content-length: ").unwrap();
    rest.split("\r\n").next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_still_being_read_is_not_cut() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let mut footfall = Footfall::builder().socket(&socket).start();
    let (mut stream, mut response) = slow_reader(&socket).await;
    footfall.process.signal(Signal::TERM);
    footfall.logged("draining");
    // Longer than the time after which idle and half-sent connections are closed.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    stream.read_to_end(&mut response).await.unwrap();
    let head = response
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert_eq!(
        response.len() - head,
        content_length(&response),
        "the whole body arrived"
    );
    assert_eq!(footfall.process.wait().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_hung_up_on() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let _footfall = Footfall::builder()
        .env("FOOTFALL_REQUEST_TIMEOUT", "500ms")
        .env("FOOTFALL_STORE_TIMEOUT", "400ms")
        .socket(&socket)
        .start();
    let mut readers = Vec::new();
    for _ in 0..10 {
        readers.push(slow_reader(&socket).await);
    }
    for (reader, _) in &readers {
        until("its connection is closed", async || {
            let ready = reader.ready(Interest::WRITABLE).await.unwrap();
            ready.is_write_closed().then_some(())
        })
        .await;
    }
    let ping = Client::unix(&socket).get("/api/ping").await;
    assert_eq!(ping.status, 200);
}
