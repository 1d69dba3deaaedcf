//! Both stores against a model of what counting promises, under random schedules.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    sync::Arc,
    time::Duration,
};

use footfall::{
    config::{StoreLocation, StoreSettings},
    counting::{
        Counted, CounterName, Identity,
        identity::IdentityKind,
        store::{Batch, CounterStore},
    },
    storage::Store,
    storage::metrics::StoreMetrics,
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;

use crate::support::Redis;

mod mishaps;
mod possibilities;
mod world;

/// Identities remembered per counter and kind: few, so that the limit is met.
const LIMIT: usize = 12;

/// Names that are counted under, and how many of them there is room for.
const NAMES: usize = 4;
const COUNTERS: usize = 3;

/// Replicas that share a store.
const REPLICAS: usize = 3;

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A replica counts batches, each of another counter.
    Count(usize, Vec<Visits>),
    /// A replica ends and another takes its place.
    Restart(usize),
}

/// Visits of one counter that share a round trip.
#[derive(Debug, Clone)]
struct Visits {
    counter: usize,
    anonymous: u64,
    /// Kind and number of each identity.
    identities: BTreeSet<(bool, u8)>,
}

fn visits() -> impl Strategy<Value = Visits> {
    let identities = proptest::collection::btree_set((any::<bool>(), 0..20_u8), 0..6);
    (0..NAMES, 0..4_u64, identities).prop_map(|(counter, anonymous, identities)| Visits {
        counter,
        // No batch is without a visit.
        anonymous: anonymous.max(u64::from(identities.is_empty())),
        identities,
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        9 => (0..REPLICAS, vec(visits(), 1..4)).prop_map(|(replica, mut visits)| {
            visits.sort_by_key(|visits| visits.counter);
            visits.dedup_by_key(|visits| visits.counter);
            Step::Count(replica, visits)
        }),
        1 => (0..REPLICAS).prop_map(Step::Restart),
    ];
    vec(step, 1..25)
}

fn name(counter: usize) -> CounterName {
    format!("counter-{counter}").parse().unwrap()
}

fn identity((key, number): (bool, u8)) -> Identity {
    let kind = if key {
        IdentityKind::Key
    } else {
        IdentityKind::Request
    };
    Identity::new(kind, "user", &[number])
}

/// What counting promises, in its simplest form.
#[derive(Default)]
struct Model {
    counts: HashMap<usize, u64>,
    remembered: HashMap<(usize, bool, u8), u64>,
}

impl Model {
    /// Checks that a batch was refused for want of room for its counter.
    fn check_refused(&self, visits: &Visits) {
        assert!(!self.counts.contains_key(&visits.counter), "it is known");
        assert_eq!(self.counts.len(), COUNTERS, "refused only when full");
    }

    /// Checks the numbers of one batch and remembers them.
    fn check(&mut self, visits: &Visits, first: u64, identified: &[Result<Counted, Duration>]) {
        assert_eq!(identified.len(), visits.identities.len());
        let before = self.counts.get(&visits.counter).copied().unwrap_or(0);
        let mut given: Vec<u64> = (first..).take(visits.anonymous as usize).collect();
        for (&(key, number), counted) in visits.identities.iter().zip(identified) {
            let known = self.remembered.get(&(visits.counter, key, number)).copied();
            let remembered = self
                .remembered
                .keys()
                .filter(|(counter, kind, _)| (*counter, *kind) == (visits.counter, key));
            match (known, counted) {
                (Some(known), Ok(counted)) => {
                    assert_eq!((counted.number, counted.replayed), (known, true))
                }
                (None, Ok(counted)) => {
                    assert!(!counted.replayed && remembered.count() < LIMIT);
                    self.remembered
                        .insert((visits.counter, key, number), counted.number);
                    given.push(counted.number);
                }
                (None, Err(_)) => assert_eq!(
                    remembered.count(),
                    LIMIT,
                    "refused only when the memory is full"
                ),
                (Some(_), Err(_)) => panic!("a known identity was refused"),
            }
        }
        given.sort_unstable();
        let expected: Vec<u64> = (before + 1..).take(given.len()).collect();
        assert_eq!(given, expected, "the next numbers, each once");
        self.counts
            .insert(visits.counter, before + given.len() as u64);
        assert!(self.counts.len() <= COUNTERS, "more than there is room for");
    }
}

async fn open(location: &StoreLocation) -> CounterStore {
    let settings = StoreSettings {
        location: location.clone(),
        timeout: Duration::from_secs(20),
        dedup_window: Duration::from_hours(1),
        dedup_limit: LIMIT as u64,
        counter_limit: COUNTERS as u32,
        wait_replicas: 0,
    };
    let store = Store::open(&settings, Arc::new(StoreMetrics::detached().unwrap()))
        .await
        .unwrap();
    CounterStore::new(store, &settings)
}

async fn follow(steps: &[Step], location: &StoreLocation) {
    let mut model = Model::default();
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(open(location).await);
    }
    for step in steps {
        match step {
            Step::Restart(replica) => replicas[*replica] = open(location).await,
            Step::Count(replica, all) => {
                let batches: Vec<_> = all
                    .iter()
                    .map(|visits| Batch {
                        counter: name(visits.counter),
                        anonymous: visits.anonymous,
                        identities: visits.identities.iter().copied().map(identity).collect(),
                    })
                    .collect();
                let results = replicas[*replica].count(&batches).await;
                let mut refused = Vec::new();
                for (visits, result) in all.iter().zip(results) {
                    match result.unwrap() {
                        Some(numbers) => model.check(visits, numbers.first, &numbers.identified),
                        None => refused.push(visits),
                    }
                }
                // Last: of batches that go together any may be the one that finds no room.
                for visits in refused {
                    model.check_refused(visits);
                }
            }
        }
        for counter in 0..NAMES {
            let visits = replicas[0].get(&name(counter)).await.unwrap().unwrap_or(0);
            assert_eq!(visits, model.counts.get(&counter).copied().unwrap_or(0));
        }
    }
}

fn run(cases: u32, mut fresh: impl FnMut() -> StoreLocation) {
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let fresh = std::cell::RefCell::new(&mut fresh);
    let result = TestRunner::new(config).run(&steps(), |steps| {
        let location = fresh.borrow_mut()();
        runtime.block_on(follow(&steps, &location));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn redis_does_what_the_model_does() {
    let redis = Redis::start();
    run(128, || {
        redis.command("FLUSHALL");
        StoreLocation::Redis(Box::new(redis.url().parse().expect("a URL")))
    });
}

#[test]
fn sqlite_does_what_the_model_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut case = 0;
    run(32, || {
        case += 1;
        StoreLocation::Sqlite(Path::join(directory.path(), format!("{case}.db")))
    });
}
