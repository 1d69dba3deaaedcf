//! What an operation may take, and what becomes of its connection.

use std::time::{Duration, Instant};

use footfall::storage::sql::{DatabaseError, on_either};
use rustix::process::Signal;

use crate::support::{
    databases::{Opened, at},
    postgres::{Database, Postgres},
    process::{PATIENCE, until},
    slow_proxy::SlowProxy,
};

/// Runs a statement on PostgreSQL.
async fn run(opened: &Opened, statement: &'static str) -> Result<(), DatabaseError> {
    let ran = opened.database.write("test", move |connection| {
        Box::pin(async move {
            on_either!(connection, |database| {
                sqlx::query(statement)
                    .execute(&mut **database)
                    .await
                    .map(drop)
            })?;
            Ok(())
        })
    });
    ran.await
}

async fn backend(opened: &Opened) -> Result<i32, DatabaseError> {
    let asked = opened.database.read("test", |connection| {
        Box::pin(async move {
            Ok(on_either!(connection, |database| {
                sqlx::query_scalar("SELECT pg_backend_pid()")
                    .fetch_one(&mut **database)
                    .await
            })?)
        })
    });
    asked.await
}

fn observed(opened: &Opened, outcome: &str) -> bool {
    let series = format!(
        "footfall_database_operation_duration_seconds_count{{operation=\"test\",outcome=\"{outcome}\"}}"
    );
    opened.registry.render().unwrap().contains(&series)
}

#[tokio::test]
async fn a_slow_statement_is_given_up_by_the_server_and_nothing_was_done() {
    let database = Database::migrated();
    let url = database.url();
    let opened = at(&url, &[("FOOTFALL_DATABASE_TIMEOUT", "1s")])
        .await
        .up()
        .await;
    let error = run(&opened, "SELECT pg_sleep(60)").await.unwrap_err();
    assert!(matches!(error, DatabaseError::Busy(_)), "{error:?}");
    assert!(error.to_string().contains("statement timeout"), "{error}");
    assert!(!error.outcome_is_unknown());
    run(&opened, "SELECT 1").await.unwrap();
    assert!(observed(&opened, "busy") && observed(&opened, "ok"));
}

#[tokio::test]
async fn a_lock_that_others_hold_is_not_waited_for_without_end() {
    let database = Database::migrated();
    let opened = at(&database.url(), &[]).await.up().await;
    let holder = at(&database.owner_url(), &[]).await.up().await;
    let (held, holding) = tokio::sync::oneshot::channel::<()>();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let ran = holder.database.write("hold", |connection| {
            Box::pin(async move {
                on_either!(connection, |database| {
                    sqlx::query("LOCK TABLE footfall_layout")
                        .execute(&mut **database)
                        .await
                        .map(drop)
                })?;
                held.send(()).unwrap();
                let _ = released.await;
                Ok(())
            })
        });
        // Longer than it may: it is not what is looked at here.
        let _ = ran.await;
    });
    holding.await.unwrap();
    let error = run(&opened, "SELECT * FROM footfall_layout")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("lock timeout"), "{error}");
    let _ = release.send(());
    task.await.unwrap();
    // The monitor reads that table, too.
    let opened = opened.up().await;
    run(&opened, "SELECT * FROM footfall_layout").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_is_given_up_and_its_connection_not_handed_out_again() {
    let postgres = Postgres::start();
    let settings = [
        ("FOOTFALL_DATABASE_TIMEOUT", "1s"),
        ("FOOTFALL_DATABASE_POOL", "1"),
    ];
    let opened = at(&postgres.url("migrated"), &settings).await.up().await;
    let before = backend(&opened).await.unwrap();
    postgres.signal(Signal::STOP);
    let started = Instant::now();
    let error = run(&opened, "SELECT 1").await.unwrap_err();
    // In the pool or on the way, whichever it was in.
    let told = error.outcome_is_unknown()
        || matches!(error, DatabaseError::Busy(_) | DatabaseError::Away(_));
    assert!(told, "{error:?}");
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    let health = opened.database.health().unwrap();
    until("it is known to be away", async || health.ready().err()).await;
    // Known to be away, it is not waited for.
    let error = run(&opened, "SELECT 1").await.unwrap_err();
    assert!(matches!(error, DatabaseError::Away(_)), "{error:?}");
    postgres.signal(Signal::CONT);
    let opened = opened.up().await;
    assert_ne!(backend(&opened).await.unwrap(), before);
}

/// Of a server that vanishes between the answer to COMMIT and whatever is asked next.
#[tokio::test]
async fn a_connection_that_is_given_back_to_nowhere_is_not_waited_for_without_end() {
    let database = Database::migrated();
    let proxy = SlowProxy::start(database.server().port).await;
    let port = format!(":{}/", database.server().port);
    let url = database.url().replace(&port, &format!(":{}/", proxy.port));
    let settings = [
        ("FOOTFALL_DATABASE_TIMEOUT", "1s"),
        ("FOOTFALL_DATABASE_POOL", "1"),
    ];
    let opened = at(&url, &settings).await.up().await;
    run(&opened, "SELECT 1").await.unwrap();
    proxy.delay(Duration::from_hours(1));
    run(&opened, "SELECT 1").await.unwrap_err();
    // What comes next is led elsewhere.
    proxy.delay(Duration::ZERO);
    until("there is a connection again", async || {
        run(&opened, "SELECT 1").await.ok()
    })
    .await;
}

#[tokio::test]
async fn a_transaction_in_which_a_statement_has_failed_is_not_taken_for_done() {
    let database = Database::migrated();
    let opened = at(&database.owner_url(), &[]).await.up().await;
    let wrote = opened.database.write("test", |connection| {
        Box::pin(async move {
            on_either!(connection, |database| {
                sqlx::query("CREATE TABLE notes (note TEXT)")
                    .execute(&mut **database)
                    .await?;
                let failed = sqlx::query("SELECT 1 / 0").execute(&mut **database).await;
                assert!(failed.is_err());
            });
            Ok(())
        })
    });
    let error = wrote.await.unwrap_err();
    assert!(matches!(error, DatabaseError::Refused(_)), "{error:?}");
    assert_eq!(database.sql("SELECT to_regclass('notes') IS NULL"), "t");
    run(&opened, "SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_server_has_ended_is_not_handed_out() {
    let database = Database::migrated();
    let url = database.url();
    let opened = at(&url, &[("FOOTFALL_DATABASE_POOL", "1")])
        .await
        .up()
        .await;
    let first = backend(&opened).await.unwrap();
    assert_eq!(backend(&opened).await.unwrap(), first, "it is kept");
    database.sql(&format!("SELECT pg_terminate_backend({first}, 10000)"));
    assert_ne!(backend(&opened).await.unwrap(), first);
}

#[tokio::test]
async fn who_finds_all_connections_in_use_is_told_so() {
    let database = Database::migrated();
    let settings = [
        ("FOOTFALL_DATABASE_TIMEOUT", "3s"),
        ("FOOTFALL_DATABASE_POOL", "1"),
    ];
    let opened = at(&database.url(), &settings).await.up().await;
    let (slow, second) = tokio::join!(run(&opened, "SELECT pg_sleep(60)"), async {
        tokio::task::yield_now().await;
        run(&opened, "SELECT 1").await
    });
    assert!(matches!(slow, Err(DatabaseError::Busy(_))), "{slow:?}");
    // It waits for as long as the other may take, and may just get it.
    assert!(
        matches!(second, Ok(()) | Err(DatabaseError::Busy(_))),
        "{second:?}"
    );
    assert!(opened.database.health().unwrap().ready().is_ok());
}

#[tokio::test]
async fn who_hangs_up_leaves_no_transaction_behind() {
    let database = Database::migrated();
    let url = database.owner_url();
    let opened = at(&url, &[("FOOTFALL_DATABASE_POOL", "1")])
        .await
        .up()
        .await;
    run(&opened, "CREATE TABLE notes (note TEXT)")
        .await
        .unwrap();
    let left = tokio::time::timeout(
        Duration::from_millis(1),
        run(
            &opened,
            "INSERT INTO notes SELECT 'once' FROM pg_sleep(0.2)",
        ),
    );
    assert!(left.await.is_err(), "it takes longer");
    // The same connection is next, when the work on it is done.
    run(&opened, "INSERT INTO notes VALUES ('again')")
        .await
        .unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM notes"), "2");
    let idle = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(database.sql(idle), "0");
}
