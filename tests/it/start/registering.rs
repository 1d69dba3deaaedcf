//! Who starts the local service with nothing configured registers, and finds the link in its log.

use serde_json::json;

use super::local::Local;
use crate::support::{Client, eventually};

const EMAIL: &str = "anna@example.com";
const PASSWORD: &str = "stapling nine damp envelopes";

/// The link of a mail, as it stands in what the terminal shows.
fn link(local: &Local) -> String {
    let begin = format!("http://{}/console/confirm?token=", local.address);
    eventually("the link is in the log", || {
        let output = local.output();
        let at = output.find(&begin)?;
        let link: String = output[at..]
            .chars()
            .take_while(|char| !char.is_whitespace() && *char != '"')
            .collect();
        Some(link)
    })
}

async fn registers(local: &Local) -> String {
    local.ready().await;
    let body =
        json!({ "company": "Acme", "email": EMAIL, "username": "anna", "password": PASSWORD });
    let mut client = Client::tcp(&local.address);
    let reply = client.post_json("/auth/register", &body.to_string()).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    link(local)
}

async fn counts(local: &Local) {
    let mut client = Client::tcp(&local.address);
    let reply = client.login(EMAIL, PASSWORD).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let mut own = Client::tcp(&local.address).with_token(&token);
    assert_eq!(own.get("/api/count").await.visits(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_curl() {
    let local = Local::start(&["local"]);
    let link = registers(&local).await;
    let (_, token) = link.split_once("?token=").unwrap();
    let body = json!({ "token": token, "password": PASSWORD });
    let mut client = Client::tcp(&local.address);
    let reply = client.post_json("/auth/confirm", &body.to_string()).await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    counts(&local).await;
}

/// Through the nginx of several replicas, whose address the link has.
#[tokio::test(flavor = "multi_thread")]
async fn by_the_page_of_the_link() {
    let local = Local::start(&["local", "2"]);
    let link = registers(&local).await;
    let path = link
        .strip_prefix(&format!("http://{}", local.address))
        .unwrap();
    let mut client = Client::tcp(&local.address);
    let page = client.get(path).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let (_, token) = link.split_once("?token=").unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token)
        .append_pair("password", PASSWORD)
        .finish();
    let origin = format!("http://{}", local.address);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", origin.as_str()),
    ];
    let (path, _) = path.split_once('?').unwrap();
    let reply = client.send(hyper::Method::POST, path, &headers, form).await;
    assert!(
        reply.status.is_success() || reply.status.is_redirection(),
        "{}",
        reply.text()
    );
    counts(&local).await;
}
