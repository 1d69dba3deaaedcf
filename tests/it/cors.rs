//! Cross-origin requests, as browsers make them (Fetch standard, 3.2).

use hyper::Method;
use rustix::process::Signal;

use crate::support::{Client, Footfall, Reply, TestApp};

const GOOD: &str = "https://app.example";
const OTHER: &str = "http://localhost:5173";

async fn app() -> TestApp {
    let origins = format!("{GOOD}, {OTHER}");
    TestApp::builder()
        .env("FOOTFALL_CORS_ORIGINS", origins)
        .start()
        .await
}

/// All that is said of CORS, and `Vary`.
fn said(reply: &Reply) -> Vec<(String, String)> {
    let headers = reply.headers.iter();
    let headers =
        headers.filter(|(name, _)| name.as_str().starts_with("access-control-") || *name == "vary");
    let pair = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut said: Vec<_> = headers.map(pair).collect();
    said.sort();
    said
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let expected = expected.iter();
    expected
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

const NOTHING: &[(&str, &str)] = &[("vary", "origin")];

fn simple(origin: &str) -> Vec<(String, String)> {
    let exposed = "Allow, Footfall-As-Of, Footfall-At, Footfall-Counters, Idempotent-Replayed, Retry-After, WWW-Authenticate, X-Request-ID";
    pairs(&[
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-origin", origin),
        ("access-control-expose-headers", exposed),
        ("vary", "origin"),
    ])
}

fn preflight(origin: &str, methods: &str) -> Vec<(String, String)> {
    let headers = "Authorization, Content-Type, Idempotency-Key, X-CSRF-Token, X-Request-ID";
    pairs(&[
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-headers", headers),
        ("access-control-allow-methods", methods),
        ("access-control-allow-origin", origin),
        ("access-control-max-age", "600"),
        ("vary", "origin"),
    ])
}

async fn ask(client: &mut Client, origin: &str, method: Method, path: &str) -> Reply {
    client.send(method, path, &[("origin", origin)], "").await
}

#[tokio::test]
async fn pages_of_the_list_may_read_every_answer() {
    let app = app().await;
    let mut client = app.client().logged_in().await;
    let mut stranger = app.client();
    for origin in [GOOD, OTHER] {
        let counted = ask(&mut client, origin, Method::GET, "/api/count").await;
        assert_eq!(counted.status, 200);
        assert_eq!(said(&counted), simple(origin));
        // Errors, too, wherever they come from.
        for (method, path, status) in [
            (Method::GET, "/api/count", 401),
            (Method::GET, "/nothing", 404),
            (Method::DELETE, "/api/count", 405),
            (Method::POST, "/auth/login", 415),
        ] {
            let reply = ask(&mut stranger, origin, method, path).await;
            assert_eq!(reply.status, status, "{path}");
            assert_eq!(said(&reply), simple(origin), "{path}");
        }
        let long = format!("/{}", "a".repeat(9000));
        let refused = ask(&mut stranger, origin, Method::GET, &long).await;
        assert_eq!(
            (refused.status.as_u16(), said(&refused)),
            (414, simple(origin))
        );
    }
}

#[tokio::test]
async fn a_browser_is_told_what_it_may_send() {
    let app = app().await;
    let mut client = app.client();
    for (path, methods) in [
        ("/api/count", "GET, HEAD, OPTIONS"),
        ("/auth/login", "OPTIONS, POST"),
        ("/api/counters/visits", "GET, HEAD, OPTIONS, POST"),
    ] {
        let headers = [
            ("origin", GOOD),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
        ];
        let reply = client.send(Method::OPTIONS, path, &headers, "").await;
        assert_eq!(reply.status, 204, "{path}");
        assert_eq!(said(&reply), preflight(GOOD, methods), "{path}");
    }
    // It asks about nothing: what a load balancer would ask.
    let reply = ask(&mut client, GOOD, Method::OPTIONS, "/api/count").await;
    assert_eq!((reply.status.as_u16(), said(&reply)), (204, simple(GOOD)));
    let headers = [("origin", GOOD), ("access-control-request-method", "GET")];
    let reply = client.send(Method::OPTIONS, "/nothing", &headers, "").await;
    assert_eq!(reply.status, 404);
    assert!(reply.header("access-control-allow-methods").is_none());
}

#[tokio::test]
async fn nobody_else_is_told_anything() {
    let app = app().await;
    let mut client = app.client();
    for origin in [
        "null",
        "*",
        "",
        "https://app.example.evil.example",
        "https://evil-app.example",
        "https://app.example:8443",
        "http://app.example",
        "https://app.example/",
        "https://APP.example",
        "https://app.example, http://localhost:5173",
        "https://app.example https://evil.example",
    ] {
        let request = ("access-control-request-method", "POST");
        for (method, headers, status) in [
            (Method::GET, &[("origin", origin)][..], 401),
            (Method::OPTIONS, &[("origin", origin), request], 204),
        ] {
            let reply = client.send(method, "/api/count", headers, "").await;
            assert_eq!(reply.status, status, "{origin}");
            assert_eq!(said(&reply), pairs(NOTHING), "{origin}");
        }
    }
    let twice = [("origin", GOOD), ("origin", GOOD)];
    let reply = client.send(Method::GET, "/", &twice, "").await;
    assert_eq!(said(&reply), pairs(NOTHING));
    // A cache keeps this for nobody who sends one.
    assert_eq!(said(&client.get("/").await), pairs(NOTHING));
    let internal = app.ops_client().with("origin", GOOD).get("/healthz").await;
    assert_eq!(said(&internal), [], "it is for no page");
}

#[tokio::test]
async fn without_a_list_nothing_of_it_is_said() {
    let app = TestApp::start().await;
    let mut client = app.client();
    for method in [Method::GET, Method::OPTIONS] {
        let headers = [("origin", GOOD), ("access-control-request-method", "GET")];
        let reply = client.send(method, "/api/ping", &headers, "").await;
        assert!(reply.status.is_success());
        assert_eq!(said(&reply), []);
    }
}

/// What is still served must not be refused by the browser before it is sent.
#[tokio::test]
async fn a_replica_that_drains_lets_pages_go_on() {
    let footfall = Footfall::builder()
        .env("FOOTFALL_CORS_ORIGINS", GOOD)
        .env("FOOTFALL_DRAIN_DELAY", "60s")
        .start();
    footfall.process.signal(Signal::TERM);
    footfall.logged("draining");
    let mut client = footfall.client();
    let reply = client.send(Method::OPTIONS, "/", &[], "").await;
    assert_eq!(reply.status, 503, "a load balancer is told");
    let headers = [("origin", GOOD), ("access-control-request-method", "GET")];
    let reply = client
        .send(Method::OPTIONS, "/api/count", &headers, "")
        .await;
    assert_eq!(reply.status, 204);
    assert_eq!(said(&reply), preflight(GOOD, "GET, HEAD, OPTIONS"));
}
