//! Two nodes, of which the second dies.

use std::process::Command;

use serde_json::Value;

use crate::{
    compose::targets_up,
    support::{
        Checkout, NODES,
        client::Client,
        docker::{containers, docker, second_docker},
        eventually,
        load::{Load, assert_exact},
    },
    swarm::{deploy, make_swarm, remove, token},
};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by tests/stack/engines.sh"]
async fn two_nodes_serve_and_one_may_die() {
    let checkout = Checkout::new();
    make_swarm();
    join();
    deploy(&checkout, &[("REPLICAS", "4")]);
    eventually("both nodes have replicas and nginx", || {
        let here = containers("footfall").len();
        let there = on_second("footfall").len();
        let both = here > 0 && there > 0 && here + there == 4;
        (both && on_second("nginx").len() == 1).then_some(())
    });
    let [first, second] = NODES.map(|node| format!("{node}:80"));
    serves(&second).await;
    prometheus_finds(4).await;

    let token = token(&first).await;
    let mut client = Client::tcp(&first).with_token(&token);
    let before = client.get("/api/count").await.visits();
    let here = Load::start(&first, &token, 12);
    let there = Load::start(&second, &token, 12);
    here.goes_on();
    there.goes_on();
    the_second_node_serves_without_a_replica(&there);
    let mut numbers = there.stop().await;

    kill_second_node();
    here.goes_on();
    eventually("the lost replicas run on the first node", || {
        (containers("footfall").len() == 4).then_some(())
    });
    here.goes_on();
    numbers.extend(here.stop().await);
    assert_exact(&numbers, before);
    prometheus_finds(4).await;
    remove(&checkout);
}

/// All replicas move to the first node and back.
fn the_second_node_serves_without_a_replica(load: &Load) {
    let nginx = on_second("nginx").remove(0);
    let over_the_overlay = || second_docker(&["logs", &nginx]).contains(r#""upstream":"10.89.7."#);
    assert!(!over_the_overlay(), "there were replicas beside it");
    let first = docker(&["info", "--format", "{{.Swarm.NodeID}}"]);
    let constraint = format!("node.id=={first}");
    update(&["--constraint-add", &constraint]);
    eventually("the second node has no replica", || {
        on_second("footfall").is_empty().then_some(())
    });
    load.goes_on();
    assert!(over_the_overlay());
    update(&["--constraint-rm", &constraint]);
    spread();
    eventually("the second node has replicas again", || {
        (!on_second("footfall").is_empty()).then_some(())
    });
    load.goes_on();
}

/// Tasks stay where they are when a node has room again; this spreads them anew.
fn spread() {
    update(&["--force"]);
}

/// A rolling update of the replicas, to its end. None of these is to fail, so nobody need watch the
/// last replica for ten seconds.
fn update(change: &[&str]) {
    let command = ["service", "update", "--detach=false", "--update-monitor=1s"];
    docker(&[&command, change, &["footfall_footfall"]].concat());
}

fn join() {
    let token = docker(&["swarm", "join-token", "--quiet", "worker"]);
    second_docker(&[
        "swarm",
        "join",
        "--token",
        &token,
        "--advertise-addr",
        NODES[1],
        "--listen-addr",
        NODES[1],
        &format!("{}:2377", NODES[0]),
    ]);
}

/// Healthy containers of a service on the second node.
fn on_second(service: &str) -> Vec<String> {
    let label = format!("label=com.docker.swarm.service.name=footfall_{service}");
    second_docker(&["ps", "-q", "--filter", &label, "--filter", "health=healthy"])
        .lines()
        .map(str::to_owned)
        .collect()
}

async fn serves(address: &str) {
    for _ in 0..600 {
        let ping = Client::tcp(address)
            .try_send(hyper::Method::GET, "/api/ping", &[], "")
            .await;
        if ping.is_ok_and(|reply| reply.status == 200) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{address} does not serve");
}

/// Waits until Prometheus has so many replicas as targets, all up, and no other.
async fn prometheus_finds(replicas: usize) {
    let mut prometheus = Client::tcp("127.0.0.1:9090");
    let mut seen = Value::Null;
    for _ in 0..360 {
        let reply = prometheus.get("/api/v1/targets").await;
        let up = targets_up(&reply)
            .iter()
            .filter(|job| *job == "footfall")
            .count();
        seen = reply.json()["data"]["activeTargets"].take();
        let known = seen.as_array().unwrap().iter();
        let known = known
            .filter(|target| target["labels"]["job"] == "footfall")
            .count();
        if (up, known) == (replicas, replicas) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("Prometheus does not see {replicas} replicas: {seen}");
}

/// The engine, its shims and every container at once.
fn kill_second_node() {
    let engine = std::env::var("SECOND_ENGINE").unwrap();
    let directory = engine
        .strip_prefix("unix://")
        .unwrap()
        .strip_suffix("/docker.sock")
        .unwrap();
    let ids = second_docker(&["ps", "-q"]);
    let pids = ids
        .lines()
        .map(|id| second_docker(&["inspect", "-f", "{{.State.Pid}}", id]));
    let mut pids: Vec<_> = pids.collect();
    pids.insert(
        0,
        std::fs::read_to_string(format!("{directory}/pid"))
            .unwrap()
            .trim()
            .to_owned(),
    );
    // The shims too, or they would tell a new engine of their containers.
    let shims = Command::new("pgrep")
        .args(["-f", directory])
        .output()
        .unwrap();
    pids.extend(
        String::from_utf8(shims.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned),
    );
    Command::new("kill").arg("-9").args(&pids).status().unwrap();
}
