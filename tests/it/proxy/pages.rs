//! What nginx does to the pages on their way out.

use std::{
    collections::HashSet,
    io::Write,
    process::{Command, Stdio},
};

use hyper::Method;

use crate::support::{Client, Reply, proxy::Proxy};

const ASSETS: &[&str] = &["swagger-ui.css", "swagger-ui-bundle.js"];

pub async fn get_gzip(client: &mut Client, path: &str) -> Reply {
    // Who comes through a proxy of his own gets no less.
    let headers = [("accept-encoding", "gzip"), ("via", "1.1 somewhere")];
    client.send(Method::GET, path, &headers, "").await
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, bytes) = (gzip.stdin.take().unwrap(), bytes.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = gzip.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

#[tokio::test]
async fn what_is_long_is_compressed_for_those_who_ask() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client();
    let assets = ASSETS.iter().map(|asset| format!("/swagger/{asset}"));
    for path in assets.chain(["/openapi.json".to_owned()]) {
        let plain = client.get(&path).await;
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"), "{path}");
        let short = get_gzip(&mut client, &path).await;
        assert_eq!(short.header("content-encoding"), Some("gzip"), "{path}");
        assert!(short.body.len() * 2 < plain.body.len(), "{path}");
        assert!(gunzip(&short.body) == plain.body, "{path}");
    }
    for path in ["/api/ping", "/nowhere", "/metrics"] {
        let reply = get_gzip(&mut client, path).await;
        assert_eq!(reply.header("content-encoding"), None, "{path}");
    }
    // Nothing is ever compressed beside a secret.
    let body = r#"{"username":"admin","password":"password"}"#;
    let headers = [
        ("accept-encoding", "gzip"),
        ("content-type", "application/json"),
    ];
    let reply = client
        .send(Method::POST, "/auth/login", &headers, body)
        .await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-encoding"), None);
}

#[tokio::test]
async fn each_header_is_there_once() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client();
    for path in [
        "/",
        "/swagger/",
        "/swagger/swagger-ui.css",
        "/swagger/none.css",
        "/openapi.json",
        "/api/ping",
        "/api/count",
        "/nowhere",
    ] {
        let reply = client.get(path).await;
        let names: HashSet<_> = reply.headers.keys().collect();
        assert_eq!(names.len(), reply.headers.len(), "{path}: {reply:?}");
        for name in [
            "x-request-id",
            "x-content-type-options",
            "referrer-policy",
            "content-security-policy",
        ] {
            assert!(reply.header(name).is_some(), "{path} has no {name}");
        }
        assert_eq!(reply.header("server"), Some("nginx"), "without its version");
        assert_eq!(reply.header("strict-transport-security"), None);
    }
}

#[tokio::test]
async fn only_files_of_the_swagger_page_are_kept_for_long() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut client = proxy.client();
    for asset in ASSETS {
        let path = format!("/swagger/{asset}");
        let reply = client.get(&path).await;
        let cached = reply.header("cache-control");
        assert_eq!(cached, Some("public, max-age=604800"), "{path}");
    }
    for (path, expected) in [
        ("/", "max-age=300"),
        ("/swagger/", "no-store"),
        ("/openapi.json", "no-store"),
        ("/api/ping", "no-store"),
        ("/swagger/none.css", "no-store"),
    ] {
        let reply = client.get(path).await;
        assert_eq!(reply.header("cache-control"), Some(expected), "{path}");
    }
}
