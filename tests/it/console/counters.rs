//! The pages of counters: the list, each by itself, its visits, and what is recorded of it.

use serde_json::json;

use super::{form_id, founder, operator};
use crate::support::{
    TestApp,
    people::{PASSWORD, Place, both, send, sqlite},
    reader::{Reader, assert_is_page, attribute},
    until,
};

/// Counts visits of the founder's company that carry this.
pub async fn count(place: &Place, email: &str, counter: &str, bodies: &[serde_json::Value]) {
    let pass = place.pass(email).await;
    let mut client = place.logged_in(0, &pass);
    for body in bodies {
        let path = format!("/api/counters/{counter}");
        let reply = send(&mut client, hyper::Method::POST, &path, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    // Where a drain records them, that takes a moment.
    let mut client = place.logged_in(0, &pass);
    until("all is recorded", async || {
        let path = format!("/api/counters/{counter}/recording");
        let state = client.get(&path).await.json();
        (state["count"] == state["through"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_counter_is_made_counted_on_and_read() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        let page = anna.get("/console/counters").await;
        assert_is_page(&page, 200);
        assert!(page.text().contains("Nothing is counted yet"));
        let page = anna.get("/console/counters/+new").await;
        assert_is_page(&page, 200);
        let id = form_id(&page);
        let fields = [
            ("form_id", id.as_str()),
            ("name", "signup.page"),
            ("on", "on"),
            ("retention_days", "30"),
            ("visitor", "daily"),
        ];
        // Pressed twice it is one.
        for done in ["counter-made", "counter-made"] {
            let sent = anna.submit("/console/counters/+new", &fields).await;
            let to = Reader::location(&sent, "/console/counters/+new");
            assert_eq!(to, format!("/console/counters/signup.page?done={done}"));
        }
        let page = anna.get("/console/counters/signup.page").await;
        assert_is_page(&page, 200);
        let text = page.text();
        assert!(
            text.contains("reconciles") && text.contains("kept for 30 days"),
            "{text}"
        );
        assert!(
            text.contains("0 counted = 0 recorded + 0 waiting"),
            "{text}"
        );
        let list = anna.get("/console/counters").await.text();
        assert!(list.contains(">signup.page</a>"), "{list}");

        let id = form_id(&page);
        for _ in 0..2 {
            let path = "/console/counters/signup.page/count";
            let sent = anna.submit(path, &[("form_id", &id)]).await;
            let to = Reader::location(&sent, path);
            assert_eq!(to, "/console/counters/signup.page?done=counted");
        }
        let shown = async || {
            let text = anna.get("/console/counters/signup.page").await.text();
            text.contains("1 counted = 1 recorded + 0 waiting")
                .then_some(text)
        };
        let text = until("it is recorded", shown).await;
        assert!(
            text.contains("1 visit from") || text.contains("1 visit in"),
            "{text}"
        );
        // Whoever makes one of this name is led to it, and changes nothing.
        let sent = anna.submit("/console/counters/+new", &fields).await;
        let to = Reader::location(&sent, "/console/counters/+new");
        assert_eq!(to, "/console/counters/signup.page?done=counter-there");
        // The form was sent after a session was lost: its reader comes back to look.
        let back = anna.get("/console/counters/signup.page/count").await;
        let to = Reader::location(&back, "/console/counters/signup.page/count");
        assert_eq!(to, "/console/counters/signup.page");
        assert_is_page(&anna.get("/console/counters/other").await, 404);
        assert_is_page(&anna.get("/console/counters/NOT%20A%20NAME").await, 400);
    }
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    count(&place, "anna@a.example", "visits", &[json!({})]).await;
    for (path, fields, wrong) in [
        (
            "+new",
            [
                ("name", "No Name"),
                ("retention_days", "400"),
                ("visitor", "hashed"),
            ],
            "name",
        ),
        (
            "+new",
            [
                ("name", ""),
                ("retention_days", "400"),
                ("visitor", "hashed"),
            ],
            "name",
        ),
        (
            "+new",
            [
                ("name", "a"),
                ("retention_days", "0"),
                ("visitor", "hashed"),
            ],
            "retention_days",
        ),
        (
            "+new",
            [
                ("name", "a"),
                ("retention_days", "3651"),
                ("visitor", "hashed"),
            ],
            "retention_days",
        ),
        (
            "+new",
            [
                ("name", "a"),
                ("retention_days", "many"),
                ("visitor", "hashed"),
            ],
            "retention_days",
        ),
        (
            "+new",
            [
                ("name", "a"),
                ("retention_days", "400"),
                ("visitor", "naked"),
            ],
            "visitor",
        ),
        (
            "visits/recording",
            [("name", ""), ("retention_days", "-1"), ("visitor", "given")],
            "retention_days",
        ),
        (
            "visits/recording",
            [("name", ""), ("retention_days", ""), ("visitor", "given")],
            "retention_days",
        ),
        (
            "visits/recording",
            [("name", ""), ("retention_days", "1"), ("visitor", "")],
            "visitor",
        ),
    ] {
        let page = anna
            .submit(&format!("/console/counters/{path}"), &fields)
            .await;
        let status = if wrong == "name" { 400 } else { 422 };
        assert_is_page(&page, status);
        let text = page.text();
        let id = wrong.replace('_', "-");
        assert!(
            text.contains(&format!("id=\"{id}-error\"")),
            "{wrong}: {text}"
        );
        assert_eq!(
            attribute(&page, "name=\"retention_days\"", "value"),
            fields[1].1
        );
        if path == "+new" {
            assert_eq!(attribute(&page, "name=\"name\"", "value"), fields[0].1);
        }
    }
    for bad in [
        "0",
        "-1",
        "x",
        "1.5",
        "18446744073709551616",
        "%22%3E%3Cscript%3E",
    ] {
        let page = anna
            .get(&format!("/console/counters/visits/visits?number={bad}"))
            .await;
        assert_is_page(&page, 422);
        assert!(page.text().contains("id=\"number-error\""), "{bad}");
        assert!(!page.text().contains("<script>"), "{bad}");
    }
    let found = anna
        .get("/console/counters/visits/visits?number=+1,234+")
        .await;
    let to = Reader::location(&found, "/console/counters/visits/visits");
    assert_eq!(to, "/console/counters/visits/visits/1234");
}

#[tokio::test]
async fn recording_is_changed_and_a_gap_says_why() {
    for place in both(&[]).await {
        let mut anna = founder(&place, "anna@a.example").await;
        count(
            &place,
            "anna@a.example",
            "visits",
            &[json!({ "path": "/first" })],
        )
        .await;
        let path = "/console/counters/visits/recording";
        let page = anna.get(path).await;
        assert_is_page(&page, 200);
        assert_eq!(attribute(&page, "name=\"retention_days\"", "value"), "400");
        assert!(page.text().contains("name=\"on\" value=\"on\" checked"));
        // A box that is not ticked is not sent.
        let off = [("retention_days", "7"), ("visitor", "given")];
        let sent = anna.submit(path, &off).await;
        let to = Reader::location(&sent, path);
        assert_eq!(to, "/console/counters/visits?done=recording-changed");
        assert!(anna.get(&to).await.text().contains("Saved."));
        let pass = place.pass("anna@a.example").await;
        let mut client = place.logged_in(0, &pass);
        for _ in 0..3 {
            let reply = client
                .send(hyper::Method::POST, "/api/counters/visits", &[], "")
                .await;
            assert_eq!(reply.status, 200);
        }
        let text = anna.get("/console/counters/visits").await.text();
        assert!(text.contains("+ 3 not recorded"), "{}: {text}", place.kind);
        assert!(
            text.contains("Visits 2 to 4 were counted while recording was off."),
            "{text}"
        );
        let list = anna.get("/console/counters").await.text();
        assert!(list.contains("not recorded"), "{list}");
        let page = anna.get("/console/counters/visits/visits/3").await;
        assert_is_page(&page, 200);
        assert!(
            page.text()
                .contains("Visit 3 was counted while recording was off.")
        );
        let page = anna.get("/console/counters/visits/visits/1").await;
        assert!(page.text().contains("/first") && page.text().contains("rel=\"next\""));
        for nothing in ["0", "5", "x", "18446744073709551616"] {
            let page = anna
                .get(&format!("/console/counters/visits/visits/{nothing}"))
                .await;
            assert_is_page(&page, 404);
        }
    }
}

/// Who may not is shown no button, and told so who tries all the same.
#[tokio::test]
async fn each_role_does_what_it_may() {
    let place = sqlite(&[]).await;
    founder(&place, "anna@a.example").await;
    count(
        &place,
        "anna@a.example",
        "visits",
        &[json!({ "path": "/a" })],
    )
    .await;
    for (role, counts, changes) in [
        ("viewer", false, false),
        ("member", true, false),
        ("admin", true, true),
    ] {
        place.change(&format!("UPDATE users SET role = '{role}', generation = generation + 1 WHERE email_key = 'anna@a.example'")).await;
        let mut reader = Reader::new(place.client())
            .log_in("anna@a.example", PASSWORD)
            .await;
        let list = reader.get("/console/counters").await;
        assert_is_page(&list, 200);
        assert_eq!(list.text().contains("New counter"), counts, "{role}");
        let page = reader.get("/console/counters/visits").await;
        assert_is_page(&page, 200);
        assert_eq!(page.text().contains("Count a visit"), counts, "{role}");
        assert_eq!(page.text().contains(">Recording</a>"), changes, "{role}");
        assert_is_page(&reader.get("/console/counters/visits/visits/1").await, 200);
        let status = |may| if may { 200 } else { 403 };
        assert_is_page(&reader.get("/console/counters/+new").await, status(counts));
        assert_is_page(
            &reader.get("/console/counters/visits/recording").await,
            status(changes),
        );
        let status = |may| if may { 303 } else { 403 };
        let sent = reader.submit("/console/counters/visits/count", &[]).await;
        assert_eq!(sent.status, status(counts), "{role}");
        let fields = [("on", "on"), ("retention_days", "9"), ("visitor", "hashed")];
        let sent = reader
            .submit("/console/counters/visits/recording", &fields)
            .await;
        assert_eq!(sent.status, status(changes), "{role}");
        let fields = [
            ("name", format!("of.{role}")),
            ("retention_days", "8".to_owned()),
            ("visitor", "hashed".to_owned()),
        ];
        let fields = fields
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let sent = reader.submit("/console/counters/+new", &fields).await;
        assert_eq!(sent.status, status(counts), "{role}");
    }
    // A member's is there by its first visit, an admin's before.
    let text = Reader::new(place.client())
        .log_in("anna@a.example", PASSWORD)
        .await
        .get("/console/counters")
        .await
        .text();
    assert!(
        text.contains("data-live=\"of.member\" data-count=\"1\""),
        "{text}"
    );
    assert!(
        text.contains("data-live=\"of.admin\" data-count=\"0\""),
        "{text}"
    );
}

/// What is of another company is not there.
#[tokio::test]
async fn counters_of_others_are_not_seen() {
    let place = sqlite(&[]).await;
    let mut anna = founder(&place, "anna@a.example").await;
    founder(&place, "eve@e.example").await;
    count(
        &place,
        "eve@e.example",
        "secret",
        &[json!({ "path": "/hidden" })],
    )
    .await;
    assert!(
        !anna
            .get("/console/counters")
            .await
            .text()
            .contains("secret")
    );
    assert!(!anna.get("/console/").await.text().contains("secret"));
    for path in ["secret", "secret/recording", "secret/visits/1"] {
        assert_is_page(&anna.get(&format!("/console/counters/{path}")).await, 404);
    }
}

/// Without a database the console shows what there is: numbers.
#[tokio::test]
async fn without_a_database_numbers_are_shown() {
    let redis = crate::support::Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    app.ready().await;
    let mut reader = operator(&app).await;
    let page = reader.get("/console/").await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("Count your first visit"));
    let page = reader.get("/console/counters/+new").await;
    assert_is_page(&page, 200);
    assert!(
        page.text().contains("Count the first visit") && !page.text().contains("retention_days")
    );
    let sent = reader
        .submit("/console/counters/+new", &[("name", "plain")])
        .await;
    let to = Reader::location(&sent, "/console/counters/+new");
    assert_eq!(to, "/console/counters/plain?done=counter-made");
    let page = reader.get(&to).await;
    assert_is_page(&page, 200);
    assert!(
        page.text().contains("This Footfall has no database"),
        "{}",
        page.text()
    );
    let page = reader.get("/console/counters").await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("data-live=\"plain\"") && !page.text().contains("Last 24 hours"));
    let page = reader.get("/console/").await;
    assert_is_page(&page, 200);
    assert!(page.text().contains("All visits"), "{}", page.text());
}
