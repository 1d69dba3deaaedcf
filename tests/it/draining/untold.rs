//! Settings that could not be told to Redis: whoever sweeps makes up for it.

use footfall::auth::role::Role;

use crate::support::{process::until, stage::Stage};

const PATH: &str = "/api/counters/a/recording";

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_could_not_be_told_it_is_told_later() {
    let stage = Stage::postgres().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let mut client = stage.client(&anna);
    assert_eq!(client.post("/api/counters/a").await.visits(), 1);
    until("it is recorded", async || {
        let view = client.get(PATH).await.json();
        (view["through"] == 1 && view["waiting"] == 0).then_some(())
    })
    .await;
    let (redis, postgres) = stage.servers.as_ref().unwrap();
    let untold = || postgres.sql("SELECT count(*) FROM recordings WHERE told < version");
    // It can be asked, and counts nothing at the time; but it takes no settings.
    redis.told("ACL SETUSER default -hset");
    let reply = client.put_json(PATH, r#"{"on":false}"#).await;
    let said = (reply.status.as_u16(), reply.problem());
    assert_eq!(said, (503, "store_unavailable".into()), "{reply:?}");
    assert!(
        reply.text().contains("noted, and not in force"),
        "{reply:?}"
    );
    assert_eq!(untold(), "1");
    redis.told("ACL SETUSER default +hset");
    stage.app.ready().await;
    postgres.sql("UPDATE record_sweeps SET next_at = 0");
    let carrying = r#"{"path":"/a"}"#;
    until("nothing is recorded any more", async || {
        let reply = client.post_json("/api/counters/a", carrying).await;
        (reply.status == 409).then(|| assert_eq!(reply.problem(), "recording_off"))
    })
    .await;
    until("that is noted", async || (untold() == "0").then_some(())).await;
}
