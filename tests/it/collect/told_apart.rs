//! What is stored of who came, with a real Redis and a real PostgreSQL.

use serde_json::{Value, json};

use super::{SHOP, Site, post};
use crate::support::{stage::Stage, until};

async fn from(site: &Site, address: &str, agent: &str, fields: &Value) {
    let mut sent = json!({ "key": site.key });
    let more = fields.as_object().unwrap().clone();
    sent.as_object_mut().unwrap().extend(more);
    let headers = [("origin", SHOP), ("user-agent", agent)];
    let reply = post(&mut site.stage.app.client_at(address), &headers, &sent).await;
    assert_eq!(reply.status, 204, "{reply:?}");
}

async fn becomes(site: &Site, sql: &'static str, number: i64) {
    until(sql, async || {
        (site.stage.number(sql).await == number).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_gives_no_name_is_told_apart_and_nothing_of_them_is_kept() {
    let site = Site::of(Stage::postgres().await).await;
    site.stage
        .app
        .metric_becomes("footfall_collect_salts", 2.0)
        .await;
    let (nobody, named) = (json!({}), json!({ "visitor": "somebody", "path": "/p" }));
    for (address, agent, fields) in [
        ("192.0.2.1", "Agent-One", &nobody),
        ("192.0.2.1", "Agent-One", &nobody),
        ("192.0.2.1", "Agent-Two", &nobody),
        ("192.0.2.2", "Agent-One", &nobody),
        ("2001:db8::1", "Agent-One", &nobody),
        ("192.0.2.1", "Agent-One", &named),
        ("192.0.2.9", "Agent-Two", &named),
    ] {
        from(&site, address, agent, fields).await;
    }
    becomes(&site, "SELECT count(*) FROM visits", 7).await;
    // Midnight may come in between, and then everybody is somebody else.
    let of_a_day = "SELECT count(*) FROM visitors WHERE key LIKE '~%'";
    let of_a_day = site.stage.number(of_a_day).await;
    assert!((4..=5).contains(&of_a_day), "{of_a_day}");
    let hashed = "SELECT count(*) FROM visitors WHERE key LIKE '#%'";
    assert_eq!(site.stage.number(hashed).await, 1);
    let all = "SELECT count(*) FROM visitors";
    assert_eq!(site.stage.number(all).await, of_a_day + 1);
    for never in [
        "SELECT count(*) FROM texts WHERE text LIKE '%Agent%' OR text LIKE '192.0.2.%' OR text LIKE '%somebody%'",
        "SELECT count(*) FROM visitors WHERE key LIKE '%Agent%' OR key LIKE '%192.0.2.%' OR key LIKE '%somebody%'",
    ] {
        assert_eq!(site.stage.number(never).await, 0, "{never}");
    }
}

/// Pages cannot know, and their visits are visits all the same.
#[tokio::test]
async fn a_counter_that_records_nothing_counts_pages() {
    let site = Site::of(Stage::postgres().await).await;
    let visit = |id: &str| json!({ "id": id, "path": "/p" });
    from(&site, "192.0.2.1", "Agent", &visit("1")).await;
    becomes(&site, "SELECT count(*) FROM visits", 1).await;
    let (redis, _) = site.stage.servers.as_ref().unwrap();
    let key = format!("footfall:{{{}/shop}}:record", site.anna.company);
    redis.command(&format!("HSET {key} on 0 gap off"));
    for id in ["1", "2", "2"] {
        from(&site, "192.0.2.1", "Agent", &visit(id)).await;
    }
    assert_eq!(site.visits("shop").await, 2);
    let refused = r#"footfall_visits_failed_total{reason="recording_off"}"#;
    let refused = site.stage.app.metric(refused).await;
    assert_eq!(refused.unwrap_or(0.0), 0.0, "nothing has failed");
    let visits = "SELECT count(*) FROM visits";
    assert_eq!(site.stage.number(visits).await, 1);
}
