//! What pages send, and what they are answered.

use hyper::Method;
use serde_json::{Value, json};

use super::{SHOP, Site, made, post, stage_with, visits};
use crate::support::{Reply, TestApp, stage::Stage};

#[track_caller]
fn taken(reply: &Reply) {
    assert_eq!(reply.status, 204, "{reply:?}");
    assert!(reply.body.is_empty());
    assert_eq!(reply.header("footfall-not-counted"), None, "{reply:?}");
    assert_eq!(reply.header("access-control-allow-origin"), Some(SHOP));
    assert_eq!(reply.header("vary"), Some("origin"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_page_counts_by_its_key() {
    for stage in Stage::both().await {
        let site = Site::of(stage).await;
        let whole = json!({
            "counter": "shop", "id": "1", "path": "/", "referrer": "https://x.example/", "campaign": "spring", "visitor": "v",
        });
        for fields in [json!({}), json!({ "counter": "shop" }), whole.clone()] {
            taken(&site.send(&fields).await);
        }
        taken(&site.send(&json!({ "counter": "shop.cart" })).await);
        assert_eq!(
            (site.visits("shop").await, site.visits("shop.cart").await),
            (3, 1)
        );
        // With the same id it is the same visit, whatever else is said.
        taken(&site.send(&whole).await);
        taken(&site.send(&json!({ "id": "1" })).await);
        assert_eq!(site.visits("shop").await, 3);
        assert_eq!(
            site.stage
                .app
                .metric("footfall_visits_replayed_total")
                .await,
            Some(2.0)
        );
        // On another counter, or by another key, it is another one.
        taken(
            &site
                .send(&json!({ "counter": "shop.cart", "id": "1" }))
                .await,
        );
        let body = json!({ "name": "other", "counters": ["shop"], "origins": [SHOP] });
        let (_, other) = made(&site.stage, &site.anna, &body).await;
        site.is_known(&other).await;
        let fields = json!({ "key": other, "id": "1" });
        taken(&post(&mut site.stage.app.client(), &[("origin", SHOP)], &fields).await);
        assert_eq!(
            (site.visits("shop").await, site.visits("shop.cart").await),
            (4, 2)
        );
    }
}

#[tokio::test]
async fn json_may_be_declared_in_any_way_that_is_true() {
    let site = Site::of(Stage::sqlite().await).await;
    let mut client = site.stage.app.client();
    let body = json!({ "key": site.key }).to_string();
    for (content_type, status) in [
        (Some("text/plain"), 204),
        (Some("text/plain;charset=UTF-8"), 204),
        (Some("Text/Plain; charset=\"utf-8\""), 204),
        (Some("application/json"), 204),
        (Some("application/json;charset=utf-8"), 204),
        (Some("text/plain;charset=utf-16"), 415),
        (Some("text/html"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("multipart/form-data;boundary=x"), 415),
        (Some(""), 415),
        (None, 415),
    ] {
        let mut headers = vec![("origin", SHOP)];
        headers.extend(content_type.map(|value| ("content-type", value)));
        let reply = client.send(Method::POST, "/collect", &headers, &body).await;
        assert_eq!(reply.status, status, "{content_type:?}");
    }
    let headers = [
        ("origin", SHOP),
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
    ];
    let reply = client.send(Method::POST, "/collect", &headers, &body).await;
    assert_eq!(reply.problem(), "unsupported_content_encoding");
    assert_eq!(site.visits("shop").await, 5);
}

#[tokio::test]
async fn only_pages_of_its_origins_use_a_key() {
    let site = Site::of(Stage::sqlite().await).await;
    let fields = json!({ "key": site.key });
    let before = site.not_counted("origin_not_allowed").await;
    let mut refused = 0;
    for (origins, admitted) in [
        (&[SHOP][..], true),
        (&["http://localhost:3000"], true),
        (&["http://shop.example"], false),
        (&["https://shop.example:8443"], false),
        (&["https://shop.example/"], false),
        (&["https://www.shop.example"], false),
        (&["https://shop.example.evil.example"], false),
        (&["https://SHOP.example"], false),
        (&["http://localhost"], false),
        (&["null"], false),
        (&["*"], false),
        (&[""], false),
        (&[SHOP, SHOP], false),
        (&[], false),
    ] {
        let mut headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
        // That is for images.
        headers.push(("referer", "https://shop.example/page"));
        let reply = post(&mut site.stage.app.client(), &headers, &fields).await;
        let allowed = reply.header("access-control-allow-origin");
        if admitted {
            assert_eq!((reply.status.as_u16(), allowed), (204, Some(origins[0])));
        } else {
            assert_eq!(reply.status, 403, "{origins:?}");
            assert_eq!(
                (reply.problem().as_str(), allowed),
                ("origin_not_allowed", None),
                "{origins:?}"
            );
            refused += 1;
        }
        assert_eq!(reply.header("vary"), Some("origin"), "{origins:?}");
    }
    assert_eq!(site.visits("shop").await, 2);
    assert_eq!(
        site.not_counted("origin_not_allowed").await - before,
        f64::from(refused)
    );
}

#[tokio::test]
async fn robots_and_what_is_fetched_ahead_are_not_counted() {
    let site = Site::of(Stage::sqlite().await).await;
    let robot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (header, value, reason) in [
        ("sec-purpose", "prefetch;prerender", "prefetch"),
        ("purpose", "prefetch", "prefetch"),
        ("x-moz", "prefetch", "prefetch"),
        ("user-agent", robot, "robot"),
    ] {
        let before = site.not_counted(reason).await;
        let reply = site.send_with(&[(header, value)], &json!({})).await;
        assert_eq!(reply.status, 204, "{header}");
        assert_eq!(reply.header("footfall-not-counted"), Some(reason));
        let exposed = reply.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("Footfall-Not-Counted"), "{exposed}");
        let path = format!("/collect.gif?key={}", site.key);
        let headers = [("referer", "https://shop.example/"), (header, value)];
        let image = site
            .stage
            .app
            .client()
            .send(Method::GET, &path, &headers, "")
            .await;
        assert_eq!(image.header("footfall-not-counted"), Some(reason));
        assert_eq!(site.not_counted(reason).await, before + 2.0);
    }
    // A robot with a key that is not for its page is told that first.
    let reply = post(
        &mut site.stage.app.client(),
        &[("user-agent", robot)],
        &json!({ "key": site.key }),
    )
    .await;
    assert_eq!(reply.problem(), "origin_not_allowed");
    assert_eq!(site.visits("shop").await, 0);
}

/// A proxy repeats what it got no answer to: without an id its own makes it one visit.
#[tokio::test]
async fn what_a_proxy_repeats_is_one_visit() {
    let site = Site::of(stage_with(&[("FOOTFALL_PROXY_REQUEST_ID", "on")]).await).await;
    for number in 1..=2 {
        for _ in 0..2 {
            let id = format!("request-{number}");
            let headers = [("origin", SHOP), ("x-request-id", id.as_str())];
            let reply = post(
                &mut site.stage.app.proxy(),
                &headers,
                &json!({ "key": site.key }),
            )
            .await;
            assert_eq!(reply.status, 204);
        }
        assert_eq!(site.visits("shop").await, number);
    }
    // A stranger's id is none.
    for _ in 0..2 {
        site.send_with(&[("x-request-id", "request-1")], &json!({}))
            .await;
    }
    assert_eq!(site.visits("shop").await, 4);
}

#[tokio::test]
async fn a_key_has_a_rate() {
    let site = Site::of(Stage::sqlite().await).await;
    let body = json!({ "name": "slow", "counters": ["slow"], "origins": [SHOP], "rate": 1 });
    let (_, slow) = made(&site.stage, &site.anna, &body).await;
    site.is_known(&slow).await;
    let fields = json!({ "key": slow });
    let mut limited = None;
    for _ in 0..100 {
        let reply = post(&mut site.stage.app.client(), &[("origin", SHOP)], &fields).await;
        if reply.status != 204 {
            limited = Some(reply);
            break;
        }
    }
    let limited = limited.expect("100 requests do not take 100 seconds");
    assert_eq!(
        (limited.status.as_u16(), limited.problem().as_str()),
        (429, "too_many_requests")
    );
    assert_eq!(limited.header("retry-after"), Some("1"));
    assert_eq!(
        limited.header("access-control-allow-origin"),
        Some(SHOP),
        "its page may know"
    );
    assert!(site.not_counted("rate").await >= 1.0);
    // Others are not concerned.
    assert_eq!(site.send(&json!({})).await.status, 204);
}

/// Where pages of an origin may use the API as well, the two do not get in each other's way.
#[tokio::test]
async fn beside_pages_that_may_use_the_api() {
    let origins = format!("{SHOP},https://app.example");
    let stage = stage_with(&[("FOOTFALL_CORS_ORIGINS", &origins)]).await;
    let site = Site::of(stage).await;
    let reply = site.send(&json!({})).await;
    assert_eq!(reply.status, 204);
    for (name, value) in [("vary", "origin"), ("access-control-allow-origin", SHOP)] {
        let all: Vec<_> = reply.headers.get_all(name).iter().collect();
        assert_eq!(all, [value], "{name}");
    }
    let headers = [("origin", "https://app.example")];
    let reply = post(
        &mut site.stage.app.client(),
        &headers,
        &json!({ "key": site.key }),
    )
    .await;
    assert_eq!(reply.problem(), "origin_not_allowed");
}

/// A visitor's cookies and tokens are nothing here.
#[tokio::test]
async fn who_is_logged_in_counts_as_anybody() {
    let site = Site::of(Stage::sqlite().await).await;
    let token = format!("Bearer {}", site.anna.token);
    for authorization in [token.as_str(), "Bearer x", "Basic x"] {
        let reply = site
            .send_with(&[("authorization", authorization)], &json!({}))
            .await;
        assert_eq!(reply.status, 204, "{authorization}");
    }
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "text/plain"),
    ];
    let reply = site
        .stage
        .app
        .client()
        .send(Method::POST, "/collect", &headers, "{}")
        .await;
    assert_eq!(reply.problem(), "invalid_visit", "a token is no key");
    assert_eq!(reply.json()["field"], Value::from("key"));
    let bo = site
        .stage
        .person("other", "bo", footfall::auth::role::Role::Admin)
        .await;
    assert_eq!(
        visits(&mut site.stage.client(&bo), "shop").await,
        0,
        "of its own company only"
    );
    assert_eq!(site.visits("shop").await, 3);
}

#[tokio::test]
async fn without_a_database_there_are_no_keys() {
    let redis = crate::support::Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    app.ready().await;
    let reply = post(
        &mut app.client(),
        &[("origin", SHOP)],
        &json!({ "key": "ffw_x" }),
    )
    .await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (501, "no_database")
    );
    let mut operator = app.client().logged_in().await;
    assert_eq!(
        operator.get("/api/write-keys").await.problem(),
        "no_database"
    );
    let image = app.client().get("/collect.gif?key=ffw_x").await;
    assert_eq!((image.status.as_u16(), image.body.len()), (501, 43));
}
