//! How many questions are answered at a time, and for how long.

use std::time::Duration;

use footfall::audiences::evaluate::metrics::Outcome;
use serde_json::json;

use super::*;
use crate::support::process::{PATIENCE, until};

/// Questions that are answered at a time.
const AT_A_TIME: usize = 2;

/// A place whose questions may take so long, and what is measured of it. What they ask for keeps a database busy
/// for a good deal longer.
async fn slow(opened: Opened, request: Duration) -> (Place, Arc<AudienceMetrics>, Value) {
    let metrics = Arc::new(AudienceMetrics::register(&opened.registry).unwrap());
    let engine = Engine::new(Some(opened.database.clone()), request, metrics.clone());
    let place = Place::of(Arc::new(opened), engine).await;
    let time = at("2026-03-01T12:00:00Z");
    let long = "x".repeat(500);
    let visits: Vec<_> = (0..20_000)
        .map(|nth| {
            with(
                time + nth,
                &format!("#{}", nth % 500),
                json!({ "p": long, "q": long }),
            )
        })
        .collect();
    // So few in a transaction that it has its time on a busy machine.
    for some in visits.chunks(200) {
        place.visits("a", some).await;
    }
    let texts: Vec<_> = (0..40).map(|nth| json!({ "visitor_property": "p", "contains": format!("{}{nth}", "x".repeat(300)) })).collect();
    (place, metrics, include(json!([{ "any": texts }])))
}

/// Whether a question is looked at: by the server, or by somebody who reads the file, whose log cannot be emptied then.
async fn is_running(place: &Place) -> bool {
    if place.kind() == "sqlite" {
        let write = "UPDATE companies SET updated_at = updated_at + 1 WHERE id = $1 AND name <> $2";
        place.write(write, String::new()).await;
        return !place.database().empty_log().await.unwrap();
    }
    let running = place.database().read("running", |connection| {
        Box::pin(async move {
            Ok(on_either!(connection, |database| {
                let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'
                     AND datname = current_database() AND query LIKE '%array_agg%' AND pid <> pg_backend_pid()";
                sqlx::query_scalar(running).fetch_one(&mut **database).await
            })?)
        })
    });
    let running: i64 = running.await.unwrap();
    running > 0
}

fn ended(metrics: &AudienceMetrics, outcome: Outcome) -> u64 {
    metrics.queries.of(outcome).get()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_takes_too_long_is_given_up() {
    for opened in databases::both().await {
        let (place, metrics, question) = slow(opened, Duration::from_millis(120)).await;
        let asked = tokio::time::timeout(PATIENCE, place.evaluated(&question, None)).await;
        let problem = asked.unwrap().unwrap_err();
        assert_eq!(
            problem.code.as_str(),
            "query_too_slow",
            "{} {problem:?}",
            place.kind()
        );
        assert!(problem.wait().is_some());
        assert_eq!(ended(&metrics, Outcome::TooSlow), 1);
        assert_eq!(metrics.running.get(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_questions_wait_and_are_refused() {
    for opened in databases::both().await {
        // Each takes longer than it may.
        let (place, metrics, question) = slow(opened, Duration::from_millis(400)).await;
        let place = Arc::new(place);
        let ask = |question: Value| {
            let place = place.clone();
            tokio::spawn(async move { place.evaluated(&question, None).await })
        };
        let running: Vec<_> = (0..AT_A_TIME + 4).map(|_| ask(question.clone())).collect();
        let mut codes = Vec::new();
        for asked in running {
            let asked = tokio::time::timeout(PATIENCE, asked).await;
            codes.push(asked.unwrap().unwrap().unwrap_err().code.as_str());
        }
        let of = |code: &str| codes.iter().filter(|other| **other == code).count();
        assert_eq!(
            of("query_too_slow") + of("overloaded"),
            codes.len(),
            "{codes:?}"
        );
        // Whoever has no turn by half of the time has none: but for who comes a moment too late, all the others.
        assert!(of("query_too_slow") >= 1, "{codes:?}");
        assert!(of("overloaded") >= 1, "{} {codes:?}", place.kind());
        let overloaded = ended(&metrics, Outcome::Overloaded);
        assert_eq!(overloaded, of("overloaded") as u64);
        assert_eq!(metrics.running.get(), 0);
        // There is room again.
        let quick = include(json!([{ "did": { "counter": "a" } }]));
        until("there is an answer", async || {
            let evaluated = place.evaluated(&quick, None).await.ok()?;
            (evaluated.visitors.len() == 500).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_gone_makes_room() {
    for opened in databases::both().await {
        let (place, metrics, question) = slow(opened, REQUEST).await;
        let place = Arc::new(place);
        for _ in 0..3 * AT_A_TIME {
            let asking = {
                let (place, question) = (place.clone(), question.clone());
                tokio::spawn(async move { place.evaluated(&question, None).await })
            };
            until("it is running", async || {
                (is_running(&place).await || asking.is_finished()).then_some(())
            })
            .await;
            asking.abort();
            until("it has gone", async || {
                let is_asked = metrics.running.get() > 0;
                (!is_asked && !is_running(&place).await).then_some(())
            })
            .await;
        }
        let quick = include(json!([{ "did": { "counter": "a" } }]));
        assert_eq!(place.who(&quick).await.len(), 500);
        let cancelled = ended(&metrics, Outcome::Cancelled);
        assert!(cancelled > 0, "{} {cancelled}", place.kind());
        assert_eq!(
            ended(&metrics, Outcome::Answered),
            1 + 3 * AT_A_TIME as u64 - cancelled
        );
    }
}

#[tokio::test]
async fn without_a_database_there_is_no_answer() {
    let metrics = Arc::new(AudienceMetrics::detached().unwrap());
    let engine = Engine::new(None, REQUEST, metrics.clone());
    let filter = read(&include(json!([{ "did": { "counter": "a" } }])));
    let problem = engine
        .evaluate(Company::Default, &filter, None)
        .await
        .unwrap_err();
    assert_eq!(problem.code.as_str(), "no_database");
}
