//! What is recorded of a counter, and how far.

use serde_json::{Value, json};

use super::Place;
use crate::support::{process::until, stage::refusal};

const PATH: &str = "/api/counters/a/recording";

#[tokio::test]
async fn what_is_recorded_is_said_with_how_far() {
    for place in Place::both().await {
        let mut client = place.client();
        let reply = client.get(PATH).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem()),
            (404, "counter_not_found".into())
        );
        client.post("/api/counters/a").await;
        client.post("/api/counters/a").await;
        let view = until("both are recorded", async || {
            let view = place.get(PATH).await;
            (view["through"] == 2 && view["waiting"] == 0).then_some(view)
        })
        .await;
        let expected = json!({
            "on": true, "retention_days": 400, "visitor": "hashed", "base": 0, "through": 2, "waiting": 0,
            "count": 2, "oldest_waiting_seconds": null,
        });
        assert_eq!(view, expected, "{}", place.stage.kind);
    }
}

#[tokio::test]
async fn what_is_changed_holds_for_the_next_visit() {
    for place in Place::both().await {
        let mut client = place.client();
        let carrying = r#"{"path":"/a","visitor":"bob"}"#;
        let kind = place.stage.kind;
        let put = async |body: &str| {
            let reply = place.client().put_json(PATH, body).await;
            assert_eq!(reply.status, 200, "{kind}: {reply:?}");
            reply.json()
        };
        assert_eq!(
            client.post_json("/api/counters/a", carrying).await.visits(),
            1
        );
        let view = put(r#"{"on":false,"retention_days":7}"#).await;
        assert_eq!(
            (&view["on"], &view["retention_days"], &view["visitor"]),
            (&json!(false), &json!(7), &json!("hashed"))
        );
        let reply = client.post_json("/api/counters/a", carrying).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem()),
            (409, "recording_off".into())
        );
        for number in 2..=4 {
            assert_eq!(client.post("/api/counters/a").await.visits(), number);
        }
        put(r#"{"on":true,"visitor":"given"}"#).await;
        assert_eq!(
            client.post_json("/api/counters/a", carrying).await.visits(),
            5
        );
        until("all is recorded", async || {
            (place.get(PATH).await["through"] == 5).then_some(())
        })
        .await;
        let visit = place.get("/api/counters/a/visits/5").await;
        assert_eq!(visit["visitor"], "bob", "{kind}");
        let first = place.get("/api/counters/a/visits/1").await;
        assert!(
            first["visitor"].as_str().unwrap().starts_with('#'),
            "{kind}"
        );
        let off = place.get("/api/counters/a/visits/3").await;
        assert_eq!(off["unrecorded"], "off", "{kind}");
        let history = place.get("/api/counters/a/history").await;
        assert_eq!(history["visits"], 5, "{kind}");
        let marked: Vec<_> = history["buckets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|bucket| bucket["unrecorded"] == "off")
            .map(|bucket| (bucket["first"].clone(), bucket["last"].clone()))
            .collect();
        assert_eq!(marked, [(json!(2), json!(4))], "{kind}");
    }
}

#[tokio::test]
async fn a_counter_can_be_told_before_its_first_visit() {
    for place in Place::both().await {
        let mut client = place.client();
        let reply = client.put_json(PATH, r#"{"on":false}"#).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let reply = client
            .post_json("/api/counters/a", r#"{"path":"/a"}"#)
            .await;
        assert_eq!(reply.problem(), "recording_off", "{}", place.stage.kind);
        let view = place.get(PATH).await;
        assert_eq!((&view["on"], &view["count"]), (&json!(false), &json!(0)));
    }
}

#[tokio::test]
async fn what_is_no_setting_is_refused_by_its_name_and_changes_nothing() {
    for place in Place::both().await {
        let mut client = place.client();
        for (body, field) in [
            (r#"{"on":1}"#, "on"),
            (r#"{"on":"true"}"#, "on"),
            (r#"{"retention_days":0}"#, "retention_days"),
            (r#"{"retention_days":3651}"#, "retention_days"),
            (r#"{"retention_days":1.5}"#, "retention_days"),
            (r#"{"retention_days":-1}"#, "retention_days"),
            (r#"{"retention_days":"400"}"#, "retention_days"),
            (r#"{"retention_days":1e30}"#, "retention_days"),
            (r#"{"visitor":"raw"}"#, "visitor"),
            (r#"{"visitor":"Hashed"}"#, "visitor"),
            (r#"{"visitor":{"hashed":null}}"#, "visitor"),
            (r#"{"on":false,"visitor":[]}"#, "visitor"),
        ] {
            let reply = client.put_json(PATH, body).await;
            assert_eq!(
                refusal(&reply),
                (422, "invalid_body".into(), json!(field)),
                "{body}"
            );
        }
        assert_eq!(client.get(PATH).await.problem(), "counter_not_found");
        let reply = client.put_json("/api/counters/A/recording", "{}").await;
        assert_eq!(reply.problem(), "invalid_counter_name");
    }
}

#[tokio::test]
async fn a_change_is_in_the_trail_and_none_is_not() {
    for place in Place::both().await {
        let mut client = place.client();
        for body in [
            r#"{"on":false,"retention_days":9}"#,
            r#"{"on":false}"#,
            "{}",
        ] {
            assert_eq!(client.put_json(PATH, body).await.status, 200);
        }
        let audit = place.get("/api/audit?action=recording.update").await;
        let entries = audit["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 1, "{audit}");
        let entry = &entries[0];
        assert_eq!(entry["object"], json!({ "kind": "counter", "id": "a" }));
        assert_eq!(
            entry["details"],
            json!({ "fields": ["on", "retention_days"] })
        );
        assert_eq!(entry["actor"]["id"], Value::from(place.anna.id.clone()));
        assert_ne!(entry["request_id"], Value::Null);
    }
}
