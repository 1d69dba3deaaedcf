//! The store goes away, hangs, refuses and comes back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rustix::process::Signal;

use crate::support::{
    Footfall, Redis, TestApp, eventually, footfall::AWAY, load::get_insistently, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_starts_without_its_store_and_recovers_by_itself() {
    let mut redis = Redis::start();
    redis.kill();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/ping").await.status, 200);
    let reply = client.get("/api/count").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (503, "store_unavailable")
    );
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(client.get("/api/counters").await.status, 503);
    let ready = footfall.ops_client().get("/readyz").await;
    assert_eq!(ready.header("retry-after"), Some("1"));
    assert_eq!(
        (
            ready.status.as_u16(),
            ready.json()["dependencies"]["store"]["state"].as_str()
        ),
        (503, Some("down"))
    );
    assert_eq!(footfall.metric("footfall_store_up").await, Some(0.0));

    redis.restart();
    footfall.logged("store is up");
    assert_eq!(client.get("/api/count").await.visits(), 1);
    assert_eq!(footfall.ops_client().get("/readyz").await.status, 200);
    assert_eq!(footfall.metric("footfall_store_up").await, Some(1.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_store_is_a_503_with_unknown_outcome_and_a_repeat_is_safe() {
    let redis = Redis::start();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .start();
    let mut client = footfall
        .client()
        .logged_in()
        .await
        .with("idempotency-key", "the-visit");
    redis.signal(Signal::STOP);
    let reply = client.get("/api/count").await;
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (503, "outcome_unknown")
    );
    assert_eq!(client.get("/api/ping").await.status, 200);
    // Known to be away, it is not waited for again.
    footfall.logged(AWAY);
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    redis.signal(Signal::CONT);
    footfall.logged("store is up");
    assert_eq!(get_insistently(&mut client, "/api/count").await.visits(), 1);
    assert_eq!(
        footfall.total(&footfall.token().await).await,
        1,
        "counted once, whichever request did it"
    );
}

#[tokio::test]
async fn data_of_a_newer_version_is_left_alone() {
    let redis = Redis::start();
    redis.command("SET footfall:schema 99");
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.status, 503);
    assert!(
        redis
            .command("EXISTS footfall:{visits}:count")
            .starts_with(":0")
    );
    let away = footfall.logged(AWAY);
    assert!(
        away["error"].as_str().unwrap().contains("upgrade"),
        "{away}"
    );
}

#[tokio::test]
async fn once_ready_again_no_visit_meets_a_dead_connection() {
    let mut redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let token = footfall.token().await;
    // Enough connections for each worker to have had one, and so a connection to Redis.
    for _ in 0..20 {
        footfall
            .client()
            .with_token(&token)
            .get("/api/count")
            .await
            .visits();
    }
    redis.kill();
    footfall.logged(AWAY);
    redis.restart();
    footfall.ready().await;
    for number in 21..=40 {
        assert_eq!(
            footfall
                .client()
                .with_token(&token)
                .get("/api/count")
                .await
                .visits(),
            number
        );
    }
}

/// How often the store went away.
fn outages(footfall: &Footfall) -> usize {
    let log = footfall.log();
    log.iter().filter(|line| line.contains(AWAY)).count()
}

/// Keys of probes that are there.
fn probe_keys(redis: &Redis) -> usize {
    let keys = redis.command("KEYS *probe*");
    let (_, rest) = keys.split_once('*').unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}

/// Waits until what the probes wrote is gone.
fn probes_have_expired(redis: &Redis) {
    eventually("what the probes wrote has expired", || {
        (probe_keys(redis) == 0).then_some(())
    });
}

/// Checks that a probe has written something, be it gone by now.
#[track_caller]
fn assert_probed(redis: &Redis) {
    let stats = redis.command("INFO stats");
    let (_, expired) = stats.split_once("expired_keys:").unwrap();
    let expired: usize = expired.lines().next().unwrap().parse().unwrap();
    assert!(expired + probe_keys(redis) > 0, "no probe has written");
}

/// Waits until so many more probes have failed; there are ten a second.
async fn more_probes_fail(footfall: &Footfall, more: u64) {
    let failed = async || {
        let metrics = footfall.ops_client().get("/metrics").await.text();
        let probes = metrics.lines().filter_map(|line| {
            let series = "footfall_store_operation_duration_seconds_count{operation=\"ping\",";
            line.strip_prefix(series)?.split_once("} ")
        });
        let failed = probes.filter(|(labels, _)| *labels != "outcome=\"ok\"");
        failed
            .map(|(_, number)| number.parse::<u64>().unwrap())
            .sum::<u64>()
    };
    let goal = failed().await + more;
    until("probes go on", async || {
        (failed().await >= goal).then_some(())
    })
    .await;
}

/// Reads go on, writes fail: the service is not ready, says why, and recovers by itself.
async fn a_store_that_takes_no_writes(spoil: &str, reason: &str, repair: &str) {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    assert_probed(&redis);
    assert!(redis.command(spoil).starts_with("+OK"));
    for _ in 0..3 {
        assert_eq!(
            client.get("/api/count").await.problem(),
            "store_unavailable"
        );
    }
    let unready = footfall.ops_client().get("/readyz").await;
    assert_eq!(unready.status, 503);
    let said = unready.json()["dependencies"]["store"]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(said.contains(reason), "{said}");
    // No probe succeeds, also when what earlier ones wrote has come to its end.
    more_probes_fail(&footfall, 25).await;
    assert_eq!(footfall.ops_client().get("/readyz").await.status, 503);
    footfall.logged(AWAY);
    assert_eq!(outages(&footfall), 1, "{:?}", footfall.log());
    assert_eq!(
        client.get("/api/counters/visits").await.visits(),
        1,
        "reading goes on"
    );
    assert!(redis.command(repair).starts_with("+OK"));
    footfall.ready().await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
}

#[tokio::test]
async fn a_redis_that_is_made_a_replica() {
    // Port 1: no master is there, and none is needed.
    a_store_that_takes_no_writes("REPLICAOF 127.0.0.1 1", "read only", "REPLICAOF NO ONE").await;
}

#[tokio::test]
async fn a_redis_that_is_full() {
    a_store_that_takes_no_writes(
        "CONFIG SET maxmemory 1",
        "maxmemory",
        "CONFIG SET maxmemory 0",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_process_has_locked() {
    let directory = tempfile::tempdir().unwrap();
    let footfall = Footfall::builder()
        .directory(directory.path())
        .env("FOOTFALL_STORE_TIMEOUT", "2s")
        .start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let url = format!(
        "sqlite:{}",
        directory.path().join("data/footfall.db").display()
    );
    let mut other = <sqlx::SqliteConnection as sqlx::Connection>::connect(&url)
        .await
        .unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    // As one does that was stopped in its transaction.
    let turn = std::fs::File::options()
        .append(true)
        .open(directory.path().join("data/footfall.db.turn"))
        .unwrap();
    turn.lock().unwrap();
    // What never came to write was not counted.
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    drop(turn);
    footfall.logged(AWAY);
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    assert_eq!(footfall.ops_client().get("/readyz").await.status, 503);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    footfall.ready().await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_reads_does_not_keep_visits_from_being_counted() {
    let redis = Redis::start();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "2s")
        .start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    for index in 0..1000 {
        client
            .post(&format!("/api/counters/counter-{index}"))
            .await
            .visits();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..64)
        .map(|_| {
            let (stop, mut client) = (stop.clone(), footfall.client().with_token(&token));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let status = client.get("/api/counters?limit=1000").await.status.as_u16();
                    assert!(status == 200 || status == 503, "{status}");
                }
            })
        })
        .collect();
    for number in 1..=100 {
        assert_eq!(client.get("/api/count").await.visits(), number);
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(footfall.find(AWAY).is_none());
}

#[tokio::test]
async fn a_redis_user_who_may_not_do_all_that_counting_does() {
    let redis = Redis::start();
    redis.command("ACL SETUSER clerk on >hidden ~* +@all -hset");
    let url = redis.url().replace("redis://", "redis://clerk:hidden@");
    let footfall = Footfall::builder().env("REDIS_URL", url).start();
    let mut client = footfall
        .client()
        .logged_in()
        .await
        .with("idempotency-key", "k");
    for _ in 0..3 {
        assert_eq!(
            client.get("/api/count").await.problem(),
            "store_unavailable"
        );
    }
    let unready = footfall.ops_client().get("/readyz").await;
    assert!(
        unready.text().contains("can't run this command"),
        "{}",
        unready.text()
    );
    assert!(
        redis
            .command("EXISTS footfall:{visits}:count")
            .starts_with(":0"),
        "nothing was counted"
    );
    redis.command("ACL SETUSER clerk +hset");
    footfall.ready().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    assert_probed(&redis);
    // What the probes have written is no counter, and goes away.
    assert_eq!(
        client.get("/api/counters").await.json()["counters"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    probes_have_expired(&redis);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_one_and_not_many() {
    let mut redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    redis.kill();
    for _ in 0..500 {
        assert_eq!(client.get("/api/count").await.status, 503);
    }
    redis.restart();
    footfall.ready().await;
    assert_eq!(outages(&footfall), 1, "{:?}", footfall.log());
}

/// Without a file system of its own that fills up, the subject would be missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_an_outage_that_ends_with_space() {
    let footfall = Footfall::builder().on_small_disk("2m").start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    // The file system is the process' own, and this is the way into it.
    let ballast = format!("/proc/{}/cwd/ballast", footfall.process.0.id());
    let mut file = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write(&mut file, &[0; 4096]).is_ok() {}
    // The write-ahead log may have room for some visits more, of at least a page each, also after a checkpoint.
    until("the store is away", async || {
        let reply = client.get("/api/count").await;
        if reply.status == 200 {
            return None;
        }
        assert_eq!(reply.problem(), "store_unavailable");
        let ready = footfall.ops_client().get("/readyz").await;
        (ready.status == 503).then_some(())
    })
    .await;
    let acknowledged = footfall
        .client()
        .logged_in()
        .await
        .get("/api/counters/visits")
        .await
        .visits();
    drop(file);
    std::fs::remove_file(&ballast).unwrap();
    footfall.ready().await;
    assert_eq!(client.get("/api/count").await.visits(), acknowledged + 1);
}

/// With nothing to count, a worker asks whether its connection is alive, so that no visit is the
/// first to find out.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_nobody_uses_is_looked_at() {
    let redis = Redis::start();
    let app = TestApp::builder()
        .env("REDIS_URL", redis.url())
        .start()
        .await;
    let mut client = app.client().logged_in().await;
    for number in 1..=2 {
        assert_eq!(client.get("/api/count").await.visits(), number);
        // What a connection did last.
        eventually("the one that counted has asked", || {
            let connections = redis.command("CLIENT LIST");
            (!connections.contains("cmd=evalsha")).then_some(())
        });
    }
}
