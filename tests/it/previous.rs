//! The release before this one beside this one, on one store: each goes on, and both count as one.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use footfall::config::StoreLocation;
use hyper::Method;

use super::{companies::Counts, layouts::looked};
use crate::support::{
    Client, Footfall, Redis, Reply,
    client::Target,
    footfall::{AWAY, Builder, footfall_command},
    load::{Insistent, assert_exact, get_insistently},
    process::run,
    proxy::Proxy,
    until,
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

/// A company that the older release knows nothing of counts under a name that `default` has, too:
/// the older release sees none of it.
async fn another_company(counts: &mut Counts, old: &Footfall, name: &str, visits: Range<u64>) {
    let mut client = old.client().logged_in().await;
    let before = names(&mut client).await;
    for number in visits {
        let counted = counts.count_of_another(name, &number.to_string()).await;
        assert_eq!((counted.number, counted.replayed), (number, false));
    }
    assert!(counts.count_of_another(name, "1").await.replayed);
    counts.count_of_another("of-another-alone", "1").await;
    assert_eq!(names(&mut client).await, before);
}

/// The names of all counters that a caller sees.
async fn names(client: &mut Client) -> Vec<String> {
    let page = client.get("/api/counters?limit=1000").await.json();
    let counters = page["counters"].as_array().unwrap().iter();
    let names = counters.map(|counter| counter["name"].as_str().unwrap().to_owned());
    names.collect()
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

    let mut counts = Counts::redis(&redis.url()).await;
    another_company(&mut counts, &replicas[0], "same.first", 1..4).await;

    // A layout to come that they can live with …
    redis.told("SET footfall:layout 3");
    for replica in &replicas {
        looked(replica).await;
    }
    count_as_one(&replicas, "readable", async |load| load.count(200).await).await;
    migrate();
    assert_eq!(redis.command("GET footfall:layout"), "$1\r\n3\r\n");

    // … and one that they cannot.
    redis.told("SET footfall:schema 3");
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

    // Back, and forward again.
    let [old, mut new] = replicas;
    assert_eq!(new.stop().code(), Some(0));
    let mut client = old.client().with_token(&token);
    assert!(visit(&mut client, "same.by-1", "once-3").await.replayed());
    another_company(&mut counts, &old, "same.first", 4..6).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by ./test.sh, which builds the release before this one"]
async fn on_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let builder = || Footfall::builder().directory(directory.path());
    // The older one has made the file, and the newer one has brought it up to date.
    let mut replicas = both(builder);
    let database = directory.path().join("data/footfall.db");
    let mut counts = Counts::at(StoreLocation::Sqlite(database)).await;
    count_as_one(&replicas, "file", async |load| {
        load.count(200).await;
        another_company(&mut counts, &replicas[0], "file.first", 1..4).await;
    })
    .await;
    for replica in &mut replicas {
        assert_eq!(replica.stop().code(), Some(0));
    }
    // And back.
    let old = builder().binary(&previous()).start();
    let mut client = old.client().logged_in().await;
    let again = visit(&mut client, "file.by-1", "once-3").await;
    assert!(again.replayed(), "{again:?}");
    old.ready().await;
    let counted = client.get("/api/counters/file.first").await.visits();
    let next = client.post("/api/counters/file.first").await.visits();
    assert_eq!(next, counted + 1);
    // And forward again.
    let new = builder().start();
    let mut client = new.client().logged_in().await;
    let next = client.post("/api/counters/file.first").await.visits();
    assert_eq!(next, counted + 2);
    another_company(&mut counts, &old, "file.first", 4..6).await;
}

/// Replicas of one release, in the slots of the proxy, give way to new ones, one after the other.
async fn roll(replicas: &mut [Footfall], answered: &AtomicUsize, next: impl Fn() -> Builder) {
    for place in replicas {
        let new = next().start();
        new.ready().await;
        let mut old = std::mem::replace(place, new);
        assert_eq!(old.stop().code(), Some(0));
        let before = answered.load(Ordering::Relaxed);
        until("visits go on", async || {
            (answered.load(Ordering::Relaxed) > before + 100).then_some(())
        })
        .await;
    }
}

/// To this release and back, under clients that take no error: none fails, and each visit is
/// counted once.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by ./test.sh, which builds the release before this one"]
async fn a_rolling_update_and_back() {
    let (redis, proxy) = (Redis::start(), Proxy::start());
    let listen = format!(
        "tcp:127.0.0.1:0,unix:{}",
        proxy.path("sockets/{slot}.sock").display()
    );
    let old = || {
        // It knows nothing of FOOTFALL_PROXY_REQUEST_ID, and takes any proxy's word.
        let builder = Footfall::builder().binary(&previous());
        builder
            .env("REDIS_URL", redis.url())
            .env("FOOTFALL_LISTEN", &listen)
    };
    let new = || proxy.replica().env("REDIS_URL", redis.url());
    let mut replicas = [old().start(), old().start(), old().start()];
    let token = replicas[0].token().await;
    let (stop, answered) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (stop, answered) = (stop.clone(), answered.clone());
            let mut client = proxy.client().with_token(&token);
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    numbers.push(client.get("/api/count").await.visits());
                    numbers.push(client.post("/api/counters/visits").await.visits());
                    answered.fetch_add(2, Ordering::Relaxed);
                }
                numbers
            })
        })
        .collect();
    roll(&mut replicas, &answered, new).await;
    roll(&mut replicas, &answered, old).await;
    stop.store(true, Ordering::Relaxed);
    let mut numbers = Vec::new();
    for client in clients {
        numbers.extend(client.await.unwrap());
    }
    assert_exact(&numbers);
    assert_eq!(replicas[0].total(&token).await, numbers.len() as u64);
}
