//! Random entries, cut into chunks of which some are read twice, against a naive model in memory.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;

use super::*;

/// Entries of a counter in one run.
const ENTRIES: usize = 300;

/// How the next entry differs from the one before.
#[derive(Debug, Clone)]
struct Step {
    lost: u64,
    skipped: u64,
    reason: Option<Reason>,
    /// Visits that were in an entry before as well.
    again: u64,
    visits: u64,
    after: i64,
    carrying: Vec<(u64, Stored)>,
    plain: u64,
    requests: u64,
    keys: u64,
}

fn text() -> impl Strategy<Value = Option<Box<str>>> {
    prop_oneof![
        2 => Just(None),
        5 => "[ab]".prop_map(|text| Some(text.into())),
        1 => "[^\0]{1,12}".prop_map(|text| Some(text.into())),
    ]
}

fn stored() -> impl Strategy<Value = Stored> {
    let properties = prop_oneof![
        Just(json!({})),
        Just(json!({ "plan": "pro", "n": -1.5, "yes": true })),
        "[^\0]{0,9}".prop_map(|text| json!({ (text.clone()): text, "big": u64::MAX })),
    ];
    let visitor = prop_oneof![Just(None), "[#~=][a-d\"€]".prop_map(|key| Some(key.into()))];
    (visitor, text(), text(), text(), text(), properties).prop_map(
        |(visitor, path, referrer, campaign, country, properties)| Stored {
            visitor,
            attributes: Attributes {
                path,
                referrer,
                campaign,
                country,
                properties: serde_json::from_value(properties).unwrap(),
            },
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let few = |most: u64| prop_oneof![9 => Just(0), 1 => 0..=most];
    let reason = prop_oneof![
        Just(None),
        Just(Some(Reason::Off)),
        Just(Some(Reason::Behind)),
        Just(Some(Reason::OlderVersion)),
    ];
    let after = prop_oneof![
        6 => 0i64..30,
        3 => -5_000i64..5_000,
        1 => 0..3 * MINUTE,
        1 => 0..9 * DAY,
    ];
    let carrying = prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec((1u64..60, stored()), 0..9),
    ];
    let gap = (few(3), few(5), reason, few(4));
    let identified = (0u64..4, 0u64..4, 0u64..4);
    (gap, 0u64..60, after, carrying, identified).prop_map(
        |((lost, skipped, reason, again), visits, after, carrying, (plain, requests, keys))| Step {
            lost,
            skipped,
            reason,
            again,
            visits,
            after,
            carrying,
            plain,
            requests,
            keys,
        },
    )
}

/// What a stream would hold of these steps, after so many visits.
fn entries(began: u64, steps: &[Step]) -> Vec<Entry> {
    let (mut count, mut at) = (began, NOW);
    let entries = steps.iter().map(|step| {
        at += step.after;
        let before = count + step.lost;
        let start = before + step.skipped;
        let last = start + step.visits;
        count = last;
        // Never so that it says what is before it and reaches over it.
        let again = if start > before { 0 } else { step.again };
        let digest = |number: u64| {
            let mut digest = [7; 16];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            digest
        };
        let identified = start + 1 + step.plain;
        let requests = step.requests.min((last + 1).saturating_sub(identified));
        let keys = step
            .keys
            .min((last + 1).saturating_sub(identified + requests));
        let after_requests = identified + requests;
        let carried: BTreeMap<_, _> = step.carrying.iter().cloned().collect();
        let visits = if last > start {
            step.visits + again.min(start)
        } else {
            0
        };
        Entry {
            last,
            visits,
            at,
            before,
            reason: step.reason,
            carried: carried
                .into_iter()
                .map(|(offset, stored)| (start + offset, stored))
                .filter(|(number, _)| *number <= last)
                .collect(),
            identified,
            requests: (identified..after_requests).map(digest).collect(),
            keys: (after_requests..after_requests + keys)
                .map(digest)
                .collect(),
        }
    });
    entries.collect()
}

/// What should be written, number by number.
fn expected(began: u64, entries: &[Entry]) -> Written {
    let mut written = Written {
        fates: BTreeMap::new(),
        around: BTreeMap::new(),
        carried: BTreeMap::new(),
        uses: BTreeMap::new(),
        marks: BTreeMap::new(),
        requests: BTreeMap::new(),
        keys: BTreeMap::new(),
    };
    let (mut through, mut clock) = (began, NOW);
    for entry in entries.iter() {
        if entry.last == through {
            continue;
        }
        let before_clock = clock;
        clock = clock.max(entry.at);
        for number in through + 1..=entry.last {
            let recorded = number + entry.visits > entry.last;
            let fate = match recorded {
                true => Fate::At(clock),
                false if number <= entry.before => Fate::Nothing(Reason::Lost),
                false => Fate::Nothing(entry.reason.unwrap_or(Reason::OlderVersion)),
            };
            if let Fate::Nothing(_) = fate {
                // One that goes on takes the place of the one it goes on from.
                let goes_on = number > through + 1 && written.fates[&(number - 1)] == fate;
                if goes_on {
                    written.around.remove(&(number - 1));
                }
                written.around.insert(number, (before_clock, clock));
            }
            written.fates.insert(number, fate);
        }
        for (number, stored) in &entry.carried {
            let Attributes {
                path,
                referrer,
                campaign,
                country,
                ..
            } = &stored.attributes;
            for text in [path, referrer, campaign, country].into_iter().flatten() {
                *written.uses.entry(text.to_string()).or_default() += 1;
            }
            written.carried.insert(*number, (clock, stored.clone()));
        }
        let identities = entry.requests.iter().chain(&entry.keys);
        for (place, (number, digest)) in (entry.identified..).zip(identities).enumerate() {
            match place < entry.requests.len() {
                true => written.requests.insert(number, *digest),
                false => written.keys.insert(number, *digest),
            };
        }
        written.marks.insert(clock.div_euclid(MINUTE), entry.last);
        through = entry.last;
    }
    written
}

fn runner(seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(Config::default(), rng)
}

fn random<T>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

/// Appends them all, so many at once, some of them again.
async fn append_all(
    database: &Database,
    counter: &CounterId,
    began: u64,
    entries: &[Entry],
    runner: &mut TestRunner,
) {
    let mut done = 0;
    let (mut recorded, mut unrecorded, mut carried) = (0, 0, 0);
    while done < entries.len() {
        let (again, more) = random(runner, (0usize..5, 1usize..80));
        let to = entries.len().min(done + more);
        let chunk = &entries[done.saturating_sub(again)..to];
        let appended = appended(database, counter, began, chunk).await.unwrap();
        recorded += appended.recorded;
        unrecorded += appended.unrecorded.iter().sum::<u64>();
        carried += appended.carried;
        done = to;
    }
    let last = entries.last().unwrap().last;
    assert_eq!(recorded + unrecorded, last - began);
    let all: usize = entries.iter().map(|entry| entry.carried.len()).sum();
    assert_eq!(carried, all as u64);
}

#[tokio::test]
async fn what_is_appended_is_what_was_counted() {
    for (round, opened) in databases::both().await.into_iter().enumerate() {
        let database = &opened.database;
        let other = another_company(database).await;
        let counters = [
            counter(Company::Default, "visits"),
            counter(Company::Default, "other"),
            counter(other, "visits"),
        ];
        let mut all = Vec::new();
        for (place, counter) in counters.iter().enumerate() {
            let mut runner = runner((round * counters.len() + place) as u8);
            let began = random(&mut runner, 0u64..100);
            let steps = random(&mut runner, prop::collection::vec(step(), ENTRIES));
            let entries = entries(began, &steps);
            append_all(database, counter, began, &entries, &mut runner).await;
            all.push((counter, began, entries));
        }
        // Only now: what is appended to one must not touch what is there of another.
        for (counter, began, entries) in all {
            let (recording, written) = Written::of(database, counter).await;
            assert_eq!((recording.began, recording.base), (began, began));
            let expected = expected(began, &entries);
            let kind = opened.kind;
            assert_eq!(written.fates, expected.fates, "{kind}");
            assert_eq!(written.around, expected.around, "{kind}");
            assert_eq!(written.carried, expected.carried, "{kind}");
            assert_eq!(written.uses, expected.uses, "{kind}");
            assert_eq!(written.marks, expected.marks, "{kind}");
            assert_eq!(written.requests, expected.requests, "{kind}");
            assert_eq!(written.keys, expected.keys, "{kind}");
            let months = written.carried.values().map(|(at, _)| at / (31 * DAY));
            let months: std::collections::BTreeSet<_> = months.collect();
            assert!(months.len() > 2, "{months:?}");
        }
    }
}
