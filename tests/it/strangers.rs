//! What others have written where the store lists counters.

use std::process::Command;

use crate::support::{Client, Footfall, Redis};

const LEFT_OUT: &str = "the store lists something that is no counter's name; this, and others like it, are left out of GET /api/counters";

/// Every counter is in the list, however many entries between them are none.
async fn lists_all(footfall: &Footfall, client: &mut Client) {
    for limit in [1, 2, 3, 7, 100] {
        let (mut found, mut query) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/counters?limit={limit}{query}");
            let page = client.get(&path).await.json();
            let counters = page["counters"].as_array().unwrap();
            assert!(!counters.is_empty() && counters.len() <= limit);
            let names = counters.iter().map(|counter| counter["name"].as_str());
            found.extend(names.map(|name| name.unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => query = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, ["a", "b", "c", "d", "e"], "{limit}");
    }
    let lines = footfall.log();
    let said = lines.iter().filter(|line| line.contains(LEFT_OUT));
    assert_eq!(said.count(), 1);
}

async fn five_counters(footfall: &Footfall) -> Client {
    let mut client = footfall.client().logged_in().await;
    for name in ["a", "b", "c", "d", "e"] {
        client.post(&format!("/api/counters/{name}")).await.visits();
    }
    client
}

#[tokio::test]
async fn in_the_index_of_redis() {
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let mut client = five_counters(&footfall).await;
    for number in 0..20 {
        redis.command(&format!("ZADD footfall:counters 0 \"b {number}\""));
        redis.command(&format!("ZADD footfall:counters 0 \"z\\xff{number}\""));
    }
    for name in ["UPPER", "\"\"", ".hidden", "aB"] {
        redis.command(&format!("ZADD footfall:counters 0 {name}"));
    }
    lists_all(&footfall, &mut client).await;
}

#[tokio::test]
async fn in_the_embedded_database() {
    let directory = tempfile::tempdir().unwrap();
    let footfall = Footfall::builder().directory(directory.path()).start();
    let mut client = five_counters(&footfall).await;
    let inserts =
        "INSERT INTO counters VALUES ('UPPER', 1), ('', 1), ('b 1', 1), ('b 2', 1), ('b 3', 1),
        ('b 4', 1), (CAST(x'7aff' AS TEXT), 1), ('zZ', 1), ('zZ1', 1);";
    let inserted = Command::new("sqlite3")
        .arg(directory.path().join("data/footfall.db"))
        .arg(inserts)
        .output();
    let inserted = inserted.expect("sqlite3 is there; ./test.sh installs it");
    assert!(inserted.status.success(), "{inserted:?}");
    lists_all(&footfall, &mut client).await;
}
