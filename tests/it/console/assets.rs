//! Styles and scripts.

use hyper::Method;

use super::operator;
use crate::support::{TestApp, reader::attribute};

#[tokio::test]
async fn files_have_names_of_what_is_in_them_and_are_kept() {
    let app = TestApp::start().await;
    let mut reader = operator(&app).await;
    let page = reader.get("/console/").await;
    for (within, name, kind) in [
        ("rel=\"stylesheet\"", "href", "text/css; charset=utf-8"),
        ("type=\"module\"", "src", "text/javascript; charset=utf-8"),
        ("rel=\"icon\"", "href", "image/svg+xml"),
    ] {
        let address = attribute(&page, within, name);
        let address = format!("/console/{}", address.strip_prefix("./").unwrap());
        let mut client = app.client();
        let file = client.get(&address).await;
        assert_eq!(file.status, 200, "{address}");
        assert_eq!(file.header("content-type"), Some(kind));
        assert_eq!(
            file.header("cache-control"),
            Some("public, max-age=31536000, immutable")
        );
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert!(file.header("set-cookie").is_none());
        let tag = file.header("etag").unwrap();
        for (sent, status) in [
            (tag.to_owned(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"other\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
            (tag.trim_matches('"').to_owned(), 200),
        ] {
            let headers = [("if-none-match", sent.as_str())];
            let again = client.send(Method::GET, &address, &headers, "").await;
            assert_eq!(again.status, status, "{sent}");
            assert_eq!(again.header("etag"), Some(tag));
            assert_eq!(again.body.is_empty(), status == 304);
        }
        let (stem, ending) = address.rsplit_once('-').unwrap();
        let plain = format!("{stem}.{}", ending.rsplit('.').next().unwrap());
        for other in [
            plain,
            format!("{stem}-0000000000000000.css"),
            format!("{address}/"),
        ] {
            assert_eq!(client.get(&other).await.problem(), "not_found", "{other}");
        }
    }
}

/// A page with all that it loads is small, and scripts are smaller.
#[tokio::test]
async fn pages_are_light() {
    let app = TestApp::start().await;
    let mut reader = operator(&app).await;
    let page = reader.get("/console/").await;
    let mut whole = page.body.len();
    for (within, name, most) in [
        ("rel=\"stylesheet\"", "href", 20_000),
        ("type=\"module\"", "src", 15_000),
    ] {
        let address = attribute(&page, within, name);
        let file = app
            .client()
            .get(&format!("/console/{}", &address[2..]))
            .await;
        assert!(file.body.len() < most, "{address}: {}", file.body.len());
        whole += file.body.len();
    }
    assert!(whole < 60_000, "{whole}");
}
