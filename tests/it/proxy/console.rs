//! The console behind nginx.

use hyper::Method;
use sha2::{Digest, Sha256};

use super::pages::get_gzip;
use crate::support::{
    Reply,
    proxy::Proxy,
    reader::{ACCEPT, Reader, assert_is_page, attribute},
};

/// A page of nginx' own.
#[track_caller]
fn assert_is_page_of_nginx(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    for (name, value) in [
        ("server", "nginx"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(reply.header(name), Some(value));
    }
    let text = reply.text();
    let id = reply.header("x-request-id").unwrap();
    assert!(text.contains(&format!("<code>{id}</code>")), "{text}");
    assert!(!text.contains("<script"), "{text}");
    // Its style is let in by its hash.
    let style = text.split("<style>").nth(1).unwrap();
    let style = style.split("</style>").next().unwrap();
    use base64::{Engine, prelude::BASE64_STANDARD};
    let hash = BASE64_STANDARD.encode(Sha256::digest(style));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(
        policy.contains(&format!("style-src 'sha256-{hash}'")),
        "{policy}"
    );
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
}

#[tokio::test]
async fn browsers_are_shown_a_page_where_nginx_answers() {
    let proxy = Proxy::start();
    let mut client = proxy.client();
    for path in [
        "/console/",
        "/",
        "/console/live",
        "/console/assets/x.css",
        "/api/count",
    ] {
        let reply = client
            .send(Method::GET, path, &[("accept", ACCEPT)], "")
            .await;
        assert_is_page_of_nginx(&reply, 502);
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert!(reply.text().contains("Load the page again"));
        for accept in ["*/*", "application/json", "text/html2", "text/*"] {
            let reply = client
                .send(Method::GET, path, &[("accept", accept)], "")
                .await;
            assert_eq!(reply.problem(), "no_replica", "{accept}");
        }
    }
    let secret = "/console/reset?token=5ecr3t";
    let reply = client
        .send(Method::GET, secret, &[("accept", ACCEPT)], "")
        .await;
    assert_is_page_of_nginx(&reply, 502);
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert!(!reply.text().contains("5ecr3t"));
    let large = "x".repeat(70_000);
    let reply = client
        .send(
            Method::POST,
            "/console/login",
            &[("accept", ACCEPT)],
            &large,
        )
        .await;
    assert_is_page_of_nginx(&reply, 413);
    let reply = client.get("/nginx-page").await;
    assert_eq!(reply.problem(), "not_found");
}

#[tokio::test]
async fn one_logs_in_and_out_behind_it() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut reader = Reader::new(proxy.client())
        .log_in("admin", "password")
        .await;
    let page = reader.get("/console/").await;
    assert_is_page(&page, 200);
    // A page has a secret in it, and is not compressed; styles have none.
    let gzip = [("accept-encoding", "gzip"), ("via", "1.1 somewhere")];
    for path in [
        "/console/",
        "/console/login",
        "/console/nothing",
        "/console/users",
    ] {
        let page = reader.send(Method::GET, path, &gzip, "").await;
        assert_eq!(page.header("content-encoding"), None, "{path}");
    }
    let style = attribute(&page, "rel=\"stylesheet\"", "href");
    let style = format!("/console/{}", &style[2..]);
    let mut client = proxy.client();
    let short = get_gzip(&mut client, &style).await;
    assert_eq!(short.header("content-encoding"), Some("gzip"));
    assert_eq!(
        short.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    let tag = short.header("etag").unwrap();
    let known = [("if-none-match", tag)];
    assert_eq!(
        client.send(Method::GET, &style, &known, "").await.status,
        304
    );
    // A form as long as a filter.
    let long = "x".repeat(60_000);
    let page = reader
        .submit("/console/users/invite", &[("email", &long)])
        .await;
    assert_is_page(&page, 422);
    assert_eq!(reader.submit("/console/logout", &[]).await.status, 303);
    assert!(!reader.is_signed_in());
}

/// As many logins by pages as by the API; looking at the page is free.
#[tokio::test]
async fn a_flood_of_logins() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    let mut reader = Reader::new(proxy.client());
    for _ in 0..100 {
        assert_is_page(&reader.get("/console/login").await, 200);
    }
    // Not a form, so that no password is hashed.
    for _ in 0..500 {
        let page = reader.send(Method::POST, "/console/login", &[], "").await;
        if page.status == 429 {
            assert_is_page_of_nginx(&page, 429);
            assert_is_page(&reader.get("/console/login").await, 200);
            return;
        }
        assert_is_page(&page, 415);
    }
    panic!("500 logins in a row were let through");
}
