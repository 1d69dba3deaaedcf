//! Days that are summed up say what their visits say, however they lie to a time.

use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;

use super::*;

/// After how long somebody comes again.
fn steps() -> impl Strategy<Value = Vec<(i64, u8, u8)>> {
    let after = prop_oneof![6 => 0..20 * MINUTE, 2 => 0..9 * 60 * MINUTE, 1 => 0..3 * DAY];
    prop::collection::vec((after, 0..12_u8, 0..3_u8), 1..250)
}

fn shown(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).unwrap().to_string()
}

/// Filters in which days may be summed up, in times that begin and end wherever they do.
fn filters(runner: &mut TestRunner, first: i64, last: i64) -> Vec<Value> {
    let mut random = |strategy: std::ops::Range<i64>| strategy.new_tree(runner).unwrap().current();
    (0..12)
        .map(|nth| {
            let mut did = json!({ "counter": "a" });
            let least = random(1..18);
            if nth % 3 > 0 {
                did["times"] = json!({ "at_least": least });
            }
            if nth % 3 > 1 {
                did["times"]["at_most"] = json!(least + random(0..4));
            }
            let day = |at: i64| at.div_euclid(DAY) * DAY;
            let (from, to) = (random(first - DAY..last), random(1..last - first + 2 * DAY));
            match nth % 4 {
                0 => {}
                1 => did["within"] = json!({ "from": shown(from), "to": shown(from + to) }),
                2 => {
                    did["within"] =
                        json!({ "from": shown(day(from)), "to": shown(day(from + to) + DAY) })
                }
                _ => did["within"] = json!({ "days": random(1..60) }),
            }
            if nth % 5 == 4 {
                return include(json!([{ "visitor": "path", "in": ["/1"] }, { "did": did }]));
            }
            include(json!([{ "did": did }]))
        })
        .collect()
}

#[tokio::test]
async fn sums_of_days_say_what_visits_say() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let source = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), source);
    for first in Place::both().await {
        for _ in 0..5 {
            let place = first.another().await;
            let steps = steps().new_tree(&mut runner).unwrap().current();
            let start = now() - 40 * DAY;
            let mut time = start;
            let visits = steps.iter().map(|(after, who, path)| {
                time = (time + after).min(now());
                let path = [String::new(), "/1".into(), "/2".into()][usize::from(*path)].clone();
                to(time, &format!("#{who}"), &path)
            });
            let visits: Vec<_> = visits.collect();
            let filters = filters(&mut runner, start, time);
            let (early, late) = visits.split_at(visits.len() / 2);
            place.visits("a", early).await;
            let mut before = Vec::new();
            for filter in &filters {
                let evaluated = place.evaluated(filter, None).await.unwrap();
                before.push(evaluated);
            }
            place.sum_up().await;
            place.visits("a", late).await;
            place.visits("b", early).await;
            // From rows, from the sums of some days, and of all that are over: the same.
            let mut after = Vec::new();
            for filter in &filters {
                after.push(place.evaluated(filter, None).await.unwrap());
            }
            place.sum_up().await;
            for ((filter, before), after) in filters.iter().zip(&before).zip(&after) {
                for known in [before, after] {
                    let again = place.evaluated(filter, Some(&known.as_of)).await.unwrap();
                    assert_eq!(again.visitors, known.visitors, "{} {filter}", place.kind());
                    assert_eq!(again.as_of, known.as_of);
                }
            }
        }
        let summed = "SELECT count(*) FROM visitor_days WHERE length(slices) > 0";
        assert!(number(&first, summed).await > 0, "{}", first.kind());
    }
}

async fn number(place: &Place, sql: &'static str) -> i64 {
    let number = place.database().read("number", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            Ok(on_either!(connection, |database| {
                sqlx::query_scalar(sql).fetch_one(&mut **database).await
            })?)
        })
    });
    number.await.unwrap()
}

/// That sums are looked at at all: one that says something else changes the answer.
#[tokio::test]
async fn days_that_are_over_are_not_looked_at_visit_by_visit() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        let visits = [
            to(noon, "#a", "/1"),
            to(noon + 1, "#a", "/1"),
            to(noon + 2 * DAY, "#b", "/1"),
        ];
        place.visits("a", &visits).await;
        place.sum_up().await;
        let twice = include(json!([{ "did": { "counter": "a", "times": { "at_least": 2 } } }]));
        let once = include(json!([{ "did": { "counter": "a", "times": { "at_most": 1 } } }]));
        let path = include(json!([{ "visitor": "path", "in": ["/1"] }]));
        assert_eq!(place.who(&twice).await, names("#a"));
        assert_eq!(place.who(&path).await, names("#a #b"));
        let nobody = "UPDATE visitor_days SET slices = substr(slices, 1, 0) WHERE company_id = $1 AND $2 = ''";
        place.write(nobody, String::new()).await;
        assert_eq!(place.who(&twice).await, names(""));
        assert_eq!(place.who(&once).await, names("#a #b"));
        place
            .write(
                "DELETE FROM value_days WHERE company_id = $1 AND $2 = ''",
                String::new(),
            )
            .await;
        assert_eq!(place.who(&path).await, names("#b"));
        // One of an older version, which did not know how often anybody came: rows say it.
        let unknown = "UPDATE visitor_days SET slices = NULL WHERE company_id = $1 AND $2 = ''";
        place.write(unknown, String::new()).await;
        assert_eq!(place.who(&twice).await, names("#a"));
        assert_eq!(
            number(
                &place,
                "SELECT count(*) FROM visitor_days WHERE slices IS NULL"
            )
            .await,
            1
        );
        // It is made again in the background, and all that is summed up with it.
        place.sum_up().await;
        assert_eq!(
            number(
                &place,
                "SELECT count(*) FROM visitor_days WHERE slices IS NULL"
            )
            .await,
            0
        );
        assert_eq!(place.who(&twice).await, names("#a"));
        assert_eq!(place.who(&path).await, names("#a #b"));
    }
}

/// Visits that are removed when their retention ends are in no answer, whatever the `as_of`.
#[tokio::test]
async fn what_is_kept_no_longer_counts_no_longer() {
    for place in Place::both().await {
        let time = now() - 10 * DAY;
        let visits = [
            to(time, "#a", "/1"),
            to(time + 5 * DAY, "#a", "/1"),
            to(time + 5 * DAY, "#b", "/1"),
        ];
        place.visits("a", &visits).await;
        place.visits("a", &[to(time + 9 * DAY, "", "/1")]).await;
        place.sum_up().await;
        let twice = include(json!([{ "did": { "counter": "a", "times": { "at_least": 2 } } }]));
        let early = json!({ "from": shown(time - DAY), "to": shown(time + DAY) });
        let early = include(json!([{ "did": { "counter": "a", "within": early } }]));
        let known = place.evaluated(&twice, None).await.unwrap();
        assert_eq!(place.keys(&known).await, names("#a"));
        assert_eq!(place.who(&early).await, names("#a"));
        place
            .write(
                "UPDATE recordings SET retention_days = 7 WHERE company_id = $1 AND $2 = ''",
                String::new(),
            )
            .await;
        place.sum_up().await;
        let again = place.evaluated(&twice, Some(&known.as_of)).await.unwrap();
        assert!(again.visitors.is_empty(), "{}", place.kind());
        assert_eq!(place.who(&early).await, names(""));
        let once = include(json!([{ "did": { "counter": "a", "times": { "at_most": 1 } } }]));
        assert_eq!(place.who(&once).await, names("#a #b"));
    }
}

/// Who is told apart for a day is asked for a day, as it was when the answer was first given.
#[tokio::test]
async fn visitors_of_a_day_are_asked_for_a_day() {
    for place in Place::both().await {
        let time = now() - 60 * MINUTE;
        place.visits("a", &[to(time, "~a", "/1")]).await;
        let of = |within: Value| {
            let mut did = json!({ "counter": "a" });
            if !within.is_null() {
                did["within"] = within;
            }
            include(json!([{ "did": did }]))
        };
        let ever = of(json!(null));
        let known = place.evaluated(&ever, None).await.unwrap();
        let daily = "UPDATE recordings SET visitor = 'daily' WHERE company_id = $1 AND $2 = ''";
        place.write(daily, String::new()).await;
        let day = json!({ "from": shown(time - DAY + 1), "to": shown(time + 1) });
        let more = json!({ "from": shown(time - DAY), "to": shown(time + 1) });
        for within in [json!({ "days": 1 }), day] {
            assert_eq!(
                place.who(&of(within)).await,
                names("~a"),
                "{}",
                place.kind()
            );
        }
        for within in [json!({ "days": 2 }), more, json!(null)] {
            let problem = place.evaluated(&of(within), None).await.unwrap_err();
            assert_eq!(problem.code.as_str(), "visitors_of_a_day");
            assert!(problem.detail.contains("counter a "), "{problem:?}");
            let told = serde_json::to_value(problem.document("x")).unwrap();
            assert_eq!(
                told["errors"][0]["pointer"], "/include/all/0/did/within",
                "{told}"
            );
        }
        let again = place.evaluated(&ever, Some(&known.as_of)).await.unwrap();
        assert_eq!(again.visitors, known.visitors);
    }
}
