//! The stacks, with a `docker` that only writes down what it is told.

use std::{env, fs, net::TcpListener, os::unix::fs::symlink, process::Command};

use super::{Tree, both};
use crate::support::process::free_port;

/// Engine and Compose as `$ENGINE` and `$COMPOSE` say; there is an image, and nothing runs. What the
/// files of the stack mean is told by `$ANSWER`, or else by a real docker-compose, which needs no
/// engine for that; what the settings mean, by a real footfall.
const DOCKER: &str = r#"
printf '%s\n' "$*" >>"$LOG"
case "$*" in
    --version) echo "${CLIENT-Docker version 24.0.7, build afdd53b}" ;;
    "version "*Components*) echo "${COMPONENTS-Engine containerd runc docker-init }" ;;
    "version "*)
        [ -z "${ENGINE-}" ] || { echo "$ENGINE" && exit; }
        echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." >&2
        exit 1
        ;;
    "compose version") [ "${COMPOSE-}" = 2 ] ;;
    "compose "*" footfall config" | "compose "*" footfall config "*)
        while [ "$1" != footfall ] || [ "$2" != config ]; do shift; done
        [ "${IMAGE-}" != oldest ] || { echo "no setting has this name" >&2; exit 2; }
        [ "${IMAGE-}" != older ] || [ $# = 2 ] || { echo "error: unexpected argument '$3' found" >&2; exit 2; }
        exec "$FOOTFALL" "${@:2}"
        ;;
    "compose "*" config") if [ -n "${ANSWER-}" ]; then cat "$ANSWER"; else "$REAL_COMPOSE" "${@:2}"; fi ;;
    "compose "*" up "*) printf 'links lead to %s\n' "${FOOTFALL_PUBLIC_URL-}" >>"$LOG" ;;
    "run "*" migrate --help")
        [ "${IMAGE-}" != oldest ] || { echo "Usage: footfall migrate [OPTIONS]" && exit; }
        exec "$FOOTFALL" migrate --help
        ;;
    "image inspect "* | "pull "*) [ "${IMAGE-}" != missing ] ;;
    "ps -a "*"--format"*) echo "${CONTAINERS-footfall running Up 2 seconds (healthy)}" ;;
    "ps "*"label=${RUNNING-nothing}=footfall"*) echo 0123456789ab ;;
    "info --format {{.Swarm.ControlAvailable}}") echo "${MANAGER:-false}" ;;
esac"#;

/// docker-compose of Python.
const DOCKER_COMPOSE: &str = r#"
printf 'docker-compose %s\n' "$*" >>"$LOG"
case "$*" in
    "version --short") echo "$COMPOSE" ;;
    *" footfall config" | *" footfall config "*)
        while [ "$1" != footfall ] || [ "$2" != config ]; do shift; done
        exec "$FOOTFALL" "${@:2}"
        ;;
    *" config") exec "$REAL_COMPOSE" "$@" ;;
esac"#;

impl Tree {
    pub(super) fn with_docker() -> Self {
        let tree = Self::new();
        tree.stub("docker", DOCKER);
        fs::write(tree.path("log"), "").unwrap();
        tree
    }

    /// On a good engine with Compose v2, with a port of its own.
    pub(super) fn start_stack(&self, stack: &str) -> Command {
        let path = env::var_os("PATH").unwrap();
        let compose = env::split_paths(&path)
            .map(|folder| folder.join("docker-compose"))
            .find(|path| path.exists())
            .expect("docker-compose is there; ./test.sh installs it");
        let mut command = self.start(&[stack]);
        command
            .env("LOG", self.path("log"))
            .env("REAL_COMPOSE", compose)
            .env("FOOTFALL", env!("CARGO_BIN_EXE_footfall"))
            .env("ENGINE", "24.0.7")
            .env("COMPOSE", "2")
            .env("HTTP_PORT", free_port().to_string())
            .env("HTTPS_PORT", free_port().to_string());
        command
    }

    /// What docker was told.
    pub(super) fn told(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    #[track_caller]
    pub(super) fn assert_nothing_started(&self, command: &mut Command, why: &str) {
        self.assert_refused(command, why);
        let told = self.told();
        for verb in [
            "up ", "run ", "build", "create", "deploy", "update", "init", "down",
        ] {
            let line = told.lines().find(|line| line.contains(&format!(" {verb}")));
            assert_eq!(line, None);
        }
    }
}

#[test]
fn without_docker() {
    let tree = Tree::new();
    for stack in ["basic", "nginx", "monitoring", "full", "swarm", "stop"] {
        tree.assert_refused(&mut tree.start(&[stack]), "docker is missing");
    }
    // Whatever the folder is called.
    symlink(".", tree.path("podman-host")).unwrap();
    let output = Command::new(tree.path("podman-host/start.sh"))
        .env_clear()
        .env("PATH", tree.path("bin"))
        .output()
        .unwrap();
    let said = both(&output);
    assert!(said.starts_with("No Docker engine answers"), "{said}");
}

#[test]
fn an_engine_that_does_not_answer_or_is_too_old() {
    let tree = Tree::with_docker();
    for stack in ["basic", "nginx", "monitoring", "full", "swarm", "stop"] {
        let mut command = tree.start_stack(stack);
        tree.assert_nothing_started(
            command.env("ENGINE", ""),
            "no Docker engine answers (Cannot connect to the Docker daemon",
        );
        for version in ["19.03.15", "20.9.1", "1.13.1"] {
            tree.assert_nothing_started(
                command.env("ENGINE", version),
                &format!("engine is {version}; the stack needs 20.10"),
            );
        }
    }
}

/// Its own numbers are no versions of Docker.
#[test]
fn podman_is_called_by_its_name() {
    let tree = Tree::with_docker();
    let as_command = ("CLIENT", "podman version 4.9.3");
    let as_engine = ("COMPONENTS", "Podman Engine Conmon OCI Runtime (crun) ");
    for (name, value) in [as_command, as_engine] {
        for version in ["4.9.3", "20.10.0"] {
            for stack in ["basic", "full", "swarm", "stop"] {
                let mut command = tree.start_stack(stack);
                command.env("ENGINE", version).env(name, value);
                let why = "docker is Podman here, and the stacks are made for Docker's own engine";
                tree.assert_nothing_started(&mut command, why);
            }
        }
        let output = tree.start_stack("").env(name, value).output().unwrap();
        let said = both(&output);
        assert!(
            said.starts_with("docker is Podman here")
                && said.contains("the local service from source"),
            "{said}"
        );
        assert!(said.contains("start.sh: cargo is missing"), "{said}");
    }
}

#[test]
fn without_compose_or_with_an_old_one() {
    let tree = Tree::with_docker();
    let mut command = tree.start_stack("nginx");
    command.env("COMPOSE", "1.25.0");
    tree.assert_nothing_started(&mut command, "neither docker compose nor docker-compose");
    tree.stub("docker-compose", DOCKER_COMPOSE);
    tree.assert_nothing_started(&mut command, "docker-compose is 1.25.0");
    command.env("COMPOSE", "1.29.2");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    assert!(
        tree.told()
            .contains("\ndocker-compose --project-name footfall ")
    );
}

#[test]
fn wrong_settings_of_the_stack() {
    let tree = Tree::with_docker();
    for (name, value, why) in [
        ("REPLICAS", "0", "0 replicas: there are slots for 1 to 32"),
        ("REPLICAS", "33", "33 replicas: there are slots"),
        ("REPLICAS", "abc", "abc replicas: there are slots"),
        ("REPLICAS", "-1", "-1 replicas: there are slots"),
        ("REPLICAS", "09", "09 replicas: there are slots"),
        ("REPLICAS", "18446744073709551617", "there are slots"),
        ("IMAGE", "missing", "there is no image missing here"),
        ("TLS_DIR", "nowhere", "there is no directory nowhere"),
        ("TLS_DIR", "tmp", "has no tls.crt and tls.key"),
    ] {
        let mut command = tree.start_stack("nginx");
        tree.assert_nothing_started(command.env(name, value), why);
    }
    let mut command = tree.start_stack("basic");
    tree.assert_nothing_started(
        command.env("REPLICAS", "2"),
        "several replicas stand behind",
    );
    fs::remove_file(tree.path(".env")).unwrap();
    tree.assert_nothing_started(&mut tree.start_stack("full"), ".env is missing");
}

#[test]
fn a_port_in_use() {
    let tree = Tree::with_docker();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let why = format!("port {port} is in use by something else; stop that, or say another: ");
    for stack in ["nginx", "full"] {
        let mut command = tree.start_stack(stack);
        let hint = format!("{why}HTTP_PORT=8080 ./start.sh {stack}");
        tree.assert_nothing_started(command.env("HTTP_PORT", &port), &hint);
    }
    for file in ["tls.crt", "tls.key"] {
        fs::write(tree.path(file), "").unwrap();
    }
    let mut command = tree.start_stack("nginx");
    command.env("TLS_DIR", ".").env("HTTPS_PORT", &port);
    let hint = format!("{why}HTTPS_PORT=8443 ./start.sh nginx");
    tree.assert_nothing_started(&mut command, &hint);

    // Compose reads these from .env as well.
    let mut settings = fs::read_to_string(tree.path(".env")).unwrap();
    settings += &format!("HTTP_PORT={}\nHTTPS_PORT={port}\n", free_port());
    fs::write(tree.path(".env"), settings).unwrap();
    command.env_remove("HTTP_PORT").env_remove("HTTPS_PORT");
    tree.assert_nothing_started(&mut command, &hint);
}

#[test]
fn the_other_kind_of_stack_runs() {
    let tree = Tree::with_docker();
    for (stack, other, why) in [
        (
            "nginx",
            "com.docker.stack.namespace",
            "the Swarm stack runs here",
        ),
        (
            "swarm",
            "com.docker.compose.project",
            "the Compose stack runs here",
        ),
    ] {
        let mut command = tree.start_stack(stack);
        command.env("RUNNING", other).env("MANAGER", "true");
        tree.assert_nothing_started(&mut command, why);
    }
}

#[test]
fn a_swarm_that_is_none() {
    let tree = Tree::with_docker();
    let mut command = tree.start_stack("swarm");
    tree.assert_nothing_started(&mut command, "make it one with: docker swarm init");
    command.env("MANAGER", "true").env("IMAGE", "missing");
    tree.assert_nothing_started(&mut command, "there is no image missing here");
}

#[test]
fn all_is_well() {
    let tree = Tree::with_docker();
    let mut command = tree.start_stack("nginx");
    let port = free_port().to_string();
    let output = command
        .env("HTTP_PORT", &port)
        .env("REPLICAS", "32")
        .output()
        .unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains(&format!("Home page    http://localhost:{port}/\n"))
            && said.contains("Log in       as admin;"),
        "{said}"
    );
    // An image from before `config` knew names is as good.
    let output = command.env("IMAGE", "older").output().unwrap();
    let older = both(&output);
    assert!(output.status.success(), "{older}");
    assert!(
        older.contains("Log in       as the one account;"),
        "{older}"
    );
    command.env("IMAGE", "footfall:latest");
    let told = tree.told();
    let up = told.lines().find(|line| line.contains(" up ")).unwrap();
    assert!(
        up.starts_with("compose --project-name footfall --env-file .env"),
        "{up}"
    );
    assert!(
        up.contains(" -f compose/docker-compose.nginx.yaml "),
        "{up}"
    );
    assert!(up.contains(" --scale footfall=32"), "{up}");
    // Settings are checked before anything is started.
    assert!(
        told.find(" run --rm --no-deps -T footfall config").unwrap() < told.find(" up ").unwrap()
    );

    let output = tree.start_stack("stop").output().unwrap();
    assert_eq!(both(&output), "Nothing was running.\n");
}
