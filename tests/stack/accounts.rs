//! Accounts in the full stack of a developer: mails are caught, and links lead to nginx.

use serde_json::{Value, json};

use crate::{
    compose::public,
    support::{client::Client, until},
};

const EMAIL: &str = "anna@example.com";
const PASSWORD: &str = "stapling nine damp envelopes";

/// The catcher's newest mail to somebody, as soon as there is one.
async fn caught() -> Value {
    // It may close a connection after each answer.
    let catcher = || Client::tcp("127.0.0.1:8025");
    let id = until("a mail is caught", async || {
        let listed = catcher().get("/api/v1/messages").await.json();
        let mut messages = listed["messages"].as_array().unwrap().iter();
        let found = messages.find(|message| message["To"][0]["Address"] == EMAIL)?;
        Some(found["ID"].as_str().unwrap().to_owned())
    });
    let path = format!("/api/v1/message/{}", id.await);
    catcher().get(&path).await.json()
}

/// Registers, has the mail caught, confirms, logs in and counts, all through nginx.
pub async fn somebody_registers() {
    let mut client = public();
    let body =
        json!({ "company": "Acme", "email": EMAIL, "username": "anna", "password": PASSWORD });
    let reply = client.post_json("/auth/register", &body.to_string()).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let mail = caught().await;
    let text = mail["Text"].as_str().unwrap();
    // Port 80, so none is said.
    let (_, rest) = text
        .split_once("http://localhost/console/confirm?token=")
        .unwrap();
    let token = rest.split_whitespace().next().unwrap();
    let page = client.get(&format!("/console/confirm?token={token}")).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let body = json!({ "token": token, "password": PASSWORD });
    let reply = client.post_json("/auth/confirm", &body.to_string()).await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    let reply = client.login(EMAIL, PASSWORD).await;
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let mut own = public().with_token(&token);
    assert_eq!(
        own.get("/api/count").await.visits(),
        1,
        "of a company of their own"
    );
    let page = Client::tcp("127.0.0.1:8025").get("/").await;
    assert!(page.text().contains("Confirm your e-mail address"));
}
