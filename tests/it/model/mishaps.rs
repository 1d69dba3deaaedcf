//! Random schedules of visits and mishaps, over a model of what may have happened.
//!
//! `MODEL_CASES=500 cargo test --release --test it model::mishaps` runs
//! many more of them.

use std::{cell::RefCell, time::Duration};

use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    possibilities::{Key, Outcome, Possibilities},
    world::{Mishap, REPLICAS, TIMEOUT, World},
};
use crate::support::model_proxy::Cut;

/// Schedules each world follows, unless `MODEL_CASES` says how many.
const CASES: u32 = 8;

/// Worlds that each test follows schedules in, at the same time: most of a schedule is waiting.
const WORLDS: usize = 4;

const COUNTERS: usize = 2;

/// Identities there are per counter and kind: few, so that they meet again.
const IDENTITIES: u8 = 6;

/// A slow machine may take so much longer than the store's time limit.
const MARGIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
struct Visit {
    replica: usize,
    counter: usize,
    key: Option<Key>,
    /// Milliseconds after the first of its round.
    after: u64,
}

/// Visits at the same time, and what happens meanwhile.
#[derive(Debug, Clone)]
struct Round {
    visits: Vec<Visit>,
    /// What, and after how many milliseconds.
    mishap: Option<(Mishap, u64)>,
}

fn visit() -> impl Strategy<Value = Visit> {
    let key = prop::option::weighted(0.8, (any::<bool>(), 0..IDENTITIES));
    (0..REPLICAS, 0..COUNTERS, key, 0..8_u64).prop_map(|(replica, counter, key, after)| Visit {
        replica,
        counter,
        key,
        after,
    })
}

fn schedule(mishap: BoxedStrategy<Mishap>) -> impl Strategy<Value = Vec<Round>> {
    let mishap = prop::option::weighted(0.6, (mishap, 0..8_u64));
    let round = (vec(visit(), 1..12), mishap).prop_map(|(visits, mishap)| Round { visits, mishap });
    vec(round, 1..12)
}

fn mishaps_of_redis() -> BoxedStrategy<Mishap> {
    prop_oneof![
        2 => (20..500_u64).prop_map(Mishap::Hang),
        2 => (20..500_u64).prop_map(Mishap::Delay),
        2 => Just(Mishap::Cut(Cut::Command)),
        3 => Just(Mishap::Cut(Cut::Reply)),
        3 => (0..64_usize).prop_map(|bytes| Mishap::Cut(Cut::InsideReply(bytes))),
        2 => Just(Mishap::Disconnect),
        1 => Just(Mishap::RestartStore),
        1 => Just(Mishap::ForgetScripts),
        2 => (0..REPLICAS).prop_map(Mishap::Kill),
    ]
    .boxed()
}

fn mishaps_of_sqlite() -> BoxedStrategy<Mishap> {
    prop_oneof![
        (20..500_u64).prop_map(Mishap::Lock),
        (0..REPLICAS).prop_map(Mishap::Kill),
    ]
    .boxed()
}

/// One schedule on counters of its own.
struct Case<'a> {
    world: &'a mut World,
    counters: [(String, Possibilities); COUNTERS],
}

impl Case<'_> {
    async fn follow(&mut self, rounds: &[Round]) {
        for round in rounds {
            self.round(round).await;
        }
        self.recover().await;
        for index in 0..COUNTERS {
            self.resolve(index).await;
            self.read(index).await;
            self.counters[index].1.settled();
        }
    }

    async fn round(&mut self, round: &Round) {
        self.world.prepare(round.mishap.map(|(mishap, _)| mishap));
        let tasks: Vec<_> = round
            .visits
            .iter()
            .map(|visit| {
                let name = &self.counters[visit.counter].0;
                let call = self.world.visit(visit.replica, name, visit.key);
                let after = Duration::from_millis(visit.after);
                tokio::spawn(async move {
                    sleep(after).await;
                    call.await
                })
            })
            .collect();
        if let Some((mishap, after)) = round.mishap {
            sleep(Duration::from_millis(after)).await;
            self.world.suffer(mishap).await;
        }
        let mut outcomes: [Vec<_>; COUNTERS] = Default::default();
        for (visit, task) in round.visits.iter().zip(tasks) {
            let outcome = timeout(TIMEOUT + MARGIN, task).await;
            let outcome = outcome.expect("an answer within bounded time").unwrap();
            outcomes[visit.counter].push((visit.key, outcome));
        }
        for (index, outcomes) in outcomes.iter().enumerate() {
            self.counters[index].1.round(outcomes);
            self.read(index).await;
        }
    }

    async fn read(&mut self, index: usize) {
        let (name, possibilities) = &mut self.counters[index];
        possibilities.total(self.world.total(name).await);
    }

    /// Every replica counts again by itself.
    async fn recover(&mut self) {
        self.world.prepare(None);
        let (name, possibilities) = &mut self.counters[0];
        for replica in 0..REPLICAS {
            let recovered = async {
                loop {
                    let outcome = self.world.visit(replica, name, None).await;
                    possibilities.round(&[(None, outcome)]);
                    match outcome {
                        Outcome::Counted { .. } => return,
                        _ => sleep(Duration::from_millis(20)).await,
                    }
                }
            };
            timeout(MARGIN, recovered).await.expect("it recovers");
        }
    }

    /// Repeats every visit of which nobody knows whether it was counted.
    async fn resolve(&mut self, index: usize) {
        let (name, possibilities) = &mut self.counters[index];
        let resolved = async {
            while let Some(key) = possibilities.unresolved().pop() {
                let replica = usize::from(key.1) % REPLICAS;
                let outcome = self.world.visit(replica, name, Some(key)).await;
                possibilities.round(&[(Some(key), outcome)]);
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(MARGIN, resolved).await.expect("repeats are told");
    }
}

/// Follows random schedules in worlds of this kind.
async fn follow(world: impl AsyncFn() -> World, mishap: fn() -> BoxedStrategy<Mishap>) {
    let mut worlds = JoinSet::new();
    for _ in 0..WORLDS {
        let mut world = world().await;
        worlds.spawn_blocking(move || follow_in(&mut world, &schedule(mishap())));
    }
    worlds.join_all().await;
}

/// Follows random schedules in one world.
fn follow_in(world: &mut World, schedules: &impl Strategy<Value = Vec<Round>>) {
    let cases = std::env::var("MODEL_CASES");
    let config = ProptestConfig {
        cases: cases.map_or(CASES, |cases| cases.parse().expect("a number of cases")),
        failure_persistence: None,
        // Each case costs a second or two, and a failure much more.
        max_shrink_time: 30_000,
        ..ProptestConfig::default()
    };
    let (world, mut case) = (RefCell::new(world), 0);
    let case = RefCell::new(&mut case);
    let runtime = tokio::runtime::Handle::current();
    let result = TestRunner::new(config).run(schedules, |rounds| {
        **case.borrow_mut() += 1;
        let name = |index| {
            (
                format!("case-{}.{index}", case.borrow()),
                Possibilities::default(),
            )
        };
        let mut world = world.borrow_mut();
        let mut case = Case {
            counters: std::array::from_fn(name),
            world: &mut world,
        };
        runtime.block_on(case.follow(&rounds));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_on_redis() {
    follow(async || World::redis(false).await, mishaps_of_redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_on_sqlite() {
    follow(async || World::sqlite(false).await, mishaps_of_sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_redis() {
    follow(async || World::redis(true).await, mishaps_of_redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_on_sqlite() {
    follow(async || World::sqlite(true).await, mishaps_of_sqlite).await;
}

/// The mishaps are what they are called: else nothing above would mean anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_leaves_an_unknown_outcome_and_a_repeat_tells() {
    let mut world = World::patient_redis().await;
    let mut visit = async |mishap, key: u8| {
        world.prepare(mishap);
        let visit = tokio::spawn(world.visit(0, "cut", Some((true, key))));
        if let Some(mishap @ (Mishap::Hang(_) | Mishap::Delay(_))) = mishap {
            world.suffer(mishap).await;
        }
        visit.await.unwrap()
    };
    let counted = |number, replayed| Outcome::Counted { number, replayed };
    assert_eq!(visit(None, 0).await, counted(1, false));
    for (key, cut, repeated) in [
        (1, Cut::Command, counted(2, false)),
        (2, Cut::Reply, counted(3, true)),
        (3, Cut::InsideReply(0), counted(4, true)),
        (4, Cut::InsideReply(1000), counted(5, true)),
    ] {
        let first = visit(Some(Mishap::Cut(cut)), key).await;
        assert_eq!(first, Outcome::Unknown, "{cut:?}");
        assert_eq!(visit(None, key).await, repeated, "{cut:?}");
    }
}
