//! The store refuses one counter and counts all others.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{Clerk, lines, metric, outages, reason, target};
use crate::support::{
    Client, Footfall, eventually,
    load::{Insistent, assert_exact},
    process::{run, throughout},
};

/// What is said of a counter that is refused alone, and when it no longer is.
pub const ALONE: &str = "the store refuses this while it does all else";
pub const NO_LONGER: &str = "the store no longer refuses this";

/// A way in which somebody spoils the counter `poisoned`, and how it is mended.
struct Poison {
    spoil: fn(&Clerk),
    mend: fn(&Clerk),
    reason: &'static str,
}

const COUNT: &str = "footfall:{poisoned}:count";

fn set_count(clerk: &Clerk, value: &str) {
    clerk.redis.told(&format!("SET {COUNT} {value}"));
}

const POISONS: &[Poison] = &[
    Poison {
        spoil: |clerk| {
            clerk.redis.command(&format!("DEL {COUNT}"));
            clerk.redis.command(&format!("HSET {COUNT} a b"));
        },
        mend: |clerk| set_count(clerk, "1"),
        reason: "WRONGTYPE",
    },
    Poison {
        spoil: |clerk| set_count(clerk, "many"),
        mend: |clerk| set_count(clerk, "2"),
        reason: "ERR value is not an integer",
    },
    Poison {
        spoil: |clerk| set_count(clerk, "9223372036854775807"),
        mend: |clerk| set_count(clerk, "3"),
        reason: "ERR increment or decrement would overflow",
    },
    Poison {
        spoil: |clerk| {
            clerk.redis.command("DEL footfall:{poisoned}:keys");
            clerk.redis.told("SET footfall:{poisoned}:keys x");
        },
        mend: |clerk| {
            clerk.redis.command("DEL footfall:{poisoned}:keys");
        },
        reason: "WRONGTYPE",
    },
    Poison {
        spoil: |clerk| {
            clerk.redis.command("DEL footfall:{poisoned}:keys:previous");
            clerk.redis.told("SET footfall:{poisoned}:keys:previous x");
        },
        mend: |clerk| {
            clerk.redis.command("DEL footfall:{poisoned}:keys:previous");
        },
        reason: "WRONGTYPE",
    },
    // Every counter but this one.
    Poison {
        spoil: |clerk| {
            clerk.may("resetkeys ~footfall:{a}:* ~footfall:{b}:* ~footfall:{.probe-* ~footfall:counters ~footfall:schema ~footfall:layout");
        },
        mend: Clerk::may_do_all,
        reason: "NOPERM",
    },
    // … and of this one only the keys' identities.
    Poison {
        spoil: |clerk| {
            clerk.may("resetkeys ~footfall:*:count ~footfall:*:requests* ~footfall:{a}:* ~footfall:{b}:* ~footfall:{.probe-* ~footfall:counters ~footfall:schema ~footfall:layout");
        },
        mend: Clerk::may_do_all,
        reason: "NOPERM",
    },
];

/// Visits the counter for a while; each time it is refused, and certainly not counted.
async fn refused_for(client: &mut Client, time: Duration) {
    let mut visit = 0;
    throughout(time, async || {
        visit += 1;
        let key = format!("refused-{visit}");
        let headers = [("idempotency-key", key.as_str())];
        let reply = client
            .send(hyper::Method::POST, "/api/counters/poisoned", &headers, "")
            .await;
        assert_eq!(reply.problem(), "store_unavailable", "{reply:?}");
        assert!(reply.header("retry-after").is_some());
    })
    .await;
}

/// How often the store was asked to do all that counting does: each time the script is sent.
fn writing_probes(clerk: &Clerk) -> u64 {
    let statistics = clerk.redis.command("INFO commandstats");
    let line = statistics
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_script|load:calls="));
    line.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_counter_among_many() {
    let clerk = Clerk::new();
    let footfall = clerk.service().start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    assert_eq!(client.post("/api/counters/poisoned").await.visits(), 1);
    let counters = ["a".to_owned(), "b".to_owned()];
    let load = Insistent::paced(&[target(&footfall)], &token, 8, &counters);
    load.count(50).await;
    for (before, poison) in POISONS.iter().enumerate() {
        (poison.spoil)(&clerk);
        let (probes, started) = (writing_probes(&clerk), Instant::now());
        // Long enough for it to be asked about more than once.
        refused_for(&mut client, Duration::from_millis(2500)).await;
        let seconds = started.elapsed().as_secs();
        let probes = writing_probes(&clerk) - probes;
        assert!(
            (1..=seconds + 2).contains(&probes),
            "{probes} in {seconds} s"
        );
        let said = lines(&footfall, ALONE);
        assert_eq!(said.len(), before + 1, "it is said once: {said:#?}");
        let said = &said[before];
        assert!(
            said.contains("poisoned") && said.contains(poison.reason),
            "{said}"
        );
        assert_eq!(reason(&footfall).await, None, "the store is up");
        load.count(50).await;

        (poison.mend)(&clerk);
        client.post("/api/counters/poisoned").await.visits();
        eventually("that is said, too", || {
            let said = lines(&footfall, NO_LONGER);
            (said.len() == before + 1).then_some(())
        });
    }
    assert!(
        load.refused().is_empty(),
        "the others count on: {:?}",
        load.refused()
    );
    assert!(outages(&footfall).is_empty(), "{:?}", footfall.log());
    for series in [
        "footfall_visits_uncertain_total",
        r#"footfall_visits_failed_total{reason="outcome_unknown"}"#,
    ] {
        assert_eq!(metric(&footfall, series).await, 0.0, "{series}");
    }
    for outcome in ["ok", "refused"] {
        let series = format!(
            r#"footfall_store_operation_duration_seconds_count{{operation="count",outcome="{outcome}"}}"#
        );
        assert!(metric(&footfall, &series).await > 0.0, "{outcome}");
    }
    for numbers in load.stop().await.values() {
        assert_exact(numbers);
    }
}

/// In one transaction with the others, it does not take them with it.
#[tokio::test(flavor = "multi_thread")]
async fn one_embedded_counter_among_many() {
    let directory = tempfile::tempdir().unwrap();
    // With one worker it is sure to meet them.
    let footfall = Footfall::builder()
        .directory(directory.path())
        .env("FOOTFALL_WORKERS", 1)
        .start();
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    assert_eq!(client.post("/api/counters/poisoned").await.visits(), 1);
    let counters = ["a".to_owned(), "b".to_owned()];
    let load = Insistent::start(&[target(&footfall)], &token, 8, &counters);
    load.count(50).await;
    let database = directory.path().join("data/footfall.db");
    for (before, most) in [i64::MAX, i64::MAX - 1].into_iter().enumerate() {
        set_visits(&database, most);
        if most < i64::MAX {
            client.post("/api/counters/poisoned").await.visits();
        }
        refused_for(&mut client, Duration::from_millis(2500)).await;
        let said = lines(&footfall, ALONE);
        assert_eq!(said.len(), before + 1, "it is said once: {said:#?}");
        assert!(said[before].contains("poisoned"), "{said:#?}");
        assert_eq!(reason(&footfall).await, None, "the store is up");
        load.count(50).await;
        set_visits(&database, 1);
        client.post("/api/counters/poisoned").await.visits();
    }
    assert!(load.refused().is_empty(), "{:?}", load.refused());
    assert!(outages(&footfall).is_empty(), "{:?}", footfall.log());
    for numbers in load.stop().await.values() {
        assert_exact(numbers);
    }
}

fn set_visits(database: &Path, visits: i64) {
    let statement = format!("UPDATE counters SET visits = {visits} WHERE name = 'poisoned'");
    let mut sqlite = Command::new("sqlite3");
    sqlite
        .args(["-cmd", ".timeout 20000"])
        .arg(database)
        .arg(statement);
    assert!(run(&mut sqlite).status.success());
}
