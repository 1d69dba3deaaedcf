//! `footfall demo`: visits that nobody made, to look at.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::support::{
    Client, TestApp,
    footfall::{SECRET_KEY, footfall_command},
    process::run,
    reader::{Reader, assert_is_page},
};

const PASSWORD: &str = "nobody walked through this door";

fn command(folder: &Path) -> Command {
    let mut command = footfall_command();
    command
        .args(["demo", "--days", "2"])
        .env("SECRET_KEY", SECRET_KEY)
        .env("FOOTFALL_DATA_DIR", folder.join("data"));
    command
}

/// Whether it ended well, and what it said.
fn said(command: &mut Command) -> (bool, String) {
    let output = run(command);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

async fn counters(client: &mut Client) -> Vec<(String, u64)> {
    let page = client.get("/api/counters").await.json();
    let counters = page["counters"].as_array().unwrap().iter();
    let one = |counter: &Value| {
        let name = counter["name"].as_str().unwrap().to_owned();
        (name, counter["visits"].as_u64().unwrap())
    };
    counters.map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_made_up_and_reconciles() {
    let folder = tempfile::tempdir().unwrap();
    let (done, text) = said(&mut command(folder.path()));
    assert!(done, "{text}");
    for name in ["ada", "max", "vera"] {
        assert!(text.contains(&format!("{name}@demo.example")), "{text}");
    }
    assert!(
        text.contains(PASSWORD) && text.contains("./start.sh local"),
        "{text}"
    );

    let app = TestApp::builder().directory(folder.path()).start().await;
    let mut ada = Reader::new(app.client())
        .log_in("ada@demo.example", PASSWORD)
        .await;
    let page = ada.get("/console/users").await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("vera@demo.example"));
    let token = app
        .client()
        .login("ada@demo.example", PASSWORD)
        .await
        .json();
    let mut client = app.client().with_token(token["token"].as_str().unwrap());
    let all = counters(&mut client).await;
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["downloads", "orders", "shop.door", "signups", "visits"]
    );
    for (name, count) in &all {
        assert!(*count > 0, "{name}");
        assert!(text.contains(&format!("{count:>7}  {name}")), "{text}");
        // Each is recorded, in the order of its number, and none is later than now.
        let recording = client
            .get(&format!("/api/counters/{name}/recording"))
            .await
            .json();
        assert_eq!(recording["count"].as_u64(), Some(*count), "{recording}");
        assert_eq!(recording["through"].as_u64(), Some(*count), "{recording}");
    }
    let visits = client.get("/api/counters/visits/values?field=path").await;
    assert!(visits.text().contains("/pricing"), "{}", visits.text());
    for (path, list) in [("audiences", "audiences"), ("presets", "presets")] {
        let saved = client.get(&format!("/api/{path}")).await.json();
        assert_eq!(saved[list].as_array().unwrap().len(), 2, "{saved}");
    }
    // Again: nobody and nothing is there twice.
    let (done, text) = said(&mut command(folder.path()));
    assert!(done, "{text}");
    let after = counters(&mut client).await;
    for ((name, before), (_, after)) in all.iter().zip(&after) {
        assert!(
            after >= before && *after < before + 100,
            "{name}: {before} {after}"
        );
    }
    let saved = client.get("/api/audiences").await.json();
    assert_eq!(saved["audiences"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_count_it_makes_nothing_up() {
    for (name, value, why) in [
        (
            "FOOTFALL_ENV",
            "production",
            "made-up visits are not for it",
        ),
        ("REDIS_URL", "redis://127.0.0.1:1", "counted in Redis here"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path());
        command
            .env(name, value)
            .env("FOOTFALL_ADMIN_PASSWORD", "stapling nine damp envelopes")
            .env("FOOTFALL_PUBLIC_URL", "https://footfall.example")
            .env("FOOTFALL_REGISTRATION", "closed");
        let (done, text) = said(&mut command);
        assert!(!done && text.contains(why), "{text}");
        assert!(!folder.path().join("data/footfall.db").exists());
    }
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::builder().directory(folder.path()).start().await;
    let mut client = app.client().logged_in().await;
    assert_eq!(client.post("/api/counters/mine").await.status, 200);
    let (done, text) = said(&mut command(folder.path()));
    assert!(!done && text.contains("somebody made (mine: 1)"), "{text}");
    let body = r#"{"name":"Demo","email":"x@y.example"}"#;
    let folder = tempfile::tempdir().unwrap();
    let app = TestApp::builder().directory(folder.path()).start().await;
    let mut client = app.client().logged_in().await;
    assert_eq!(client.post_json("/api/companies", body).await.status, 201);
    let (done, text) = said(&mut command(folder.path()));
    assert!(!done && text.contains("somebody else's company"), "{text}");
    assert_eq!(
        client.get("/api/counters").await.json()["counters"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}
