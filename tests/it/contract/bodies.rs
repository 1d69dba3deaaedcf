//! Bodies of requests: what they are said to be, and what they are.

use hyper::Method;

use serde_json::json;
use uuid::Uuid;

use crate::support::{
    TestApp,
    people::{self, send},
};

const LOGIN: &str = r#"{"username":"admin","password":"password"}"#;

/// What is missing, or of another type, is named; a list is no object, whatever is in it.
#[tokio::test]
async fn fields_of_a_login_are_named() {
    let app = TestApp::start().await;
    let mut client = app.client();
    let headers = [("content-type", "application/json")];
    for (path, body, field) in [
        ("/auth/login", "{}", Some("username")),
        ("/auth/login", r#"{"username":"admin"}"#, Some("password")),
        (
            "/auth/login",
            r#"{"username":1,"password":"password"}"#,
            Some("username"),
        ),
        (
            "/auth/login",
            r#"{"username":"admin","password":["password"]}"#,
            Some("password"),
        ),
        (
            "/auth/login",
            r#"{"username":null,"password":"password"}"#,
            Some("username"),
        ),
        ("/auth/login", r#"["admin","password"]"#, None),
        ("/auth/refresh", "{}", Some("refresh_token")),
        (
            "/auth/refresh",
            r#"{"refresh_token":1}"#,
            Some("refresh_token"),
        ),
        (
            "/auth/refresh",
            r#"{"refresh_token":null}"#,
            Some("refresh_token"),
        ),
        ("/auth/refresh", r#"["ffr_x"]"#, None),
        (
            "/auth/logout",
            r#"{"refresh_token":1}"#,
            Some("refresh_token"),
        ),
        ("/auth/logout", r#"["ffr_x"]"#, None),
    ] {
        let reply = client.send(Method::POST, path, &headers, body).await;
        assert_eq!(reply.problem(), "invalid_body", "{path} {body}");
        assert_eq!(reply.json()["field"].as_str(), field, "{path} {body}");
    }
}

#[tokio::test]
async fn bodies_of_a_login() {
    let app = TestApp::start().await;
    let mut client = app.client();
    let marked = format!("\u{feff}{LOGIN}");
    let json = "application/json";
    for (content_type, coding, body, status, code) in [
        (json, None, LOGIN, 200, ""),
        ("application/json; charset=utf-8", None, LOGIN, 200, ""),
        ("application/json;charset=\"UTF-8\"", None, LOGIN, 200, ""),
        (json, None, &marked, 200, ""),
        (json, Some("identity"), LOGIN, 200, ""),
        (
            "application/json; charset=utf-16",
            None,
            LOGIN,
            415,
            "unsupported_media_type",
        ),
        (
            "application/json; charset=latin1",
            None,
            LOGIN,
            415,
            "unsupported_media_type",
        ),
        ("text/plain", None, LOGIN, 415, "unsupported_media_type"),
        // Nothing reads XML, and nobody can send a file.
        (
            "application/xml",
            None,
            "<a/>",
            415,
            "unsupported_media_type",
        ),
        (
            "multipart/form-data; boundary=x",
            None,
            "--x--",
            415,
            "unsupported_media_type",
        ),
        (
            json,
            Some("gzip"),
            LOGIN,
            415,
            "unsupported_content_encoding",
        ),
        (json, Some("br"), LOGIN, 415, "unsupported_content_encoding"),
        (
            json,
            Some("identity, deflate"),
            LOGIN,
            415,
            "unsupported_content_encoding",
        ),
    ] {
        let mut headers = vec![("content-type", content_type)];
        headers.extend(coding.map(|coding| ("content-encoding", coding)));
        let reply = client
            .send(Method::POST, "/auth/login", &headers, body)
            .await;
        assert_eq!(reply.status, status, "{headers:?}: {reply:?}");
        if status != 200 {
            assert_eq!(reply.problem(), code, "{headers:?}");
        }
        let accepted = coding.filter(|_| status == 415).map(|_| "identity");
        assert_eq!(reply.header("accept-encoding"), accepted, "{headers:?}");
    }
    let headers = [("content-type", json)];
    let reply = client
        .send(Method::POST, "/auth/login", &headers, b"\"\xff\"")
        .await;
    assert_eq!(reply.problem(), "invalid_json");
    assert!(reply.json()["detail"].as_str().unwrap().contains("UTF-8"));
}

/// Where one logs in, registers and confirms it is ignored what clients say beside, as RFC 6749 has it (3.2).
const OPEN: [&str; 9] = [
    "/auth/confirm",
    "/auth/confirm/resend",
    "/auth/login",
    "/auth/logout",
    "/auth/logout/all",
    "/auth/password/forgot",
    "/auth/password/reset",
    "/auth/refresh",
    "/auth/register",
];

/// A member that nobody knows is a mistake, a name that is misspelt say: nothing is done then.
#[tokio::test]
async fn members_that_are_not_known_are_refused() {
    let place = people::sqlite(&[]).await;
    let anna = place.founder("anna@a.example").await;
    let mut anna = place.logged_in(0, &anna);
    let mut operator = place.replicas[0].client().logged_in().await;
    let document = anna.get("/openapi.json").await.json();
    let mut asked = 0;
    for (pattern, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let content = &operation["requestBody"]["content"]["application/json"];
            if content.is_null() || OPEN.contains(&pattern.as_str()) {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = pattern
                .replace("{id}", &Uuid::now_v7().to_string())
                .replace("{name}", "some");
            let body = json!({ "surprise": true });
            let mut reply = send(&mut anna, method.clone(), &path, &body).await;
            if matches!(reply.status.as_u16(), 403 | 404) {
                reply = send(&mut operator, method.clone(), &path, &body).await;
            }
            assert_eq!(reply.status, 422, "{method} {path}: {}", reply.text());
            let text = reply.text();
            assert!(
                text.contains("not known here") || text.contains("surprise"),
                "{method} {path}: {text}"
            );
            asked += 1;
        }
    }
    assert!(asked > 14, "{asked}");
}
