//! What is counted while recording is off, and is still.

use serde_json::json;

use super::Place;
use crate::support::process::until;

const RECORDING: &str = "/api/counters/a/recording";
const HISTORY: &str = "/api/counters/a/history";
const VISITS: &str = "/api/counters/a/visits";

async fn is_recorded(place: &Place, through: u64) {
    until("all is recorded", async || {
        let view = place.get(RECORDING).await;
        (view["through"] == through && view["waiting"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn it_is_a_range_of_its_own_and_part_of_the_sum() {
    for place in Place::both().await {
        let kind = place.stage.kind;
        let mut client = place.client();
        for _ in 0..2 {
            client.post("/api/counters/a").await;
        }
        is_recorded(&place, 2).await;
        let off = client.put_json(RECORDING, r#"{"on":false}"#).await;
        assert_eq!(off.status, 200);
        for _ in 0..3 {
            client.post("/api/counters/a").await;
        }
        let first = client.get(HISTORY).await;
        let history = first.json();
        assert_eq!(
            (&history["visits"], &history["as_of"]),
            (&json!(5), &json!(5)),
            "{kind}: {history}"
        );
        let last = history["buckets"].as_array().unwrap().last().unwrap();
        let range = (&last["first"], &last["last"], &last["unrecorded"]);
        assert_eq!(
            range,
            (&json!(3), &json!(5), &json!("off")),
            "{kind}: {history}"
        );
        let listed = client.get(VISITS).await;
        assert_eq!(listed.header("footfall-as-of"), Some("5"), "{kind}");
        let line = listed.text().lines().last().unwrap().to_owned();
        assert_eq!(
            line, r#"{"number":3,"unrecorded":"off","unrecorded_to":5}"#,
            "{kind}"
        );
        let one = place.get(&format!("{VISITS}/4")).await;
        assert_eq!(one["unrecorded"], "off", "{kind}");
        assert_eq!(
            client.get(&format!("{VISITS}/6")).await.status,
            404,
            "{kind}"
        );
        for as_of in 0..=5_u64 {
            let history = place.get(&format!("{HISTORY}?as_of={as_of}")).await;
            assert_eq!(history["visits"], as_of, "{kind}");
        }
        assert_eq!(
            client.get(&format!("{HISTORY}?as_of=6")).await.status,
            400,
            "{kind}"
        );
        // Where it ends is asked for, nobody knows what of it was before.
        let until_then = place
            .get(&format!("{HISTORY}?to=2100-01-01&unit=month"))
            .await;
        assert_eq!(until_then["visits"], 2, "{kind}");

        let on = client.put_json(RECORDING, r#"{"on":true}"#).await;
        assert_eq!(on.status, 200);
        client.post("/api/counters/a").await;
        is_recorded(&place, 6).await;
        assert_eq!(place.get(HISTORY).await["visits"], 6, "{kind}");
        let again = client.get(&format!("{HISTORY}?as_of=5")).await;
        assert_eq!(again.text(), first.text(), "{kind}");
        let again = client.get(&format!("{VISITS}?as_of=5")).await;
        assert_eq!(again.text(), listed.text(), "{kind}");
    }
}

/// One that never recorded anything has no unit, and a sum all the same.
#[tokio::test]
async fn it_is_all_there_is_of_a_counter_that_was_never_recorded() {
    for place in Place::both().await {
        let kind = place.stage.kind;
        let mut client = place.client();
        let off = client.put_json(RECORDING, r#"{"on":false}"#).await;
        assert_eq!(off.status, 200);
        for _ in 0..3 {
            client.post("/api/counters/a").await;
        }
        let history = place.get(HISTORY).await;
        assert_eq!(history["visits"], 3, "{kind}: {history}");
        let buckets = history["buckets"].as_array().unwrap();
        assert_eq!(
            (buckets.len(), &buckets[0]["unrecorded"]),
            (1, &json!("off")),
            "{kind}: {history}"
        );
    }
}
