//! `/console/`: what is going on, and what to do first.

use serde_json::json;

use super::{counters::count, founder, operator};
use crate::support::{
    Redis, TestApp,
    people::{PASSWORD, both, sqlite},
    reader::{Reader, assert_is_page, attribute},
    until,
};

#[tokio::test]
async fn who_is_new_is_told_how_to_count() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    let headers = [
        ("host", "count.example:8443"),
        ("x-forwarded-proto", "https"),
    ];
    let page = anna
        .send(hyper::Method::GET, "/console/", &headers, "")
        .await;
    assert_is_page(&page, 200);
    let text = page.text();
    for expected in [
        "Count your first visit",
        "https://count.example:8443/api/counters/visits",
        "https://count.example:8443/footfall.js",
        "href=\"./tokens/new\"",
        "href=\"./write-keys/new\"",
        "Count the first visit",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // The third way, and what is seen then.
    let action = attribute(&page, "/count\"", "action");
    assert_eq!(action, "./counters/visits/count");
    let sent = anna.submit("/console/counters/visits/count", &[]).await;
    assert_eq!(sent.status, 303);
    let text = anna.get("/console/").await.text();
    assert!(
        !text.contains("Count your first visit") && text.contains("Counters that move"),
        "{text}"
    );
    assert!(
        text.contains("data-live=\"*\" data-count=\"1\" data-minus=\"0\""),
        "{text}"
    );
}

/// A viewer can make neither token, key nor visit, and is told whom to ask.
#[tokio::test]
async fn a_viewer_is_told_whom_to_ask() {
    let place = sqlite(&[]).await;
    founder(&place, "anna@a.example").await;
    place.change("UPDATE users SET role = 'viewer', generation = generation + 1 WHERE email_key = 'anna@a.example'").await;
    let mut viewer = Reader::new(place.client())
        .log_in("anna@a.example", PASSWORD)
        .await;
    let text = viewer.get("/console/").await.text();
    assert!(
        text.contains("Ask a member") && text.contains("Ask an admin"),
        "{text}"
    );
    assert!(
        !text.contains("tokens/new") && !text.contains("<button class=\"main\">"),
        "{text}"
    );
}

/// Today beside yesterday and last week, by the marks of the record.
#[tokio::test]
async fn today_stands_beside_other_days() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        count(&place, "anna@a.example", "visits", &vec![json!({}); 10]).await;
        count(&place, "anna@a.example", "other", &[json!({})]).await;
        // As if 6 had come before midnight a day ago, of which 4 by this time, and 2 of them a week ago.
        let now = jiff::Timestamp::now().as_second().div_euclid(60);
        let midnight = now.div_euclid(1440) * 1440;
        let of = "SELECT company_id, id";
        let from = "FROM recordings WHERE counter = 'visits'";
        for (minute, number) in [
            (midnight - 7 * 1440, 2),
            (midnight - 1440, 4),
            (midnight - 1, 6),
        ] {
            place
                .change(&format!("INSERT INTO marks (company_id, recording_id, minute, number) {of}, {minute}, {number} {from}"))
                .await;
        }
        let page = anna.get("/console/").await;
        assert_is_page(&page, 200);
        let text = page.text();
        // 10 less the 6 of before, and 1.
        assert!(
            text.contains("data-minus=\"6\" data-until"),
            "{}: {text}",
            place.kind
        );
        assert!(text.contains(">5</span>"), "{}: {text}", place.kind);
        assert!(
            text.contains("Yesterday by") && text.contains("in the whole day"),
            "{text}"
        );
        assert!(text.contains("In the last hour"), "{text}");
        let moving = text.find(">visits</a>").unwrap();
        assert!(moving < text.find(">other</a>").unwrap(), "the most first");
        // What was before midnight is known by now; what comes is seen all the same, also on a counter that is new.
        count(&place, "anna@a.example", "visits", &[json!({})]).await;
        count(&place, "anna@a.example", "new", &[json!({})]).await;
        let text = anna.get("/console/").await.text();
        assert!(
            text.contains("data-minus=\"6\" data-until") && text.contains(">7</span>"),
            "{}: {text}",
            place.kind
        );
        assert!(text.contains(">new</a>"), "{}: {text}", place.kind);
    }
}

/// Mails that failed are for who may look at people.
#[tokio::test]
async fn mails_that_failed_are_told_to_admins() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    count(&place, "anna@a.example", "visits", &[json!({})]).await;
    assert!(
        !anna
            .get("/console/")
            .await
            .text()
            .contains("could not be sent")
    );
    let company = "(SELECT company_id FROM users WHERE email_key = 'anna@a.example')";
    let now = jiff::Timestamp::now().as_millisecond();
    for id in ["0", "1"] {
        let columns = "id, company_id, recipient, template, state, tries, created_at, due_at, finished_at, reason";
        let id = id.repeat(32);
        place.change(&format!("INSERT INTO mails ({columns}) VALUES (X'{id}', {company}, '', '', 'failed', 1, {now}, {now}, {now}, 'refused')")).await;
    }
    let text = anna.get("/console/").await.text();
    assert!(
        text.contains("2 mails could not be sent in the last week."),
        "{text}"
    );
    place.change("UPDATE users SET role = 'member', generation = generation + 1 WHERE email_key = 'anna@a.example'").await;
    let mut member = Reader::new(place.client())
        .log_in("anna@a.example", PASSWORD)
        .await;
    let text = member.get("/console/").await.text();
    assert!(!text.contains("could not be sent"), "{text}");
    let mut eve = founder(&place, "eve@e.example").await;
    assert!(
        !eve.get("/console/")
            .await
            .text()
            .contains("could not be sent")
    );
}

/// With the store away, what was recorded is shown, and said to be.
#[tokio::test]
async fn a_store_that_is_away_leaves_what_was_recorded() {
    let (mut redis, database) = (
        Redis::start(),
        crate::support::postgres::Database::migrated(),
    );
    let builder = TestApp::builder().env("FOOTFALL_STORE_TIMEOUT", "500ms");
    let app = builder
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url())
        .start()
        .await;
    app.ready().await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let mut reader = operator(&app).await;
    let token = app.token().await;
    let mut client = app.client().with_token(&token);
    for _ in 0..3 {
        assert_eq!(client.get("/api/count").await.status, 200);
    }
    until("it is recorded", async || {
        let state = client.get("/api/counters/visits/recording").await.json();
        (state["through"] == 3).then_some(())
    })
    .await;
    redis.stop();
    for path in ["/console/", "/console/counters", "/console/counters/visits"] {
        let page = until("the page is there", async || {
            let page = reader.get(path).await;
            page.text()
                .contains("store of the counters does not answer")
                .then_some(page)
        })
        .await;
        assert_is_page(&page, 200);
        assert!(page.text().contains(">3</span>"), "{path}: {}", page.text());
    }
    let page = reader.submit("/console/counters/visits/count", &[]).await;
    assert_is_page(&page, 503);
    redis.restart();
    app.ready().await;
    assert_is_page(&reader.get("/console/").await, 200);
}
