//! PostgreSQL of the stack: what it may go through while visits are counted.

use serde_json::Value;

use crate::{
    compose::{public, token},
    support::{
        Checkout, NODES,
        client::Client,
        docker::{containers, docker, inspect, kill, logs},
        documented, eventually,
        load::{Load, assert_exact},
    },
};

/// The same in a Swarm, where each task is a new container: PostgreSQL dies, and its password changes.
pub fn in_a_swarm(checkout: &Checkout, load: &Load) {
    // A job's task is gone, or ended well.
    let tasks = docker(&[
        "service",
        "ps",
        "footfall_init-database",
        "--format",
        "{{.CurrentState}}",
    ]);
    assert!(tasks.starts_with("Complete"), "{tasks}");
    one_says("up");
    let postgres = containers("postgres").remove(0);
    sql("SET ROLE footfall_owner; CREATE TABLE kept (name text); INSERT INTO kept VALUES ('one')");
    kill(&postgres);
    load.goes_on();
    eventually("Swarm has started another", || {
        let now = containers("postgres");
        (now.len() == 1 && now[0] != postgres).then_some(())
    });
    one_says("up");
    documented(checkout, "postgres.md", "swarm-password");
    one_says("up");
    assert_eq!(sql("SELECT name FROM kept"), "one");
    load.goes_on();
}

/// Waits until a replica says this of its database, asked from where nginx is: overlay networks
/// are not those of this machine.
fn one_says(state: &str) {
    eventually(&format!("the database is {state}"), || {
        let nginx = containers("nginx").remove(0);
        let output = std::process::Command::new("docker")
            .args([
                "exec",
                &nginx,
                "curl",
                "-s",
                "http://tasks.footfall:9000/readyz",
            ])
            .output()
            .unwrap();
        let body: Value = serde_json::from_slice(&output.stdout).ok()?;
        (body["dependencies"]["database"]["state"] == state).then_some(())
    });
}

/// One story in the running full stack; each part needs what the one before left. Gives the visits
/// counted until its end.
pub async fn the_story(checkout: &Checkout) -> u64 {
    every_role_may_do_its_own(checkout);
    let mut client = public().with_token(&token().await);
    let before = client.get("/api/count").await.visits();
    let load = Load::start(&format!("{}:80", NODES[0]), &token().await, 16);
    load.goes_on();
    it_dies(&load).await;
    it_hangs(&load).await;
    passwords_change(checkout, &load).await;
    a_backup_is_restored(checkout, &load).await;
    let numbers = load.stop().await;
    assert_exact(&numbers, before);
    a_lost_volume_is_made_anew(checkout).await;
    before + numbers.len() as u64
}

/// What the superuser gets from psql.
#[track_caller]
pub fn sql(statements: &str) -> String {
    let postgres = &containers("postgres")[0];
    let connect = ["exec", postgres, "psql", "-U", "postgres", "-d", "footfall"];
    let quiet = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statements];
    docker(&[&connect[..], &quiet].concat())
}

/// What one of the roles gets by the network, with the password of a file.
fn by_network(checkout: &Checkout, role: &str, password: &str, statement: &str) -> String {
    let path = checkout.path("config/postgres/secrets").join(password);
    let password = std::fs::read_to_string(path).unwrap();
    let postgres = &containers("postgres")[0];
    let output = std::process::Command::new("docker")
        .args(["exec", "-e", "PGPASSWORD", postgres, "psql", "-h"])
        .args([&address(postgres), "-U", role, "-d", "footfall"])
        .args(["-XAtqwc", statement])
        .env("PGPASSWORD", password)
        .output()
        .unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// The address of a container in one of its networks.
pub fn address(container: &str) -> String {
    let networks = inspect(container)["NetworkSettings"]["Networks"].take();
    let mut networks = networks.as_object().unwrap().values();
    let with_address = networks.find_map(|network| network["IPAddress"].as_str());
    with_address.unwrap().to_owned()
}

fn every_role_may_do_its_own(checkout: &Checkout) {
    let (owner, service, monitor) = (
        "database_owner_password",
        "database_password",
        "database_monitor_password",
    );
    let make = "CREATE TABLE kept (name text PRIMARY KEY)";
    for (role, password, statement, answer) in [
        ("footfall_owner", owner, make, ""),
        ("footfall", service, "INSERT INTO kept VALUES ('one')", ""),
        ("footfall", service, "SHOW statement_timeout", "5s"),
        ("footfall", service, "DROP TABLE kept", "must be owner"),
        ("footfall", service, "CREATE TABLE x ()", "permission"),
        ("footfall_monitor", monitor, "SELECT * FROM kept", "denied"),
        ("footfall_monitor", monitor, "SHOW data_checksums", "on"),
        ("footfall", owner, "SELECT 1", "authentication failed"),
        ("postgres", owner, "SELECT 1", "authentication failed"),
    ] {
        let said = by_network(checkout, role, password, statement);
        assert!(said.contains(answer), "{role}: {statement}: {said}");
        assert_eq!(said.is_empty(), answer.is_empty(), "{said}");
    }
    assert!(documented(checkout, "postgres.md", "look").contains("kept"));
    let log = logs(&containers("postgres")[0]);
    for name in [owner, service, monitor] {
        let path = checkout.path("config/postgres/secrets").join(name);
        assert!(!log.contains(&std::fs::read_to_string(path).unwrap()));
    }
}

/// What `/readyz` of each replica says, with its status.
async fn readiness() -> Vec<(u16, Value)> {
    let mut all = Vec::new();
    for replica in containers("footfall") {
        let mut client = Client::tcp(&format!("{}:9000", address(&replica)));
        let reply = client.get("/readyz").await;
        all.push((reply.status.as_u16(), reply.json()));
    }
    all
}

/// Waits until every replica is ready and says this of its database.
async fn all_say(state: &str) {
    let mut seen = Vec::new();
    for _ in 0..600 {
        seen = readiness().await;
        let all = |(status, body): &(u16, Value)| {
            *status == 200 && body["dependencies"]["database"]["state"] == state
        };
        if seen.iter().all(all) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the database is never {state}: {seen:?}");
}

async fn it_dies(load: &Load) {
    all_say("up").await;
    let postgres = &containers("postgres")[0];
    docker(&["stop", "-t", "45", postgres]);
    all_say("down").await;
    load.goes_on();
    docker(&["start", postgres]);
    all_say("up").await;
    kill(postgres);
    load.goes_on();
    eventually("the killed PostgreSQL is back by itself", || {
        let container = inspect(postgres);
        let healthy = container["State"]["Health"]["Status"] == "healthy";
        (container["RestartCount"] == 1 && healthy).then_some(())
    });
    all_say("up").await;
    assert_eq!(sql("SELECT name FROM kept"), "one", "it was acknowledged");
}

async fn it_hangs(load: &Load) {
    let postgres = &containers("postgres")[0];
    docker(&["pause", postgres]);
    all_say("down").await;
    load.goes_on();
    docker(&["unpause", postgres]);
    all_say("up").await;
    load.goes_on();
}

async fn passwords_change(checkout: &Checkout, load: &Load) {
    let path = checkout.path("config/postgres/secrets/database_password");
    let before = std::fs::read_to_string(&path).unwrap();
    documented(checkout, "postgres.md", "passwords");
    assert_ne!(std::fs::read_to_string(&path).unwrap(), before);
    all_say("up").await;
    let said = by_network(checkout, "footfall", "database_password", "SELECT 2");
    assert_eq!(said.trim(), "2");
    std::fs::write(checkout.path("config/postgres/secrets/old"), before).unwrap();
    let said = by_network(checkout, "footfall", "old", "SELECT 2");
    assert!(said.contains("password authentication failed"), "{said}");
    load.goes_on();
}

async fn a_backup_is_restored(checkout: &Checkout, load: &Load) {
    documented(checkout, "postgres.md", "backup");
    sql("INSERT INTO kept VALUES ('two')");
    documented(checkout, "postgres.md", "restore");
    all_say("up").await;
    assert_eq!(sql("SELECT name FROM kept"), "one");
    let insert = "INSERT INTO kept VALUES ('three') RETURNING name";
    let said = by_network(checkout, "footfall", "database_password", insert);
    assert_eq!(said.trim(), "three", "the rights are as they were");
    let said = by_network(
        checkout,
        "footfall",
        "database_password",
        "CREATE TABLE x ()",
    );
    assert!(said.contains("permission denied"), "{said}");
    load.goes_on();
    let said = documented(checkout, "postgres.md", "migrate");
    assert!(said.contains("it had every migration"), "{said}");
    // A second time, since it leaves a database behind.
    documented(checkout, "postgres.md", "restore");
    all_say("up").await;
}

async fn a_lost_volume_is_made_anew(checkout: &Checkout) {
    documented(checkout, "postgres.md", "empty");
    all_say("up").await;
    assert_eq!(sql("SELECT to_regclass('kept')"), "");
    documented(checkout, "postgres.md", "restore");
    all_say("up").await;
    assert_eq!(sql("SELECT name FROM kept"), "one");
}
