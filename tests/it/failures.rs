//! Things die, hang and go away; the count stays right.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hyper::Method;

use rustix::process::Signal;

use crate::support::{
    Client, Footfall, Redis, client::Target, eventually, load::assert_exact, nginx::Nginx,
};

/// Counts until told to stop, reconnecting after errors; gives the acknowledged numbers.
async fn count_until(
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    target: Target,
    token: String,
) -> Vec<u64> {
    let mut client = Client::new(target).with_token(&token);
    let mut numbers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match client.try_send(Method::GET, "/api/count", &[], "").await {
            Ok(reply) if reply.status == 200 => {
                numbers.push(reply.visits());
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => assert_eq!(reply.status, 503, "{reply:?}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
    numbers
}

/// Counts against all targets while `disturb` does its worst, then gives all
/// acknowledged numbers. `disturb` gets the number of acknowledged visits.
async fn count_while(
    targets: &[Target],
    token: &str,
    disturb: impl AsyncFnOnce(Arc<AtomicUsize>),
) -> Vec<u64> {
    let (stop, acknowledged) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let tasks: Vec<_> = (0..24)
        .map(|index| {
            let target = targets[index % targets.len()].clone();
            tokio::spawn(count_until(
                stop.clone(),
                acknowledged.clone(),
                target,
                token.to_owned(),
            ))
        })
        .collect();
    disturb(acknowledged.clone()).await;
    stop.store(true, Ordering::Relaxed);
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    numbers
}

/// Waits until so many more visits have been acknowledged.
async fn more(acknowledged: &AtomicUsize, visits: usize) {
    let goal = acknowledged.load(Ordering::Relaxed) + visits;
    let waiting = async {
        while acknowledged.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(crate::support::process::PATIENCE, waiting)
        .await
        .expect("visits are being counted");
}

/// No number twice, and all acknowledged visits in the total.
fn assert_nothing_lost(numbers: &[u64], total: u64) {
    let distinct: std::collections::HashSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    let highest = *numbers.iter().max().unwrap();
    assert!(
        highest <= total,
        "number {highest} was acknowledged, and the total is {total}"
    );
    assert!(numbers.len() as u64 <= total);
}

async fn token(footfall: &Footfall) -> String {
    footfall.client().login("admin", "password").await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn total(footfall: &Footfall, token: &str) -> u64 {
    footfall
        .client()
        .with_token(token)
        .get("/api/counters/visits")
        .await
        .visits()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_killed_under_load_loses_and_doubles_nothing() {
    let redis = Redis::start();
    let mut replicas: Vec<_> = (0..3)
        .map(|_| Footfall::builder().env("REDIS_URL", redis.url()).start())
        .collect();
    let targets: Vec<_> = replicas
        .iter()
        .map(|replica| Target::Tcp(replica.public()))
        .collect();
    let token = token(&replicas[0]).await;
    let mut victim = replicas.pop().unwrap();
    let numbers = count_while(&targets, &token, async |acknowledged| {
        more(&acknowledged, 2000).await;
        victim.process.kill();
        more(&acknowledged, 2000).await;
    })
    .await;
    assert_nothing_lost(&numbers, total(&replicas[0], &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut footfall = Footfall::builder().directory(directory.path()).start();
    let token = token(&footfall).await;
    let numbers = count_while(
        &[Target::Tcp(footfall.public())],
        &token,
        async |acknowledged| {
            more(&acknowledged, 500).await;
            footfall.process.kill();
        },
    )
    .await;
    let successor = Footfall::builder().directory(directory.path()).start();
    assert_nothing_lost(&numbers, total(&successor, &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_visits_survive_kill_9_of_redis() {
    let mut redis = Redis::start();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "1s")
        .start();
    let token = token(&footfall).await;
    let numbers = count_while(
        &[Target::Tcp(footfall.public())],
        &token,
        async |acknowledged| {
            more(&acknowledged, 1000).await;
            redis.kill();
            footfall.logged(AWAY);
            redis.restart();
            more(&acknowledged, 1000).await;
        },
    )
    .await;
    assert_nothing_lost(&numbers, total(&footfall, &token).await);
}

/// Behind nginx, where each request has its own `X-Request-ID`: every client
/// sees 200 and the count is the number of requests, whatever happens to one
/// of three replicas half-way.
async fn behind_nginx(location: &str, mishap: impl FnOnce(&mut Footfall)) {
    const REQUESTS: usize = 6000;
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let sockets: Vec<_> = (1..=3)
        .map(|slot| directory.path().join(format!("{slot}.sock")))
        .collect();
    let mut replicas: Vec<_> = sockets
        .iter()
        .map(|socket| {
            Footfall::builder()
                .env("REDIS_URL", redis.url())
                .socket(socket)
                .start()
        })
        .collect();
    let token = token(&replicas[0]).await;
    let nginx = Nginx::start(
        &sockets.iter().map(AsRef::as_ref).collect::<Vec<&Path>>(),
        "",
        location,
    );

    let sent = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..24)
        .map(|_| {
            let (sent, mut client) = (sent.clone(), Client::tcp(&nginx.address).with_token(&token));
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while sent.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                    numbers.push(client.get("/api/count").await.visits());
                }
                numbers
            })
        })
        .collect();
    eventually("half of the requests are sent", || {
        (sent.load(Ordering::Relaxed) > REQUESTS / 2).then_some(())
    });
    mishap(&mut replicas[2]);
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    assert_eq!(numbers.len(), REQUESTS);
    assert_exact(&numbers);
    assert_eq!(total(&replicas[0], &token).await, REQUESTS as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_repeats_what_a_killed_replica_left_and_the_count_is_right() {
    behind_nginx("", |replica| replica.process.kill()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_repeats_what_a_hung_replica_left_and_the_count_is_right() {
    behind_nginx("proxy_read_timeout 1s;", |replica| {
        replica.process.signal(Signal::STOP)
    })
    .await;
}

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
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    redis.signal(Signal::CONT);
    footfall.logged("store is up");
    let mut reply = client.get("/api/count").await;
    while reply.status == 503 {
        reply = client.get("/api/count").await;
    }
    assert_eq!(reply.visits(), 1);
    assert_eq!(
        total(&footfall, &token(&footfall).await).await,
        1,
        "counted once, whichever request did it"
    );
}

#[tokio::test]
async fn a_forgotten_script_is_loaded_again() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    redis.command("SCRIPT FLUSH");
    assert_eq!(client.get("/api/count").await.visits(), 2);
}

#[tokio::test]
async fn data_of_a_newer_version_is_left_alone() {
    let redis = Redis::start();
    redis.command("SET footfall:schema 2");
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

const AWAY: &str = "store is away; counting answers 503 until it is back";

/// Waits until the service is ready.
async fn ready(footfall: &Footfall) {
    let mut ops = footfall.ops_client();
    let waiting = async { while ops.get("/readyz").await.status != 200 {} };
    tokio::time::timeout(crate::support::process::PATIENCE, waiting)
        .await
        .expect("ready again");
}

#[tokio::test]
async fn once_ready_again_no_visit_meets_a_dead_connection() {
    let mut redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let token = token(&footfall).await;
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
    ready(&footfall).await;
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

/// Reads go on, writes fail: the service is not ready, says why, and recovers by itself.
async fn a_store_that_takes_no_writes(spoil: &str, reason: &str, repair: &str) {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
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
    assert_eq!(
        client.get("/api/counters/visits").await.visits(),
        1,
        "reading goes on"
    );
    assert!(redis.command(repair).starts_with("+OK"));
    ready(&footfall).await;
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
        .env("FOOTFALL_STORE_TIMEOUT", "300ms")
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
    assert_eq!(client.get("/api/count").await.problem(), "outcome_unknown");
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    assert_eq!(footfall.ops_client().get("/readyz").await.status, 503);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    ready(&footfall).await;
    assert_eq!(client.get("/api/count").await.visits(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_reads_does_not_keep_visits_from_being_counted() {
    let redis = Redis::start();
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("FOOTFALL_STORE_TIMEOUT", "2s")
        .start();
    let token = token(&footfall).await;
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
    for number in 1..=200 {
        assert_eq!(client.get("/api/count").await.visits(), number);
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(footfall.find(AWAY).is_none());
}
