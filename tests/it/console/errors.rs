//! Errors are pages for browsers, and documents for everyone else.

use hyper::Method;

use super::{founder, operator};
use crate::support::{
    TestApp,
    people::{PASSWORD, sqlite},
    reader::{ACCEPT, Reader, assert_is_page},
};

#[tokio::test]
async fn browsers_get_pages_and_programs_documents() {
    let app = TestApp::start().await;
    let mut reader = operator(&app).await;
    let token = app.token().await;
    for (method, path, status, code) in [
        (Method::GET, "/console/nothing", 404, "not_found"),
        (
            Method::GET,
            "/console/users/nobody/remove",
            404,
            "not_found",
        ),
        (Method::GET, "/nothing/at/all", 404, "not_found"),
        (Method::GET, "/api/nothing", 404, "not_found"),
        (Method::PUT, "/console/users", 405, "method_not_allowed"),
        (
            Method::GET,
            "/console/users?state=strange",
            400,
            "invalid_query",
        ),
        (
            Method::GET,
            "/console/users?cursor=null",
            400,
            "invalid_query",
        ),
    ] {
        let page = reader.send(method.clone(), path, &[], "").await;
        assert_is_page(&page, status);
        let id = page.header("x-request-id").unwrap();
        assert!(
            page.text().contains(&format!("<code>{id}</code>")),
            "{path}"
        );
        if status == 405 {
            assert_eq!(page.header("allow"), Some("GET, HEAD, OPTIONS"));
        }
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html;q=0.9",
        ] {
            let mut client = app.client().with_token(&token);
            let reply = client
                .send(method.clone(), path, &[("accept", accept)], "")
                .await;
            // Tokens are for programs, and pages for who has cookies.
            let expected = match (status, path) {
                (400, _) | (_, "/console/users/nobody/remove") => "missing_token",
                _ => code,
            };
            assert_eq!(reply.problem(), expected, "{path} {accept}");
        }
    }
    // Who is signed in sees where else to go.
    for path in ["/console/nothing", "/console/users/nobody"] {
        assert!(reader.get(path).await.text().contains(">People<"), "{path}");
    }
    // What a route of the API says stays as it is, whoever asks.
    let headers = [("accept", ACCEPT)];
    let reply = app
        .client()
        .send(Method::GET, "/api/counters", &headers, "")
        .await;
    assert_eq!(reply.problem(), "missing_token");
    // Too large before any page was asked.
    let body = "a".repeat(65 * 1024);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let page = reader
        .send(Method::POST, "/console/users/invite", &form, &body)
        .await;
    assert_is_page(&page, 413);
}

/// Links of an error lead to where they say, wherever it is.
#[tokio::test]
async fn links_of_errors_lead_home() {
    let app = TestApp::start().await;
    let mut reader = Reader::new(app.client());
    for path in ["/x", "/x/y/", "/console/x/y", "//x", "/a//b"] {
        let page = reader.get(path).await;
        assert_is_page(&page, 404);
        for (within, name, expected) in [
            ("rel=\"stylesheet\"", "href", "/console/assets/console-"),
            (">Console<", "href", "/console/"),
            (">Start page<", "href", "/"),
        ] {
            let link = crate::support::reader::attribute(&page, within, name);
            let url = url::Url::parse("http://localhost/").unwrap();
            let url =
                url::Url::parse(&format!("{}{path}", url.as_str().trim_end_matches('/'))).unwrap();
            let url = url.join(&link).unwrap();
            assert!(url.path().starts_with(expected), "{path} {link} {url}");
        }
    }
}

/// What is in an address is text.
#[tokio::test]
async fn an_address_is_no_script() {
    let app = TestApp::start().await;
    let mut reader = Reader::new(app.client());
    for path in [
        "/console/%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/console/login?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/console/login?done=%3Cscript%3E",
        "/console/confirm?token=%22%3E%3Cscript%3E",
        "/%3Cscript%3E?%3Cscript%3E",
    ] {
        let text = reader.get(path).await.text();
        assert!(!text.contains("<script>"), "{path}: {text}");
    }
}

/// A tab that a role may not see is not there, and its address is refused.
#[tokio::test]
async fn what_a_role_may_not_see() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    assert!(anna.get("/console/").await.text().contains(">People<"));
    place.change("UPDATE users SET role = 'viewer', generation = generation + 1 WHERE email_key = 'anna@a.example'").await;
    let mut viewer = Reader::new(place.client())
        .log_in("anna@a.example", PASSWORD)
        .await;
    assert!(!viewer.get("/console/").await.text().contains(">People<"));
    let page = viewer.get("/console/users").await;
    assert_is_page(&page, 403);
    assert!(page.text().contains("This is not for you") && page.text().contains("Log out"));
    let page = viewer
        .submit("/console/users/invite", &[("email", "x@a.example")])
        .await;
    assert_is_page(&page, 403);
}
