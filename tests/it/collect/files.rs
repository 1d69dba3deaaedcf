//! `GET /collect.gif` and `GET /footfall.js`

use hyper::Method;

use super::{SHOP, Site};
use crate::support::{TestApp, stage::Stage};

/// A query and header fields; the status, and why it is not counted.
type Case<'a> = (String, &'a [(&'a str, &'a str)], u16, Option<&'a str>);

/// Whatever becomes of it, a page shows nothing that is broken.
#[tokio::test]
async fn an_image_is_an_image_in_any_case() {
    let site = Site::of(Stage::sqlite().await).await;
    let key = &site.key;
    let page = ("referer", "https://shop.example/some/page?q=1");
    let cases: [Case; 11] = [
        (format!("key={key}"), &[page], 200, None),
        (
            format!("key={key}&counter=shop&id=a&path=%2Fp&referrer=&campaign=c&visitor=v"),
            &[page],
            200,
            None,
        ),
        (format!("key={key}"), &[("referer", SHOP)], 200, None),
        (format!("key={key}"), &[("origin", SHOP)], 200, None),
        (
            format!("key={key}"),
            &[("origin", "https://evil.example"), page],
            403,
            Some("origin_not_allowed"),
        ),
        (
            format!("key={key}"),
            &[("referer", "https://evil.example/")],
            403,
            Some("origin_not_allowed"),
        ),
        (format!("key={key}"), &[], 403, Some("origin_not_allowed")),
        (
            format!("key={key}x"),
            &[page],
            403,
            Some("invalid_write_key"),
        ),
        (
            format!("key={key}&counter=other"),
            &[page],
            403,
            Some("forbidden"),
        ),
        (
            format!("key={key}&path={}", "x".repeat(513)),
            &[page],
            422,
            Some("invalid_visit"),
        ),
        (String::new(), &[page], 422, Some("invalid_visit")),
    ];
    for (query, headers, status, reason) in cases {
        let path = format!("/collect.gif?{query}");
        let reply = site
            .stage
            .app
            .client()
            .send(Method::GET, &path, headers, "")
            .await;
        assert_eq!(reply.status, status, "{query}");
        assert_eq!(reply.header("footfall-not-counted"), reason, "{query}");
        assert_eq!(reply.header("content-type"), Some("image/gif"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert!(reply.body.len() == 43 && reply.body.starts_with(b"GIF89a\x01\0\x01\0"));
    }
    assert_eq!(site.visits("shop").await, 4);
    let mut client = site.stage.app.client();
    let path = format!("/collect.gif?key={key}");
    assert_eq!(
        client.send(Method::HEAD, &path, &[page], "").await.status,
        200
    );
    let reply = client.send(Method::POST, &path, &[page], "").await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("content-type")),
        (405, Some("image/gif"))
    );
    assert_eq!(site.visits("shop").await, 4);
}

#[tokio::test]
async fn the_script() {
    let app = TestApp::start().await;
    let reply = app.client().get("/footfall.js").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert_eq!(reply.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        reply.header("cross-origin-resource-policy"),
        Some("cross-origin")
    );
    assert!(reply.body.len() < 2000, "{}", reply.body.len());
    let tag = reply.header("etag").unwrap().to_owned();
    let mut client = app.client();
    let headers = [("if-none-match", tag.as_str())];
    let again = client.send(Method::GET, "/footfall.js", &headers, "").await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    let other = [("if-none-match", "\"other\"")];
    assert_eq!(
        client
            .send(Method::GET, "/footfall.js", &other, "")
            .await
            .status,
        200
    );
}
