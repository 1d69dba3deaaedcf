//! From Redis into PostgreSQL: whatever fails between the two, each visit is recorded once, under its
//! number.

use std::sync::Arc;

use footfall::{
    config::StoreLocation,
    counting::{Visit, identity::IdentityKind::Key},
    record::{
        drain::{Drain, RecordedInDatabase, Streams},
        metrics::{RecordMetrics, Unrecorded},
    },
    storage::{Backend, Store, metrics::StoreMetrics},
    telemetry::metrics::Registry,
};
use tokio::task::JoinHandle;

use crate::{
    stream::{BACKLOG, Counts, counted, plain, replayed, to, with},
    support::{
        Redis,
        databases::{self, Opened},
        postgres,
        process::until,
    },
};

mod again;
mod untold;

/// A Redis, a PostgreSQL, one worker that counts, and what drains.
pub struct Place {
    redis: Redis,
    pub postgres: postgres::Database,
    pub counts: Counts,
    pub opened: Opened,
}

/// A process that drains, until it is dropped.
struct Draining {
    task: JoinHandle<()>,
    metrics: Arc<RecordMetrics>,
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Place {
    pub async fn new() -> Self {
        let redis = Redis::start();
        let postgres = postgres::Database::migrated();
        let opened = databases::at(&postgres.url(), &[]).await.up().await;
        Self {
            counts: Counts::at(&redis, true).await,
            redis,
            postgres,
            opened,
        }
    }

    /// Drains what is told from now on, and all that is there already.
    async fn drain(&self) -> Draining {
        self.postgres.sql("UPDATE record_sweeps SET next_at = 0");
        let settings = self.counts.settings();
        let metrics = Arc::new(StoreMetrics::detached().unwrap());
        let store = Store::open(&settings, metrics).await.unwrap();
        let (Backend::Redis(redis), StoreLocation::Redis(_)) = (&store.backend, &settings.location)
        else {
            panic!("it is Redis");
        };
        let metrics = Arc::new(RecordMetrics::register(&Registry::new().unwrap()).unwrap());
        let drain = Drain::new(
            self.opened.database.clone(),
            Streams::new(redis.clone(), settings.dedup_window),
            footfall::counting::counts::CounterStore::new(store, &settings),
            self.counts.undrained.clone(),
            metrics.clone(),
        );
        Draining {
            task: tokio::spawn(drain.run()),
            metrics,
        }
    }

    /// Waits until Redis has nothing that is not recorded.
    async fn is_drained(&self) {
        until("all is recorded", async || {
            let state = self.counts.state().await;
            let count: String = self.counts.ask("GET footfall:{a}:count").await;
            (state["through"] == state["top"] && state["top"] == count).then_some(())
        })
        .await;
    }

    /// What is recorded: `first-last reason` of each run.
    fn runs(&self) -> String {
        self.postgres.sql(
            "SELECT string_agg(first || '-' || last || coalesce(' ' || reason, ''), ', ' ORDER BY first) FROM runs",
        )
    }

    /// Numbers and paths of what carries something.
    fn paths(&self) -> String {
        self.postgres.sql(
            "SELECT string_agg(number || ' ' || text, ', ' ORDER BY number) FROM visits JOIN texts
             ON texts.recording_id = visits.recording_id AND texts.id = path",
        )
    }

    fn texts_add_up(&self) {
        let wrong = self.postgres.sql(
            "SELECT count(*) FROM texts WHERE uses <> (SELECT count(*) FROM visits
             WHERE visits.recording_id = texts.recording_id AND texts.id IN (path, referrer, campaign, country))",
        );
        assert_eq!(wrong, "0");
    }

    /// All that Redis has of the counter, to be put back.
    pub async fn dump(&self) -> Vec<(String, Vec<u8>)> {
        let mut dump = Vec::new();
        for key in ["count", "record", "visits", "keys"] {
            let key = format!("footfall:{{a}}:{key}");
            let value: Option<Vec<u8>> = self.counts.ask(&format!("DUMP {key}")).await;
            dump.extend(value.map(|value| (key, value)));
        }
        dump
    }

    pub async fn put_back(&self, dump: &[(String, Vec<u8>)]) {
        let mut connection = self.counts.connection().await;
        for (key, value) in dump {
            let mut put = redis::cmd("RESTORE");
            put.arg(key).arg(0).arg(&value[..]).arg("REPLACE");
            put.query_async::<()>(&mut connection).await.unwrap();
        }
    }
}

fn paths(numbers: std::ops::RangeInclusive<u64>) -> Vec<Visit> {
    numbers
        .map(|number| to(&format!("/{number}"), plain()))
        .collect()
}

#[tokio::test]
async fn what_was_counted_is_recorded_under_its_number_and_taken_from_redis() {
    let mut place = Place::new().await;
    let draining = place.drain().await;
    place
        .counts
        .count(vec![plain(), to("/a", plain())])
        .await
        .unwrap();
    place
        .counts
        .count(vec![to("/b", with(Key, 1)), plain()])
        .await
        .unwrap();
    place.is_drained().await;
    assert_eq!(
        (place.runs(), place.paths()),
        ("1-4".into(), "2 /a, 4 /b".into())
    );
    assert_eq!(place.counts.entries().await, []);
    assert_eq!(draining.metrics.recorded.get(), 4);
    place.texts_add_up();
}

#[tokio::test]
async fn what_is_read_again_after_a_commit_is_recorded_once() {
    let mut place = Place::new().await;
    place.counts.count(paths(1..=3)).await.unwrap();
    let before = place.dump().await;
    let draining = place.drain().await;
    place.is_drained().await;
    drop(draining);
    // As if the replica had been killed before it trimmed.
    place.put_back(&before).await;
    place.counts.count(paths(4..=5)).await.unwrap();
    let draining = place.drain().await;
    place.is_drained().await;
    assert_eq!(place.runs(), "1-5");
    assert_eq!(place.paths(), "1 /1, 2 /2, 3 /3, 4 /4, 5 /5");
    place.texts_add_up();
    assert_eq!(draining.metrics.recorded.get(), 2);
    assert_eq!(draining.metrics.repeated.get(), 0);
}

#[tokio::test]
async fn several_that_drain_at_once_record_each_visit_once() {
    let mut place = Place::new().await;
    let draining = [
        place.drain().await,
        place.drain().await,
        place.drain().await,
    ];
    for round in 0..60 {
        let first = round * 5 + 1;
        let outcomes = place.counts.count(paths(first..=first + 4)).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    place.is_drained().await;
    let total: u64 = draining.iter().map(|one| one.metrics.recorded.get()).sum();
    assert_eq!(total, 300);
    let wrong = place.postgres.sql(
        "SELECT count(*) FROM visits JOIN texts ON texts.id = path WHERE text <> '/' || number",
    );
    assert_eq!(wrong, "0");
    assert_eq!(place.postgres.sql("SELECT count(*) FROM visits"), "300");
    place.texts_add_up();
}

#[tokio::test]
async fn what_is_taken_from_the_stream_by_hand_is_said_to_be_lost() {
    let mut place = Place::new().await;
    for numbers in [1..=2, 3..=4, 5..=6] {
        place.counts.count(paths(numbers)).await.unwrap();
    }
    place
        .counts
        .ask::<u64>("XDEL footfall:{a}:visits 2-0 4-0")
        .await;
    let draining = place.drain().await;
    place.is_drained().await;
    assert_eq!(place.runs(), "1-4 lost, 5-6");
    assert_eq!(draining.metrics.unrecorded.of(Unrecorded::Lost).get(), 4);
    assert_eq!(place.paths(), "5 /5, 6 /6");
}

#[tokio::test]
async fn what_older_versions_count_is_said_to_be_unrecorded() {
    let mut place = Place::new().await;
    place.counts.count(paths(1..=2)).await.unwrap();
    place.counts.ask::<u64>("INCRBY footfall:{a}:count 5").await;
    let draining = place.drain().await;
    place.is_drained().await;
    assert_eq!(place.runs(), "1-2, 3-7 older_version");
    place.counts.count(paths(8..=8)).await.unwrap();
    place.is_drained().await;
    assert_eq!(place.runs(), "1-2, 3-7 older_version, 8-8");
    assert_eq!(
        draining
            .metrics
            .unrecorded
            .of(Unrecorded::OlderVersion)
            .get(),
        5
    );
}

#[tokio::test]
async fn while_the_database_is_away_everything_waits() {
    let mut place = Place::new().await;
    let draining = place.drain().await;
    place.counts.count(paths(1..=2)).await.unwrap();
    place.is_drained().await;
    let name = place.postgres.sql("SELECT current_database()");
    let server = place.postgres.server();
    let shut = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    server.sql("postgres", &shut);
    let end = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"
    );
    server.sql("postgres", &end);
    place.counts.count(paths(3..=50)).await.unwrap();
    until("it is seen", async || {
        (draining.metrics.waiting.get() == 48).then_some(())
    })
    .await;
    assert!(draining.metrics.oldest.get() > 0);
    server.sql(
        "postgres",
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
    );
    place.is_drained().await;
    assert_eq!(place.runs(), "1-50");
    until("nothing waits", async || {
        (draining.metrics.waiting.get() == 0).then_some(())
    })
    .await;
}

/// Also if no other visit comes.
#[tokio::test]
async fn what_was_counted_while_too_much_waited_is_said_to_be_unrecorded() {
    let mut place = Place::new().await;
    let many = |visits: u64| vec![plain(); visits as usize];
    place.counts.count(many(2 * BACKLOG)).await.unwrap();
    place.counts.count(many(10)).await.unwrap();
    let draining = place.drain().await;
    let (recorded, all) = (2 * BACKLOG, 2 * BACKLOG + 10);
    until("what waits is recorded", async || {
        (place.counts.state().await["through"] == recorded.to_string()).then_some(())
    })
    .await;
    drop(draining);
    let draining = place.drain().await;
    place.is_drained().await;
    let runs = format!("1-{recorded}, {}-{all} behind", recorded + 1);
    assert_eq!(place.runs(), runs);
    let behind = draining.metrics.unrecorded.of(Unrecorded::Behind);
    until("it is counted", async || (behind.get() == 10).then_some(())).await;
}

/// As after a failover to a replica that had not everything, or a restore of an older backup.
#[tokio::test]
async fn a_redis_that_has_lost_visits_is_raised_to_what_is_recorded() {
    let mut place = Place::new().await;
    place.counts.count(paths(1..=3)).await.unwrap();
    let before = place.dump().await;
    place
        .counts
        .count(vec![to("/4", with(Key, 4)), to("/5", with(Key, 5))])
        .await
        .unwrap();
    let draining = place.drain().await;
    place.is_drained().await;
    drop(draining);
    place.put_back(&before).await;
    // Before anybody has looked: a number that is recorded for another.
    assert_eq!(
        place
            .counts
            .count(vec![to("/lost", plain())])
            .await
            .unwrap(),
        [counted(4)]
    );
    let draining = place.drain().await;
    place.is_drained().await;
    assert_eq!(place.counts.ask::<u64>("GET footfall:{a}:count").await, 5);
    assert_eq!(draining.metrics.repeated.get(), 1);
    let aside = place
        .postgres
        .sql("SELECT last || ' ' || carried FROM repeated_visits");
    assert_eq!(aside, r#"4 {"4":{"p":"/lost"}}"#);
    // What Redis had forgotten is remembered again.
    let again = place
        .counts
        .count(vec![to("/5", with(Key, 5)), with(Key, 4), plain()]);
    assert_eq!(again.await.unwrap(), [replayed(5), replayed(4), counted(6)]);
    place.is_drained().await;
    assert_eq!(place.runs(), "1-6");
}

#[tokio::test]
async fn over_a_new_connection_no_number_is_given_that_is_recorded() {
    let mut place = Place::new().await;
    place.counts.count(paths(1..=3)).await.unwrap();
    let before = place.dump().await;
    let lost = vec![to("/4", with(Key, 4)), to("/5", with(Key, 5))];
    place.counts.count(lost).await.unwrap();
    let draining = place.drain().await;
    place.is_drained().await;
    drop(draining);
    place.put_back(&before).await;
    let window = place.counts.settings().dedup_window;
    let recorded = RecordedInDatabase::new(place.opened.database.clone(), window);
    let recorded = Some(Arc::new(recorded) as _);
    place.counts = Counts::knowing(&place.redis, true, recorded).await;
    let again = place
        .counts
        .count(vec![with(Key, 5), with(Key, 4), plain()]);
    assert_eq!(again.await.unwrap(), [replayed(5), replayed(4), counted(6)]);
    let draining = place.drain().await;
    place.is_drained().await;
    assert_eq!(draining.metrics.repeated.get(), 0);
    assert_eq!(place.runs(), "1-6");
    // As if none of it was ever there.
    place.counts.ask::<()>("FLUSHALL").await;
    let recorded = RecordedInDatabase::new(place.opened.database.clone(), window);
    place.counts = Counts::knowing(&place.redis, true, Some(Arc::new(recorded))).await;
    assert_eq!(
        place.counts.count(vec![plain()]).await.unwrap(),
        [counted(7)]
    );
}

/// Also of what waited before anything was recorded of the counter.
#[tokio::test]
async fn times_are_those_at_which_visits_were_counted() {
    let mut place = Place::new().await;
    let mut times = std::collections::BTreeSet::new();
    until("the clock has moved on twice", async || {
        place.counts.count(paths(1..=1)).await.unwrap();
        let (_, fields) = place.counts.last().await;
        times.insert(String::from_utf8(fields["t"].clone()).unwrap());
        (times.len() == 3).then_some(())
    })
    .await;
    let _draining = place.drain().await;
    place.is_drained().await;
    let recorded = place
        .postgres
        .sql("SELECT string_agg(DISTINCT at::text, ' ' ORDER BY at::text) FROM visits");
    let times: Vec<_> = times.into_iter().collect();
    assert_eq!(recorded, times.join(" "));
}
