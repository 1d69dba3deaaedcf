//! Random schedules of what happens to a counter, with the drain cut at each point at which it may
//! be: Redis and the database have what the rules say.

use std::{cell::RefCell, collections::BTreeMap};

use footfall::{
    config::StoreLocation,
    counting::{NotCounted, Outcome, Visit, identity::IdentityKind::Key},
    record::{
        Reason,
        drain::{CHUNK, Drained, Streams, drain},
        metrics::RecordMetrics,
    },
    storage::{Backend, Store, metrics::StoreMetrics, sql::DatabaseError},
    telemetry::metrics::Registry,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use super::rules::{Answer, InDatabase, InRedis, Visits, carries, path};
use crate::{
    draining::Place,
    stream::{BACKLOG, counted, counter, plain, replayed, to, with},
    support::process::until,
};

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Count(Visits),
    /// By a version that records nothing.
    Older(u64),
    Drain(Cut),
    /// By who sweeps.
    Settle,
    /// One entry is taken from the stream by hand.
    Remove(usize),
    Switch(bool),
    /// Redis is as it is now when it goes back.
    Save,
    GoBack,
}

/// Where a drain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Nowhere,
    BeforeCommit,
    /// Or its outcome is not known, and it has been committed.
    BeforeTrim,
    /// There are two at once.
    Twice,
}

fn step() -> impl Strategy<Value = Step> {
    let few = (0..4u64, prop::collection::btree_set(0..30u8, 0..4), 0..4u64);
    let count = few.prop_map(|(plain, keys, carrying)| {
        let keys = keys.into_iter().collect();
        Step::Count(Visits {
            plain,
            keys,
            carrying,
        })
    });
    let many = (BACKLOG / 2..2 * BACKLOG).prop_map(|plain| {
        Step::Count(Visits {
            plain,
            ..Visits::default()
        })
    });
    let cut = prop_oneof![
        2 => Just(Cut::Nowhere),
        1 => Just(Cut::BeforeCommit),
        2 => Just(Cut::BeforeTrim),
        1 => Just(Cut::Twice),
    ];
    prop_oneof![
        10 => count,
        4 => many,
        2 => (1..9u64).prop_map(Step::Older),
        6 => cut.prop_map(Step::Drain),
        2 => Just(Step::Settle),
        2 => (0..9usize).prop_map(Step::Remove),
        2 => any::<bool>().prop_map(Step::Switch),
        2 => Just(Step::Save),
        2 => Just(Step::GoBack),
    ]
}

/// What Redis had.
type Dump = Vec<(String, Vec<u8>)>;

struct World {
    place: Place,
    streams: Streams,
    metrics: RecordMetrics,
    redis: InRedis,
    database: InDatabase,
    saved: Option<(Dump, InRedis)>,
    clock: u64,
}

impl World {
    async fn new() -> Self {
        let place = Place::new().await;
        let settings = place.counts.settings();
        let metrics = std::sync::Arc::new(StoreMetrics::detached().unwrap());
        let store = Store::open(&settings, metrics).await.unwrap();
        let (Backend::Redis(redis), StoreLocation::Redis(_)) = (&store.backend, &settings.location)
        else {
            panic!("it is Redis");
        };
        Self {
            streams: Streams::new(redis.clone(), settings.dedup_window),
            metrics: new_metrics(),
            redis: InRedis::default(),
            database: InDatabase::default(),
            saved: None,
            clock: 0,
            place,
        }
    }

    /// As it was at first.
    async fn begin(&mut self) {
        self.place.counts.ask::<()>("FLUSHALL").await;
        self.place
            .postgres
            .sql("TRUNCATE recordings, visits, visitors, repeated_visits CASCADE");
        self.metrics = new_metrics();
        (self.redis, self.database) = (InRedis::default(), InDatabase::default());
        self.saved = None;
    }

    async fn schedule(&mut self, steps: &[Step]) {
        self.begin().await;
        for step in steps {
            self.clock += 1;
            self.take(step).await;
            self.redis_is_right(step).await;
        }
        // At last everything is up, swept and drained.
        for _ in 0..2 {
            self.settle().await;
            self.drain(Cut::Nowhere).await;
        }
        self.database_is_right();
        if self.redis.exists && self.redis.on {
            assert_eq!(self.redis.count, self.database.through, "nothing waits");
            assert_eq!(self.place.counts.entries().await, []);
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Count(visits) => self.count(visits).await,
            Step::Older(visits) => {
                let command = format!("INCRBY footfall:{{a}}:count {visits}");
                self.place.counts.ask::<u64>(&command).await;
                self.redis.count += visits;
            }
            Step::Drain(cut) => {
                self.drain(*cut).await;
                self.database_is_right();
            }
            Step::Settle => self.settle().await,
            Step::Remove(_) if self.redis.entries.is_empty() => {}
            Step::Remove(index) => {
                let index = index % self.redis.entries.len();
                let last = self.redis.entries.remove(index).last;
                let command = format!("XDEL footfall:{{a}}:visits {last}-0");
                assert_eq!(self.place.counts.ask::<u64>(&command).await, 1);
            }
            Step::Switch(on) => self.switch(*on),
            Step::Save => self.saved = Some((self.place.dump().await, self.redis.clone())),
            Step::GoBack => self.go_back().await,
        }
    }

    async fn count(&mut self, visits: &Visits) {
        let Visits {
            plain: bare,
            keys,
            carrying,
        } = visits;
        let mut sent: Vec<Visit> = (0..*bare).map(|_| plain()).collect();
        sent.extend(keys.iter().map(|key| match carries(*key) {
            true => to(&path(self.clock, &format!("key-{key}")), with(Key, *key)),
            false => with(Key, *key),
        }));
        sent.extend((0..*carrying).map(|place| to(&path(self.clock, &place.to_string()), plain())));
        if sent.is_empty() {
            return;
        }
        let outcomes = self.place.counts.count(sent).await.unwrap();
        let answers = self.redis.count(visits, self.clock);
        let expected: Vec<Outcome> = answers.into_iter().map(outcome).collect();
        assert_eq!(outcomes, expected);
    }

    async fn settle(&mut self) {
        self.clock += 1;
        if self.redis.exists && self.redis.on {
            self.streams.settle(&counter()).await.unwrap();
            self.redis.settle(self.clock);
        }
    }

    fn switch(&mut self, on: bool) {
        if self.database.exists {
            self.database.on = on;
            self.database.version += 1;
            self.place.postgres.sql(&format!(
                "UPDATE recordings SET recorded = {on}, version = version + 1"
            ));
        }
    }

    /// Redis is what it was, as after a failover to a replica that had no more.
    async fn go_back(&mut self) {
        let Some((dump, redis)) = self.saved.clone() else {
            return;
        };
        let keys = ["count", "record", "visits", "keys"].map(|key| format!("footfall:{{a}}:{key}"));
        let counts = &self.place.counts;
        counts.ask::<u64>(&format!("DEL {}", keys.join(" "))).await;
        self.place.put_back(&dump).await;
        self.redis = redis;
        // No failover is over within a millisecond, by which times are told apart.
        let time: Vec<u64> = counts.ask("TIME").await;
        until("a moment has passed", async || {
            let now: Vec<u64> = counts.ask("TIME").await;
            let since = (now[0] - time[0]) * 1_000_000 + now[1] - time[1];
            (since >= 2000).then_some(())
        })
        .await;
    }

    async fn drain(&mut self, cut: Cut) {
        loop {
            let asked = self.redis.clone();
            let more = match cut {
                Cut::Twice => {
                    let (first, second) = tokio::join!(self.transact(cut), self.transact(cut));
                    first | second
                }
                _ => self.transact(cut).await,
            };
            if cut == Cut::BeforeCommit {
                return;
            }
            self.database.drain(&asked);
            if cut == Cut::BeforeTrim {
                return;
            }
            let expected = self.database.tell(&asked, &mut self.redis);
            assert_eq!(more, expected, "whether there is more to do");
            if !more {
                return;
            }
        }
    }

    /// One transaction of the drain; whether there is more to do.
    async fn transact(&self, cut: Cut) -> bool {
        let Some(state) = self.streams.state(&counter()).await.unwrap() else {
            return false;
        };
        let streams = self.streams.clone();
        let written = self
            .place
            .opened
            .database
            .write("drain", move |connection| {
                Box::pin(async move {
                    connection.across_companies().await?;
                    let one = drain(connection, &streams, &counter(), state, CHUNK).await?;
                    match cut {
                        Cut::BeforeCommit => Err(DatabaseError::Refused("cut".to_owned())),
                        _ => Ok(one),
                    }
                })
            });
        let one = match written.await {
            Ok(one) => one,
            Err(error) => {
                assert_eq!(cut, Cut::BeforeCommit, "{error}");
                return false;
            }
        };
        one.note(&counter(), &self.metrics);
        match cut {
            Cut::BeforeTrim => false,
            _ => one.settle(&self.streams, &counter()).await.unwrap() == Drained::More,
        }
    }

    async fn redis_is_right(&self, step: &Step) {
        let count: Option<u64> = self.place.counts.ask("GET footfall:{a}:count").await;
        assert_eq!(count.unwrap_or(0), self.redis.count, "{step:?}");
        let state = self.place.counts.state().await;
        if !self.redis.exists {
            assert_eq!(state, BTreeMap::new());
            return;
        }
        let is = ["top", "through", "on", "gap", "version"].map(|field| state[field].clone());
        let redis = &self.redis;
        let expected = [
            redis.top.to_string(),
            redis.through.to_string(),
            u8::from(redis.on).to_string(),
            redis.gap.to_owned(),
            redis.version.to_string(),
        ];
        assert_eq!(
            is, expected,
            "top, through, on, gap, version after {step:?}"
        );
    }

    fn database_is_right(&self) {
        let sql = |sql: &str| self.place.postgres.sql(sql);
        let runs = sql(
            "SELECT n, coalesce(reason, '') FROM runs, generate_series(first, last) n ORDER BY n",
        );
        let numbers = self.database.numbers.iter();
        let expected: Vec<_> = numbers
            .map(|(number, reason)| format!("{number}|{reason}"))
            .collect();
        assert_eq!(runs, expected.join("\n"));
        let rows = sql("SELECT number, text FROM visits JOIN texts
             ON texts.recording_id = visits.recording_id AND texts.id = path ORDER BY number");
        let paths = self.database.paths.iter();
        let expected: Vec<_> = paths
            .map(|(number, path)| format!("{number}|{path}"))
            .collect();
        assert_eq!(rows, expected.join("\n"));
        let aside = sql(
            "SELECT last, visits, (SELECT string_agg(it.value->>'p', ' ' ORDER BY it.key::bigint)
             FROM jsonb_each(carried::jsonb) it) FROM repeated_visits ORDER BY at, last",
        );
        let mut expected = self
            .database
            .aside
            .iter()
            .map(|(last, visits, paths)| format!("{last}|{visits}|{}", paths.join(" ")))
            .collect::<Vec<_>>();
        let mut aside: Vec<_> = aside.lines().map(ToOwned::to_owned).collect();
        aside.sort();
        expected.sort();
        assert_eq!(aside, expected);
        self.metrics_are_right();
    }

    fn metrics_are_right(&self) {
        let numbers = &self.database.numbers;
        let of = |reason| numbers.values().filter(|found| **found == reason).count() as u64;
        assert_eq!(self.metrics.recorded.get(), of(""));
        for reason in Reason::ALL {
            let metric = self.metrics.unrecorded.of(reason.into());
            assert_eq!(metric.get(), of(reason.text()), "{reason:?}");
        }
        let aside: u64 = self
            .database
            .aside
            .iter()
            .map(|(_, visits, _)| visits)
            .sum();
        assert_eq!(self.metrics.repeated.get(), aside);
    }
}

fn new_metrics() -> RecordMetrics {
    RecordMetrics::register(&Registry::new().unwrap()).unwrap()
}

fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Counted(number) => counted(number),
        Answer::Replayed(number) => replayed(number),
        Answer::Off => Err(NotCounted::RecordingOff),
        Answer::Behind => Err(NotCounted::RecordingBehind),
    }
}

#[test]
fn random_schedules_leave_what_the_rules_say() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = RefCell::new(runtime.block_on(World::new()));
    let cases = std::env::var("SCHEDULES").map_or(12, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        // Each case costs a second.
        max_shrink_time: 30_000,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = match std::env::var("SCHEDULES") {
        Ok(_) => TestRunner::new(config),
        Err(_) => {
            TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        }
    };
    let schedules = prop::collection::vec(step(), 1..40);
    let run = runner.run(&schedules, |steps| {
        runtime.block_on(world.borrow_mut().schedule(&steps));
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}
