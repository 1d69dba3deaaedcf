//! Every metric moves as it should.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use hyper::Method;
use tokio::io::AsyncWriteExt;

use rustix::process::Signal;

use crate::support::{Footfall, Redis, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_moves_as_it_should() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    footfall.logged("store is up");
    let mut client = footfall.client().logged_in().await;
    client.login("admin", "wrong").await;
    for _ in 0..3 {
        client.get("/api/count").await;
    }
    for _ in 0..2 {
        client
            .send(Method::GET, "/api/count", &[("idempotency-key", "k")], "")
            .await;
    }
    client.get("/api/counters/visits").await;
    client.get("/api/counters").await;
    client.get("/nothing/secret-path").await;
    client
        .send(Method::from_bytes(b"BREW").unwrap(), "/api/ping", &[], "")
        .await;
    client.get("/swagger/index.css").await;

    for (series, expected) in [
        (
            r#"http_requests_total{method="GET",route="/api/count",status="200"}"#,
            5.0,
        ),
        (
            r#"http_requests_total{method="POST",route="/auth/login",status="200"}"#,
            1.0,
        ),
        (
            r#"http_requests_total{method="POST",route="/auth/login",status="401"}"#,
            1.0,
        ),
        (
            r#"http_requests_total{method="GET",route="/api/counters/{name}",status="200"}"#,
            1.0,
        ),
        (
            r#"http_requests_total{method="GET",route="<unmatched>",status="404"}"#,
            1.0,
        ),
        (
            r#"http_requests_total{method="OTHER",route="/api/ping",status="405"}"#,
            1.0,
        ),
        (
            r#"http_requests_total{method="GET",route="/swagger/{*rest}",status="200"}"#,
            1.0,
        ),
        (
            r#"http_request_duration_seconds_count{method="GET",route="/api/count"}"#,
            5.0,
        ),
        ("http_requests_in_flight", 0.0),
        ("footfall_visits_total", 4.0),
        ("footfall_visits_replayed_total", 1.0),
        ("footfall_count_batch_size_sum", 5.0),
        ("footfall_count_queue_depth", 0.0),
        // Two workers.
        ("footfall_count_queue_capacity", 2.0 * 8192.0),
        (
            r#"footfall_store_operation_duration_seconds_count{operation="count",outcome="ok"}"#,
            5.0,
        ),
        (
            r#"footfall_store_operation_duration_seconds_count{operation="get",outcome="ok"}"#,
            1.0,
        ),
        (
            r#"footfall_store_operation_duration_seconds_count{operation="list",outcome="ok"}"#,
            1.0,
        ),
        ("footfall_store_up", 1.0),
        (r#"footfall_logins_total{outcome="success"}"#, 1.0),
        (r#"footfall_logins_total{outcome="failure"}"#, 1.0),
        (r#"footfall_logins_total{outcome="throttled"}"#, 0.0),
        ("footfall_draining", 0.0),
        (
            concat!(
                r#"footfall_build_info{revision="unknown",version=""#,
                env!("CARGO_PKG_VERSION"),
                r#""}"#
            ),
            1.0,
        ),
    ] {
        assert_eq!(footfall.metric(series).await, Some(expected), "{series}");
    }
    assert!(footfall.metric("process_resident_memory_bytes").await > Some(1e6));
    assert!(footfall.metric("process_open_fds").await > Some(3.0));
    let text = footfall.ops_client().get("/metrics").await.text();
    assert!(
        !text.contains("secret-path") && !text.contains("BREW"),
        "what clients choose is never a label"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_visits_share_a_round_trip() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let token = app.token().await;
    let visit = || {
        let mut client = app.client().with_token(&token);
        tokio::spawn(async move { client.get("/api/count").await.visits() })
    };
    redis.signal(Signal::STOP);
    let mut requests = vec![visit()];
    app.metric_becomes("footfall_count_batch_size_count", 1.0)
        .await;
    // One is under way; the others wait for the next round.
    requests.extend((1..20).map(|_| visit()));
    app.metric_becomes("footfall_count_queue_depth", 19.0).await;
    redis.signal(Signal::CONT);
    for request in requests {
        request.await.unwrap();
    }
    assert_eq!(
        app.metric("footfall_count_batch_size_count").await,
        Some(2.0)
    );
    assert_eq!(
        app.metric("footfall_count_batch_size_sum").await,
        Some(20.0)
    );
    assert_eq!(app.metric("footfall_count_queue_depth").await, Some(0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_seen() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let token = footfall.token().await;
    footfall.logged("store is up");
    redis.signal(Signal::STOP);
    let mut stream = tokio::net::TcpStream::connect(footfall.public())
        .await
        .unwrap();
    let request =
        format!("GET /api/count HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    footfall
        .metric_becomes("http_requests_in_flight", 1.0)
        .await;
    drop(stream);
    footfall
        .metric_becomes(
            r#"http_requests_total{method="GET",route="/api/count",status="499"}"#,
            1.0,
        )
        .await;
    assert_eq!(footfall.metric("http_requests_in_flight").await, Some(0.0));
    redis.signal(Signal::CONT);
}

#[tokio::test]
async fn open_connections_are_counted_but_not_those_of_scrapes() {
    let footfall = Footfall::start();
    let mut ops = footfall.ops_client();
    ops.get("/metrics").await;
    let mut clients = [footfall.client(), footfall.client()];
    for client in &mut clients {
        client.get("/api/ping").await;
    }
    footfall.metric_becomes("http_connections_open", 2.0).await;
    let [_still_open, gone] = clients;
    drop(gone);
    footfall.metric_becomes("http_connections_open", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_that_fail_are_counted_by_the_code_their_clients_see() {
    let mut redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .env("FOOTFALL_DEDUP_LIMIT", 1)
        .env("FOOTFALL_COUNTER_LIMIT", 1)
        .start()
        .await;
    let mut client = app.client().logged_in().await;
    let mut seen = Vec::new();
    for key in ["first", "second"] {
        let reply = client
            .send(Method::GET, "/api/count", &[("idempotency-key", key)], "")
            .await;
        if reply.status != 200 {
            seen.push(reply.problem());
        }
    }
    seen.push(client.post("/api/counters/another").await.problem());
    redis.signal(Signal::STOP);
    seen.push(client.get("/api/count").await.problem());
    app.metric_becomes("footfall_store_up", 0.0).await;
    redis.kill();
    seen.push(client.get("/api/count").await.problem());
    assert_eq!(
        seen,
        [
            "identities_full",
            "counters_full",
            "outcome_unknown",
            "store_unavailable"
        ]
    );
    for code in seen {
        let series = format!("footfall_visits_failed_total{{reason=\"{code}\"}}");
        assert_eq!(app.metric(&series).await, Some(1.0), "{series}");
    }
    let overloaded = r#"footfall_visits_failed_total{reason="overloaded"}"#;
    assert_eq!(app.metric(overloaded).await, Some(0.0));
}

#[tokio::test]
async fn promtool_has_no_complaint() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    client.get("/api/count").await;
    let text = footfall.ops_client().get("/metrics").await.text();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("promtool is there; ./test.sh installs it");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}

#[tokio::test]
async fn scrapes_and_probes_are_not_counted_as_requests() {
    let app = TestApp::start().await;
    app.ops_client().get("/readyz").await;
    app.proxy().get("/api/ping").await;
    let text = app.ops_client().get("/metrics").await.text();
    let counted: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("http_requests_total{"))
        .collect();
    assert_eq!(
        counted,
        [r#"http_requests_total{method="GET",route="/api/ping",status="200"} 1"#]
    );
}
