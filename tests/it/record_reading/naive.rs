//! Histories of random visits in several time zones, against a count of each visit by the clock of the zone.

use std::collections::BTreeMap;

use footfall::record::{Entry, Reason, upkeep};
use jiff::{Timestamp, ToSpan, civil::DateTime, tz::TimeZone};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::Value;

use super::{DAY, MINUTE, Place, after_gap, at, plain};

/// With summer time, without, with one of half an hour, with offsets of a quarter, with a summer time that ends for Ramadan.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Africa/Cairo",
];

const UNITS: [&str; 4] = ["hour", "day", "week", "month"];

/// Where the clocks of these zones are changed, and where not.
const AROUND: [&str; 6] = [
    "2026-03-28T20:00:00Z",
    "2026-03-08T05:00:00Z",
    "2026-10-24T22:00:00Z",
    "2026-04-04T13:00:00Z",
    "2026-02-14T22:00:00Z",
    "2026-06-30T22:00:00Z",
];

/// What happens next: how long after, how many visits, how many before them of which nothing is recorded.
type Step = (i64, u64, u64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![
        5 => 0..40 * MINUTE,
        2 => 0..9 * 60 * MINUTE,
        1 => 0..20 * DAY,
    ];
    let missing = prop_oneof![6 => Just(0_u64), 1 => 1..5_u64];
    prop::collection::vec((after, 1..4_u64, missing), 1..60)
}

/// Entries, and the time of each visit that is recorded.
fn counted(began: u64, start: i64, steps: &[Step]) -> (Vec<Entry>, Vec<(u64, i64)>) {
    let (mut number, mut time) = (began, start);
    let (mut entries, mut times) = (Vec::new(), Vec::new());
    for (after, visits, missing) in steps {
        time += after;
        let before = number;
        number += missing;
        times.extend((number + 1..=number + visits).map(|number| (number, time)));
        number += visits;
        entries.push(after_gap(plain(number, *visits, time), before, Reason::Off));
    }
    (entries, times)
}

/// By which the clock tells one unit from the next, at some moment.
fn key(zone: &TimeZone, unit: &str, moment: Timestamp) -> (DateTime, i32) {
    let shown = zone.to_datetime(moment);
    let day = shown.date();
    match unit {
        "hour" => {
            let mut hour = Timestamp::from_second(moment.as_second().div_euclid(60) * 60).unwrap();
            while zone.to_datetime(hour).minute() != 0 {
                hour -= 1.minute();
            }
            (zone.to_datetime(hour), zone.to_offset(hour).seconds())
        }
        "day" => (day.at(0, 0, 0, 0), 0),
        "week" => {
            let since = i64::from(day.weekday().to_monday_zero_offset());
            ((day - since.days()).at(0, 0, 0, 0), 0)
        }
        _ => (day.first_of_month().at(0, 0, 0, 0), 0),
    }
}

fn expected(
    zone: &TimeZone,
    unit: &str,
    times: &[(u64, i64)],
    within: impl Fn(i64) -> bool,
) -> BTreeMap<(DateTime, i32), u64> {
    let mut counts = BTreeMap::new();
    for (_, time) in times.iter().filter(|(_, time)| within(*time)) {
        let moment = Timestamp::from_millisecond(*time).unwrap();
        *counts.entry(key(zone, unit, moment)).or_default() += 1;
    }
    counts
}

/// The same of an answer, whose numbers must follow each other.
fn answered(zone: &TimeZone, unit: &str, history: &Value) -> BTreeMap<(DateTime, i32), u64> {
    let mut counts = BTreeMap::new();
    let (mut next, mut sum) = (None, 0);
    for bucket in history["buckets"].as_array().unwrap() {
        let number = |name: &str| bucket[name].as_u64().unwrap();
        assert!(next.is_none_or(|next| next == number("first")), "{history}");
        next = Some(number("last") + 1);
        sum += number("visits");
        if bucket.get("unrecorded").is_some() || number("visits") == 0 {
            continue;
        }
        let start: Timestamp = bucket["start"].as_str().unwrap().parse().unwrap();
        *counts.entry(key(zone, unit, start)).or_default() += number("visits");
    }
    assert_eq!(history["visits"], sum);
    counts
}

fn random<T: std::fmt::Debug>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

async fn compare(
    place: &Place,
    name: &str,
    began: u64,
    times: &[(u64, i64)],
    runner: &mut TestRunner,
) {
    let last = times.last().unwrap().0;
    for tz in ZONES {
        let zone = TimeZone::get(tz).unwrap();
        let unit = UNITS[random(runner, 0..UNITS.len())];
        let path = format!("/api/counters/{name}/history?tz={tz}&unit={unit}");
        let reply = place.client().get(&path).await;
        if reply.status == 422 {
            assert_eq!(unit, "hour", "{reply:?}");
            continue;
        }
        let history = reply.json();
        assert_eq!(history["visits"], last, "{path}");
        assert_eq!(
            answered(&zone, unit, &history),
            expected(&zone, unit, times, |_| true),
            "{path}: {history}"
        );
        // A part of it, by quarters of an hour.
        let quarter = 15 * MINUTE;
        let (first, end) = (times[0].1 / quarter, times.last().unwrap().1 / quarter + 2);
        let from = random(runner, first - 4..end);
        let to = random(runner, from + 1..end + 4);
        let [from, to] = [from * quarter, to * quarter];
        let shown = [from, to].map(|time| Timestamp::from_millisecond(time).unwrap());
        let part = place
            .get(&format!("{path}&from={}&to={}", shown[0], shown[1]))
            .await;
        assert_eq!(
            answered(&zone, unit, &part),
            expected(&zone, unit, times, |time| (from..to).contains(&time)),
            "{path} {shown:?}: {part}"
        );
        let as_of = random(runner, began..=last);
        let before = place.get(&format!("{path}&as_of={as_of}")).await;
        assert_eq!(before["visits"], as_of);
        let counted: Vec<_> = times
            .iter()
            .copied()
            .filter(|(number, _)| *number <= as_of)
            .collect();
        assert_eq!(
            answered(&zone, unit, &before),
            expected(&zone, unit, &counted, |_| true)
        );
    }
}

#[tokio::test]
async fn a_history_is_what_the_clock_of_the_zone_counts() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let random_source = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random_source);
    for place in Place::both().await {
        for (case, start) in AROUND.iter().enumerate() {
            let name = format!("case-{case}");
            let began = random(&mut runner, 0..3_u64);
            let steps = random(&mut runner, steps());
            let (entries, times) = counted(began, at(start), &steps);
            place.append(&name, began, &entries).await;
            compare(&place, &name, began, &times, &mut runner).await;
        }
        // Long past, marks are those of quarters of an hour; nothing else is to be seen of that.
        let database = place.stage.app.database.as_ref().unwrap();
        let steps = vec![(7 * MINUTE, 2, 0); 40];
        let (entries, times) = counted(0, at("2025-03-30T00:03:00Z"), &steps);
        place.append("thinned", 0, &entries).await;
        let before = place.stage.number("SELECT count(*) FROM marks").await;
        upkeep::once(database).await.unwrap();
        let left = place.stage.number("SELECT count(*) FROM marks").await;
        assert!(left < before - 15, "{left} of {before}");
        compare(&place, "thinned", 0, &times, &mut runner).await;
        for case in 0..AROUND.len() {
            let history = place
                .get(&format!("/api/counters/case-{case}/history?unit=month"))
                .await;
            assert_eq!(history["visits"], history["as_of"]);
        }
    }
}

#[tokio::test]
async fn minutes_are_known_of_the_last_ninety_days() {
    for place in Place::both().await {
        let now = Timestamp::now().as_millisecond();
        let start = now - now.rem_euclid(MINUTE) - 500 * MINUTE;
        let steps: Vec<Step> = (0..60).map(|step| (step % 3 * 31_000, 1, 0)).collect();
        let (entries, times) = counted(0, start, &steps);
        place.append("a", 0, &entries).await;
        upkeep::once(place.stage.app.database.as_ref().unwrap())
            .await
            .unwrap();
        let history = place
            .get("/api/counters/a/history?unit=minute&tz=Asia/Kathmandu")
            .await;
        let mut minutes = BTreeMap::new();
        for (_, time) in &times {
            *minutes.entry(time.div_euclid(MINUTE)).or_insert(0_u64) += 1;
        }
        let answered: BTreeMap<_, _> = history["buckets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|bucket| bucket["visits"] != 0)
            .map(|bucket| {
                let start: Timestamp = bucket["start"].as_str().unwrap().parse().unwrap();
                (start.as_second() / 60, bucket["visits"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(answered, minutes, "{}", place.stage.kind);
    }
}
