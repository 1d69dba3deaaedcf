//! What a database has recorded, and whether that is what clients were told.

use std::collections::BTreeMap;

use super::clients::Told;
use crate::support::process::until;

/// How SQL is asked of a database.
pub type Ask<'a> = &'a dyn Fn(&str) -> String;

/// Waits until a counter is recorded up to its count.
pub async fn is_drained(ask: Ask<'_>, counter: &str, count: u64) {
    let through = format!("SELECT through FROM recordings WHERE counter = '{counter}'");
    let mut recorded = String::new();
    // How long all of it takes is up to the machine, so it is each step that has a deadline.
    while recorded != count.to_string() {
        recorded = until("more is recorded", async || {
            let now = ask(&through);
            (now != recorded).then_some(now)
        })
        .await;
    }
}

/// Every number from the first to the last was told to one client, is recorded, and has a row with what
/// that client sent, or none if it sent nothing.
#[track_caller]
pub fn is_as_told(ask: Ask<'_>, counter: &str, told: &Told) {
    let numbers: Vec<_> = told.keys().copied().collect();
    let all: Vec<_> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, all, "{counter}: what was acknowledged has no gaps");
    assert_eq!(unrecorded(ask, counter), "", "{counter}");
    assert_eq!(joined(ask, counter), (1, all.len() as u64), "{counter}");
    let sent = told.iter();
    let sent = sent.filter_map(|(number, path)| Some((*number, path.clone()?)));
    let sent: BTreeMap<_, _> = sent.collect();
    assert_eq!(rows(ask, counter), sent, "{counter}");
    assert_eq!(ask("SELECT count(*) FROM repeated_visits"), "0");
    let wrong = "SELECT count(*) FROM texts WHERE uses <> (SELECT count(*) FROM visits
         WHERE visits.recording_id = texts.recording_id AND path = texts.id)";
    // Of each of thousands, so it is asked where there is an index for it.
    let index = "CREATE INDEX IF NOT EXISTS visits_by_path ON visits (recording_id, path)";
    assert_eq!(ask(&format!("{index}; {wrong}")), "0");
}

/// Numbers of which nothing is recorded, and why.
pub fn unrecorded(ask: Ask<'_>, counter: &str) -> String {
    ask(&format!(
        "SELECT first, last, reason FROM runs JOIN recordings ON recordings.id = recording_id
         WHERE counter = '{counter}' AND reason IS NOT NULL ORDER BY first"
    ))
}

/// The first and the last number of runs that follow each other without gaps.
#[track_caller]
pub fn joined(ask: Ask<'_>, counter: &str) -> (u64, u64) {
    let runs = ask(&format!(
        "SELECT first, last FROM runs JOIN recordings ON recordings.id = recording_id
         WHERE counter = '{counter}' ORDER BY first"
    ));
    let mut all: Option<(u64, u64)> = None;
    for run in runs.lines() {
        let (first, last) = run.split_once('|').unwrap();
        let (first, last): (u64, u64) = (first.parse().unwrap(), last.parse().unwrap());
        all = Some(match all {
            None => (first, last),
            Some((begin, end)) => {
                assert_eq!(first, end + 1, "{counter}: runs join up");
                (begin, last)
            }
        });
    }
    all.expect("something is recorded")
}

/// The paths of visits that carry something. One that has two rows, or two texts that differ, fails the test.
#[track_caller]
pub fn rows(ask: Ask<'_>, counter: &str) -> BTreeMap<u64, String> {
    let rows = ask(&format!(
        "SELECT number, text, properties->>'name' FROM visits
         JOIN recordings ON recordings.id = visits.recording_id
         JOIN texts ON texts.recording_id = visits.recording_id AND texts.id = path
         WHERE counter = '{counter}'"
    ));
    let mut all = BTreeMap::new();
    for row in rows.lines() {
        let [number, path, name] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        assert_eq!(path, name, "{number}");
        let twice = all.insert(number.parse().unwrap(), path.to_owned());
        assert_eq!(twice, None, "{counter} has two rows of {number}");
    }
    all
}
