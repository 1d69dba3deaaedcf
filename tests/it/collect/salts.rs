//! The salts of days: the same for all replicas, and really gone after 48 hours.

use std::{fs, path::Path, sync::Arc};

use footfall::{
    counting::carried::Salts,
    record::collect::{metrics::CollectMetrics, salting::Salting},
    storage::sql::{Database, on_either},
};

use crate::support::databases::{self, Opened};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A replica.
fn replica(opened: &Opened) -> (Salting, Salts, Arc<CollectMetrics>) {
    let (salts, metrics) = (
        Salts::default(),
        Arc::new(CollectMetrics::detached().unwrap()),
    );
    let salting = Salting::new(opened.database.clone(), salts.clone(), metrics.clone());
    (salting, salts, metrics)
}

async fn stored(database: &Database) -> Vec<(i64, Vec<u8>)> {
    let rows = database.read("salts", |connection| {
        Box::pin(async move {
            Ok(on_either!(connection, |database| {
                sqlx::query_as("SELECT day, salt FROM visitor_salts ORDER BY day")
                    .fetch_all(&mut **database)
                    .await
            })?)
        })
    });
    rows.await.unwrap()
}

#[tokio::test]
async fn all_replicas_have_the_same() {
    for opened in databases::both().await {
        let mut replicas = [replica(&opened), replica(&opened), replica(&opened)];
        // At once, on the first day.
        let [one, two, three] = &mut replicas;
        let now = Some(20_000 * DAY);
        let kept = tokio::join!(one.0.keep(now), two.0.keep(now), three.0.keep(now));
        assert_eq!(kept, (Ok(()), Ok(()), Ok(())), "{}", opened.kind);
        for (_, salts, metrics) in &replicas {
            for day in [20_000, 20_001] {
                assert!(salts.of(day).is_some());
                assert_eq!(salts.of(day), replicas[0].1.of(day), "{}", opened.kind);
            }
            assert_eq!((salts.of(19_999), salts.of(20_002)), (None, None));
            assert_eq!(metrics.salts.get(), 2);
        }
        assert_ne!(replicas[0].1.of(20_000), replicas[0].1.of(20_001));
    }
}

#[tokio::test]
async fn each_is_kept_for_48_hours() {
    for opened in databases::both().await {
        let (mut salting, salts, _) = replica(&opened);
        let (mut other, others, _) = replica(&opened);
        let days = async || {
            stored(&opened.database)
                .await
                .into_iter()
                .map(|(day, _)| day)
                .collect::<Vec<_>>()
        };
        salting.keep(Some(20_000 * DAY)).await.unwrap();
        let first = salts.of(20_000);
        for (now, expected) in [
            (20_000 * DAY + DAY - 1, vec![20_000, 20_001]),
            (20_001 * DAY, vec![20_000, 20_001, 20_002]),
            (20_002 * DAY - 1, vec![20_000, 20_001, 20_002]),
            (20_002 * DAY, vec![20_001, 20_002, 20_003]),
            // Nobody was there for a while.
            (20_009 * DAY + 5, vec![20_009, 20_010]),
        ] {
            salting.keep(Some(now)).await.unwrap();
            other.keep(Some(now)).await.unwrap();
            assert_eq!(days().await, expected, "{} {now}", opened.kind);
            for day in 19_999..20_011 {
                assert_eq!(salts.of(day).is_some(), expected.contains(&day), "{day}");
                assert_eq!(salts.of(day), others.of(day), "{day}");
            }
            if expected.contains(&20_000) {
                assert_eq!(salts.of(20_000), first, "it stays the same");
            }
        }
    }
}

/// Also while the database is away: what is in memory goes by the clock of this machine.
#[tokio::test]
async fn a_process_forgets_without_the_database() {
    let opened = databases::at("postgres://nobody@127.0.0.1:1/none", &[]).await;
    let (mut salting, salts, metrics) = replica(&opened);
    salts.set((20_000..20_003).map(|day| (day, [7; 32])).collect());
    assert!(salting.keep(Some(20_001 * DAY)).await.is_err());
    assert_eq!(
        [20_000, 20_001, 20_002].map(|day| salts.of(day).is_some()),
        [true; 3]
    );
    assert!(salting.keep(Some(20_002 * DAY)).await.is_err());
    assert_eq!(
        [20_000, 20_001, 20_002].map(|day| salts.of(day).is_some()),
        [false, true, true]
    );
    assert_eq!(metrics.salts.get(), 1);
}

/// Whether any file of a folder has these bytes.
fn is_in_files(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => is_in_files(&path, bytes),
            false => fs::read(path)
                .unwrap()
                .windows(bytes.len())
                .any(|window| window == bytes),
        }
    })
}

/// Neither the file nor its log has it any more.
#[tokio::test]
async fn nothing_is_left_of_it_in_a_sqlite_file() {
    let opened = databases::sqlite().await;
    let (mut salting, salts, _) = replica(&opened);
    let mut gone = Vec::new();
    for day in 20_000..20_010 {
        salting.keep(Some(day * DAY)).await.unwrap();
        gone.push(salts.of(day).unwrap());
        assert!(
            is_in_files(opened.folder(), &gone[gone.len() - 1]),
            "the test would see it"
        );
    }
    salting.keep(Some(20_020 * DAY)).await.unwrap();
    for salt in gone {
        assert!(!is_in_files(opened.folder(), &salt));
    }
}
