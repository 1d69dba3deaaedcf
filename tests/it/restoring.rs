//! `footfall restore`: what Redis has lost is there again, and whatever it has more stays.

use hyper::Method;

use crate::support::{
    Client, Footfall, Redis, Reply, footfall::footfall_command, postgres::Database, process::until,
};

async fn count(client: &mut Client, counter: &str, key: &str) -> Reply {
    let path = format!("/api/counters/{counter}");
    let headers = [("idempotency-key", key)];
    let reply = client
        .send(Method::POST, &path, &headers, String::new())
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply
}

/// What the command says, once it has done it.
fn restore(redis: &Redis, database: &Database) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = footfall_command();
    let command = command.current_dir(folder.path()).arg("restore");
    let command = command.env("REDIS_URL", redis.url());
    let output = command
        .env("DATABASE_URL", database.url())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_that_redis_has_lost_are_raised_beside_a_replica() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let footfall = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url())
        .start();
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    let mut client = footfall.client().with_token(&footfall.token().await);
    for number in 1..=3 {
        for counter in ["shop", "news"] {
            count(&mut client, counter, &format!("{counter}-{number}")).await;
        }
    }
    let through = "SELECT count(*) FROM recordings WHERE through = 3";
    until("all is recorded", async || {
        (database.sql(through) == "2").then_some(())
    })
    .await;
    assert_eq!(
        restore(&redis, &database),
        "ok: 0 of 2 counters were raised\n"
    );

    for suffix in ["count", "record", "visits", "keys"] {
        redis.command(&format!("DEL footfall:{{shop}}:{suffix}"));
    }
    redis.command("SET footfall:{news}:count 7");
    redis.command("ZREM footfall:counters shop");
    let said = restore(&redis, &database);
    assert_eq!(
        said,
        "shop: raised by 3 to 3\nok: 1 of 2 counters were raised\n"
    );
    assert_eq!(
        restore(&redis, &database),
        "ok: 0 of 2 counters were raised\n"
    );

    let listed = client.get("/api/counters").await.json().to_string();
    assert!(
        listed.contains("shop") && listed.contains("news"),
        "{listed}"
    );
    let again = count(&mut client, "shop", "shop-2").await;
    assert!(again.replayed(), "{again:?}");
    assert_eq!(count(&mut client, "shop", "new").await.visits(), 4);
    assert_eq!(count(&mut client, "news", "new").await.visits(), 8);
    let recorded = "SELECT through FROM recordings WHERE counter = 'shop'";
    until("it is recorded", async || {
        (database.sql(recorded) == "4").then_some(())
    })
    .await;
}

#[test]
fn without_a_postgresql_there_is_nothing_to_restore_from() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = footfall_command();
    let output = command
        .current_dir(folder.path())
        .arg("restore")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("DATABASE_URL"), "{said}");
}
