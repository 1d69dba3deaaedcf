//! Styles and scripts.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::json;

use super::{counters::count, founder, operator};
use crate::support::{
    Reply, TestApp,
    people::sqlite,
    reader::{Reader, attribute},
};

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

/// Whatever a page needs before it is painted is there after one round trip for it and one for its styles.
#[tokio::test]
async fn pages_are_light() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    for counter in 0..12 {
        count(
            &place,
            "anna@a.example",
            &format!("counter{counter}"),
            &[json!({})],
        )
        .await;
    }
    let home = anna.get("/console/").await;
    assert!(home.text().matches("<svg class=\"spark\"").count() > 5);
    let mut whole = home.body.len();
    for address in loaded(&home) {
        whole += body(&mut anna, &address).await.len();
    }
    assert!(whole < 60_000, "{whole}");

    let mut scripts = BTreeSet::new();
    for path in ["", "counters/counter1", "audiences/new"] {
        let page = anna.get(&format!("/console/{path}")).await;
        let loaded = loaded(&page);
        let (styles, others): (Vec<_>, Vec<_>) = loaded
            .into_iter()
            .partition(|address| address.ends_with(".css"));
        // What builds audiences has more than others.
        let most = if path == "audiences/new" { 2 } else { 1 };
        assert_eq!(styles.len(), most, "{path}");
        for style in &styles {
            let style = body(&mut anna, style).await;
            assert!(style.len() < 20_000, "{}", style.len());
            assert!(!style.contains("@import") && !style.contains("url("));
        }
        scripts.extend(
            others
                .into_iter()
                .filter(|address| address.ends_with(".js")),
        );
    }
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/src/console/assets");
    let modules = std::fs::read_dir(modules).unwrap();
    let modules = modules.filter(|file| file.as_ref().unwrap().path().extension().unwrap() == "js");
    assert_eq!(scripts.len(), modules.count(), "{scripts:?}");
    let mut together = 0;
    for address in &scripts {
        together += body(&mut anna, address).await.len();
    }
    assert!(together < 15_000, "{together}");
}

/// The addresses of all files that a page loads. Scripts are modules, which wait until it is there.
fn loaded(page: &Reply) -> BTreeSet<String> {
    let text = page.text();
    let links = text.split("<link ").skip(1).map(|rest| (rest, "href=\""));
    let scripts = text.split("<script ").skip(1).map(|rest| {
        assert!(rest.starts_with("type=\"module\""), "{rest}");
        (rest, "src=\"")
    });
    let images = text.split("<img ").skip(1).map(|rest| (rest, "src=\""));
    let address = |(rest, name): (&str, &str)| {
        let tag = rest.split('>').next().unwrap();
        let address = tag.split(name).nth(1).unwrap().split('"').next().unwrap();
        let file = address.rsplit('/').next().unwrap();
        format!("/console/assets/{file}")
    };
    links.chain(scripts).chain(images).map(address).collect()
}

async fn body(reader: &mut Reader, address: &str) -> String {
    let file = reader.get(address).await;
    assert_eq!(file.status, 200, "{address}");
    file.text()
}
