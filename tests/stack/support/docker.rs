//! The engines' command line.

use std::process::{Command, Output};

use serde_json::Value;

/// Runs `docker` on the first node.
#[track_caller]
pub fn docker(arguments: &[&str]) -> String {
    assert!(
        std::env::var_os("SECOND_ENGINE").is_some(),
        "these tests need engines of their own: tests/stack/engines.sh cargo test --test stack -- --ignored --test-threads=1"
    );
    succeeded(arguments, Command::new("docker").args(arguments).output())
}

/// Runs `docker` on the second node.
#[track_caller]
pub fn second_docker(arguments: &[&str]) -> String {
    let engine = std::env::var("SECOND_ENGINE").unwrap();
    let output = Command::new("docker")
        .args(["--host", &engine])
        .args(arguments)
        .output();
    succeeded(arguments, output)
}

#[track_caller]
fn succeeded(arguments: &[&str], output: std::io::Result<Output>) -> String {
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// `docker inspect` of one object.
#[track_caller]
pub fn inspect(name: &str) -> Value {
    let mut all: Value = serde_json::from_str(&docker(&["inspect", name])).unwrap();
    all[0].take()
}

/// The running containers of a service, of Compose or Swarm.
#[track_caller]
pub fn containers(service: &str) -> Vec<String> {
    let ids = |label: &str| {
        docker(&["ps", "-q", "--filter", &format!("label={label}")])
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut found = ids(&format!("com.docker.compose.service={service}"));
    found.extend(ids(&format!(
        "com.docker.swarm.service.name=footfall_{service}"
    )));
    found
}

/// `kill -9` of a container's process. `docker kill` would be taken for a wish
/// to keep it down.
pub fn kill(container: &str) {
    let pid = inspect(container)["State"]["Pid"].to_string();
    let status = Command::new("kill").args(["-9", &pid]).status();
    assert!(status.unwrap().success());
}

/// What a container wrote to standard output and error, together.
pub fn logs(container: &str) -> String {
    let output = Command::new("docker").args(["logs", container]).output();
    both(&output.unwrap())
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Shows the end of what each container said, and takes them all away with what they kept. For a test
/// that has failed: what goes wrong here is passed over.
pub fn give_up() {
    for engine in ["DOCKER_HOST", "SECOND_ENGINE"] {
        let Ok(engine) = std::env::var(engine) else {
            return;
        };
        let docker = |arguments: &[&str]| {
            let mut command = Command::new("docker");
            command.args(["--host", &engine]).args(arguments).output()
        };
        let Ok(listed) = docker(&["ps", "-a", "--format", "{{.Names}}"]) else {
            return;
        };
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        for name in names.lines() {
            let log = docker(&["logs", "--tail", "500", name]);
            let log = log.map_or_else(|error| error.to_string(), |output| both(&output));
            eprintln!("== {name}\n{}", end(&log));
        }
        let _ = docker(&["swarm", "leave", "--force"]);
        for name in names.lines() {
            let _ = docker(&["rm", "--force", name]);
        }
        let _ = docker(&["volume", "prune", "--force"]);
        let _ = docker(&["network", "prune", "--force"]);
    }
}

/// The last lines of a log, without requests that went well.
fn end(log: &str) -> String {
    let lines = log
        .lines()
        .filter(|line| !line.contains(r#""status":"200""#));
    let lines: Vec<_> = lines.collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
