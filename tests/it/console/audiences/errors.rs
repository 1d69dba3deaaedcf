//! What is not right, is not there, or does not answer.

use super::*;
use crate::support::{Redis, TestApp, people, postgres};

/// What is typed stays, and what is wrong stands beside it, with what may have been meant.
#[tokio::test]
async fn what_is_wrong_stands_beside_its_field() {
    let place = filled(Stage::sqlite().await).await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let new = "/console/audiences/new";
    let page = anna.get(new).await;
    let page = press(
        &mut anna,
        new,
        &page,
        &[("name", "A"), ("include.0.counter", "signup")],
        "add condition include.0",
    )
    .await;
    let page = press(
        &mut anna,
        new,
        &page,
        &[("include.0.where.0.value", "/a")],
        "add group include",
    )
    .await;
    let page = press(
        &mut anna,
        new,
        &page,
        &[("include.1.0.counter", "refund")],
        "look",
    )
    .await;
    assert_is_page(&page, 200);
    for (field, value, said) in [
        ("name", "", "must have 1 to 64 characters"),
        ("name", "a\u{202e}b", "visible characters"),
        ("include.0.counter", "", "Choose a counter."),
        ("include.0.counter", "Sign Up", "Did you mean `sign-up`?"),
        ("include.0.at_least", "x", "Expected a whole number."),
        ("include.0.at_most", "1001", "from 1 to 1000"),
        ("include.0.at_least", "0", "from 1 to 1000"),
        ("include.0.where.0.value", "", "Name at least one value"),
        (
            "include.1.0.counter",
            "\"><script>",
            "the name of a counter",
        ),
    ] {
        for button in ["look", "save", "save-preset"] {
            if field == "name" && button == "look" {
                continue;
            }
            let page = press(&mut anna, new, &page, &[(field, value)], button).await;
            assert_is_page(&page, 422);
            let id = field.replace(['.', '_'], "-");
            let text = page.text();
            let (_, error) = text
                .split_once(&format!("id=\"{id}-error\">"))
                .unwrap_or_else(|| panic!("{field} {value}: {text}"));
            assert!(
                error.split("</p>").next().unwrap().contains(said),
                "{field} {value}: {text}"
            );
            if button == "look" {
                // A script that asks while somebody types has not failed.
                let mut sent = fields(&page);
                sent.push(("by".to_owned(), "script".to_owned()));
                sent.push(("do".to_owned(), "look".to_owned()));
                let sent: Vec<_> = { &sent }
                    .iter()
                    .map(|(name, value)| (&**name, &**value))
                    .collect();
                let told = anna.submit_bare(new, &sent).await;
                assert_is_page(&told, 200);
                assert!(told.text().contains(&format!("id=\"{id}-error\">")));
            }
            assert!(
                field == "name" || text.contains(&format!("<a href=\"#{id}\">")),
                "{text}"
            );
            assert!(!text.contains("\"><script>"));
            let kept = fields(&page);
            assert_eq!(
                kept.iter().find(|(name, _)| name == field).unwrap().1,
                value
            );
            assert_eq!(
                kept.iter()
                    .find(|(name, _)| name == "include.1.0.at_least")
                    .unwrap()
                    .1,
                "1"
            );
        }
    }
    assert_eq!(place.get("/api/audiences").await["audiences"], json!([]));
    // What the API finds out only when it looks: by a rule that stands elsewhere in the canonical form.
    let gone = save(&place, "audiences", "Gone", &did("other")).await;
    let page = press(&mut anna, new, &page, &[], "add audience include").await;
    let chosen = press(
        &mut anna,
        new,
        &page,
        &[("include.2.audience", &gone)],
        "look",
    )
    .await;
    assert_is_page(&chosen, 200);
    let deleted = place
        .client()
        .delete(&format!("/api/audiences/{gone}"))
        .await;
    assert_eq!(deleted.status, 204);
    for button in ["look", "save"] {
        let page = press(&mut anna, new, &chosen, &[], button).await;
        assert_is_page(&page, 422);
        let text = page.text();
        assert!(
            text.contains("id=\"include-2-audience-error\"")
                && text.contains(&format!("not there: {gone}")),
            "{button}: {text}"
        );
    }
}

/// JSON is edited, taken over, and what the form cannot show stays JSON.
#[tokio::test]
async fn json_is_edited() {
    let place = filled(Stage::sqlite().await).await;
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let new = "/console/audiences/new";
    let page = anna.get(new).await;
    let strange = json!({ "version": 1, "include": { "any": [
        { "did": { "counter": "signup" } },
        { "visitor_property": "plan", "in": ["5", 5] },
    ] } });
    let taken = press(
        &mut anna,
        new,
        &page,
        &[("json", &strange.to_string())],
        "json",
    )
    .await;
    assert_is_page(&taken, 200);
    assert!(
        taken
            .text()
            .contains("The form has no fields for this, so it stays JSON.")
    );
    assert_eq!(shown(&taken), strange);
    assert!(fields(&taken).contains(&("include.0.counter".to_owned(), "signup".to_owned())));
    // What is wrong in it, stands there.
    let wrong = press(
        &mut anna,
        new,
        &taken,
        &[(
            "include.1.json",
            r#"{"visitor_property":"plan","contain":"x"}"#,
        )],
        "look",
    )
    .await;
    assert_is_page(&wrong, 422);
    assert!(
        wrong.text().contains("id=\"include-1-json-error\"")
            && wrong.text().contains("Did you mean `contains`?"),
        "{}",
        wrong.text()
    );
    let wrong = press(&mut anna, new, &taken, &[("include.1.json", "{")], "save").await;
    assert_is_page(&wrong, 422);
    assert!(wrong.text().contains("This is no JSON."));
    // Broken JSON takes nothing away.
    for (json, said) in [
        ("{", "parser says"),
        (
            "{\"version\":2,\"include\":{}}",
            "/version: Expected the number 1",
        ),
        ("[]", "a filter, which is an object"),
        ("{\"version\":1,\"includes\":{}}", "Did you mean `include`?"),
    ] {
        let page = press(&mut anna, new, &taken, &[("json", json)], "json").await;
        assert_is_page(&page, 422);
        let text = page.text();
        assert!(
            text.contains("id=\"json-error\"") && text.contains(said),
            "{json}: {text}"
        );
        let kept = fields(&page);
        assert!(kept.contains(&("json".to_owned(), json.to_owned())));
        assert!(kept.contains(&("include.0.counter".to_owned(), "signup".to_owned())));
        let back = press(&mut anna, new, &page, &[], "rules").await;
        assert_is_page(&back, 200);
        assert_eq!(shown(&back), strange);
    }
    // Both were changed: nothing is done before it is said which is meant.
    let both = [
        (
            "json",
            "{\"version\":1,\"include\":{\"did\":{\"counter\":\"refund\"}}}",
        ),
        ("include.0.counter", "other"),
        ("name", "B"),
    ];
    let page = press(&mut anna, new, &taken, &both, "save").await;
    assert_is_page(&page, 422);
    assert!(page.text().contains("You have changed both"));
    assert_eq!(place.get("/api/audiences").await["audiences"], json!([]));
    let page = press(&mut anna, new, &page, &[], "json").await;
    assert_is_page(&page, 200);
    let saved = press(&mut anna, new, &page, &[], "save").await;
    assert_eq!(saved.status, 303, "{}", saved.text());
    let saved = place.get("/api/audiences").await;
    assert_eq!(saved["audiences"][0]["filter"], did("refund"));
}

/// While the database is away pages say so, and what is being built is not lost; it is saved when it is back.
#[tokio::test]
async fn the_database_is_away() {
    let mut server = postgres::Postgres::start();
    let place = people::on(&server, &[]).await;
    let mut anna = super::super::founder(&place, "anna@a.example").await;
    let new = "/console/audiences/new";
    let page = anna.get(new).await;
    let page = press(
        &mut anna,
        new,
        &page,
        &[("name", "Kept"), ("include.0.counter", "signup")],
        "look",
    )
    .await;
    assert_is_page(&page, 200);
    server.stop();
    let app = &place.replicas[0];
    app.metric_becomes("footfall_database_up", 0.0).await;
    for path in [
        "/console/audiences",
        "/console/presets",
        "/console/audiences/019aa5b2-7d1e-7c11-9a55-3f1d0a4b6c8e",
    ] {
        let away = anna.get(path).await;
        assert_is_page(&away, 503);
        assert!(
            away.text().contains("Visits are counted all the same"),
            "{}",
            away.text()
        );
    }
    // A blank one needs nothing of the database.
    assert_is_page(&anna.get(new).await, 200);
    for (button, said) in [
        ("look", "nobody can be counted now"),
        ("save", "Not saved."),
    ] {
        let away = press(&mut anna, new, &page, &[], button).await;
        assert_is_page(&away, 503);
        assert!(away.header("retry-after").is_some());
        let text = away.text();
        assert!(text.contains(said), "{text}");
        let kept = fields(&away);
        assert!(kept.contains(&("name".to_owned(), "Kept".to_owned())));
        assert!(kept.contains(&("include.0.counter".to_owned(), "signup".to_owned())));
    }
    let more = press(&mut anna, new, &page, &[], "add did include").await;
    assert_is_page(&more, 200);
    server.restart();
    app.metric_becomes("footfall_database_up", 1.0).await;
    let saved = press(&mut anna, new, &page, &[], "save").await;
    assert_eq!(saved.status, 303, "{}", saved.text());
}

/// A question that takes the database too long is no error page: it says what to ask instead.
#[tokio::test]
async fn a_question_is_too_slow() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let app = TestApp::builder()
        .env("FOOTFALL_PUBLIC_URL", "http://footfall.example")
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url());
    let app = app.start().await;
    app.ready().await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    let stage = Stage {
        app,
        kind: "postgres",
        servers: None,
    };
    let place = Place::on(stage).await;
    let carried = (0..1000)
        .map(|number| to("/", Some(&format!("=v{number}"))))
        .collect();
    place
        .append("a", 0, &[carrying(1000, at(NOON), carried)])
        .await;
    let filter = json!({ "version": 1, "include": { "did": { "counter": "a", "where": [{ "property": "n", "missing": true }] } } });
    let id = save(&place, "audiences", "Slow", &filter).await;
    database.sql("CREATE POLICY slow ON visits AS RESTRICTIVE USING (pg_sleep(0.1) IS NOT NULL)");
    let mut anna = signed_in(&place.stage, &place.anna).await;
    let mut other = anna.tab(place.stage.app.client());
    let edit = format!("/console/audiences/{id}/edit");
    let page = anna.get(&edit).await;
    let counted = format!("/console/audiences/{id}?size=now");
    let (size, look) = tokio::join!(
        other.get(&counted),
        press(&mut anna, &edit, &page, &[], "look")
    );
    for page in [size, look] {
        assert_is_page(&page, 503);
        let text = page.text();
        assert!(
            text.contains("Ask for a shorter time") && text.contains("Slow"),
            "{text}"
        );
        assert!(
            text.contains("where property &#34;n&#34; is missing"),
            "{text}"
        );
    }
    drop((database, redis));
}
