//! The stack in a Swarm of one node: everything an operator does to it, under
//! clients that take anything but a 200 for a failure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    database,
    support::{
        Checkout, NODES,
        client::Client,
        docker::{containers, docker, inspect, logs},
        eventually,
        load::{Load, assert_exact},
    },
};

/// Secrets of the tests.
pub const PASSWORD: &str = "correct horse battery staple";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by tests/stack/engines.sh"]
async fn scaling_updates_rotation_and_rollback_without_a_failed_request() {
    let checkout = Checkout::new();
    make_swarm();
    deploy(&checkout, &[]);
    grafana_shares_the_password_as_it_once_did();
    let address = format!("{}:80", NODES[0]);
    let load = Load::start(&address, &token(&address).await, 24);
    load.goes_on();
    let logins = Logins::start(&address);

    let said = checkout.refused(&["full"], &[]);
    assert!(said.contains("the Swarm stack runs here"), "{said}");
    for replicas in [5, 3] {
        docker(&["service", "scale", &format!("footfall_footfall={replicas}")]);
        eventually("the replicas have joined or left", || {
            (containers("footfall").len() == replicas).then_some(())
        });
        load.goes_on();
    }

    // A new version, and the first step of a new key, in one.
    image("footfall:next", "LABEL next=1");
    let (old, new) = ("footfall_secret_key", "footfall_secret_key_2");
    make_key(&checkout, new);
    update(
        &checkout,
        &[
            ("IMAGE", "footfall:next"),
            ("SECRET_KEY_PREVIOUS_NAME", new),
        ],
    );
    assert_eq!(running_image(), "footfall:next");
    assert_eq!(containers("footfall").len(), 3, "it stays scaled");
    assert_eq!(grafana_secret(), "footfall_admin_password", "it is kept");
    load.goes_on();

    update(
        &checkout,
        &[("SECRET_KEY_NAME", new), ("SECRET_KEY_PREVIOUS_NAME", old)],
    );
    load.goes_on();

    database::in_a_swarm(&checkout, &load);

    image(
        "footfall:broken",
        r#"ENTRYPOINT ["footfall", "--no-such-option"]"#,
    );
    docker(&[
        "service",
        "update",
        "--detach",
        "--no-resolve-image",
        "--image",
        "footfall:broken",
        "footfall_footfall",
    ]);
    wait_for_update("rollback_completed");
    assert_eq!(running_image(), "footfall:next");
    load.goes_on();

    assert_eq!(
        upstreams(&containers("nginx")[0]),
        ["unix"],
        "nginx took the way over the sockets, and no other"
    );

    while load.done() < 100_000 {
        load.goes_on();
    }
    logins.stop().await;
    let numbers = load.stop().await;
    let logged_in = Client::tcp(&address).with_token(&token(&address).await);
    let total = { logged_in }.get("/api/counters/visits").await.visits();
    assert_exact(&numbers, 0);
    assert_eq!(total, numbers.len() as u64);
    remove(&checkout);
}

/// How nginx reached replicas: `unix` or `tcp`, or both.
pub fn upstreams(nginx: &str) -> Vec<&'static str> {
    let logs = logs(nginx);
    let mut seen: Vec<_> = logs
        .lines()
        .filter_map(|line| line.split_once(r#""upstream":""#))
        .filter(|(_, rest)| !rest.starts_with('"'))
        .map(|(_, rest)| {
            if rest.split('"').next().unwrap().contains("10.89.") {
                "tcp"
            } else {
                "unix"
            }
        })
        .collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

/// Makes a swarm of the first node.
pub fn make_swarm() {
    docker(&[
        "swarm",
        "init",
        "--advertise-addr",
        NODES[0],
        "--listen-addr",
        NODES[0],
    ]);
}

/// Deploys the stack by the script, with these variables.
pub fn deploy(checkout: &Checkout, variables: &[(&str, &str)]) {
    let password = [("FOOTFALL_ADMIN_PASSWORD", PASSWORD)];
    let said = checkout.started(&["swarm"], &[&password, variables].concat());
    assert!(said.contains("port 80 of every node"), "{said}");
}

fn grafana_secret() -> String {
    // Said to be a service: there is a volume of this name, too.
    docker(&[
        "service",
        "inspect",
        "--format",
        "{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{.SecretName}}{{end}}",
        "footfall_grafana",
    ])
}

/// A stack of before Grafana had a secret of its own.
fn grafana_shares_the_password_as_it_once_did() {
    assert_eq!(grafana_secret(), "footfall_grafana_password");
    docker(&[
        "service",
        "update",
        "--detach",
        "--no-resolve-image",
        "--secret-rm",
        "footfall_grafana_password",
        "--secret-add",
        "source=footfall_admin_password,target=grafana_password,uid=472,mode=0400",
        "footfall_grafana",
    ]);
    assert_eq!(grafana_secret(), "footfall_admin_password");
}

/// Takes everything down again.
pub fn remove(checkout: &Checkout) {
    checkout.started(&["stop"], &[]);
    assert_eq!(docker(&["ps", "-q"]), "");
    docker(&["swarm", "leave", "--force"]);
    // Swarm forgets the containers of jobs that are done.
    docker(&["container", "prune", "-f"]);
    docker(&["volume", "prune", "-f"]);
}

pub async fn token(address: &str) -> String {
    let reply = Client::tcp(address).login("admin", PASSWORD).await;
    reply.json()["token"].as_str().unwrap().to_owned()
}

/// An image like ours with one more instruction.
fn image(name: &str, instruction: &str) {
    let context = tempfile::tempdir().unwrap();
    std::fs::write(
        context.path().join("Dockerfile"),
        format!("FROM footfall:latest\n{instruction}\n"),
    )
    .unwrap();
    docker(&[
        "build",
        "--quiet",
        "--tag",
        name,
        context.path().to_str().unwrap(),
    ]);
}

fn running_image() -> String {
    let service = inspect("footfall_footfall");
    let image = &service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"];
    image.as_str().unwrap().to_owned()
}

/// Deploys the stack again with these variables and waits for the rolling update.
fn update(checkout: &Checkout, variables: &[(&str, &str)]) {
    let before = inspect("footfall_footfall")["Version"]["Index"].as_u64();
    checkout.started(&["swarm"], variables);
    assert!(inspect("footfall_footfall")["Version"]["Index"].as_u64() > before);
    wait_for_update("completed");
}

fn wait_for_update(state: &str) {
    eventually(&format!("the update is {state}"), || {
        (inspect("footfall_footfall")["UpdateStatus"]["State"] == state).then_some(())
    });
}

/// A new key, for docs/swarm.md's two steps: first it is accepted everywhere, then it signs, so that
/// no replica ever meets a token it cannot check.
fn make_key(checkout: &Checkout, name: &str) {
    let file = checkout.path("new_key");
    std::fs::write(&file, "a new key of at least thirty-two bytes").unwrap();
    docker(&["secret", "create", name, file.to_str().unwrap()]);
}

/// A client that logs in again and again and uses each token at once.
struct Logins {
    stop: Arc<AtomicBool>,
    client: tokio::task::JoinHandle<()>,
}

impl Logins {
    fn start(address: &str) -> Self {
        let (stop, address) = (Arc::new(AtomicBool::new(false)), address.to_owned());
        let stopped = stop.clone();
        let client = tokio::spawn(async move {
            let mut client = Client::tcp(&address);
            while !stopped.load(Ordering::Relaxed) {
                let reply = client.login("admin", PASSWORD).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                let bearer = format!("Bearer {}", reply.json()["token"].as_str().unwrap());
                let headers = [("authorization", bearer.as_str())];
                let reply = client
                    .send(hyper::Method::GET, "/api/counters/visits", &headers, "")
                    .await;
                assert_eq!(reply.status, 200, "{reply:?}");
                // A pace, below nginx's limit of logins.
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        Self { stop, client }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.client.await.unwrap();
    }
}
