//! What Redis is asked for a visit.

use std::collections::BTreeMap;

use super::*;

/// How often a process has removed what has ended.
const TRIMS: &str = r#"footfall_database_operation_duration_seconds_count{operation="revocations_trim",outcome="ok"}"#;

/// How often each command was sent by clients, as Redis counts them; what scripts call is in it.
fn calls(redis: &Redis) -> BTreeMap<String, u64> {
    let statistics = redis.command("INFO commandstats");
    let lines = statistics.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (calls, _) = rest.split_once(',')?;
        Some((name.to_owned(), calls.parse().unwrap()))
    });
    lines.collect()
}

/// Fewer scripts than this are called beside any number of visits: those of monitors, which may publish
/// a revocation once more before it is noted that it was, and of what records, whose replicas may each
/// remove what one of them has recorded. When they do so is up to the machine.
const FEW: u64 = 10;

/// How often a command was sent while something happened.
#[derive(Debug)]
struct Sent(BTreeMap<String, u64>, BTreeMap<String, u64>);

impl Sent {
    fn of(&self, command: &str) -> u64 {
        let count = |calls: &BTreeMap<String, u64>| calls.get(command).copied().unwrap_or(0);
        count(&self.1) - count(&self.0)
    }
}

async fn while_counting(redis: &Redis, client: &mut Client, visits: u64) -> Sent {
    let before = calls(redis);
    for _ in 0..visits {
        assert_eq!(client.get("/api/count").await.status, 200);
    }
    Sent(before, calls(redis))
}

#[tokio::test]
async fn a_visit_is_one_round_trip_with_a_session_or_without() {
    const VISITS: u64 = 50;
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let apps = replicas(2, &redis.url(), &database).await;
    // The next time is a minute later.
    for app in &apps {
        let trimmed = async || (app.metric(TRIMS).await? >= 1.0).then_some(());
        until("what has ended is removed", trimmed).await;
    }
    // The first of all is read as a history that is not the known one.
    apps[1].revoke(&session(&pass())).await.unwrap();
    let mut without = apps[0].client().logged_in().await;
    let mut with = client(&apps[0], &pass());
    let mut other = client(&apps[1], &pass());
    for client in [&mut without, &mut with, &mut other] {
        // The script is loaded, the counter listed, what was revoked is read, so that the monitors
        // need not do so.
        client.get("/api/count").await.visits();
    }
    // Else what records calls scripts of its own meanwhile.
    redis.command("HSET footfall:{visits}:record on 0 gap off");
    until("what was counted before is recorded", async || {
        (redis.command("XLEN footfall:{visits}:visits") == ":0\r\n").then_some(())
    })
    .await;
    let is_one_each = |sent: &Sent| (VISITS..VISITS + FEW).contains(&sent.of("evalsha"));
    for client in [&mut without, &mut with] {
        let sent = while_counting(&redis, client, VISITS).await;
        assert!(is_one_each(&sent), "{sent:?}");
        assert!(sent.of("eval") < FEW, "{sent:?}");
    }
    // After a revocation one of them asks twice, and what is new is read once, by it or by one of
    // the monitors, which may do so before the first visit.
    let before = calls(&redis);
    apps[1].revoke(&session(&pass())).await.unwrap();
    while_counting(&redis, &mut with, VISITS).await;
    let sent = Sent(before, calls(&redis));
    assert!(is_one_each(&sent), "{sent:?}");
    // It was published, and read.
    assert!((2..FEW).contains(&sent.of("eval")), "{sent:?}");
}

/// Replicas of the version before call their script with five keys, and go on.
#[tokio::test]
async fn without_a_database_nothing_is_compared() {
    let redis = Redis::start();
    let app = TestApp::builder().env("REDIS_URL", redis.url());
    let app = app.start().await;
    // It has tried whether it can count, which it does with the same script.
    app.ready().await;
    // A session that a replica with a database has begun.
    let mut client = client(&app, &pass());
    client.get("/api/count").await.visits();
    let sent = while_counting(&redis, &mut client, 20).await;
    assert_eq!((sent.of("evalsha"), sent.of("eval")), (20, 0));
    let keys = redis.command("KEYS *revocations*");
    assert!(keys.starts_with("*0"), "{keys}");
}
