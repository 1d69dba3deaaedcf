//! The embedded store's record is damaged or has no room: visits are counted without it.

use hyper::Method;
use serde_json::Value;

use super::{embedded::sql, *};
use crate::support::{Client, Reply, TestApp, until};

/// What is done to the record, and how it is mended.
struct Damage {
    name: String,
    statements: Vec<String>,
    mending: Vec<String>,
    /// Whether what carries nothing is recorded all the same.
    plain_is_recorded: bool,
}

/// Tables that a visit writes to, and whether one that carries nothing does.
const TABLES: [(&str, bool); 6] = [
    ("recordings", true),
    ("runs", true),
    ("marks", true),
    ("visits", false),
    ("texts", false),
    ("visitors", false),
];

/// Each table is gone, and each refuses to be written in each way there is.
fn damages() -> Vec<Damage> {
    let mut damages = Vec::new();
    for (table, of_plain) in TABLES {
        damages.push(Damage {
            name: format!("{table} is gone"),
            statements: vec![format!("ALTER TABLE {table} RENAME TO {table}_away")],
            mending: vec![format!("ALTER TABLE {table}_away RENAME TO {table}")],
            plain_is_recorded: !of_plain,
        });
        for refusal in ["ABORT", "FAIL", "ROLLBACK"] {
            let events = ["INSERT", "UPDATE"];
            let trigger = |event: &&str| {
                format!(
                    "CREATE TRIGGER broken_{event} BEFORE {event} ON {table} BEGIN SELECT RAISE({refusal}, 'broken'); END"
                )
            };
            damages.push(Damage {
                name: format!("{table}: {refusal}"),
                statements: events.iter().map(trigger).collect(),
                mending: events
                    .map(|event| format!("DROP TRIGGER broken_{event}"))
                    .into(),
                plain_is_recorded: !of_plain,
            });
        }
    }
    // SQLite says of it what it says of a full disk, and ends the transaction.
    let next = |id: i64| format!("UPDATE sqlite_sequence SET seq = {id} WHERE name = 'visitors'");
    damages.push(Damage {
        name: "there is no other visitor".into(),
        statements: vec![next(i64::MAX)],
        mending: vec![next(1000)],
        plain_is_recorded: true,
    });
    damages
}

/// Counts a visit that carries something, from somebody who is new.
async fn carrying(client: &mut Client, key: &str) -> Reply {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let body = format!(r#"{{"visitor":"{key}","path":"/{key}"}}"#);
    client
        .send(Method::POST, "/api/counters/visits", &headers, &body)
        .await
}

async fn becomes(app: &TestApp, status: &str) -> Value {
    until(status, async || {
        let reply = app.ops_client().get("/readyz").await;
        assert_eq!(reply.status, 200, "it can count");
        let said = reply.json();
        (said["status"] == status).then_some(said)
    })
    .await
}

#[tokio::test]
async fn visits_are_counted_without_a_record_that_is_damaged() {
    let app = TestApp::start().await;
    app.ready().await;
    let database = app.database.as_ref().unwrap();
    let mut client = app.client().logged_in().await;
    let visits = counter(Company::Default, "visits");
    let (mut number, mut missed, mut expected) = (0, Vec::new(), Vec::new());
    for (round, damage) in damages().into_iter().enumerate() {
        println!("{}", damage.name);
        let key = |visit: &str| format!("{visit}-{round}");
        number += 1;
        let before = carrying(&mut client, &key("before")).await;
        assert_eq!(before.visits(), number, "{}", damage.name);
        for statement in &damage.statements {
            sql(database, statement).await;
        }
        let refused = carrying(&mut client, &key("refused")).await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem()),
            (503, "recording_behind".into()),
            "{}",
            damage.name
        );
        let again = carrying(&mut client, &key("before")).await;
        assert_eq!(
            (again.visits(), again.replayed()),
            (number, true),
            "{}",
            damage.name
        );
        for _ in 0..2 {
            number += 1;
            assert_eq!(
                client.post("/api/counters/visits").await.visits(),
                number,
                "{}",
                damage.name
            );
            if !damage.plain_is_recorded {
                missed.push(number);
            }
        }
        // One that the record does not know.
        let new = format!("/api/counters/new-{round}");
        assert_eq!(client.post(&new).await.visits(), 1, "{}", damage.name);
        let said = becomes(&app, "degraded").await;
        let record = &said["dependencies"]["record"];
        assert_eq!(record["state"], "down", "{said}");
        assert_eq!(said["dependencies"]["store"]["state"], "up", "{said}");
        for statement in &damage.mending {
            sql(database, statement).await;
        }
        becomes(&app, "ready").await;
        number += 1;
        assert_eq!(
            carrying(&mut client, &key("refused")).await.visits(),
            number,
            "{}",
            damage.name
        );
        expected.push(number);
    }
    let (recording, written) = Written::of(database, &visits).await;
    assert_eq!((recording.began, recording.through), (0, number));
    let nothing = written.fates.iter();
    let nothing: Vec<_> = nothing
        .filter(|(_, fate)| !matches!(fate, Fate::At(_)))
        .map(|(number, fate)| (*number, fate.clone()))
        .collect();
    let behind = missed
        .iter()
        .map(|number| (*number, Fate::Nothing(Reason::Behind)));
    assert_eq!(nothing, behind.collect::<Vec<_>>());
    assert!(
        expected
            .iter()
            .all(|number| written.carried.contains_key(number))
    );
    let told = r#"footfall_visits_unrecorded_total{reason="behind"}"#;
    let told = app.metric(told).await.unwrap();
    // And those of the counters that the record does not know.
    assert!(told >= missed.len() as f64, "{told}");
}

/// Whoever records again knows why nothing was, also if it is another process.
#[tokio::test]
async fn a_process_that_comes_later_knows_what_was_missed() {
    let folder = tempfile::tempdir().unwrap();
    let visits = counter(Company::Default, "visits");
    let start = async || {
        let app = TestApp::builder().directory(folder.path()).start().await;
        app.ready().await;
        app
    };
    {
        let app = start().await;
        let database = app.database.as_ref().unwrap();
        let mut client = app.client().logged_in().await;
        assert_eq!(client.post("/api/counters/visits").await.visits(), 1);
        sql(database, "ALTER TABLE runs RENAME TO runs_away").await;
        for number in 2..=3 {
            assert_eq!(client.post("/api/counters/visits").await.visits(), number);
        }
        becomes(&app, "degraded").await;
    }
    let app = start().await;
    let database = app.database.as_ref().unwrap();
    let mut client = app.client().logged_in().await;
    sql(database, "ALTER TABLE runs_away RENAME TO runs").await;
    becomes(&app, "ready").await;
    assert_eq!(client.post("/api/counters/visits").await.visits(), 4);
    let (_, written) = Written::of(database, &visits).await;
    for number in [2, 3] {
        assert_eq!(written.fates[&number], Fate::Nothing(Reason::Behind));
    }
    // What comes without it is what an older version counts.
    sql(database, "UPDATE counters SET visits = visits + 1").await;
    assert_eq!(client.post("/api/counters/visits").await.visits(), 6);
    let (_, written) = Written::of(database, &visits).await;
    assert_eq!(written.fates[&5], Fate::Nothing(Reason::OlderVersion));
}
