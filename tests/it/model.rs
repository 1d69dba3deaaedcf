//! Both stores against a model of what counting promises, under random schedules.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use footfall::{
    config::{StoreLocation, StoreSettings},
    counting::{
        Batch, Company, CounterId, Identity, NotCounted, Outcome, Visit, counts::CounterStore,
        identity::IdentityKind,
    },
    storage::Store,
    storage::metrics::StoreMetrics,
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::support::{Redis, cluster::Cluster};

mod mishaps;
mod possibilities;
mod world;

/// Identities remembered per counter and kind: few, so that the limit is met.
const LIMIT: usize = 12;

/// Names that are counted under in each company, and how many counters it may have.
const NAMES: usize = 4;
const COUNTERS: usize = 3;

/// Companies, in which the same names are counted under.
const COMPANIES: [Company; 3] = [
    Company::Default,
    Company::Id(Uuid::from_u128(0x0192_d4a5_7b1c_7def_8a90_0123_4567_89ab)),
    Company::Id(Uuid::from_u128(0x0192_d4a5_7b1c_7def_8a90_0123_4567_89ac)),
];

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

/// Kind and number of an identity.
type Key = (bool, u8);

/// A counter: its company and its name.
type Counter = (usize, usize);

/// Visits of one counter that share a round trip, some of them with an identity.
#[derive(Debug, Clone)]
struct Visits {
    counter: Counter,
    keys: Vec<Option<Key>>,
}

fn visits() -> impl Strategy<Value = Visits> {
    let counter = (0..COMPANIES.len(), 0..NAMES);
    let keys = vec(
        prop::option::weighted(0.7, (any::<bool>(), 0..20_u8)),
        1..10,
    );
    (counter, keys).prop_map(|(counter, mut keys)| {
        let mut seen = HashSet::new();
        // Two visits of one identity would be one.
        keys.retain(|key| key.is_none() || seen.insert(*key));
        Visits { counter, keys }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        9 => (0..REPLICAS, vec(visits(), 1..6)).prop_map(|(replica, mut visits)| {
            visits.sort_by_key(|visits| visits.counter);
            visits.dedup_by_key(|visits| visits.counter);
            Step::Count(replica, visits)
        }),
        1 => (0..REPLICAS).prop_map(Step::Restart),
    ];
    vec(step, 1..25)
}

fn counter((company, name): Counter) -> CounterId {
    CounterId {
        company: COMPANIES[company],
        name: format!("counter-{name}").parse().unwrap(),
    }
}

fn visit(key: &Option<Key>) -> Visit {
    let identity = key.map(|(key, number)| {
        let kind = match key {
            true => IdentityKind::Key,
            false => IdentityKind::Request,
        };
        Identity::new(kind, "user", &[number])
    });
    Visit {
        identity,
        ..Visit::default()
    }
}

/// What counting promises, in its simplest form.
#[derive(Default)]
struct Model {
    counts: HashMap<Counter, u64>,
    remembered: HashMap<(Counter, Key), u64>,
}

impl Model {
    /// How many counters a company has.
    fn counters(&self, company: usize) -> usize {
        let counters = self.counts.keys();
        counters.filter(|(of, _)| *of == company).count()
    }

    /// Checks that a batch was refused for want of room for its counter.
    fn check_refused(&self, visits: &Visits, outcomes: &[Outcome]) {
        let refused = Err(NotCounted::CountersFull);
        assert_eq!(outcomes, vec![refused; visits.keys.len()]);
        assert!(!self.counts.contains_key(&visits.counter), "it is known");
        let counters = self.counters(visits.counter.0);
        assert_eq!(counters, COUNTERS, "refused only when its company is full");
    }

    /// Checks the outcomes of one batch and remembers its numbers.
    fn check(&mut self, visits: &Visits, outcomes: &[Outcome]) {
        assert_eq!(outcomes.len(), visits.keys.len());
        let mut given = Vec::new();
        for (key, outcome) in visits.keys.iter().zip(outcomes) {
            let known = key.and_then(|key| self.remembered.get(&(visits.counter, key)));
            match (known, outcome) {
                (Some(known), outcome) => {
                    let counted = outcome.expect("a known identity is not refused");
                    assert_eq!((counted.number, counted.replayed), (*known, true));
                }
                (None, Ok(counted)) => {
                    assert!(!counted.replayed);
                    given.push(counted.number);
                    let remember = |key| {
                        self.remembered
                            .insert((visits.counter, key), counted.number)
                    };
                    key.map(remember);
                }
                (None, Err(reason)) => {
                    assert!(matches!(reason, NotCounted::IdentitiesFull(_)));
                    let (kind, _) = key.expect("only identities find no room");
                    let full = self.remembered_of(visits.counter, kind);
                    assert_eq!(full, LIMIT, "refused only when the memory is full");
                }
            }
        }
        for kind in [true, false] {
            assert!(self.remembered_of(visits.counter, kind) <= LIMIT);
        }
        given.sort_unstable();
        let before = self.counts.get(&visits.counter).copied().unwrap_or(0);
        let expected: Vec<u64> = (before + 1..).take(given.len()).collect();
        assert_eq!(given, expected, "the next numbers, each once");
        let count = before + given.len() as u64;
        self.counts.insert(visits.counter, count);
        let counters = self.counters(visits.counter.0);
        assert!(counters <= COUNTERS, "more than there is room for");
    }

    fn remembered_of(&self, counter: Counter, kind: bool) -> usize {
        let remembered = self.remembered.keys();
        remembered
            .filter(|(of, (of_kind, _))| (*of, *of_kind) == (counter, kind))
            .count()
    }

    /// Checks what the store says of all counters.
    async fn check_counts(&self, store: &CounterStore) {
        for (number, company) in COMPANIES.into_iter().enumerate() {
            let mut listed = Vec::new();
            for name in 0..NAMES {
                let counter = counter((number, name));
                let expected = self.counts.get(&(number, name)).copied();
                assert_eq!(store.get(&counter).await.unwrap(), expected);
                listed.extend(expected.map(|visits| (counter.name, visits)));
            }
            let page = store.list(company, None, 10).await.unwrap();
            let page = page.counters.into_iter();
            let page: Vec<_> = page.map(|tally| (tally.name, tally.visits)).collect();
            assert_eq!(page, listed, "its own counters, and nobody else's");
        }
        let companies = store.companies().await.unwrap();
        let has = |company: &usize| *company == 0 || self.counters(*company) > 0;
        let with_counters = (0..COMPANIES.len()).filter(has);
        let with_counters: Vec<_> = with_counters.map(|company| COMPANIES[company]).collect();
        assert_eq!(companies, with_counters);
    }
}

async fn open(location: &StoreLocation) -> CounterStore {
    let settings = StoreSettings {
        location: location.clone(),
        timeout: Duration::from_secs(20),
        dedup_window: Duration::from_hours(1),
        dedup_limit: LIMIT as u64,
        counter_limit: COUNTERS as u32,
        record_backlog: 1_000_000,
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
                        counter: counter(visits.counter),
                        visits: visits.keys.iter().map(visit).collect(),
                        known: None,
                    })
                    .collect();
                let results = replicas[*replica].count(&batches).await;
                let mut refused = Vec::new();
                for (visits, result) in all.iter().zip(results) {
                    let outcomes = result.unwrap();
                    match outcomes.contains(&Err(NotCounted::CountersFull)) {
                        false => model.check(visits, &outcomes),
                        true => refused.push((visits, outcomes)),
                    }
                }
                // Last: of batches that go together any may be the one that finds no room.
                for (visits, outcomes) in refused {
                    model.check_refused(visits, &outcomes);
                }
            }
        }
        model.check_counts(&replicas[0]).await;
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

/// Counters, and what lists them, are on several masters.
#[test]
fn a_cluster_does_what_the_model_does() {
    let cluster = Cluster::start();
    run(32, || {
        for node in &cluster.nodes {
            // Refused by those that follow, which do as their masters.
            node.command("FLUSHALL");
        }
        StoreLocation::Redis(Box::new(cluster.url().parse().expect("a URL")))
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
