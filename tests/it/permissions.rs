//! The user of Redis that docs/redis.md describes may do what the program does, and is refused nothing.

use std::time::Duration;

use hyper::Method;

use crate::support::{
    Client, Redis, TestApp,
    footfall::footfall_command,
    postgres::Database,
    process::{run, until},
    redis::ask,
    sentinels::Lone,
};

/// What is run beside a replica, with the arguments it takes.
const COMMANDS: [&[&str]; 6] = [
    &["doctor"],
    &["admin", "list"],
    &["audit-trail", "verify"],
    &["audit", "--for", "1s"],
    &["migrate"],
    &["restore"],
];

/// Subcommands that talk to no Redis, or are the replica itself.
const OTHERS: [&str; 7] = [
    "serve",
    "health",
    "config",
    "demo",
    "openapi",
    "hash-password",
    "help",
];

/// The commands of docs/redis.md, for a user with another name.
fn rules() -> String {
    let documented = std::fs::read_to_string("docs/redis.md").unwrap();
    let rules = documented
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER footfall on >PASSWORD "));
    rules.unwrap().to_owned()
}

fn restricted(redis: &Redis, more: &str) {
    let rules = rules();
    redis.told(&format!("ACL SETUSER clerk reset on >hidden {rules}{more}"));
}

#[track_caller]
fn nothing_was_refused(port: u16) {
    let refused = ask(port, "ACL LOG").unwrap();
    assert!(refused.starts_with("*0"), "{refused}");
}

async fn replica(url: &str, database: &Database) -> TestApp {
    let app = TestApp::builder()
        .env("REDIS_URL", url)
        .env("DATABASE_URL", database.url())
        .start()
        .await;
    app.metric_becomes("footfall_database_up", 1.0).await;
    app.ready().await;
    app
}

/// Whether a command ended well; what it said.
fn command(arguments: &[&str], url: &str, database: &Database) -> (bool, String) {
    let of_database = match arguments {
        ["migrate"] => database.owner_url(),
        _ => database.url(),
    };
    let output = run(footfall_command()
        .args(arguments)
        .env("REDIS_URL", url)
        .env("DATABASE_URL", of_database));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[track_caller]
fn all_commands_do_their_work(url: &str, database: &Database) {
    for arguments in COMMANDS {
        let (_, said) = command(arguments, url, database);
        assert!(!said.contains("NOPERM"), "{arguments:?}: {said}");
    }
}

#[test]
fn each_command_of_the_program_is_looked_at() {
    let output = run(footfall_command().arg("--help"));
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    for line in commands.lines().take_while(|line| !line.is_empty()) {
        let name = line.split_whitespace().next().unwrap();
        let is_run = COMMANDS.iter().any(|arguments| arguments[0] == name);
        assert!(is_run || OTHERS.contains(&name), "{name}");
    }
}

async fn post(client: &mut Client, path: &str, kind: &str, body: &str) -> u16 {
    let key = uuid::Uuid::now_v7().to_string();
    let headers = [("content-type", kind), ("idempotency-key", key.as_str())];
    let reply = client.send(Method::POST, path, &headers, body.to_owned());
    reply.await.status.as_u16()
}

/// All that a replica does for the record, and erases.
async fn work(app: &TestApp, redis: &Redis) {
    let mut client = app.client().logged_in().await;
    let (json, lines) = ("application/json", "application/x-ndjson");
    let visit = r#"{"visitor":"ann","path":"/a"}"#;
    let erased = r#"{"visitor":"ann"}"#;
    let counter = "/api/counters/visits";
    let recording = format!("{counter}/recording");
    assert_eq!(post(&mut client, counter, json, visit).await, 200);
    let many = "{\"counter\":\"visits\",\"path\":\"/b\"}\n{\"counter\":\"news\"}\n";
    assert_eq!(post(&mut client, "/api/visits", lines, many).await, 200);
    assert_eq!(client.get("/api/count").await.status, 200);
    until("all is recorded", async || {
        let view = client.get(&recording).await.json();
        (view["through"] == view["count"]).then_some(())
    })
    .await;
    for on in [false, true] {
        let body = format!(r#"{{"on":{on}}}"#);
        assert_eq!(client.put_json(&recording, &body).await.status, 200);
        assert_eq!(client.post(counter).await.status, 200);
    }
    let erasing = post(&mut client, "/api/visitors/erase", json, erased).await;
    assert_eq!(erasing, 204);
    assert_eq!(client.get("/api/counters").await.status, 200);
    assert_eq!(client.post("/auth/logout").await.status, 204);
    assert_eq!(app.client().login("admin", "wrong").await.status, 401);
    nothing_was_refused(redis.port);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_may_do_all_that_is_done() {
    let (redis, database) = (Redis::start(), Database::migrated());
    restricted(&redis, "");
    let url = redis.url().replace("redis://", "redis://clerk:hidden@");
    let app = replica(&url, &database).await;
    work(&app, &redis).await;
    all_commands_do_their_work(&url, &database);
    for suffix in ["count", "record", "visits", "keys"] {
        redis.command(&format!("DEL footfall:{{visits}}:{suffix}"));
    }
    redis.command("ZREM footfall:counters visits");
    let (good, said) = command(&["restore"], &url, &database);
    assert!(good && said.contains("visits: raised by"), "{said}");
    nothing_was_refused(redis.port);
}

/// One of the sentinels may do what the page says, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn sentinels_are_asked_no_more_than_is_documented() {
    let (master, other, database) = (Redis::start(), Redis::start(), Database::migrated());
    other.told(&format!("REPLICAOF 127.0.0.1 {}", master.port));
    let lone = Lone::start("main", &master, &other, Duration::from_mins(1));
    // On a server, and on a sentinel.
    restricted(&master, " +role");
    restricted(&other, " +role");
    let asked = "+sentinel|get-master-addr-by-name +sentinel|master +sentinel|replicas +ping";
    let guard = ask(
        lone.port,
        &format!("ACL SETUSER guard reset on >secret {asked}"),
    );
    assert_eq!(guard.as_deref(), Some("+OK\r\n"));
    let url = lone.url().replace("://", "://clerk:hidden@");
    let url = format!("{url}?sentinel_username=guard&sentinel_password=secret");
    let app = replica(&url, &database).await;
    work(&app, &master).await;
    all_commands_do_their_work(&url, &database);
    for port in [master.port, other.port, lone.port] {
        nothing_was_refused(port);
    }
}
