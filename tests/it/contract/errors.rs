//! What is refused, and how that is said.

use hyper::Method;

use crate::support::TestApp;

#[tokio::test]
async fn every_error_is_a_problem_document() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let long_path = format!("/{}", "x".repeat(9000));
    let long_name = format!("/api/counters/{}", "x".repeat(65));
    let long_value = "x".repeat(17_000);
    let json = ("content-type", "application/json");
    let (get, post) = (Method::GET, Method::POST);
    type Case<'a> = (
        Method,
        &'a str,
        &'a [(&'a str, &'a str)],
        &'a str,
        u16,
        &'a str,
    );
    let cases: &[Case<'_>] = &[
        (get.clone(), "/nothing", &[], "", 404, "not_found"),
        (get.clone(), "/metrics", &[], "", 404, "not_found"),
        (get.clone(), "/readyz", &[], "", 404, "not_found"),
        (get.clone(), "/api/counters/", &[], "", 404, "not_found"),
        (
            get.clone(),
            "/swagger/nothing.js",
            &[],
            "",
            404,
            "not_found",
        ),
        (
            post.clone(),
            "/api/ping",
            &[],
            "",
            405,
            "method_not_allowed",
        ),
        (
            Method::DELETE,
            "/api/counters/visits",
            &[],
            "",
            405,
            "method_not_allowed",
        ),
        (
            get.clone(),
            "/auth/login",
            &[],
            "",
            405,
            "method_not_allowed",
        ),
        (
            post.clone(),
            "/auth/login",
            &[],
            "{}",
            415,
            "unsupported_media_type",
        ),
        (
            post.clone(),
            "/auth/login",
            &[("content-type", "text/plain")],
            "{}",
            415,
            "unsupported_media_type",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "",
            400,
            "invalid_json",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "{\"username\":",
            400,
            "invalid_json",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "{\"username\":\"admin\"}",
            422,
            "invalid_body",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "{\"username\":\"admin\",\"password\":1}",
            422,
            "invalid_body",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            "[]",
            422,
            "invalid_body",
        ),
        (
            post.clone(),
            "/auth/login",
            &[json],
            &long_value,
            413,
            "payload_too_large",
        ),
        (
            post.clone(),
            "/api/ping",
            &[],
            &long_value,
            413,
            "payload_too_large",
        ),
        (get.clone(), &long_path, &[], "", 414, "uri_too_long"),
        (
            get.clone(),
            "/api/ping",
            &[("x-long", &long_value)],
            "",
            431,
            "headers_too_large",
        ),
        (
            get.clone(),
            "/api/counters/UPPER",
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            get.clone(),
            "/api/counters/a%2Fb",
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            get.clone(),
            "/api/counters/%FF",
            &[],
            "",
            400,
            "bad_request",
        ),
        (
            post.clone(),
            "/api/counters/.hidden",
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            post.clone(),
            &long_name,
            &[],
            "",
            400,
            "invalid_counter_name",
        ),
        (
            get.clone(),
            "/api/counters?limit=0",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?limit=1001",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?limit=many",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?cursor=UPPER",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters?page=2",
            &[],
            "",
            400,
            "invalid_query",
        ),
        (
            get.clone(),
            "/api/counters/never",
            &[],
            "",
            404,
            "counter_not_found",
        ),
    ];
    for (method, path, headers, body, status, code) in cases {
        let reply = client.send(method.clone(), path, headers, body).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (*status, *code),
            "{method} {path}"
        );
        assert_eq!(
            reply.status == 405,
            reply.headers.contains_key("allow"),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_malformed_idempotency_key_is_refused_and_not_counted() {
    let app = TestApp::start().await;
    let mut client = app.client().logged_in().await;
    let long = "x".repeat(256);
    for key in ["", "two words", "tab\tbed", "schön", &long] {
        for (method, path) in [
            (Method::GET, "/api/count"),
            (Method::POST, "/api/counters/visits"),
        ] {
            let reply = client
                .send(method, path, &[("idempotency-key", key)], "")
                .await;
            assert_eq!(
                (reply.status.as_u16(), reply.problem().as_str()),
                (400, "invalid_idempotency_key"),
                "{key:?}"
            );
        }
    }
    let reply = client
        .send(
            Method::GET,
            "/api/count",
            &[("idempotency-key", "a"), ("idempotency-key", "a")],
            "",
        )
        .await;
    assert_eq!(reply.problem(), "invalid_idempotency_key");
    let longest = "x".repeat(255);
    assert_eq!(
        client
            .send(
                Method::GET,
                "/api/count",
                &[("idempotency-key", &longest)],
                ""
            )
            .await
            .visits(),
        1
    );
}
