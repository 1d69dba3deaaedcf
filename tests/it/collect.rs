//! Visits that web pages send, by write keys.

mod browser;
mod fields;
mod files;
mod front;
mod keys;
mod known;
mod salts;
mod sending;
mod told_apart;

use footfall::auth::role::Role;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Client, Reply, TestApp,
    stage::{Person, Stage},
    until,
};

/// The site that has a key.
const SHOP: &str = "https://shop.example";

/// A company with a key for its pages.
pub struct Site {
    pub stage: Stage,
    pub anna: Person,
    pub id: String,
    pub key: String,
}

/// An application on a SQLite file, with more settings.
pub async fn stage_with(settings: &[(&str, &str)]) -> Stage {
    let mut app = TestApp::builder().env("FOOTFALL_PUBLIC_URL", "http://footfall.example");
    for (name, value) in settings {
        app = app.env(name, value);
    }
    Stage {
        app: app.start().await,
        kind: "sqlite",
        servers: None,
    }
}

impl Site {
    pub async fn of(stage: Stage) -> Self {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let body = json!({ "name": "shop", "counters": ["shop", "shop.cart"], "origins": [SHOP, "http://localhost:3000"] });
        let (id, key) = made(&stage, &anna, &body).await;
        let site = Self {
            stage,
            anna,
            id,
            key,
        };
        site.is_known(&site.key).await;
        site
    }

    /// Waits until the replica knows a key: it then asks for the origin.
    pub async fn is_known(&self, key: &str) {
        let known = async || {
            let reply = post(&mut self.stage.app.client(), &[], &json!({ "key": key })).await;
            (reply.problem() == "origin_not_allowed").then_some(())
        };
        until("the key is known", known).await;
    }

    /// What a page of the shop sends.
    pub async fn send(&self, fields: &Value) -> Reply {
        self.send_with(&[], fields).await
    }

    pub async fn send_with(&self, headers: &[(&str, &str)], fields: &Value) -> Reply {
        let mut sent = json!({ "key": self.key });
        sent.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let headers = [&[("origin", SHOP)], headers].concat();
        post(&mut self.stage.app.client(), &headers, &sent).await
    }

    pub async fn visits(&self, counter: &str) -> u64 {
        visits(&mut self.stage.client(&self.anna), counter).await
    }

    pub async fn not_counted(&self, reason: &str) -> f64 {
        let series = format!("footfall_collect_not_counted_total{{reason=\"{reason}\"}}");
        self.stage.app.metric(&series).await.unwrap()
    }
}

/// The visits of a counter, which may not be there yet.
pub async fn visits(client: &mut Client, counter: &str) -> u64 {
    let reply = client.get(&format!("/api/counters/{counter}")).await;
    match reply.status.as_u16() {
        404 => 0,
        _ => reply.visits(),
    }
}

/// A new write key: its id, and itself.
pub async fn made(stage: &Stage, person: &Person, body: &Value) -> (String, String) {
    let reply = stage
        .client(person)
        .post_json("/api/write-keys", &body.to_string())
        .await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let made = reply.json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

/// What a page sends, as text.
pub async fn post(client: &mut Client, headers: &[(&str, &str)], fields: &Value) -> Reply {
    let headers = [&[("content-type", "text/plain;charset=UTF-8")], headers].concat();
    client
        .send(Method::POST, "/collect", &headers, fields.to_string())
        .await
}
