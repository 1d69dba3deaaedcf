//! Rubbish, floods and secrets.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Footfall, Redis, footfall::SECRET_KEY};

/// Sends bytes, hangs up the sending side, and gives everything that comes back.
async fn send(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The service may hang up before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test]
async fn rubbish_never_ends_the_process() {
    let mut footfall = Footfall::start();
    let huge_header = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(500));
    let endless_line = "A".repeat(300_000);
    let rubbish: &[&[u8]] = &[
        b"",
        b"\r\n\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /auth/login HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /auth/login HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /auth/login HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nZZZ\r\n",
        b"POST /auth/login HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        huge_header.as_bytes(),
        many_headers.as_bytes(),
        endless_line.as_bytes(),
    ];
    for bytes in rubbish {
        let reply = send(&footfall.public(), bytes).await;
        assert!(
            reply.is_empty() || reply.starts_with("HTTP/1.1 4"),
            "{reply}"
        );
    }
    assert_eq!(footfall.client().get("/api/ping").await.status, 200);
    assert!(footfall.find("panic").is_none());
    assert_eq!(footfall.stop().code(), Some(0));
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_refused() {
    let footfall = Footfall::start();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let head = "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let reply = send(
        &footfall.public(),
        format!("{head}{}0\r\n\r\n", chunk.repeat(8)).as_bytes(),
    )
    .await;
    assert!(
        reply.starts_with("HTTP/1.1 413 ") && reply.contains("payload_too_large"),
        "{reply}"
    );
}

#[tokio::test]
async fn an_unfinished_head_is_cut_after_the_header_timeout() {
    let footfall = Footfall::builder()
        .env("FOOTFALL_HEADER_TIMEOUT", "200ms")
        .start();
    let mut stream = TcpStream::connect(footfall.public()).await.unwrap();
    stream
        .write_all(b"GET /api/ping HTTP/1.1\r\nx-slow: ")
        .await
        .unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.unwrap();
    assert!(reply.is_empty(), "{}", String::from_utf8_lossy(&reply));
}

#[tokio::test]
async fn no_secret_reaches_log_error_or_metric() {
    let redis = Redis::start();
    redis.command("CONFIG SET requirepass hidden-redis-password");
    let url = redis
        .url()
        .replace("redis://", "redis://:hidden-redis-password@");
    let footfall = Footfall::builder()
        .env("REDIS_URL", url)
        .env("FOOTFALL_LOG", "trace")
        .env("FOOTFALL_ADMIN_PASSWORD", "hidden-password")
        .start();
    let mut client = footfall.client();
    let token = client.login("admin", "hidden-password").await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let refused = [
        client.login("admin", "hidden-guess").await,
        client.login("hidden-name", "x").await,
        client
            .post_json(
                "/auth/login",
                r#"{"username":"a","password":{"hidden-field":1}}"#,
            )
            .await,
        client
            .post_json("/auth/login", r#"{"username":"a","password":"hidden-"#)
            .await,
        footfall
            .client()
            .with_token("hidden-token")
            .get("/api/count")
            .await,
        footfall
            .client()
            .with("authorization", "Basic hidden-basic")
            .get("/api/count")
            .await,
    ];
    let mut client = client.with_token(&token);
    client
        .send(
            hyper::Method::GET,
            "/api/count",
            &[("idempotency-key", "hidden-key")],
            "",
        )
        .await;
    // The last thing logged, so that all before it has arrived.
    client.get("/api/counters/never").await;
    crate::support::eventually("the log is complete", || {
        footfall
            .log()
            .iter()
            .any(|line| line.contains("\"status\":404"))
            .then_some(())
    });
    let log = footfall.log().join("\n");
    assert!(
        [
            "\"route\":\"/auth/login\"",
            "\"latency_ms\"",
            "\"client\":\"127.0.0.1\""
        ]
        .iter()
        .all(|part| log.contains(part)),
        "requests are logged"
    );
    let metrics = footfall.ops_client().get("/metrics").await.text();
    let errors: String = refused.iter().map(crate::support::Reply::text).collect();
    for (what, text) in [("log", &log), ("metrics", &metrics), ("errors", &errors)] {
        for secret in [
            "hidden-",
            SECRET_KEY,
            token.as_str(),
            token.rsplit('.').next().unwrap(),
        ] {
            assert!(!text.contains(secret), "{secret} is in the {what}");
        }
    }
}

#[tokio::test]
async fn at_info_a_busy_service_is_quiet() {
    let footfall = Footfall::start();
    let mut client = footfall.client().logged_in().await;
    footfall.logged("store is up");
    let before = footfall.log().len();
    for _ in 0..50 {
        client.get("/api/count").await;
        client.get("/nothing").await;
    }
    assert_eq!(footfall.log().len(), before, "{:?}", footfall.log());
}
