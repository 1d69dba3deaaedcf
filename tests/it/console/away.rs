//! Where the database or the store is away, each page shows what works, or says calmly that it cannot be shown now.

use footfall::auth::revocation::Pass;
use serde_json::json;

use super::{counters::count, founder, operator};
use crate::support::{
    Redis, TestApp,
    people::{Place, on, postgres, send},
    postgres::{Database, Postgres},
    reader::{Reader, assert_is_page, attribute},
    until,
};

/// Pages that are there, with what they say.
type Said = (&'static str, u16, &'static str);

async fn assert_all(reader: &mut Reader, pages: &[Said]) {
    for (path, status, said) in pages {
        let page = reader.get(&format!("/console/{path}")).await;
        assert_eq!(page.status, *status, "{path}: {}", page.text());
        assert_is_page(&page, *status);
        let text = page.text();
        assert!(text.contains(said), "{path}: {text}");
        assert!(
            text.contains("Log out"),
            "{path} has its navigation: {text}"
        );
        assert_eq!(
            page.header("retry-after").is_some(),
            *status == 503,
            "{path}"
        );
    }
}

/// Two more visits, by who has logged in before.
async fn two_more(place: &Place, pass: &Pass) {
    for _ in 0..2 {
        let mut client = place.logged_in(0, pass);
        let (path, body) = ("/api/counters/visits", json!({}));
        let reply = send(&mut client, hyper::Method::POST, path, &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_numbers_go_on() {
    let mut server = Postgres::start();
    let place = on(&server, &[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    count(&place, "anna@a.example", "visits", &vec![json!({}); 3]).await;
    let pass = place.pass("anna@a.example").await;
    let body = json!({ "name": "Some", "filter": { "version": 1, "include": { "did": { "counter": "visits" } } } });
    let path = "/api/audiences";
    let made = send(
        &mut place.logged_in(0, &pass),
        hyper::Method::POST,
        path,
        &body,
    )
    .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let audience = format!("audiences/{}", made.json()["id"].as_str().unwrap());
    let person = format!("users/{}", pass.user);
    server.kill();
    for app in &place.replicas {
        app.metric_becomes("footfall_database_up", 0.0).await;
    }
    two_more(&place, &pass).await;

    let home = anna.get("/console/").await;
    assert_is_page(&home, 200);
    assert!(
        home.text()
            .contains("Recording is behind: the database does not answer."),
        "{}",
        home.text()
    );
    assert_eq!(attribute(&home, "data-live=\"*\"", "data-count"), "5");
    assert!(home.text().contains(">5</span>"), "{}", home.text());
    let calm = "database does not answer";
    let away = "Accounts and records are away";
    assert_all(
        &mut anna,
        &[
            ("counters", 200, calm),
            ("counters/visits", 200, calm),
            ("counters/visits?range=7d&tz=Asia/Tokyo", 200, calm),
            ("counters/visits/visits/1", 503, away),
            ("counters/visits/recording", 503, away),
            ("counters/none", 404, "Nothing here"),
            ("counters/+new", 200, "New counter"),
            ("audiences", 503, away),
            ("presets", 503, away),
            ("audiences/new", 200, "Whom this means"),
            ("users", 503, away),
            ("users?state=invited", 503, away),
            ("users/invite", 200, "Invite somebody"),
            ("write-keys", 503, away),
            ("tokens", 503, away),
            ("tokens/new", 200, "New API token"),
            ("audit", 503, away),
            ("company", 503, away),
            ("account", 503, away),
            ("sessions", 503, away),
        ],
    )
    .await;
    for path in [
        audience.clone(),
        format!("{audience}/edit"),
        format!("{audience}/members"),
        format!("{audience}/rename"),
        format!("{audience}/remove"),
        person.clone(),
        format!("{person}/remove"),
    ] {
        let page = anna.get(&format!("/console/{path}")).await;
        assert_is_page(&page, 503);
        assert!(page.text().contains(away), "{path}: {}", page.text());
    }
    for path in ["counters", "counters/visits"] {
        let page = anna.get(&format!("/console/{path}")).await;
        assert_eq!(
            attribute(&page, "data-live=\"visits\"", "data-count"),
            "5",
            "{path}"
        );
    }
    // A visit by the button is counted all the same.
    let sent = anna.submit("/console/counters/visits/count", &[]).await;
    assert_eq!(sent.status, 303, "{}", sent.text());

    server.restart();
    for app in &place.replicas {
        app.metric_becomes("footfall_database_up", 1.0).await;
    }
    until("all is recorded, and nothing needs attention", async || {
        let text = anna.get("/console/").await.text();
        (!text.contains("notice warn") && text.contains(">6</span>")).then_some(())
    })
    .await;
}

/// Home says which counter waits the longest, while its number goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_recorded_is_told() {
    let place = postgres(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    count(&place, "anna@a.example", "visits", &vec![json!({}); 3]).await;
    let pass = place.pass("anna@a.example").await;
    // No row can be written, as where a disk is full.
    place
        .as_owner("ALTER TABLE runs ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
        .await;
    two_more(&place, &pass).await;
    let home = until("home says that recording is behind", async || {
        let page = anna.get("/console/").await;
        assert_is_page(&page, 200);
        assert_eq!(attribute(&page, "data-live=\"*\"", "data-count"), "5");
        page.text()
            .contains("Recording is behind: 2 visits of visits wait")
            .then_some(page)
    })
    .await;
    assert!(
        home.text()
            .contains("href=\"./counters/visits\">Look at visits</a>")
    );
    let text = anna.get("/console/counters/visits").await.text();
    assert!(
        text.contains("5 counted = 3 recorded + 2 waiting"),
        "{text}"
    );
    place
        .as_owner("ALTER TABLE runs DROP CONSTRAINT full_disk")
        .await;
    until("nothing is behind", async || {
        let text = anna.get("/console/").await.text();
        (!text.contains("Recording is behind")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_what_is_in_the_database_is_shown() {
    let (mut redis, database) = (Redis::start(), Database::migrated());
    let builder = TestApp::builder().env("FOOTFALL_STORE_TIMEOUT", "500ms");
    let app = builder
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url())
        .start()
        .await;
    app.ready().await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let mut reader = operator(&app).await;
    let mut client = app.client().logged_in().await;
    for _ in 0..3 {
        assert_eq!(client.get("/api/count").await.status, 200);
    }
    let body = json!({ "name": "Some", "filter": { "version": 1, "include": { "did": { "counter": "visits" } } } });
    let made = client.post_json("/api/audiences", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    until("it is recorded", async || {
        let state = client.get("/api/counters/visits/recording").await.json();
        (state["through"] == 3).then_some(())
    })
    .await;
    redis.stop();
    app.metric_becomes("footfall_store_up", 0.0).await;
    let calm = "store of the counters does not answer";
    assert_all(
        &mut reader,
        &[
            ("", 200, calm),
            ("counters", 200, calm),
            ("counters?sort=today&q=vis", 200, calm),
            ("counters/visits", 200, calm),
            ("counters/+new", 200, "New counter"),
            ("audiences", 200, "Some"),
            ("presets", 200, "Presets"),
            ("audiences/new", 200, "Whom this means"),
            ("users", 200, "People"),
            ("users/invite", 200, "Invite somebody"),
            ("write-keys", 200, "Write keys"),
            ("tokens", 200, "API tokens"),
            ("audit", 200, "Audit trail"),
            ("company", 200, "Time zone"),
            ("companies", 200, "Companies"),
            ("account", 200, "Your account"),
            ("sessions", 200, "Sessions"),
            ("settings", 200, "Settings"),
        ],
    )
    .await;
    let path = format!("/console/audiences/{id}");
    for path in [
        path.clone(),
        format!("{path}?size=now"),
        format!("{path}/edit"),
        format!("{path}/members"),
    ] {
        let page = reader.get(&path).await;
        assert_is_page(&page, 200);
        assert!(page.text().contains("Some"), "{path}: {}", page.text());
    }
    // What must hold everywhere, or counts, is not acknowledged.
    for path in ["counters/visits/count", "counters/+new"] {
        let fields = [
            ("name", "other"),
            ("on", "on"),
            ("retention_days", "3"),
            ("visitor", "daily"),
        ];
        let page = reader.submit(&format!("/console/{path}"), &fields).await;
        assert_is_page(&page, 503);
        assert!(page.text().contains("Log out"), "{}", page.text());
    }
    redis.restart();
    app.ready().await;
    assert_all(&mut reader, &[("counters/visits", 200, "reconciles")]).await;
}
