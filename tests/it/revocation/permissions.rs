//! What the user of Redis must be allowed, so that sessions can end.

use super::*;
use crate::support::{footfall::footfall_command, process::run};

/// What `footfall doctor` says of a user with these rules.
fn diagnosis(redis: &Redis, database: &postgres::Database, rules: &str) -> String {
    redis.told(&format!("ACL SETUSER clerk reset on >hidden {rules}"));
    let url = redis.url().replace("redis://", "redis://clerk:hidden@");
    let output = run(footfall_command()
        .env("REDIS_URL", url)
        .env("DATABASE_URL", database.url())
        .arg("doctor"));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn doctor_names_the_keys_that_are_missing() {
    const CONSEQUENCE: &str = "no session or token can be ended";
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let without = "~footfall:{* ~footfall:counters* ~footfall:companies ~footfall:login:* ~footfall:attempts:* ~footfall:limit* ~footfall:layout ~footfall:schema +@all";
    let (history, epoch) = ("~footfall:revocations", "~footfall:epoch:*");
    for (keys, missing) in [
        (String::new(), true),
        (history.to_owned(), true),
        (epoch.to_owned(), true),
        (format!("%R{history} {epoch}"), true),
        (format!("{history} {epoch}"), false),
    ] {
        let said = diagnosis(&redis, &database, &format!("{without} {keys}"));
        assert_eq!(said.contains(CONSEQUENCE), missing, "{keys}: {said}");
        let hint = "ACL SETUSER clerk ~footfall:*";
        assert_eq!(said.contains(hint), missing, "{keys}: {said}");
    }
}

/// With the documented ones sessions count and end.
#[tokio::test]
async fn the_documented_ones_are_enough() {
    let documented = std::fs::read_to_string("docs/redis.md").unwrap();
    let rules = documented
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER footfall on >PASSWORD "))
        .unwrap();
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    redis.told(&format!("ACL SETUSER clerk reset on >hidden {rules}"));
    let url = redis.url().replace("redis://", "redis://clerk:hidden@");
    let apps = replicas(2, &url, &database).await;
    let pass = pass();
    assert_eq!(count(&mut client(&apps[1], &pass)).await, Some(1));
    apps[0].revoke(&session(&pass)).await.unwrap();
    assert_eq!(count(&mut client(&apps[1], &pass)).await, None);
    until("the visit is recorded", async || {
        let waiting = redis.command("XLEN footfall:{visits}:visits");
        (database.sql("SELECT count(*) FROM runs") == "1" && waiting == ":0\r\n").then_some(())
    })
    .await;
    let refused = redis.command("ACL LOG");
    assert!(refused.starts_with("*0"), "{refused}");
}
