//! Footfall under a path of a site, as docs/proxies.md shows it.

use fantoccini::Locator;
use hyper::Method;

use crate::{
    proxies::shown,
    support::{
        browser::Browser,
        proxy::{Prepared, Proxy, send},
        reader::{ACCEPT, Reader, assert_is_page, attribute},
    },
};

fn site() -> Proxy {
    let root = "location / {\n    proxy_pass http://$footfall;\n}";
    Prepared::new("http.conf")
        .replace(root, shown("nginx-prefix"))
        .start()
}

#[tokio::test]
async fn pages_and_document_refer_to_each_other_under_it() {
    let proxy = site();
    let _replica = proxy.replica().start();
    let mut client = proxy.client();
    assert_eq!(
        client.get("/api/ping").await.status,
        404,
        "only the path is Footfall's"
    );
    let reply = client.get("/footfall/swagger").await;
    assert!(reply.status.is_redirection(), "{reply:?}");
    assert_eq!(reply.header("location"), Some("swagger/"));

    let home = client.get("/footfall/").await.text();
    let links: Vec<_> = home
        .split("<a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(links.len() >= 4);
    let base = url::Url::parse("http://localhost/footfall/").unwrap();
    for link in links {
        let path = base.join(link).unwrap().path().to_owned();
        let page = [("accept", ACCEPT)];
        let reply = client.send(Method::GET, &path, &page, "").await;
        // The console leads to its login.
        let expected = if link == "console/" { 303 } else { 200 };
        assert_eq!(reply.status, expected, "{link}");
    }

    let place = base.join("openapi.json").unwrap();
    let document = client.get(place.path()).await.json();
    let server = document["servers"][0]["url"].as_str().unwrap();
    assert_eq!(place.join(server).unwrap(), base);
}

/// The console knows nothing of it, and works.
#[tokio::test]
async fn the_console_works_under_it() {
    let proxy = site();
    let _replica = proxy.replica().start();
    let mut reader = Reader::new(proxy.client());
    let asked = "/footfall/console/users/invite";
    let to = Reader::location(&reader.get(asked).await, asked);
    assert_eq!(to, "/footfall/console/login?next=users%2Finvite");
    let page = reader.get(&to).await;
    assert_is_page(&page, 200);
    let base = url::Url::parse("http://localhost")
        .unwrap()
        .join(&to)
        .unwrap();
    let action = attribute(&page, "action=\"login\"", "action");
    let action = base.join(&action).unwrap().path().to_owned();
    let fields = [
        ("username", "admin"),
        ("password", "password"),
        ("next", "users/invite"),
    ];
    let reply = reader.submit(&action, &fields).await;
    assert_eq!(Reader::location(&reply, &action), asked);
    let gzip = [("accept-encoding", "gzip")];
    let page = reader.send(Method::GET, asked, &gzip, "").await;
    assert_is_page(&page, 200);
    assert_eq!(page.header("content-encoding"), None);
    let base = base.join(asked).unwrap();
    for (within, name) in [
        ("rel=\"stylesheet\"", "href"),
        ("rel=\"icon\"", "href"),
        (">People<", "href"),
        (">API<", "href"),
    ] {
        let link = attribute(&page, within, name);
        let path = base.join(&link).unwrap().path().to_owned();
        assert!(path.starts_with("/footfall/"), "{link}");
        assert_eq!(reader.get(&path).await.status, 200, "{link}");
    }
}

#[tokio::test]
async fn http_1_0_and_whole_addresses_reach_a_replica() {
    let proxy = Proxy::start();
    let _replica = proxy.replica().start();
    for (request, status) in [
        ("GET /api/ping HTTP/1.0\r\n\r\n", 200),
        ("OPTIONS / HTTP/1.0\r\n\r\n", 204),
        (
            "GET http://a.example/api/ping HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n",
            200,
        ),
        ("GET http://a.example/api/ping HTTP/1.0\r\n\r\n", 200),
    ] {
        let reply = send(&proxy.address, request.as_bytes()).await;
        assert_eq!(reply.status, status, "{request}: {reply:?}");
    }
}

mod browser {
    use super::*;

    /// `./test.sh quick` leaves this out.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_swagger_page_works_under_it() {
        let proxy = site();
        let _replica = proxy.replica().start();
        let origin = format!("http://{}/footfall/", proxy.address);
        let browser = Browser::start().await;
        browser.screen(1280, 1600).await;
        browser
            .page
            .goto(&format!("{origin}swagger/"))
            .await
            .unwrap();
        let ping = "#operations-service-get_ping";
        for part in [".opblock-summary-control", ".execute"] {
            let element = format!("{ping} {part}");
            let element = browser
                .page
                .wait()
                .for_element(Locator::Css(&element))
                .await;
            element.unwrap().click().await.unwrap();
        }
        let answer = format!("{ping} .live-responses-table .response .microlight");
        let answer = browser.page.wait().for_element(Locator::Css(&answer)).await;
        assert!(answer.unwrap().text().await.unwrap().contains("\"ok\""));
        for operation in [
            "counting-get_count",
            "auth-post_login",
            "counting-post_counter",
        ] {
            let operation = format!("#operations-{operation}");
            browser.page.find(Locator::Css(&operation)).await.unwrap();
        }
        // Nothing outside the path was asked for.
        browser.assert_clean(&origin).await;
        browser.close().await;
    }
}
