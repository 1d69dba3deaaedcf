//! The same question with the same `as_of` has the same answer.

use serde_json::json;

use super::*;

#[tokio::test]
async fn what_is_counted_meanwhile_changes_nothing() {
    for place in Place::both().await {
        let time = now() - 60 * MINUTE;
        place
            .visits("a", &[to(time, "#a", "/1"), to(time, "#b", "/1")])
            .await;
        let did = json!({ "did": { "counter": "a", "within": { "days": 1 } } });
        let either = json!({ "any": [{ "did": { "counter": "new" } }, did.clone()] });
        let questions = [
            include(json!([did.clone()])),
            include(json!([either])),
            include(json!([{ "visitor": "path", "in": ["/1"] }])),
            include(json!([{ "visitor": "path", "missing": true }])),
            json!({ "version": 1, "include": { "all": [did] }, "exclude": { "any": [{ "did": { "counter": "a", "times": { "at_least": 2 } } }] } }),
        ];
        let mut known = Vec::new();
        for question in &questions {
            known.push(place.evaluated(question, None).await.unwrap());
        }
        assert_eq!(known[0].counters, [("a".to_owned(), 2)].into());
        assert_eq!(
            known[1].counters,
            [("a".to_owned(), 2), ("new".to_owned(), 0)].into()
        );
        assert!(known[0].as_of.instant >= time);
        place
            .visits("a", &[to(now(), "#b", "/1"), to(now(), "#c", "")])
            .await;
        place.visits("new", &[to(now(), "#d", "/1")]).await;
        for (question, known) in questions.iter().zip(&known) {
            let as_of = AsOf::parse(&known.as_of.to_string()).unwrap();
            let again = place.evaluated(question, Some(&as_of)).await.unwrap();
            assert_eq!(
                again.visitors,
                known.visitors,
                "{} {question}",
                place.kind()
            );
            assert_eq!(
                (&again.as_of, &again.counters),
                (&known.as_of, &known.counters)
            );
        }
        assert_eq!(place.who(&questions[0]).await, names("#a #b #c"));
        assert_eq!(place.who(&questions[1]).await, names("#a #b #c #d"));
        assert_eq!(place.who(&questions[2]).await, names("#a #b #d"));
        assert_eq!(place.who(&questions[3]).await, names("#c"));
        assert_eq!(place.who(&questions[4]).await, names("#a #c"));
    }
}

/// Visits that were counted before and are recorded after an answer are not in it.
#[tokio::test]
async fn what_is_recorded_late_is_not_in_an_answer_of_before() {
    for place in Place::both().await {
        let time = now() - 5 * DAY;
        place.visits("a", &[to(time, "#a", "/1")]).await;
        let question = include(json!([{ "did": { "counter": "a", "within": { "days": 30 } } }]));
        let known = place.evaluated(&question, None).await.unwrap();
        place
            .visits(
                "a",
                &[to(time + 1, "#b", "/1"), to(time + 3 * DAY, "#c", "/1")],
            )
            .await;
        place.sum_up().await;
        let again = place
            .evaluated(&question, Some(&known.as_of))
            .await
            .unwrap();
        assert_eq!(place.keys(&again).await, names("#a"), "{}", place.kind());
        assert_eq!(place.who(&question).await, names("#a #b #c"));
    }
}

#[tokio::test]
async fn one_of_another_place_or_time_is_refused_or_says_nothing() {
    for place in Place::both().await {
        let time = now() - 60 * MINUTE;
        place.visits("a", &[to(time, "#a", "/1")]).await;
        let question = include(json!([{ "did": { "counter": "a" } }]));
        let known = place.evaluated(&question, None).await.unwrap().as_of;
        // Of more than is recorded.
        let mut more = known.clone();
        more.numbers.values_mut().for_each(|number| *number += 1);
        let problem = place.evaluated(&question, Some(&more)).await.unwrap_err();
        assert_eq!(problem.code.as_str(), "invalid_query");
        // Another company's: none of its counters is ours.
        let other = place.another().await;
        other.visits("a", &[to(time, "#other", "/1")]).await;
        let seen = other.evaluated(&question, Some(&known)).await.unwrap();
        assert!(seen.visitors.is_empty(), "{}", place.kind());
        assert!(seen.as_of.numbers.is_empty());
    }
}
