//! Where revocations are kept, and for how long.

use footfall::storage::sql::on_either;

use super::*;

const HISTORY: &str = "ZRANGEBYLEX footfall:revocations - +";

/// A process that dies between its transaction and Redis, or finds no Redis.
#[tokio::test]
async fn what_nobody_has_published_is_published_by_others() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let apps = replicas(2, &redis.url(), &database).await;
    let pass = pass();
    assert!(count(&mut client(&apps[1], &pass)).await.is_some());
    let (revocations, all) = (apps[0].revocations.clone(), session(&pass));
    let noted = apps[0]
        .database
        .as_ref()
        .unwrap()
        .write("note", move |connection| {
            Box::pin(async move { revocations.note(connection, &all).await })
        });
    drop(noted.await.unwrap());
    until("it is refused", async || {
        count(&mut client(&apps[1], &pass))
            .await
            .is_none()
            .then_some(())
    })
    .await;
    until("it is noted as published", async || {
        let left = database.sql("SELECT count(*) FROM revocations WHERE NOT published");
        (left == "0").then_some(())
    })
    .await;
}

/// What cannot be published is not acknowledged.
#[tokio::test]
async fn a_store_that_takes_nothing_acknowledges_nothing() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let apps = replicas(2, &redis.url(), &database).await;
    redis.told("CONFIG SET maxmemory 1");
    let pass = pass();
    apps[0].revoke(&session(&pass)).await.unwrap_err();
    assert_eq!(database.sql("SELECT published FROM revocations"), "f");
    redis.told("CONFIG SET maxmemory 0");
    until("it is published later", async || {
        redis
            .command(HISTORY)
            .contains(&pass.session.simple().to_string())
            .then_some(())
    })
    .await;
    assert_eq!(count(&mut client(&apps[1], &pass)).await, None);
}

#[tokio::test]
async fn redis_keeps_what_has_not_ended() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let apps = replicas(1, &redis.url(), &database).await;
    let ended = format!(
        "000000000000001-x|session|{}|||1|2",
        pass().session.simple()
    );
    let living = format!(
        "000000000000002-x|session|{}|||1|9999999999999",
        pass().session.simple()
    );
    for member in [&ended, &living] {
        redis.command(&format!("ZADD footfall:revocations 0 {member}"));
    }
    let pass = pass();
    apps[0].revoke(&session(&pass)).await.unwrap();
    let history = redis.command(HISTORY);
    assert!(!history.contains(&ended), "{history}");
    // Its number comes behind those of a history whose epoch is gone.
    let own = history.find(&pass.session.simple().to_string());
    assert!(history.find(&living) < own, "{history}");
    for key in [
        "footfall:revocations",
        "footfall:epoch:{footfall:revocations}",
    ] {
        let millis = redis.command(&format!("PTTL {key}"));
        let millis: i64 = millis[1..].trim().parse().unwrap();
        let hour = 3_600_000;
        assert!((hour..hour + 400_000).contains(&millis), "{key}: {millis}");
    }
}

/// What of these is in the table.
async fn rows(app: &TestApp) -> Vec<Uuid> {
    let rows = app.database.as_ref().unwrap().read("rows", |connection| {
        Box::pin(async move {
            Ok(on_either!(connection, |database| {
                sqlx::query_scalar("SELECT subject FROM revocations")
                    .fetch_all(&mut **database)
                    .await
            })?)
        })
    });
    rows.await.unwrap()
}

async fn trims(start: impl AsyncFn() -> TestApp) {
    let app = start().await;
    let (ended, living) = (pass().session, pass().session);
    let insert = app
        .database
        .as_ref()
        .unwrap()
        .write("insert", move |connection| {
            Box::pin(async move {
                for (id, until) in [(ended, 2_i64), (living, 9_999_999_999_999)] {
                    on_either!(connection, |database| {
                        sqlx::query(
                            "INSERT INTO revocations (kind, subject, noted_at, until, published)
                         VALUES ('session', $1, 1, $2, TRUE)",
                        )
                        .bind(id)
                        .bind(until)
                        .execute(&mut **database)
                        .await
                        .map(drop)
                    })?;
                }
                Ok(())
            })
        });
    insert.await.unwrap();
    assert_eq!(rows(&app).await.len(), 2);
    // It looks at its start, and then once a minute.
    let another = start().await;
    until("what has ended is gone", async || {
        (rows(&another).await == [living]).then_some(())
    })
    .await;
    another
        .metric_becomes("footfall_revocations_held", 1.0)
        .await;
}

#[tokio::test]
async fn a_file_keeps_what_has_not_ended() {
    let folder = tempfile::tempdir().unwrap();
    trims(async || TestApp::builder().directory(folder.path()).start().await).await;
}

#[tokio::test]
async fn a_postgresql_keeps_what_has_not_ended() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    trims(async || replicas(1, &redis.url(), &database).await.remove(0)).await;
}
