//! The same of audiences and presets, over HTTP.

use std::fs;

use hyper::Method;
use serde_json::{Value, json};

use super::{Company, FORGOTTEN, rows_of};
use crate::support::{Footfall, Redis, Reply, postgres, until};

/// What a company has of its own.
struct Filters {
    /// Who came to `a`.
    common: String,
    /// Named after the company.
    only: String,
    preset: String,
}

fn did(counter: &str) -> Value {
    json!({ "version": 1, "include": { "did": { "counter": counter } } })
}

fn within(audience: &str) -> Value {
    json!({ "version": 1, "include": { "audience": audience } })
}

impl Company {
    async fn ask(&mut self, method: Method, path: &str, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        match body {
            Value::Null => self.client.send(method, path, &[], "").await,
            body => {
                self.client
                    .send(method, path, &json, body.to_string())
                    .await
            }
        }
    }

    async fn save(&mut self, list: &str, body: &Value) -> String {
        let reply = self.ask(Method::POST, list, body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    /// Two audiences, one of the first of them, a preset of it, and so many visitors of it.
    async fn filled(&mut self, name: &str, visitors: u16) -> Filters {
        for number in 0..visitors {
            let visit = json!({ "visitor": format!("{name} {number}") });
            let counted = self.ask(Method::POST, "/api/counters/a", &visit).await;
            counted.visits();
        }
        let audiences = "/api/audiences";
        let body = json!({ "name": "common", "filter": did("a") });
        let common = self.save(audiences, &body).await;
        let body = json!({ "name": format!("only {name}"), "filter": did(name) });
        let only = self.save(audiences, &body).await;
        let body = json!({ "name": "of common", "filter": within(&common) });
        self.save(audiences, &body).await;
        let body =
            json!({ "preset_name": format!("of {name}"), "preset_filter_json": within(&common) });
        let preset = self.save("/api/presets", &body).await;
        let size = format!("{audiences}/{common}/size");
        until("all visits are recorded", async || {
            let size = self.client.get(&size).await.json();
            (size["size"] == visitors).then_some(())
        })
        .await;
        Filters {
            common,
            only,
            preset,
        }
    }
}

fn number(value: usize) -> u16 {
    value.try_into().unwrap()
}

fn length(value: &Value) -> u16 {
    number(value.as_array().unwrap_or_else(|| panic!("{value}")).len())
}

/// What a company sees of its own while no statement says whose rows it is about.
async fn own(ours: &mut Company, own: &Filters) -> Vec<(&'static str, u16)> {
    let mut seen = Vec::new();
    let listed = ours.client.get("/api/audiences").await.json();
    seen.push(("audiences", length(&listed["audiences"])));
    let listed = ours.client.get("/api/presets").await.json();
    seen.push(("presets", length(&listed["presets"])));
    let path = format!("/api/audiences/{}", own.common);
    let size = ours.client.get(&format!("{path}/size")).await.json();
    seen.push(("size", size["size"].as_u64().unwrap().try_into().unwrap()));
    let members = ours.client.get(&format!("{path}/members")).await.text();
    seen.push(("members", number(members.lines().count())));
    let built = ours
        .ask(Method::POST, "/api/build-audience", &did("a"))
        .await
        .json();
    seen.push(("sample", length(&built["sample"])));
    let used = ours.client.delete(&path).await;
    assert_eq!(used.problem(), "audience_in_use");
    seen.push(("used by", length(&used.json()["used_by"])));
    seen
}

/// What it gets of another's, and of what is equal there.
async fn of_theirs(ours: &mut Company, theirs: &Filters) -> Vec<(&'static str, u16)> {
    let (audience, preset) = (
        format!("/api/audiences/{}", theirs.only),
        format!("/api/presets/{}", theirs.preset),
    );
    let nothing = Value::Null;
    let put_audience = json!({ "name": "mine", "filter": did("mine") });
    let put_preset = json!({ "preset_name": "mine", "preset_filter_json": did("mine") });
    let (audiences, presets) = ("/api/audiences".to_owned(), "/api/presets".to_owned());
    let mut seen = Vec::new();
    for (what, method, path, body) in [
        ("audience", Method::GET, audience.clone(), nothing.clone()),
        (
            "its size",
            Method::GET,
            format!("{audience}/size"),
            nothing.clone(),
        ),
        (
            "its members",
            Method::GET,
            format!("{audience}/members"),
            nothing.clone(),
        ),
        ("preset", Method::GET, preset.clone(), nothing.clone()),
        (
            "refer",
            Method::POST,
            "/api/build-audience".to_owned(),
            within(&theirs.only),
        ),
        (
            "refer for good",
            Method::POST,
            presets.clone(),
            json!({ "preset_name": "r", "preset_filter_json": within(&theirs.only) }),
        ),
        // Names and filters are taken in a company alone.
        (
            "name",
            Method::POST,
            audiences.clone(),
            json!({ "name": "only theirs", "filter": did("x") }),
        ),
        (
            "filter",
            Method::POST,
            audiences,
            json!({ "name": "y", "filter": did("theirs") }),
        ),
        (
            "preset's name",
            Method::POST,
            presets.clone(),
            json!({ "preset_name": "of theirs", "preset_filter_json": did("x") }),
        ),
        (
            "preset's filter",
            Method::POST,
            presets,
            json!({ "preset_name": "y", "preset_filter_json": within(&theirs.common) }),
        ),
        ("change", Method::PUT, audience.clone(), put_audience),
        ("change preset", Method::PUT, preset.clone(), put_preset),
        ("delete preset", Method::DELETE, preset, nothing.clone()),
        ("delete", Method::DELETE, audience, nothing),
    ] {
        let reply = ours.ask(method, &path, &body).await;
        seen.push((what, reply.status.as_u16()));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_refuses_what_a_statement_forgets() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let faults = tempfile::tempdir().unwrap();
    let environment = [("REDIS_URL", redis.url()), ("DATABASE_URL", database.url())];
    let builder = Footfall::builder().env("TEST_FAULTS", faults.path().display());
    let builder = environment
        .iter()
        .fold(builder, |builder, (name, value)| builder.env(name, value));
    let footfall = builder.start();
    footfall.ready().await;
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    footfall.metric_becomes("footfall_collect_salts", 2.0).await;
    let mut ours = Company::new(&footfall, &environment, "ours").await;
    let mut theirs = Company::new(&footfall, &environment, "theirs").await;
    let (mine, others) = (
        ours.filled("ours", 1).await,
        theirs.filled("theirs", 2).await,
    );
    until("all mails are sent", async || {
        (database.sql("SELECT count(*) FROM mails WHERE state = 'waiting'") == "0").then_some(())
    })
    .await;
    let before = rows_of(&database, "theirs");
    fs::write(faults.path().join(FORGOTTEN), "").unwrap();
    let seen = own(&mut ours, &mine).await;
    let got = of_theirs(&mut ours, &others).await;
    fs::remove_file(faults.path().join(FORGOTTEN)).unwrap();
    let expected = [
        ("audiences", 3),
        ("presets", 1),
        ("size", 1),
        ("members", 1),
        ("sample", 1),
        ("used by", 2),
    ];
    assert_eq!(seen, expected);
    let expected = [
        ("audience", 404),
        ("its size", 404),
        ("its members", 404),
        ("preset", 404),
        ("refer", 422),
        ("refer for good", 422),
        ("name", 201),
        ("filter", 201),
        ("preset's name", 201),
        ("preset's filter", 422),
        ("change", 404),
        ("change preset", 404),
        ("delete preset", 404),
        ("delete", 404),
    ];
    assert_eq!(got, expected);
    assert_eq!(rows_of(&database, "theirs"), before);
}

/// That the conditions are really gone.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_conditions_sqlite_shows_all() {
    let (faults, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let environment = [("FOOTFALL_DATA_DIR", data.path().display().to_string())];
    let builder = Footfall::builder().env("TEST_FAULTS", faults.path().display());
    let footfall = builder
        .env("FOOTFALL_DATA_DIR", data.path().display())
        .start();
    footfall.ready().await;
    footfall.metric_becomes("footfall_collect_salts", 2.0).await;
    let mut ours = Company::new(&footfall, &environment, "ours").await;
    let mut theirs = Company::new(&footfall, &environment, "theirs").await;
    let (mine, others) = (
        ours.filled("ours", 1).await,
        theirs.filled("theirs", 2).await,
    );
    fs::write(faults.path().join(FORGOTTEN), "").unwrap();
    let seen = own(&mut ours, &mine).await;
    let got = of_theirs(&mut ours, &others).await;
    let of = |what: &str| seen.iter().find(|(name, _)| *name == what).unwrap().1;
    for (what, own) in [("audiences", 3), ("presets", 1)] {
        assert!(of(what) > own, "{what} {seen:?}");
    }
    let got_of = |what: &str| got.iter().find(|(name, _)| *name == what).unwrap().1;
    for (what, expected) in [
        ("audience", 200),
        ("its size", 200),
        ("preset", 200),
        ("refer", 200),
        ("name", 409),
        ("filter", 409),
        ("preset's name", 409),
        // A foreign key: what it would refer to is of ours.
        ("change", 500),
        ("change preset", 200),
        ("delete preset", 204),
    ] {
        assert_eq!(got_of(what), expected, "{what} {got:?}");
    }
}
