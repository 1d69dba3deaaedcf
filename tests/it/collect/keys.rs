//! `/api/write-keys`

use footfall::auth::role::Role;
use hyper::Method;
use serde_json::{Value, json};

use super::{SHOP, Site, made, stage_with};
use crate::support::{
    Reply,
    stage::{Person, Stage, refusal},
};

async fn make(stage: &Stage, person: &Person, body: &Value) -> Reply {
    let mut client = stage.client(person);
    client.post_json("/api/write-keys", &body.to_string()).await
}

fn ids(page: &Value) -> Vec<&str> {
    let keys = page["keys"].as_array().unwrap();
    keys.iter().map(|key| key["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn made_listed_and_ended() {
    for stage in Stage::both().await {
        let site = Site::of(stage).await;
        let stage = &site.stage;
        let body = json!({ "name": "blog", "counters": ["blog"], "origins": ["https://blog.example"], "rate": 10_000 });
        let reply = make(stage, &site.anna, &body).await;
        assert_eq!(reply.status, 201);
        let second = reply.json();
        let id = second["id"].as_str().unwrap();
        assert_eq!(
            reply.header("location"),
            Some(format!("write-keys/{id}").as_str())
        );
        for (field, value) in body.as_object().unwrap() {
            assert_eq!(second[field], *value, "{field}");
        }
        assert_eq!(
            second["created_by"],
            json!({ "id": site.anna.id, "username": "anna" })
        );
        let key = second["key"].as_str().unwrap();
        assert!(key.starts_with("ffw_") && key.len() == 53, "{key}");
        let path = format!("/api/write-keys/{id}");
        let mut anna = stage.client(&site.anna);
        assert_eq!(anna.get(&path).await.json(), second);
        let page = anna.get("/api/write-keys").await.json();
        assert_eq!(ids(&page), [site.id.as_str(), id]);
        assert_eq!(
            page["keys"][0]["rate"], 100,
            "unless its maker wants another"
        );
        let page = anna.get("/api/write-keys?limit=1").await.json();
        let next = format!("/api/write-keys?cursor={}", page["next"].as_str().unwrap());
        assert_eq!(ids(&anna.get(&next).await.json()), [id]);

        // Another company sees nothing of it, and the company's members may not.
        let zoe = stage.person("other", "zoe", Role::Admin).await;
        let mut zoe = stage.client(&zoe);
        assert_eq!(ids(&zoe.get("/api/write-keys").await.json()), [""; 0]);
        assert_eq!(zoe.get(&path).await.problem(), "not_found");
        assert_eq!(zoe.delete(&path).await.problem(), "not_found");
        let bo = stage.person("acme", "bo", Role::Member).await;
        assert_eq!(make(stage, &bo, &body).await.problem(), "forbidden");
        let (_, token) = stage
            .api_token(&site.anna, &["visits:write", "users:write"])
            .await;
        let mut machine = stage.app.client().with_token(&token);
        assert_eq!(machine.get("/api/write-keys").await.problem(), "forbidden");

        for _ in 0..2 {
            assert_eq!(anna.delete(&path).await.status, 204);
        }
        assert_eq!(
            ids(&anna.get("/api/write-keys").await.json()),
            [site.id.as_str()]
        );
        assert_eq!(anna.get(&path).await.problem(), "not_found");
        let audited = "SELECT count(*) FROM audit_entries WHERE object = 'write_key' AND action IN ('write_key.create', 'write_key.end')";
        assert_eq!(stage.number(audited).await, 3, "{}", stage.kind);
    }
}

/// Once this is answered the key counts nothing any more.
#[tokio::test]
async fn a_key_that_was_ended_counts_nothing() {
    for stage in Stage::both().await {
        let site = Site::of(stage).await;
        for round in 1..=3 {
            let body = json!({ "name": "n", "counters": ["rounds"], "origins": [SHOP] });
            let (id, key) = made(&site.stage, &site.anna, &body).await;
            site.is_known(&key).await;
            let send = async || {
                let fields = json!({ "key": key });
                super::post(&mut site.stage.app.client(), &[("origin", SHOP)], &fields).await
            };
            assert_eq!(send().await.status, 204);
            let path = format!("/api/write-keys/{id}");
            assert_eq!(
                site.stage.client(&site.anna).delete(&path).await.status,
                204
            );
            assert_eq!(send().await.problem(), "invalid_write_key");
            assert_eq!(site.visits("rounds").await, round);
        }
        assert_eq!(site.send(&json!({})).await.status, 204, "others go on");
    }
}

/// What acts for a company that is suspended stops, and goes on when it is let in again.
#[tokio::test]
async fn keys_of_a_suspended_company_stop() {
    let site = Site::of(Stage::sqlite().await).await;
    let mut operator = site.stage.operator().await;
    let path = format!("/api/companies/{}", site.anna.company);
    assert_eq!(
        operator
            .put_json(&path, r#"{"state":"suspended"}"#)
            .await
            .status,
        200
    );
    assert_eq!(site.send(&json!({})).await.problem(), "invalid_write_key");
    assert_eq!(
        operator
            .put_json(&path, r#"{"state":"active"}"#)
            .await
            .status,
        200
    );
    site.is_known(&site.key).await;
    assert_eq!(site.send(&json!({})).await.status, 204);
}

#[tokio::test]
async fn a_repeated_request_makes_one_key() {
    let stage = stage_with(&[("FOOTFALL_PROXY_REQUEST_ID", "on")]).await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let body = json!({ "name": "n", "counters": ["a"], "origins": [SHOP] }).to_string();
    let token = format!("Bearer {}", anna.token);
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
        ("x-request-id", "the-same"),
    ];
    let mut replies = Vec::new();
    for _ in 0..2 {
        let mut proxy = stage.app.proxy();
        let reply = proxy
            .send(Method::POST, "/api/write-keys", &headers, &body)
            .await;
        assert_eq!(reply.status, 201, "{reply:?}");
        replies.push(reply.json());
    }
    assert_eq!(replies[0], replies[1]);
    let keys = "SELECT count(*) FROM write_keys";
    assert_eq!(stage.number(keys).await, 1);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let good = json!({ "name": "n", "counters": ["a"], "origins": [SHOP], "rate": 1 });
    let many = |text: fn(usize) -> String| json!((0..51).map(text).collect::<Vec<_>>());
    let mut cases: Vec<(&str, Value)> = [
        json!(null),
        json!(1),
        json!(""),
        json!(" a"),
        json!("a\nb"),
        json!("a".repeat(65)),
    ]
    .map(|bad| ("name", bad))
    .into();
    for bad in [
        json!(null),
        json!("a"),
        json!([]),
        json!([1]),
        json!(["A"]),
        json!(["a", "a"]),
        json!(["a b"]),
        many(|n| n.to_string()),
    ] {
        cases.push(("counters", bad));
    }
    for bad in [
        json!(null),
        json!(SHOP),
        json!([]),
        json!([null]),
        json!(["*"]),
        json!(["null"]),
        json!(["https://shop.example/"]),
        json!(["https://shop.example:443"]),
        json!(["https://Shop.example"]),
        json!(["https://*.shop.example"]),
        json!(["shop.example"]),
        json!(["ftp://shop.example"]),
        json!([SHOP, SHOP]),
        many(|n| format!("https://{n}.example")),
    ] {
        cases.push(("origins", bad));
    }
    for bad in [
        json!(0),
        json!(10_001),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!([1]),
    ] {
        cases.push(("rate", bad));
    }
    for (field, bad) in cases {
        let mut body = good.clone();
        body[field] = bad.clone();
        let reply = make(&stage, &anna, &body).await;
        assert_eq!(
            refusal(&reply),
            (422, "invalid_body".into(), json!(field)),
            "{field}: {bad}"
        );
    }
    for field in ["name", "counters", "origins"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(refusal(&make(&stage, &anna, &body).await).2, json!(field));
    }
    for number in 0..100 {
        assert_eq!(make(&stage, &anna, &good).await.status, 201, "{number}");
    }
    assert_eq!(
        make(&stage, &anna, &good).await.problem(),
        "write_keys_full"
    );
}
