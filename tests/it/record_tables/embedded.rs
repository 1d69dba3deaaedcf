//! The record of the embedded store: in the transaction that counts.

use std::{sync::Arc, time::Duration};

use footfall::{
    auth::keys::Keys,
    config::{Settings, Sources, StoreLocation, StoreSettings},
    counting::{
        Batch, NotCounted, Visit,
        carried::{self, Carried, Salts, VisitorMode, Visitors},
        counts::{CounterStore, Numbered, Recorder, Recording},
    },
    record::{EmbeddedRecorder, metrics::RecordMetrics},
    storage::{Store, metrics::StoreMetrics},
    telemetry::metrics::Registry,
};
use futures_util::future::join_all;
use hyper::Method;
use sqlx::AssertSqlSafe;

use super::*;
use crate::support::TestApp;

/// Records visits as counting does, in a transaction that ends with this.
async fn recorded(
    opened: &Opened,
    recorder: &Arc<EmbeddedRecorder>,
    (last, visits, at): (u64, u64, i64),
    carried: &[(u64, Stored)],
    commit: bool,
) {
    let (recorder, carried) = (recorder.clone(), carried.to_vec());
    let done = opened.database.write("record", move |connection| {
        Box::pin(async move {
            let Connection::Sqlite(sqlite) = connection else {
                unreachable!("the store is embedded")
            };
            let counter = counter(Company::Default, "visits");
            let numbered = Numbered {
                counter: &counter,
                last,
                visits,
                at,
                carried,
            };
            recorder.record(sqlite, numbered).await?;
            match commit {
                true => Ok(()),
                false => Err(DatabaseError::Timeout),
            }
        })
    });
    assert_eq!(done.await.is_ok(), commit);
}

/// Executes a statement.
pub async fn sql(database: &Database, statement: &str) {
    let statement = AssertSqlSafe(statement.to_owned());
    let done = database.write("sql", move |connection| {
        Box::pin(async move {
            Ok(on_either!(connection, |database| {
                sqlx::query(statement).execute(&mut **database).await
            }
            .map(drop))?)
        })
    });
    done.await.unwrap();
}

fn recorder() -> EmbeddedRecorder {
    let metrics = RecordMetrics::register(&Registry::new().unwrap());
    EmbeddedRecorder::new(Arc::new(metrics.unwrap()))
}

/// The times of all visits, each of which has one.
fn times(fates: &BTreeMap<u64, Fate>) -> Vec<i64> {
    let times = fates.values().map(|fate| match fate {
        Fate::At(at) => *at,
        Fate::Nothing(reason) => panic!("nothing is recorded: {reason:?}"),
    });
    times.collect()
}

#[tokio::test]
async fn every_visit_is_recorded_with_its_number() {
    let app = TestApp::start().await;
    let token = app.token().await;
    let clients = (0..8).map(|client| {
        let mut client = app
            .client()
            .with_token(&token)
            .with("idempotency-key", &format!("visit-{}", client / 2));
        let mut plain = app.client().with_token(&token);
        async move {
            for _ in 0..10 {
                assert_eq!(client.post("/api/counters/visits").await.status, 200);
                assert_eq!(plain.post("/api/counters/visits").await.status, 200);
                assert_eq!(plain.post("/api/counters/other").await.status, 200);
            }
        }
    });
    join_all(clients).await;
    let database = app.database.as_ref().unwrap();
    // Four keys, and what had none.
    for (name, visits) in [("visits", 84), ("other", 80)] {
        let (recording, written) = Written::of(database, &counter(Company::Default, name)).await;
        assert_eq!((recording.began, recording.through), (0, visits));
        assert_eq!(recording.visitor, VisitorMode::Hashed);
        assert_eq!((recording.recorded, recording.retention_days), (true, 400));
        let times = times(&written.fates);
        assert!(times.is_sorted() && times.len() as u64 == visits);
        assert_eq!(written.marks.values().max(), Some(&visits));
        for (minute, last) in &written.marks {
            let upto = times.iter().filter(|at| at.div_euclid(MINUTE) <= *minute);
            assert_eq!(upto.count() as u64, *last);
        }
    }
}

/// Several processes have one file, and each knows how far the record was when it wrote last.
#[tokio::test]
async fn what_others_have_written_and_what_was_rolled_back_is_noticed() {
    let opened = databases::sqlite().await;
    let recorders = [0, 1].map(|_| Arc::new(recorder()));
    let mut last = 0;
    let mut expected = BTreeMap::new();
    let mut carried = Vec::new();
    for step in 0..400_u64 {
        let visits = 1 + step % 3;
        let recorder = &recorders[usize::from(step % 5 > 2)];
        let with = match step % 4 {
            0 => vec![(last + visits, on(["/a", "/b", "/c"][step as usize % 3]))],
            _ => Vec::new(),
        };
        let (number, at) = (last + visits, NOW + step as i64 * 7_000);
        if step % 3 == 0 {
            // What is not committed has other times, and is as long.
            let at = at - 1_000;
            recorded(&opened, recorder, (number, visits, at), &with, false).await;
        }
        recorded(&opened, recorder, (number, visits, at), &with, true).await;
        expected.extend((last + 1..=number).map(|number| (number, Fate::At(at))));
        carried.extend(with);
        last = number;
    }
    let visits = counter(Company::Default, "visits");
    let (_, written) = Written::of(&opened.database, &visits).await;
    assert_eq!(written.fates, expected);
    assert!(carried.len() == 100 && written.carried.len() == 100);
    for (number, stored) in carried {
        assert_eq!(written.carried[&number].1, stored);
    }
    assert_eq!(written.uses.values().sum::<i64>(), 100);
    assert_eq!(written.marks.values().max(), Some(&last));
}

#[tokio::test]
async fn a_clock_that_goes_back_takes_no_time_with_it() {
    let opened = databases::sqlite().await;
    let recorder = Arc::new(recorder());
    let mut expected = Vec::new();
    let mut latest = i64::MIN;
    for (number, after) in (1..).zip([0, 5, -3_600_000, 10, 5, -1, DAY, DAY - 1, 2 * DAY]) {
        let at = NOW + after;
        recorded(&opened, &recorder, (number, 1, at), &[], true).await;
        latest = latest.max(at);
        expected.push(latest);
    }
    let visits = counter(Company::Default, "visits");
    let (_, written) = Written::of(&opened.database, &visits).await;
    assert_eq!(times(&written.fates), expected);
}

/// What counted before there was a record, and what an older process counts beside this one.
#[tokio::test]
async fn what_others_have_counted_is_not_recorded_and_said_so() {
    let opened = databases::sqlite().await;
    let recorder = Arc::new(recorder());
    for last in [43, 44, 50, 51] {
        recorded(&opened, &recorder, (last, 1, NOW + last as i64), &[], true).await;
    }
    let visits = counter(Company::Default, "visits");
    let (recording, written) = Written::of(&opened.database, &visits).await;
    assert_eq!((recording.began, recording.base), (42, 42));
    let older = Fate::Nothing(Reason::OlderVersion);
    let mut expected: BTreeMap<_, _> = (45..50).map(|number| (number, older.clone())).collect();
    expected.extend([43, 44, 50, 51].map(|last| (last, Fate::At(NOW + last as i64))));
    assert_eq!(written.fates, expected);
    assert_eq!(written.around[&49], (NOW + 44, NOW + 50));
}

#[tokio::test]
async fn nothing_is_recorded_while_it_is_off() {
    let opened = databases::sqlite().await;
    let recorder = Arc::new(recorder());
    let visits = counter(Company::Default, "visits");
    let visit = async |last: u64| {
        recorded(&opened, &recorder, (last, 1, NOW + last as i64), &[], true).await;
    };
    visit(1).await;
    visit(2).await;
    sql(
        &opened.database,
        "UPDATE recordings SET recorded = 0, version = version + 1",
    )
    .await;
    visit(3).await;
    visit(4).await;
    let (recording, written) = Written::of(&opened.database, &visits).await;
    assert_eq!((recording.through, written.fates.len()), (2, 2));
    sql(
        &opened.database,
        "UPDATE recordings SET recorded = 1, version = version + 1",
    )
    .await;
    let closing = Entry {
        last: 4,
        at: NOW + 9,
        before: 2,
        reason: Some(Reason::Off),
        ..Entry::default()
    };
    let closed = appended(&opened.database, &visits, 0, &[closing])
        .await
        .unwrap();
    assert_eq!((closed.recorded, closed.unrecorded), (0, [2, 0, 0, 0]));
    visit(5).await;
    let (_, written) = Written::of(&opened.database, &visits).await;
    let off = Fate::Nothing(Reason::Off);
    let expected = [
        Fate::At(NOW + 1),
        Fate::At(NOW + 2),
        off.clone(),
        off,
        // The clock has gone back since.
        Fate::At(NOW + 9),
    ];
    assert_eq!(written.fates, (1..).zip(expected).collect());
    assert_eq!(written.around[&4], (NOW + 2, NOW + 9));
}

/// A file with its counts, and what records them.
async fn counts(opened: &Opened) -> CounterStore {
    let settings = StoreSettings {
        location: StoreLocation::Sqlite(opened.folder().join("footfall.db")),
        timeout: Duration::from_secs(20),
        dedup_window: Duration::from_hours(1),
        dedup_limit: 100,
        counter_limit: 100,
        record_backlog: 100,
        wait_replicas: 0,
    };
    let metrics = Arc::new(StoreMetrics::detached().unwrap());
    let store = Store::open(&settings, metrics).await.unwrap();
    let loaded = Settings::load(&Sources::default()).unwrap();
    CounterStore::new(store, &settings).recording(Recording {
        visitors: Visitors::new(Keys::new(&loaded.auth), Salts::default()),
        undrained: Arc::default(),
        recorded: None,
        recorder: Some(Arc::new(recorder())),
    })
}

/// What carries a path, what carries nothing, and what carries a path again.
fn batch(company: Company) -> Batch {
    let mut batch = Batch::new(counter(company, "visits"));
    let path = |path: &str| {
        let carried = Arc::new(Carried {
            rest: carried::Written::of(&on(path).attributes),
            ..Carried::default()
        });
        Visit {
            carried: Some(carried),
            ..Visit::default()
        }
    };
    batch.visits = vec![path("/one"), Visit::default(), path("/three")];
    batch
}

#[tokio::test]
async fn what_is_carried_is_stored_or_refused() {
    let opened = databases::sqlite().await;
    let mut counts = counts(&opened).await;
    let mut count = async |company| counts.count(&[batch(company)]).await.remove(0).unwrap();
    let numbers = |outcomes: Vec<footfall::counting::Outcome>| -> Vec<_> {
        let outcomes = outcomes.into_iter();
        let numbers = outcomes.map(|outcome| outcome.map(|counted| counted.number));
        numbers.collect()
    };
    let company = Company::Default;
    assert_eq!(numbers(count(company).await), [Ok(1), Ok(2), Ok(3)]);
    let visits = counter(company, "visits");
    let (_, written) = Written::of(&opened.database, &visits).await;
    let stored: BTreeMap<_, _> = written
        .carried
        .iter()
        .map(|(number, (_, stored))| (*number, stored.clone()))
        .collect();
    assert_eq!(stored, BTreeMap::from([(1, on("/one")), (3, on("/three"))]));
    let off = Err(NotCounted::RecordingOff);
    sql(
        &opened.database,
        "UPDATE recordings SET recorded = 0, version = version + 1",
    )
    .await;
    assert_eq!(numbers(count(company).await), [off, Ok(4), off]);
    // A company that is not there counts, and records nothing.
    let nobody = Company::Id(Uuid::now_v7());
    assert_eq!(numbers(count(nobody).await), [off, Ok(1), off]);
    let (recording, _) = Written::of(&opened.database, &visits).await;
    assert_eq!(recording.through, 3);
}

/// By the API: what is sent is what is stored under the number of the answer, once.
#[tokio::test]
async fn what_is_sent_is_stored_once() {
    let app = TestApp::start().await;
    let database = app.database.as_ref().unwrap();
    let mut client = app.client().logged_in().await;
    let visits = "/api/counters/visits";
    let body = r#"{"visitor":"ann","path":"/a","referrer":"/a","country":"fr","properties":{"n":1.5,"ok":true}}"#;
    let mut post = async |key: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        client.send(Method::POST, visits, &headers, body).await
    };
    for replayed in [false, true, true] {
        let reply = post("same").await;
        assert_eq!((reply.visits(), reply.replayed()), (1, replayed));
    }
    let of_visits = counter(Company::Default, "visits");
    let (_, written) = Written::of(database, &of_visits).await;
    assert_eq!(written.carried.len(), 1);
    let (at, stored) = &written.carried[&1];
    assert_eq!(written.fates[&1], Fate::At(*at));
    let visitor = stored.visitor.as_deref().unwrap();
    assert!(visitor.starts_with('#') && !visitor.contains("ann"));
    let expected = Attributes {
        path: Some("/a".into()),
        referrer: Some("/a".into()),
        campaign: None,
        country: Some("FR".into()),
        properties: serde_json::from_str(r#"{"n":1.5,"ok":true}"#).unwrap(),
    };
    assert_eq!(stored.attributes, expected);
    let uses = [("/a".into(), 2), ("FR".into(), 1)];
    assert_eq!(written.uses, BTreeMap::from(uses));
    let off = "UPDATE recordings SET recorded = 0, version = version + 1";
    sql(database, off).await;
    // It was recorded before, so it gets its number again.
    assert_eq!(post("same").await.visits(), 1);
    let refused = post("another").await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.problem(), "recording_off");
    assert_eq!(client.post(visits).await.visits(), 2);
}

#[tokio::test]
async fn what_is_recorded_is_measured() {
    let app = TestApp::start().await;
    app.ready().await;
    let mut client = app.client().logged_in().await;
    let recorded = async || app.metric("footfall_visits_recorded_total").await.unwrap();
    assert_eq!(recorded().await, 0.0);
    assert_eq!(client.post("/api/counters/a").await.visits(), 1);
    let reply = client.post_json("/api/counters/a", r#"{"path":"/"}"#).await;
    assert_eq!(reply.visits(), 2);
    assert_eq!(recorded().await, 2.0);
    let off = client.put_json("/api/counters/a/recording", r#"{"on":false}"#);
    assert_eq!(off.await.status, 200);
    assert_eq!(client.post("/api/counters/a").await.visits(), 3);
    assert_eq!(recorded().await, 2.0);
}
