//! What is older than its retention goes, and the history stays.

use footfall::record::{Reason, upkeep};
use jiff::Timestamp;
use serde_json::json;

use super::{DAY, Place, after_gap, carrying, plain, to};

#[tokio::test]
async fn what_is_too_old_goes_and_the_history_stays() {
    for place in Place::both().await {
        let kind = place.stage.kind;
        let noon = Timestamp::now().as_millisecond().div_euclid(DAY) * DAY + DAY / 2;
        let days = |days: i64| noon - days * DAY;
        let mut older = to("/older", Some("=old"));
        older.attributes.referrer = Some("older.example".into());
        older.attributes.campaign = Some("older campaign".into());
        older.attributes.country = Some("AT".into());
        let entries = [
            carrying(
                2,
                days(12),
                vec![to("/old", Some("=old")), to("/both", Some("=both"))],
            ),
            plain(5, 3, days(12) + 1),
            after_gap(carrying(9, days(11), vec![older.clone()]), 5, Reason::Off),
            carrying(
                11,
                // Of the last day that is kept.
                days(10),
                vec![to("/both", Some("=both")), to("/new", None)],
            ),
            plain(12, 1, days(8)),
        ];
        place.append("a", 0, &entries).await;
        place
            .append(
                "b",
                0,
                &[carrying(1, days(12), vec![to("/old", Some("=old"))])],
            )
            .await;
        let path = "/api/counters/a/history";
        let before = place.client().get(path).await;
        let database = place.stage.app.database.as_ref().unwrap();
        upkeep::once(database).await.unwrap();
        assert_eq!(
            place.get("/api/counters/a/recording").await["base"],
            0,
            "{kind}"
        );
        let reply = place
            .client()
            .put_json("/api/counters/a/recording", r#"{"retention_days":10}"#)
            .await;
        assert_eq!(reply.status, 200);
        upkeep::once(database).await.unwrap();
        assert_eq!(
            place.get("/api/counters/a/recording").await["base"],
            9,
            "{kind}"
        );
        assert_eq!(place.client().get(path).await.body, before.body, "{kind}");
        let lines = place.client().get("/api/counters/a/visits").await.text();
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(
            first,
            json!({ "number": 1, "unrecorded": "retention", "unrecorded_to": 9 })
        );
        assert_eq!(lines.lines().count(), 4);
        let values = place.get("/api/counters/a/values?field=path").await;
        assert_eq!(
            (&values["visits"], &values["visitors"]),
            (&json!(3), &json!(1)),
            "{values}"
        );
        for (what, left) in [
            ("SELECT count(*) FROM visits", 3),
            ("SELECT count(*) FROM runs WHERE reason IS NULL", 3),
            ("SELECT count(*) FROM texts", 3),
            ("SELECT count(*) FROM texts WHERE uses <> 1", 0),
            // The old one is still known of the other counter.
            ("SELECT count(*) FROM visitors", 2),
            ("SELECT count(*) FROM recordings WHERE tail <= base", 0),
        ] {
            assert_eq!(place.stage.number(what).await, left, "{kind}: {what}");
        }
        let reply = place
            .client()
            .put_json("/api/counters/b/recording", r#"{"retention_days":1}"#)
            .await;
        assert_eq!(reply.status, 200);
        upkeep::once(database).await.unwrap();
        assert_eq!(
            place.stage.number("SELECT count(*) FROM visitors").await,
            1,
            "{kind}"
        );
        // One of which nothing is left goes on.
        place.append("b", 0, &[plain(2, 1, noon)]).await;
        let view = place.get("/api/counters/b/recording").await;
        assert_eq!(
            (&view["base"], &view["through"]),
            (&json!(1), &json!(2)),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_when_they_are_empty() {
    let [_, place] = Place::both().await;
    let (_, postgres) = place.stage.servers.as_ref().unwrap();
    let months = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'visits'::regclass";
    let ahead = "SELECT count(*) FROM generate_series(0, 2) AS months
         WHERE to_regclass(to_char(now() AT TIME ZONE 'UTC' + months * interval '1 month', '\"visits_\"YYYY\"_\"MM')) IS NOT NULL";
    let now = Timestamp::now().as_millisecond();
    place
        .append(
            "a",
            0,
            &[
                carrying(1, now - 100 * DAY, vec![to("/a", None)]),
                plain(2, 1, now),
            ],
        )
        .await;
    let database = place.stage.app.database.as_ref().unwrap();
    upkeep::once(database).await.unwrap();
    assert_eq!(postgres.sql(ahead), "3");
    let before: i64 = postgres.sql(months).parse().unwrap();
    let reply = place
        .client()
        .put_json("/api/counters/a/recording", r#"{"retention_days":30}"#)
        .await;
    assert_eq!(reply.status, 200);
    upkeep::once(database).await.unwrap();
    let left: i64 = postgres.sql(months).parse().unwrap();
    assert!(left < before, "{left} of {before}");
    assert_eq!(postgres.sql(ahead), "3");
}
