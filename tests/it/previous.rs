//! The release before this one beside this one, on one store: each goes on, and both count as one.

use std::path::PathBuf;

use hyper::Method;

use super::layouts::looked;
use crate::support::{
    Client, Footfall, Redis, Reply,
    client::Target,
    footfall::{AWAY, Builder, footfall_command},
    load::{Insistent, assert_exact, get_insistently},
    process::run,
};

/// Where `tests/previous.sh` says that its binary is.
const BINARY: &str = "PREVIOUS_RELEASE";

fn previous() -> PathBuf {
    let binary = std::env::var_os(BINARY);
    binary
        .unwrap_or_else(|| panic!("set {BINARY}=$(tests/previous.sh), as ./test.sh does"))
        .into()
}

/// A replica of the release before this one, and one of this one.
fn both(builder: impl Fn() -> Builder) -> [Footfall; 2] {
    [builder().binary(&previous()).start(), builder().start()]
}

async fn visit(client: &mut Client, counter: &str, key: &str) -> Reply {
    let path = format!("/api/counters/{counter}");
    let headers = [("idempotency-key", key)];
    client.send(Method::POST, &path, &headers, "").await
}

/// Both count under load on the same counters, which are new; what one has counted, the other replays.
async fn count_as_one(
    replicas: &[Footfall; 2],
    name: &str,
    while_they_do: impl AsyncFnOnce(&Insistent),
) {
    let token = replicas[0].token().await;
    let targets: Vec<_> = replicas
        .iter()
        .map(|replica| Target::Tcp(replica.public()))
        .collect();
    let counters = ["first", "second"].map(|counter| format!("{name}.{counter}"));
    let load = Insistent::start(&targets, &token, 8, &counters);
    load.count(200).await;
    while_they_do(&load).await;
    load.count(200).await;
    for (counter, numbers) in load.stop().await {
        assert_exact(&numbers);
        for replica in replicas {
            let mut client = replica.client().with_token(&token);
            let path = format!("/api/counters/{counter}");
            assert_eq!(client.get(&path).await.visits(), numbers.len() as u64);
        }
    }
    let [old, new] = replicas;
    let mut clients = [old, new].map(|replica| replica.client().with_token(&token));
    for key in 0..20 {
        let key = format!("once-{key}");
        for (first, second) in [(0, 1), (1, 0)] {
            let counter = format!("{name}.by-{first}");
            let counted = visit(&mut clients[first], &counter, &key).await;
            let again = visit(&mut clients[second], &counter, &key).await;
            assert!(!counted.replayed() && again.replayed());
            assert_eq!(counted.visits(), again.visits());
        }
    }
    for replica in replicas {
        assert!(replica.find(AWAY).is_none(), "{:?}", replica.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by ./test.sh, which builds the release before this one"]
async fn on_one_redis() {
    let redis = Redis::start();
    let replicas = both(|| Footfall::builder().env("REDIS_URL", redis.url()));
    let migrate = || {
        let ran = run(footfall_command()
            .env("REDIS_URL", redis.url())
            .arg("migrate"));
        assert!(ran.status.success(), "{ran:?}");
    };
    count_as_one(&replicas, "same", async |load| {
        migrate();
        load.count(200).await;
        for replica in &replicas {
            looked(replica).await;
        }
    })
    .await;

    // A layout to come that they can live with …
    redis.told("SET footfall:layout 2");
    for replica in &replicas {
        looked(replica).await;
    }
    count_as_one(&replicas, "readable", async |load| load.count(200).await).await;
    migrate();
    assert_eq!(redis.command("GET footfall:layout"), "$1\r\n2\r\n");

    // … and one that they cannot.
    redis.told("SET footfall:schema 2");
    let token = replicas[0].token().await;
    for replica in &replicas {
        replica.logged(AWAY);
        let mut client = replica.client().with_token(&token);
        assert_eq!(
            client.get("/api/count").await.problem(),
            "store_unavailable"
        );
    }
    redis.told("SET footfall:schema 1");
    for replica in &replicas {
        let mut client = replica.client().with_token(&token);
        get_insistently(&mut client, "/api/count").await.visits();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by ./test.sh, which builds the release before this one"]
async fn on_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let builder = || Footfall::builder().directory(directory.path());
    // The older one has made the file, and the newer one has brought it up to date.
    let mut replicas = both(builder);
    count_as_one(&replicas, "file", async |load| load.count(200).await).await;
    for replica in &mut replicas {
        assert_eq!(replica.stop().code(), Some(0));
    }
    // And back.
    let old = builder().binary(&previous()).start();
    let mut client = old.client().logged_in().await;
    let again = visit(&mut client, "file.by-1", "once-3").await;
    assert!(again.replayed(), "{again:?}");
    old.ready().await;
}
