//! PostgreSQL is killed, hangs, is slow, is full, takes no writes: visits are counted all the
//! while, each request of them, `/readyz` says what it is, and it recovers by itself.

use std::time::Duration;

use rustix::process::Signal;

use super::{AWAY, away, service, up};
use crate::support::{
    Footfall, Redis,
    client::Target,
    load::{Insistent, assert_exact},
    postgres::{Database, Postgres},
    slow_proxy::SlowProxy,
};

/// Visits that are counted in each state.
const SOME: usize = 200;

/// Counts without a failure while something is done to the database, and until it is undone.
async fn under_load(
    footfall: &Footfall,
    spoil: impl FnOnce(),
    reason: &str,
    repair: impl FnOnce(),
) {
    up(footfall).await;
    let target = Target::Tcp(footfall.public());
    let token = footfall.token().await;
    let load = Insistent::start(&[target], &token, 8, &["visits".to_owned()]);
    load.count(SOME).await;
    // Both take a while, and the load goes on meanwhile.
    tokio::task::block_in_place(spoil);
    away(footfall, reason).await;
    load.count(SOME).await;
    tokio::task::block_in_place(repair);
    up(footfall).await;
    load.count(SOME).await;
    assert!(load.refused().is_empty(), "{:?}", load.refused());
    let numbers = load.stop().await;
    assert_exact(&numbers["visits"]);
    let log = footfall.log();
    let outages = log.iter().filter(|line| line.contains(AWAY)).count();
    assert_eq!(outages, 1, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed() {
    let (redis, mut postgres) = (Redis::start(), Postgres::start());
    let footfall = service(&redis, &postgres.url("migrated")).start();
    let cell = std::cell::RefCell::new(&mut postgres);
    under_load(
        &footfall,
        || cell.borrow_mut().kill(),
        "nothing listens at 127.0.0.1:",
        || cell.borrow_mut().restart(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_as_an_administrator_would() {
    let (redis, mut postgres) = (Redis::start(), Postgres::start());
    let folder = postgres.socket_folder().display().to_string();
    let url = format!(
        "postgres://footfall:pa%3Ass%40of%2Fthe%20service@/migrated?host={folder}&port={}",
        postgres.port
    );
    let footfall = service(&redis, &url).start();
    let cell = std::cell::RefCell::new(&mut postgres);
    under_load(
        &footfall,
        || cell.borrow_mut().stop(),
        "there is no Unix socket",
        || cell.borrow_mut().restart(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hung() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let footfall = service(&redis, &postgres.url("migrated"))
        .env("FOOTFALL_DATABASE_TIMEOUT", "1s")
        .start();
    under_load(
        &footfall,
        || postgres.signal(Signal::STOP),
        "did not answer within 1s",
        || postgres.signal(Signal::CONT),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let proxy = SlowProxy::start(database.server().port).await;
    let port = format!(":{}/", database.server().port);
    let url = database.url().replace(&port, &format!(":{}/", proxy.port));
    let footfall = service(&redis, &url)
        .env("FOOTFALL_DATABASE_TIMEOUT", "1s")
        .start();
    under_load(
        &footfall,
        || proxy.delay(Duration::from_millis(1500)),
        "did not answer within 1s",
        || proxy.delay(Duration::ZERO),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_of_connections() {
    let (redis, postgres) = (Redis::start(), Postgres::start());
    let footfall = service(&redis, &postgres.url("migrated")).start();
    let limit = |limit: i32| {
        postgres.sql(
            "postgres",
            &format!(
                "ALTER ROLE footfall CONNECTION LIMIT {limit};
                 SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'footfall'"
            ),
        );
    };
    under_load(
        &footfall,
        || limit(0),
        "too many connections for role",
        || limit(-1),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_writes() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let footfall = service(&redis, &database.url()).start();
    // As a full disk, or a failover, may have it.
    let set = |value: &str| {
        let name = &database.name;
        // From elsewhere, where it may be changed back.
        let server = database.server();
        let change = format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = {value};
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = '{name}' AND usename = 'footfall'"
        );
        server.sql("postgres", &change);
    };
    under_load(&footfall, || set("on"), "it takes no writes", || set("off")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn never_there() {
    let redis = Redis::start();
    let port = crate::support::process::free_port();
    let url = format!("postgres://me:secret@127.0.0.1:{port}/db");
    let footfall = service(&redis, &url).start();
    away(&footfall, "nothing listens at").await;
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
}

/// Nothing comes back from there: a listener whose queue is full, so that no connection is made.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_black_hole() {
    let redis = Redis::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It accepts nobody, and says nothing to whoever the kernel connects.
    let url = format!("postgres://me:secret@{address}/db");
    let footfall = service(&redis, &url)
        .env("FOOTFALL_DATABASE_TIMEOUT", "500ms")
        .start();
    away(&footfall, "did not answer within 500ms").await;
    let mut client = footfall.client().logged_in().await;
    for number in 1..=20 {
        assert_eq!(client.get("/api/count").await.visits(), number);
    }
}

#[tokio::test]
async fn no_database_is_not_named() {
    let redis = Redis::start();
    for footfall in [
        Footfall::builder().env("REDIS_URL", redis.url()).start(),
        Footfall::start(),
    ] {
        footfall.ready().await;
        let said = footfall.ops_client().get("/readyz").await.json();
        assert!(said["dependencies"]["database"].is_null(), "{said}");
        let metrics = footfall.ops_client().get("/metrics").await.text();
        assert!(!metrics.contains("footfall_database"), "{metrics}");
    }
}
