//! Errors that are reported to a receiver of Sentry's protocol, and what is never told.

use std::{fs, process::Command, time::Instant};

use footfall::supervision::Piece;
use hyper::Method;
use serde_json::json;

use crate::support::{
    Client, Footfall, Redis,
    certificates::Certificate,
    footfall::{Builder, SECRET_KEY, footfall_command},
    process::{PATIENCE, Process, eventually, free_port, run, until},
    receiver::{Receiver, TAKEN},
};

const LOST: &str = "the store gave a number that it had given before: acknowledged visits are lost";

const CUT: &str = "the shutdown timeout has passed; what is in flight is cut";

/// On one worker, so that its books have seen every number.
fn on(redis: &Redis) -> Builder {
    Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_WORKERS", 1)
}

/// Makes Redis forget, so that it gives numbers again: an error of which the log knows.
async fn lose_visits(redis: &Redis, client: &mut Client) {
    client.get("/api/count").await.visits();
    redis.told("FLUSHALL");
    assert_eq!(client.get("/api/count").await.visits(), 1);
}

fn outcome(outcome: &str) -> String {
    format!("footfall_error_reports_total{{outcome=\"{outcome}\"}}")
}

/// Waits until so many reports have ended so.
async fn reports(footfall: &Footfall, name: &str, expected: f64) {
    footfall.metric_becomes(&outcome(name), expected).await;
}

fn threads(process: &Process) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.0.id())).unwrap();
    tasks
        .map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap())
        .collect()
}

#[tokio::test]
async fn an_error_of_the_log_arrives() {
    let (redis, receiver) = (Redis::start(), Receiver::answering(TAKEN));
    let footfall = on(&redis)
        .env("FOOTFALL_SENTRY_DSN", receiver.dsn())
        .start();
    footfall.logged("store is up");
    lose_visits(&redis, &mut footfall.client().logged_in().await).await;

    let event = receiver.error(LOST);
    assert_eq!(event["level"], "error");
    assert_eq!(event["logger"], "footfall::counting::ledger");
    assert_eq!(event["environment"], "testing");
    let release = format!("footfall@{}+unknown", env!("CARGO_PKG_VERSION"));
    assert_eq!(event["release"], release);
    assert_eq!(event["extra"], json!({ "before": 1, "now": 1 }));
    let source = event["tags"]["source"].as_str().unwrap();
    assert!(source.starts_with("src/counting/ledger.rs:"), "{source}");
    reports(&footfall, "sent", 1.0).await;
    assert_eq!(
        threads(&footfall.process)
            .iter()
            .filter(|name| name.starts_with("error-reports"))
            .count(),
        1
    );
}

/// A panic in a handler, with all that a request can say of its sender in it.
#[tokio::test]
async fn a_panic_arrives_and_nothing_secret_with_it() {
    let faults = tempfile::tempdir().unwrap();
    let receiver = Receiver::answering(TAKEN);
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("footfall.sock");
    let _footfall = Footfall::builder()
        .directory(directory.path())
        .socket(&socket)
        .env("FOOTFALL_WORKERS", 1)
        .env("FOOTFALL_ADMIN_USERNAME", "planted-name")
        .env("FOOTFALL_ADMIN_PASSWORD", "planted-password")
        .env("FOOTFALL_SECRET_KEY_PREVIOUS", "planted-previous-key")
        .env("FOOTFALL_SENTRY_DSN", receiver.dsn())
        .env("TEST_FAULTS", faults.path().display())
        .start();
    // Only the panic itself is made.
    let fault = format!("{}.panic", Piece::Login.name());
    fs::write(faults.path().join(fault), "").unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("authorization", "Bearer planted-token"),
        ("cookie", "session=planted-cookie"),
        ("user-agent", "planted-agent"),
        ("referer", "https://planted-referer.example/"),
        ("x-forwarded-for", "203.0.113.77"),
        ("x-real-ip", "203.0.113.77"),
        ("x-request-id", "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e"),
        ("idempotency-key", "planted-key"),
    ];
    let body = r#"{"username":"planted-name","password":"planted-password"}"#;
    let path = "/auth/login?token=planted-query";
    let reply = Client::unix(&socket)
        .send(Method::POST, path, &headers, body)
        .await;
    assert_eq!(reply.problem(), "internal_error");

    let event = receiver.error("request");
    let expected = json!({
        "method": "POST",
        "request_id": "019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e",
        "route": "/auth/login",
        "source": event["tags"]["source"],
    });
    assert_eq!(event["tags"], expected);
    assert_eq!(event["extra"], json!({ "status": 500 }));
    let event = receiver.error("panic");
    let source = event["tags"]["source"].as_str().unwrap();
    assert!(
        source.starts_with("tokio-") || source.starts_with("src/"),
        "{source}"
    );

    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    for received in receiver.received() {
        let text = received.text();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        for secret in [
            "planted",
            SECRET_KEY,
            "203.0.113.77",
            "publickey",
            "127.0.0.1",
            &host,
        ] {
            assert!(!body.contains(secret), "{secret}: {body}");
        }
        assert!(!text.contains("planted"), "{text}");
    }
}

/// What counters are called, who counts and where the store is, is nobody else's business either.
#[tokio::test]
async fn an_error_of_the_store_names_no_counter_and_no_store() {
    let receiver = Receiver::answering(TAKEN);
    let redis = Redis::start();
    redis.told("CONFIG SET requirepass planted-password");
    let url = format!("redis://:planted-password@127.0.0.1:{}", redis.port);
    let footfall = on(&redis)
        .env("REDIS_URL", url)
        .env("FOOTFALL_SENTRY_DSN", receiver.dsn())
        .start();
    footfall.logged("store is up");
    let mut client = footfall.client().logged_in().await;
    let path = "/api/counters/planted-counter";
    let headers = [
        ("idempotency-key", "planted-key"),
        ("user-agent", "planted-agent"),
    ];
    client.send(Method::POST, path, &headers, "").await.visits();
    flush(redis.port, "planted-password");
    client.post(path).await.visits();
    receiver.error(LOST);
    for received in receiver.received() {
        let text = received.text();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        for secret in ["planted", &redis.port.to_string(), SECRET_KEY, "127.0.0.1"] {
            assert!(!body.contains(secret), "{secret}: {body}");
        }
    }
}

fn flush(port: u16, password: &str) {
    let arguments = ["-p", &port.to_string(), "-a", password, "FLUSHALL"];
    let output = run(Command::new("redis-cli").args(arguments));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "OK");
}

/// Not even where a name is set that other programs take for theirs.
#[tokio::test]
async fn without_the_setting_nothing_is_sent_and_no_thread_runs() {
    let (redis, receiver) = (Redis::start(), Receiver::answering(TAKEN));
    let footfall = on(&redis)
        .env("SENTRY_DSN", receiver.dsn())
        .env("FOOTFALL_SENTRY_DSN", "")
        .start();
    footfall.logged("store is up");
    lose_visits(&redis, &mut footfall.client().logged_in().await).await;
    footfall.logged(LOST);
    assert!(
        !threads(&footfall.process)
            .iter()
            .any(|name| name.starts_with("error"))
    );
    for name in ["sent", "dropped", "failed"] {
        assert_eq!(footfall.metric(&outcome(name)).await, Some(0.0));
    }
    drop(footfall);
    assert_eq!(receiver.connections(), 0);
}

/// Whatever a receiver does: counting goes on at once, and what becomes of the report is counted.
#[tokio::test]
async fn a_receiver_that_fails_is_in_nobodys_way() {
    const LINES: &str = "one line\nand another\n";
    for answer in [
        Some(""),
        Some("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
        Some("HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n\r\n"),
        Some("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
        Some("SSH-2.0-OpenSSH_9.2p1\r\n"),
        Some(LINES),
        None,
    ] {
        let (redis, receiver) = (Redis::start(), answer.map(Receiver::answering));
        let nobody = || format!("http://key@127.0.0.1:{}/7", free_port());
        let dsn = receiver.as_ref().map_or_else(nobody, Receiver::dsn);
        let mut footfall = on(&redis).env("FOOTFALL_SENTRY_DSN", dsn).start();
        footfall.logged("store is up");
        let mut client = footfall.client().logged_in().await;
        lose_visits(&redis, &mut client).await;
        if let Some(receiver) = &receiver {
            eventually("it is asked", || {
                (receiver.connections() == 1).then_some(())
            });
        }
        for number in 2..200 {
            assert_eq!(client.get("/api/count").await.visits(), number);
        }
        if answer == Some("") {
            // It was asked, has not answered, and is not waited for at the end.
            let started = Instant::now();
            assert!(footfall.stop().success());
            assert!(started.elapsed() < PATIENCE);
            continue;
        }
        reports(&footfall, "failed", 1.0).await;
        footfall.logged("errors cannot be reported; they are in this log only");
    }
}

#[tokio::test]
async fn a_receiver_that_wants_fewer_is_left_alone() {
    for answer in [
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx-sentry-rate-limits: 3600:error:key\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let (redis, receiver) = (Redis::start(), Receiver::answering(answer));
        let footfall = on(&redis)
            .env("FOOTFALL_SENTRY_DSN", receiver.dsn())
            .start();
        footfall.logged("store is up");
        let mut client = footfall.client().logged_in().await;
        lose_visits(&redis, &mut client).await;
        let first = if answer.contains("429") {
            "failed"
        } else {
            "sent"
        };
        reports(&footfall, first, 1.0).await;
        lose_visits(&redis, &mut client).await;
        reports(&footfall, "dropped", 1.0).await;
        assert_eq!(receiver.connections(), 1);
    }
}

/// An error that comes with every request is not sent with every request.
#[tokio::test]
async fn no_more_than_thirty_a_minute() {
    let (redis, receiver) = (Redis::start(), Receiver::answering(TAKEN));
    let footfall = on(&redis)
        .env("FOOTFALL_SENTRY_DSN", receiver.dsn())
        .start();
    footfall.logged("store is up");
    let mut client = footfall.client().logged_in().await;
    client.get("/api/count").await.visits();
    let started = Instant::now();
    for _ in 0..40 {
        redis.told("FLUSHALL");
        client.get("/api/count").await.visits();
    }
    let sent = until("all are reported or dropped", async || {
        let sent = footfall.metric(&outcome("sent")).await.unwrap();
        let dropped = footfall.metric(&outcome("dropped")).await.unwrap();
        (sent + dropped >= 40.0).then_some(sent)
    });
    let sent = sent.await;
    let minutes = started.elapsed().as_secs() / 60 + 1;
    assert!((30.0..=30.0 * minutes as f64).contains(&sent), "{sent}");
    assert_eq!(receiver.connections(), sent as usize);
}

/// The last error of a process is met when it ends.
#[tokio::test]
async fn what_is_met_at_the_end_is_still_sent() {
    let receiver = Receiver::answering(TAKEN);
    let mut footfall = Footfall::builder()
        .env("FOOTFALL_SENTRY_DSN", receiver.dsn())
        .env("FOOTFALL_SHUTDOWN_TIMEOUT", "100ms")
        .start();
    let public = footfall.public();
    let stuck = std::net::TcpStream::connect(&public).unwrap();
    let half = "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    std::io::Write::write_all(&mut &stuck, half.as_bytes()).unwrap();
    footfall
        .metric_becomes("http_requests_in_flight", 1.0)
        .await;
    assert_eq!(footfall.stop().code(), Some(3));
    let event = receiver.error(CUT);
    assert_eq!(event["extra"], json!({ "requests": 1 }));
}

#[tokio::test]
async fn over_tls_a_private_authority_must_be_named() {
    let directory = tempfile::tempdir().unwrap();
    let certificate = Certificate::for_localhost(directory.path());
    let receiver = Receiver::with_certificate(&certificate);
    let dsn = format!("https://publickey@localhost:{}/7", receiver.port);
    let redis = Redis::start();
    for trusting in [true, false] {
        let mut builder = on(&redis).env("FOOTFALL_SENTRY_DSN", &dsn);
        if trusting {
            builder = builder.env("SSL_CERT_FILE", certificate.certificate.display());
        }
        let footfall = builder.start();
        footfall.logged("store is up");
        lose_visits(&redis, &mut footfall.client().logged_in().await).await;
        if trusting {
            receiver.error(LOST);
            reports(&footfall, "sent", 1.0).await;
        } else {
            reports(&footfall, "failed", 1.0).await;
            assert_eq!(receiver.received().len(), 1, "a stranger is told nothing");
        }
    }
}

#[test]
fn the_doctor_connects_and_sends_nothing() {
    let receiver = Receiver::answering(TAKEN);
    let absent = format!("http://hunter2@127.0.0.1:{}/7", free_port());
    for (dsn, verdict) in [(receiver.dsn(), "ok  "), (absent, "warn")] {
        let directory = tempfile::tempdir().unwrap();
        let output = run(footfall_command()
            .arg("doctor")
            .current_dir(directory.path())
            .env("FOOTFALL_SENTRY_DSN", &dsn));
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("http://127.0.0.1:"));
        assert!(line.is_some_and(|line| line.starts_with(verdict)), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(receiver.connections(), 1);
    assert_eq!(receiver.received().len(), 0);
}
