//! What is noted in passing: never in the way of a request, told together where there is much of
//! it, and not lost.

use std::time::{Duration, Instant};

use footfall::audit::{Audit, Outcome, metrics::AuditMetrics};

use rustix::process::Signal;

use super::*;
use crate::{
    support::{Footfall, footfall::SECRET_KEY, process::PATIENCE, until},
    tokens::{kid_of, sign},
};

struct Notes {
    audit: Audit,
    metrics: AuditMetrics,
    keeper: tokio::task::JoinHandle<()>,
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

fn notes(database: &Database) -> Notes {
    let metrics = AuditMetrics::detached().unwrap();
    let (audit, keeper) = Audit::new(Some(database), &metrics);
    Notes {
        audit,
        metrics,
        keeper: tokio::spawn(keeper.unwrap().run()),
    }
}

fn failure(address: &str) -> Entry {
    Entry::new(DEFAULT_ID, Actor::Anonymous, Action::SessionLogin)
        .ended(Outcome::Failure)
        .from_request("a-request", address.parse().ok())
}

#[tokio::test]
async fn a_note_is_written_soon() {
    for trail in both().await {
        let notes = notes(trail.database());
        notes.audit.note(failure("192.0.2.1"));
        let entries = until("it is there", async || {
            Some(trail.entries(DEFAULT_ID).await).filter(|entries| !entries.is_empty())
        });
        let entries = entries.await;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].row.events, 1);
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
    }
}

#[tokio::test]
async fn a_flood_is_two_rows() {
    for trail in both().await {
        let notes = notes(trail.database());
        let other = trail.company("other").await;
        for number in 0..1000 {
            notes
                .audit
                .note(failure(&format!("192.0.2.{}", number % 250)));
            if number % 100 == 0 {
                let mut elsewhere = failure("192.0.2.1");
                elsewhere.company = other;
                notes.audit.note(elsewhere);
            }
            tokio::task::yield_now().await;
        }
        assert!(notes.audit.flush(PATIENCE).await);
        let events = |entries: Vec<Listed>| -> Vec<i64> {
            entries.iter().map(|listed| listed.row.events).collect()
        };
        let entries = trail.entries(DEFAULT_ID).await;
        for listed in &entries {
            let row = &listed.row;
            assert!(
                row.first_at <= row.last_at && row.last_at <= row.recorded_at,
                "{row:?}"
            );
            assert_eq!(row.request_id.as_deref(), Some("a-request"));
        }
        assert_eq!(events(entries), [1, 999], "{}", trail.kind());
        assert_eq!(events(trail.entries(other).await), [1, 9]);
        assert_eq!(notes.metrics.folded.get(), 1008);
        assert_eq!(notes.metrics.dropped.get(), 0);
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
    }
}

/// While the database is away nothing waits for it, and when it is back nothing is missing.
#[tokio::test]
async fn the_database_may_be_away_for_a_while() {
    let mut server = postgres::Postgres::start();
    let url = server.url("migrated");
    let opened = databases::at(&url, &[("FOOTFALL_DATABASE_TIMEOUT", "1s")])
        .await
        .up()
        .await;
    let trail = Trail {
        opened,
        postgres: None,
    };
    let notes = notes(trail.database());
    notes.audit.note(failure("192.0.2.1"));
    assert!(notes.audit.flush(PATIENCE).await);
    server.kill();
    for number in 0..300 {
        let started = Instant::now();
        notes
            .audit
            .note(failure("198.51.100.1").on(Kind::Operation, number));
        assert!(started.elapsed() < Duration::from_millis(500));
        tokio::task::yield_now().await;
    }
    assert!(!notes.audit.flush(Duration::from_secs(2)).await);
    assert!(notes.metrics.queue_depth.get() >= 300);
    server.restart();
    assert!(notes.audit.flush(PATIENCE).await);
    assert_eq!(trail.entries(DEFAULT_ID).await.len(), 301);
    assert_eq!(notes.metrics.dropped.get(), 0);
    assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
}

/// An answer that is lost may have been that all was well: what was written is not written again.
#[tokio::test]
async fn what_may_have_been_written_is_not_written_twice() {
    let [_, trail] = both().await;
    let postgres = trail.postgres.as_ref().unwrap();
    // Takes longer to commit than anybody waits.
    postgres.sql(
        "CREATE FUNCTION patience() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true);
             RETURN NEW;
         END $$;
         CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_advisory_xact_lock_shared(77);
             RETURN NULL;
         END $$;
         CREATE TRIGGER patience BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION patience();
         CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON audit_entries
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger();",
    );
    let url = postgres.url();
    let opened = databases::at(&url, &[("FOOTFALL_DATABASE_TIMEOUT", "1s")]);
    let opened = opened.await.up().await;
    let notes = notes(&opened.database);
    let mut holder = sqlx::PgConnection::connect(&postgres.url()).await.unwrap();
    let lock = sqlx::query("SELECT pg_advisory_lock(77)");
    lock.execute(&mut holder).await.unwrap();
    for number in 0..5 {
        notes
            .audit
            .note(failure("192.0.2.1").on(Kind::Operation, number));
    }
    assert!(
        !notes.audit.flush(Duration::from_secs(3)).await,
        "its answer does not come"
    );
    holder.close().await.unwrap();
    assert!(notes.audit.flush(PATIENCE).await);
    let mut objects: Vec<_> = trail
        .entries(DEFAULT_ID)
        .await
        .into_iter()
        .map(|listed| listed.row.object_id.unwrap())
        .collect();
    objects.sort();
    assert_eq!(objects, ["0", "1", "2", "3", "4"]);
    assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
}

/// One that the database refuses does not keep the others.
#[tokio::test]
async fn what_is_refused_is_dropped_alone() {
    for trail in both().await {
        let notes = notes(trail.database());
        for number in 0..5 {
            notes
                .audit
                .note(failure("192.0.2.1").on(Kind::Operation, number));
        }
        let mut nobodys = failure("192.0.2.1");
        nobodys.company = Uuid::from_u128(5);
        notes.audit.note(nobodys);
        for number in 5..10 {
            notes
                .audit
                .note(failure("192.0.2.1").on(Kind::Operation, number));
        }
        assert!(notes.audit.flush(PATIENCE).await);
        assert_eq!(
            trail.entries(DEFAULT_ID).await.len(),
            10,
            "{}",
            trail.kind()
        );
        assert_eq!(notes.metrics.dropped.get(), 1);
    }
}

/// Of a database that is too slow for many at once, fewer are asked at once.
#[tokio::test]
async fn what_takes_too_long_together_is_written_in_parts() {
    let [_, trail] = both().await;
    let postgres = trail.postgres.as_ref().unwrap();
    postgres.sql(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_sleep(0.1);
             RETURN NEW;
         END $$;
         CREATE TRIGGER dawdle BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION dawdle();",
    );
    let url = postgres.url();
    let opened = databases::at(&url, &[("FOOTFALL_DATABASE_TIMEOUT", "1s")]);
    let opened = opened.await.up().await;
    let notes = notes(&opened.database);
    for number in 0..20 {
        notes
            .audit
            .note(failure("192.0.2.1").on(Kind::Operation, number));
    }
    assert!(notes.audit.flush(PATIENCE).await);
    assert_eq!(trail.entries(DEFAULT_ID).await.len(), 20);
    assert_eq!(notes.metrics.dropped.get(), 0);
    assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
}

/// More than may wait is dropped, and counted.
#[tokio::test]
async fn what_is_too_much_is_dropped_and_counted() {
    for trail in both().await {
        let notes = notes(trail.database());
        // Without a turn for what takes them.
        for number in 0..5000 {
            notes
                .audit
                .note(failure("192.0.2.1").on(Kind::Operation, number));
        }
        // Thousands of rows may take their time, as long as some are written.
        let mut written = 0;
        while !notes.audit.flush(PATIENCE).await {
            let before = std::mem::replace(&mut written, trail.entries(DEFAULT_ID).await.len());
            assert!(before < written, "{written} rows, and no more");
        }
        let dropped = notes.metrics.dropped.get();
        assert!((1..5000).contains(&dropped), "{dropped}");
        assert_eq!(trail.entries(DEFAULT_ID).await.len() as u64, 5000 - dropped);
        assert_eq!(trail.breaks(DEFAULT_ID, vec![]).await, []);
    }
}

#[tokio::test]
async fn without_a_database_nothing_is_kept_and_nothing_fails() {
    let metrics = AuditMetrics::detached().unwrap();
    let (audit, keeper) = Audit::new(None, &metrics);
    assert!(keeper.is_none());
    audit.note(failure("192.0.2.1"));
    assert!(audit.flush(PATIENCE).await);
    assert_eq!(metrics.dropped.get(), 0);
}

/// What was told together is written before the process ends.
#[tokio::test]
async fn a_drain_writes_what_was_noted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.db");
    let url = format!("sqlite:{}", file.display());
    let mut footfall = Footfall::builder().env("DATABASE_URL", url).start();
    let kid = kid_of(&footfall.token().await);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let id = Uuid::from_u128(70);
    let claims = serde_json::json!({
        "iss": "footfall", "sub": id, "iat": now, "exp": now + 600, "jti": "1",
        "role": "viewer", "uid": id, "cid": DEFAULT_ID,
    });
    let token = sign("HS256", Some(&kid), &claims, SECRET_KEY);
    let mut client = footfall.client().with_token(&token);
    for _ in 0..20 {
        assert_eq!(client.get("/api/audit").await.problem(), "forbidden");
    }
    drop(client);
    footfall.process.signal(Signal::TERM);
    assert!(footfall.process.wait().success());
    let options = SqliteConnectOptions::new().filename(file);
    let mut file = SqliteConnection::connect_with(&options).await.unwrap();
    let (events, rows): (i64, i64) = sqlx::query_as(
        "SELECT sum(events), count(*) FROM audit_entries WHERE action = 'access.denied'",
    )
    .fetch_one(&mut file)
    .await
    .unwrap();
    // A minute may have ended in between.
    assert!(events == 20 && rows <= 4, "{events} in {rows} rows");
}
