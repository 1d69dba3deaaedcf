//! Many visits in one request: the one path that takes more than a small body.

use hyper::Method;

use super::problems::problem_of_nginx;
use crate::{
    carried::cut_off,
    support::{Reply, client::Client, proxy::Proxy},
    visits_ndjson::largest,
};

const MIB: usize = 1024 * 1024;

async fn post(client: &mut Client, path: &str, body: impl AsRef<[u8]>) -> Reply {
    let headers = [("content-type", "application/x-ndjson")];
    client.send(Method::POST, path, &headers, body).await
}

#[track_caller]
fn assert_too_large(reply: &Reply, limit: &str) {
    assert_eq!(reply.status, 413);
    assert_eq!(problem_of_nginx(reply), "payload_too_large");
    let expected = format!("The body is larger than {limit}.");
    assert_eq!(reply.json()["detail"].as_str(), Some(&*expected));
}

#[tokio::test]
async fn this_path_alone_takes_a_mebibyte() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client().logged_in().await;
    let reply = post(&mut client, "/api/visits", largest(MIB)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.text().lines().count(), 1000);
    let reply = post(&mut client, "/api/visits?a=b", largest(MIB + 1)).await;
    assert_too_large(&reply, "1 MiB");
    for path in [
        "/api/visits/",
        "/api/visitsx",
        "/api/counters/many",
        "/auth/login",
    ] {
        let reply = post(&mut client, path, largest(20_000)).await;
        assert_too_large(&reply, "16 KiB");
    }
    let mut client = proxy.client().logged_in().await;
    assert_eq!(client.get("/api/counters/many").await.visits(), 1000);
}

/// nginx has the body as a whole before it asks a replica.
#[tokio::test]
async fn a_body_that_is_cut_off_reaches_no_replica() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client().logged_in().await;
    client.post("/api/counters/many").await.visits();
    let token = client.token().await;
    let body = largest(100_000);
    for framing in [
        format!("Content-Length: {}\r\n\r\n{}", body.len() + 1, body),
        format!(
            "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n",
            body.len()
        ),
    ] {
        let request = format!(
            "POST /api/visits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/x-ndjson\r\n{framing}"
        );
        cut_off(&proxy.address, &request).await;
        assert_eq!(client.get("/api/counters/many").await.visits(), 1);
    }
}
