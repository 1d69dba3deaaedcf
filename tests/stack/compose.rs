//! The full stack, started by `./start.sh`, and what may happen to it.

use std::ops::RangeInclusive;

use hyper::Method;
use serde_json::{Value, json};

use crate::{
    accounts, database,
    support::{
        Checkout, NODES,
        client::{Client, Reply},
        docker::{containers, docker, inspect, kill, logs},
        documented, eventually,
        load::{Load, assert_exact},
        until,
    },
};

const SERVICES: [&str; 10] = [
    "footfall",
    "grafana",
    "mail",
    "nginx",
    "nginx-exporter",
    "postgres",
    "postgres-exporter",
    "prometheus",
    "redis",
    "redis-exporter",
];

/// The jobs of Prometheus while two replicas run.
const TARGETS: [&str; 6] = [
    "footfall",
    "footfall",
    "nginx",
    "postgres",
    "prometheus",
    "redis",
];

/// One story, since each part needs the stack of the one before.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by tests/stack/engines.sh"]
async fn the_full_stack() {
    let checkout = Checkout::new();
    let said = checkout.started(&["full"], &[]);
    for address in [
        "http://localhost/",
        "http://localhost:9090/",
        "http://localhost:3000/",
        "http://localhost:8025/",
    ] {
        assert!(said.contains(address), "{said}");
    }
    first_steps().await;
    containers_are_healthy_and_confined();
    only_nginx_is_open_to_others();
    accounts::somebody_registers().await;
    prometheus_sees_everything().await;
    replicas_come_and_go(&checkout).await;
    let counted = database::the_story(&checkout).await;
    redis_and_nginx_come_back(counted).await;
    let backup = a_backup(&checkout).await;
    stopping_keeps_the_counts(&checkout, *backup.end()).await;
    a_backup_is_restored(&checkout, backup).await;
    documented(&checkout, "operations.md", "uninstall");
    assert_eq!(
        docker(&["ps", "-aq"]) + &docker(&["volume", "ls", "-q"]),
        ""
    );
}

pub fn public() -> Client {
    Client::tcp(&format!("{}:80", NODES[0]))
}

pub async fn token() -> String {
    let reply = public().login("admin", "password").await;
    reply.json()["token"].as_str().unwrap().to_owned()
}

async fn first_steps() {
    let mut stranger = public();
    assert_eq!(stranger.get("/api/ping").await.text(), r#"{"status":"ok"}"#);
    assert_eq!(stranger.get("/swagger/").await.status, 200);
    for internal in ["/metrics", "/readyz", "/version"] {
        let reply = stranger.get(internal).await;
        assert_eq!(reply.status, 404, "{internal}");
        assert_eq!(reply.problem(), "not_found");
    }
    let forged = [("x-request-id", "forged"), ("x-forwarded-for", "192.0.2.1")];
    let reply = stranger.send(Method::GET, "/api/count", &forged, "").await;
    assert_eq!(reply.problem(), "missing_token");
    assert_ne!(reply.header("x-request-id"), Some("forged"));

    let mut client = public().with_token(&token().await);
    assert_eq!(client.get("/api/count").await.visits(), 1);
    let key = [("idempotency-key", "order-4711")];
    let once = client
        .send(Method::POST, "/api/counters/signup", &key, "")
        .await;
    let again = client
        .send(Method::POST, "/api/counters/signup", &key, "")
        .await;
    assert_eq!((once.visits(), again.visits()), (1, 1));
    assert!(again.replayed());
}

fn containers_are_healthy_and_confined() {
    for service in SERVICES {
        let containers = containers(service);
        assert_eq!(
            containers.len(),
            if service == "footfall" { 2 } else { 1 },
            "{service}"
        );
        let container = inspect(&containers[0]);
        if service == "nginx-exporter" {
            assert_eq!(container["State"]["Running"], true, "{service}");
        } else {
            assert_eq!(
                container["State"]["Health"]["Status"], "healthy",
                "{service}"
            );
        }
        let user = container["Config"]["User"].as_str().unwrap();
        assert!(
            !user.is_empty() && !user.starts_with('0'),
            "{service} is {user:?}"
        );
        let host = &container["HostConfig"];
        assert_eq!(host["ReadonlyRootfs"], true, "{service}");
        assert_eq!(host["CapDrop"], json!(["ALL"]), "{service}");
        assert_eq!(
            host["SecurityOpt"],
            json!(["no-new-privileges:true"]),
            "{service}"
        );
        assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped", "{service}");
        assert!(
            host["Memory"].as_u64() > Some(0) && host["NanoCpus"].as_u64() > Some(0),
            "{service}"
        );
        assert_eq!(host["LogConfig"]["Config"]["max-size"], "10m", "{service}");
    }
    for prepares in ["init", "init-database"] {
        let label = format!("label=com.docker.compose.service={prepares}");
        let container = docker(&["ps", "-aq", "--filter", &label]);
        let state = inspect(&container)["State"].take();
        assert_eq!(
            (&state["Status"], &state["ExitCode"]),
            (&json!("exited"), &json!(0)),
            "{prepares}"
        );
    }
}

fn only_nginx_is_open_to_others() {
    for service in SERVICES {
        let ports = inspect(&containers(service)[0])["HostConfig"]["PortBindings"].take();
        let expected = match service {
            "nginx" => json!({ "80/tcp": [{ "HostIp": "", "HostPort": "80" }] }),
            "prometheus" => json!({ "9090/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "9090" }] }),
            "mail" => json!({ "8025/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "8025" }] }),
            "grafana" => json!({ "3000/tcp": [{ "HostIp": "127.0.0.1", "HostPort": "3000" }] }),
            _ => json!({}),
        };
        assert_eq!(ports, expected, "{service}");
    }
}

async fn prometheus_sees_everything() {
    let mut prometheus = Client::tcp("127.0.0.1:9090");
    let mut seen = Vec::new();
    for _ in 0..120 {
        seen = targets_up(&prometheus.get("/api/v1/targets").await);
        if seen == TARGETS {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert_eq!(seen, TARGETS);
    let rules = prometheus.get("/api/v1/rules").await.json();
    let groups = rules["data"]["groups"].as_array().unwrap();
    assert!(groups.len() >= 2, "{rules}");
    for group in groups {
        for rule in group["rules"].as_array().unwrap() {
            assert_ne!(rule["health"], "err", "{rule}");
        }
    }
}

/// The jobs of all targets that are up, sorted.
pub fn targets_up(reply: &Reply) -> Vec<String> {
    let reply: Value = reply.json();
    let mut jobs: Vec<_> = reply["data"]["activeTargets"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|target| target["health"] == "up")
        .map(|target| target["labels"]["job"].as_str().unwrap().to_owned())
        .collect();
    jobs.sort();
    jobs
}

/// Scales 2 → 5 → 2 and kills one, under load.
async fn replicas_come_and_go(checkout: &Checkout) {
    let mut client = public().with_token(&token().await);
    let before = client.get("/api/count").await.visits();
    let load = Load::start(&format!("{}:80", NODES[0]), &token().await, 24);
    load.goes_on();
    for replicas in ["5", "2"] {
        scale(checkout, replicas);
        eventually("the replicas have joined or left", || {
            (containers("footfall").len().to_string() == replicas).then_some(())
        });
        load.goes_on();
    }
    let nginx = &containers("nginx")[0];
    assert!(
        !complaints(nginx).contains("[error]"),
        "{}",
        complaints(nginx)
    );
    assert_eq!(
        complaints(nginx),
        "",
        "in the steady state nginx has nothing to say"
    );

    let victim = containers("footfall").remove(0);
    let restarts = || inspect(&victim)["RestartCount"].as_u64();
    assert_eq!(restarts(), Some(0));
    kill(&victim);
    load.goes_on();
    eventually("the killed replica is back by itself", || {
        let state = &inspect(&victim)["State"];
        (restarts() == Some(1) && state["Health"]["Status"] == "healthy").then_some(())
    });
    load.goes_on();
    let numbers = load.stop().await;
    assert_exact(&numbers, before);
}

fn scale(checkout: &Checkout, replicas: &str) {
    let output = std::process::Command::new("docker-compose")
        .args(["up", "-d", "--scale", &format!("footfall={replicas}")])
        .current_dir(checkout.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What nginx said that is no line of its access log.
fn complaints(nginx: &str) -> String {
    logs(nginx)
        .lines()
        .filter(|line| !line.starts_with('{'))
        .collect::<Vec<_>>()
        .join("\n")
}

async fn redis_and_nginx_come_back(counted: u64) {
    let mut client = public().with_token(&token().await);
    kill(&containers("redis")[0]);
    let mut unknown = 0;
    let visits = until("visits are counted again", async || {
        let reply = client.get("/api/count").await;
        if reply.status == 200 {
            return Some(reply.visits());
        }
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
        match &*reply.problem() {
            "store_unavailable" => {}
            // It may have been counted.
            "outcome_unknown" | "no_answer" => unknown += 1,
            _ => panic!("{reply:?}"),
        }
        None
    });
    let visits = visits.await;
    let possible = counted + 1..=counted + 1 + unknown;
    assert!(possible.contains(&visits), "{visits} of {possible:?}");

    kill(&containers("nginx")[0]);
    let token = token_when_nginx_is_back().await;
    let mut client = public().with_token(&token);
    assert_eq!(client.get("/api/count").await.visits(), visits + 1);
}

async fn token_when_nginx_is_back() -> String {
    for _ in 0..600 {
        let ping = public().try_send(Method::GET, "/api/ping", &[], "").await;
        if ping.is_ok_and(|reply| reply.status == 200) {
            return token().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nginx is not back");
}

/// Backs up while visits are counted, and gives what may be in the copy: the numbers from before it
/// to the last one, which the database has.
async fn a_backup(checkout: &Checkout) -> RangeInclusive<u64> {
    let token = token().await;
    let mut client = public().with_token(&token);
    let before = client.get("/api/count").await.visits();
    let load = Load::start(&format!("{}:80", NODES[0]), &token, 8);
    load.goes_on();
    documented(checkout, "operations.md", "backup");
    load.goes_on();
    let numbers = load.stop().await;
    assert_exact(&numbers, before);
    let last = before + numbers.len() as u64;
    eventually("all is recorded", || {
        let recorded = database::sql("SELECT max(through) FROM recordings");
        (recorded == last.to_string()).then_some(())
    });
    before..=last
}

/// Goes back from another stack, with later counts.
async fn a_backup_is_restored(checkout: &Checkout, backup: RangeInclusive<u64>) {
    documented(checkout, "operations.md", "restore");
    // One without a database, or that would have raised the counts, sooner or later.
    checkout.started(&["basic"], &[]);
    let mut client = Client::tcp("127.0.0.1:8000").logged_in().await;
    let saved = client.get("/api/counters/visits").await.visits();
    assert!(
        saved > backup.start() + 1000 && saved < *backup.end(),
        "{backup:?} {saved}"
    );
    assert_eq!(client.get("/api/count").await.visits(), saved + 1);
    what_is_recorded_is_not_counted_again(checkout, *backup.end()).await;
}

/// The database knows of more visits than the copy.
async fn what_is_recorded_is_not_counted_again(checkout: &Checkout, recorded: u64) {
    checkout.started(&["stop"], &[]);
    checkout.started(&["full"], &[]);
    // The replicas may have been first.
    let said = docker(&["exec", &containers("footfall")[0], "footfall", "restore"]);
    assert!(said.contains("counters were raised"), "{said}");
    let mut client = public().with_token(&token().await);
    assert_eq!(client.get("/api/count").await.visits(), recorded + 1);
}

async fn stopping_keeps_the_counts(checkout: &Checkout, counted: u64) {
    let said = checkout.started(&["stop"], &[]);
    assert!(said.contains("footfall_redis"), "{said}");
    assert_eq!(docker(&["ps", "-aq"]), "");
    let said = checkout.started(&["basic"], &[]);
    assert!(said.contains("http://localhost:8000/"), "{said}");
    let mut client = Client::tcp("127.0.0.1:8000").logged_in().await;
    let reply = client.get("/api/count").await;
    assert_eq!(reply.visits(), counted + 1);
}
