//! Long looks: they end in the database with who asked, or with their time, and nobody waits for them.

use std::time::Duration;

use footfall::storage::sql::{Connection, Database, DatabaseError, on_either};

use crate::support::{
    databases::{self, Opened},
    postgres,
    process::{PATIENCE, until},
};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);

/// What a look that takes for ever asks for; the remark is what the server's list of queries is searched for. It takes
/// time and not the machine, which other tests need.
const IN_POSTGRES: &str = "SELECT count(*) /* for ever */ FROM pg_sleep(600)";

const IN_SQLITE: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, counters";

async fn take_for_ever(database: Database, limit: Duration) -> Result<i64, DatabaseError> {
    let look = database.look("test", limit, |connection| {
        Box::pin(async move {
            Ok(match connection {
                Connection::Postgres(database) => {
                    sqlx::query_scalar(IN_POSTGRES)
                        .fetch_one(&mut **database)
                        .await
                }
                Connection::Sqlite(database) => {
                    sqlx::query_scalar(IN_SQLITE)
                        .fetch_one(&mut **database)
                        .await
                }
            }?)
        })
    });
    look.await
}

/// Both, with the server of the one that has one.
async fn both() -> [(Opened, Option<postgres::Database>); 2] {
    let postgres = postgres::Database::migrated();
    let opened = databases::at(&postgres.url(), &[]).await.up().await;
    [(databases::sqlite().await, None), (opened, Some(postgres))]
}

/// Whether the query is running: in the server's list, or as the one who reads the file, whose log cannot be
/// emptied then.
async fn is_running(opened: &Opened, postgres: Option<&postgres::Database>) -> bool {
    match postgres {
        Some(postgres) => {
            postgres.sql(
                "SELECT count(*) > 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND state = 'active' AND query LIKE '%for ever%' AND pid <> pg_backend_pid()",
            ) == "t"
        }
        None => {
            write(opened, "INSERT INTO counters (name, visits) VALUES ('a', 1) ON CONFLICT (name) DO UPDATE SET visits = visits + 1").await;
            !opened.database.empty_log().await.unwrap()
        }
    }
}

async fn write(opened: &Opened, statement: &'static str) {
    let written = opened.database.write("test", move |connection| {
        Box::pin(async move {
            Ok(on_either!(connection, |database| {
                sqlx::query(statement)
                    .execute(&mut **database)
                    .await
                    .map(drop)
            })?)
        })
    });
    written.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_in_the_database_when_who_asked_has_gone() {
    for (opened, postgres) in both().await {
        let asking = tokio::spawn(take_for_ever(opened.database.clone(), LONG));
        let runs = async || is_running(&opened, postgres.as_ref()).await;
        until("it is running", async || runs().await.then_some(())).await;
        assert!(!asking.is_finished());
        asking.abort();
        until("it has ended", async || (!runs().await).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_in_the_database_with_its_time() {
    for (opened, postgres) in both().await {
        let limit = Duration::from_millis(300);
        let looked = tokio::time::timeout(PATIENCE, take_for_ever(opened.database.clone(), limit));
        assert_eq!(
            looked.await.unwrap(),
            Err(DatabaseError::Timeout),
            "{}",
            opened.kind
        );
        let runs = async || is_running(&opened, postgres.as_ref()).await;
        until("it has ended", async || (!runs().await).then_some(())).await;
    }
}

/// More of them than anybody has connections for, of those that others wait for.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_look() {
    for (opened, postgres) in both().await {
        let looks: Vec<_> = (0..5)
            .map(|_| tokio::spawn(take_for_ever(opened.database.clone(), LONG)))
            .collect();
        let runs = async || is_running(&opened, postgres.as_ref()).await;
        until("they are running", async || runs().await.then_some(())).await;
        for _ in 0..10 {
            let read = opened.database.read("test", |connection| {
                Box::pin(async move {
                    Ok(on_either!(connection, |database| {
                        sqlx::query_scalar("SELECT 1")
                            .fetch_one(&mut **database)
                            .await
                    })?)
                })
            });
            let one: i32 = read.await.unwrap();
            assert_eq!(one, 1);
            write(&opened, "UPDATE companies SET updated_at = updated_at").await;
        }
        assert!(
            looks.iter().all(|look| !look.is_finished()),
            "{}",
            opened.kind
        );
        looks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_changes_nothing() {
    for (opened, _) in both().await {
        let changed = opened.database.look("test", LONG, |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                Ok(on_either!(connection, |database| {
                    let change = sqlx::query("UPDATE companies SET updated_at = 7");
                    change.execute(&mut **database).await.map(drop)
                })?)
            })
        });
        let refused = changed.await.unwrap_err();
        assert!(
            matches!(refused, DatabaseError::Refused(_) | DatabaseError::Away(_)),
            "{refused:?}"
        );
        let looked = opened.database.look("test", LONG, |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                Ok(on_either!(connection, |database| {
                    let changed = "SELECT count(*) FROM companies WHERE updated_at = 7";
                    sqlx::query_scalar(changed).fetch_one(&mut **database).await
                })?)
            })
        });
        let changed: i64 = looked.await.unwrap();
        assert_eq!(changed, 0);
    }
}
