//! Histories: what each bucket has, and what cannot be asked for.

use footfall::record::Reason;
use serde_json::{Value, json};

use super::{DAY, MINUTE, Place, after_gap, at, plain};

const PATH: &str = "/api/counters/a/history";

/// Start, first, last and reason of each bucket.
fn buckets(history: &Value) -> Vec<(String, u64, u64, String)> {
    let buckets = history["buckets"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    buckets
        .map(|bucket| {
            let number = |name: &str| bucket[name].as_u64().unwrap();
            assert_eq!(bucket["visits"], number("last") + 1 - number("first"));
            (
                text(&bucket["start"]),
                number("first"),
                number("last"),
                text(&bucket["unrecorded"]),
            )
        })
        .collect()
}

fn bucket(start: &str, first: u64, last: u64, reason: &str) -> (String, u64, u64, String) {
    (start.into(), first, last, reason.into())
}

#[tokio::test]
async fn buckets_follow_each_other_and_say_what_is_not_recorded() {
    for place in Place::both().await {
        let noon = at("2026-03-01T12:00:00Z");
        let entries = [
            plain(12, 2, noon),
            plain(13, 1, noon + 59_999),
            after_gap(plain(20, 2, noon + 2 * DAY), 15, Reason::Behind),
            plain(21, 1, noon + 3 * DAY),
        ];
        place.append("a", 10, &entries).await;
        let history = place.get(PATH).await;
        let expected = [
            bucket("-", 1, 10, "before"),
            bucket("2026-03-01T00:00:00+00:00", 11, 13, "-"),
            bucket("2026-03-02T00:00:00+00:00", 14, 13, "-"),
            bucket("2026-03-01T12:00:59.999+00:00", 14, 15, "lost"),
            bucket("2026-03-01T12:00:59.999+00:00", 16, 18, "behind"),
            bucket("2026-03-03T00:00:00+00:00", 19, 20, "-"),
            bucket("2026-03-04T00:00:00+00:00", 21, 21, "-"),
        ];
        assert_eq!(buckets(&history), expected, "{}", place.stage.kind);
        assert_eq!(
            (&history["visits"], &history["as_of"]),
            (&json!(21), &json!(21))
        );
        assert_eq!(history["buckets"][3]["end"], "2026-03-03T12:00:00+00:00");
        // A part of it, from a time on which nothing begins.
        let part = place
            .get(&format!(
                "{PATH}?unit=hour&from=2026-03-01T12:00:00Z&to=2026-03-01T13:30:00%2B00:00"
            ))
            .await;
        let expected = [
            bucket("2026-03-01T12:00:00+00:00", 11, 13, "-"),
            bucket("2026-03-01T13:00:00+00:00", 14, 13, "-"),
        ];
        assert_eq!(buckets(&part), expected);
        let before = place.get(&format!("{PATH}?to=2026-02-01")).await;
        assert_eq!(buckets(&before), [bucket("-", 1, 10, "before")]);
        let after = place.get(&format!("{PATH}?from=2027-02-01")).await;
        assert_eq!(buckets(&after), []);
    }
}

#[tokio::test]
async fn a_day_has_as_many_hours_as_the_clock_shows() {
    let [place, _] = Place::both().await;
    // Central European Time: summer begins on 29 March 2026 at 01:00 UTC, and ends on 25 October.
    let mut entries = Vec::new();
    let mut number = 0;
    for (start, hours) in [("2026-03-28T23:00:00Z", 24), ("2026-10-24T22:00:00Z", 26)] {
        for hour in 0..hours {
            number += 1;
            entries.push(plain(number, 1, at(start) + hour * 60 * MINUTE));
        }
    }
    place.append("a", 0, &entries).await;
    let of = async |query: &str| {
        let path = format!("{PATH}?tz=Europe/Berlin&{query}");
        buckets(&place.get(&path).await)
    };
    let spring = of("unit=hour&from=2026-03-29&to=2026-03-30").await;
    assert_eq!(spring.len(), 23);
    assert_eq!(spring[1].0, "2026-03-29T01:00:00+01:00");
    assert_eq!(spring[2].0, "2026-03-29T03:00:00+02:00");
    let autumn = of("unit=hour&from=2026-10-25&to=2026-10-26").await;
    assert_eq!(autumn.len(), 25);
    assert_eq!(autumn[2].0, "2026-10-25T02:00:00+02:00");
    assert_eq!(autumn[3].0, "2026-10-25T02:00:00+01:00");
    assert!(
        spring
            .iter()
            .chain(&autumn)
            .all(|(_, first, last, _)| first == last)
    );
    let days = of("unit=day&from=2026-03-29&to=2026-03-31").await;
    let visits: Vec<_> = days
        .iter()
        .map(|(_, first, last, _)| last + 1 - first)
        .collect();
    assert_eq!(visits, [23, 1]);
    let weeks = of("unit=week&from=2026-10-19&to=2026-11-02").await;
    assert_eq!(weeks[0].0, "2026-10-19T00:00:00+02:00");
    assert_eq!(
        (weeks[1].0.as_str(), weeks[1].2),
        ("2026-10-26T00:00:00+01:00", 50)
    );
    let months = of("unit=month").await;
    assert_eq!(months.len(), 8);
    assert_eq!(months[7].0, "2026-10-01T00:00:00+02:00");
}

#[tokio::test]
async fn an_answer_can_be_asked_for_again() {
    for place in Place::both().await {
        let start = at("2026-03-01T12:00:00Z");
        place
            .append("a", 3, &[plain(5, 2, start), plain(9, 4, start + DAY)])
            .await;
        let mut client = place.client();
        for unit in ["hour", "day", "week", "month"] {
            let path = format!("{PATH}?unit={unit}&tz=Asia/Kathmandu");
            let first = client.get(&path).await;
            assert_eq!(first.json()["as_of"], first.json()["visits"], "{unit}");
            let as_of = first.json()["as_of"].as_u64().unwrap();
            let next = start + DAY + as_of as i64 * 1000;
            place
                .append(
                    "a",
                    3,
                    &[
                        plain(as_of + 2, 2, next),
                        plain(as_of + 3, 1, next + 3 * DAY),
                    ],
                )
                .await;
            let again = client.get(&format!("{path}&as_of={as_of}")).await;
            assert_eq!(again.body, first.body, "{unit} {}", place.stage.kind);
            assert_ne!(client.get(&path).await.body, first.body);
        }
        for as_of in 0..=9_u64 {
            let history = place.get(&format!("{PATH}?as_of={as_of}")).await;
            assert_eq!(history["visits"], as_of);
            // Of a time after which nothing has come that is known of now.
            let part = format!("{PATH}?from=2026-03-01&to=2027-01-01&as_of={as_of}");
            let visits = place.get(&part).await["visits"].clone();
            assert_eq!(visits, as_of.saturating_sub(3));
        }
        assert_eq!(
            place.problem(&format!("{PATH}?as_of=1000")).await.1,
            "invalid_query"
        );
    }
}

#[tokio::test]
async fn what_would_be_too_much_is_refused_with_what_to_ask_for() {
    for place in Place::both().await {
        let start = at("2020-01-01T00:00:00Z");
        place
            .append(
                "a",
                0,
                &[plain(1, 1, start), plain(2, 1, start + 2500 * DAY)],
            )
            .await;
        for (query, hint) in [
            ("", "unit=week"),
            ("?unit=hour", "unit=day"),
            ("?unit=minute&from=2020-01-01&to=2020-01-02", "unit=hour"),
            ("?unit=week&from=1900-01-01", "unit=month"),
            ("?unit=month&from=1800-01-01", "`from`"),
        ] {
            let (status, code, detail) = place.problem(&format!("{PATH}{query}")).await;
            assert_eq!((status, code.as_str()), (422, "unit_too_small"), "{query}");
            assert!(detail.contains(hint), "{query}: {detail}");
        }
        for (query, name) in [
            ("unit=year", "unit"),
            ("tz=Europe/Atlantis", "tz"),
            ("tz=%2B02:00", "tz"),
            ("from=yesterday", "from"),
            ("from=2026-02-30", "from"),
            ("from=-026-02-03", "from"),
            ("from=%2B026-02-03", "from"),
            ("to=20260-02-03", "to"),
            ("from=02026-2-03", "from"),
            ("to=2026-03-01T12:00:01Z", "to"),
            ("from=2020-03-01T12:01:00Z", "from"),
            ("from=2026-03-02&to=2026-03-01", "to"),
            ("from=2026-03-01&to=2026-03-01", "to"),
            ("as_of=-1", "as_of"),
            ("as_of=x", "as_of"),
        ] {
            let (status, code, detail) = place.problem(&format!("{PATH}?{query}")).await;
            assert_eq!((status, code.as_str()), (400, "invalid_query"), "{query}");
            assert!(detail.starts_with(name), "{query}: {detail}");
        }
        assert_eq!(
            place.problem("/api/counters/b/history").await.1,
            "counter_not_found"
        );
    }
}
