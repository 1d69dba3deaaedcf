//! The Swarm stack, with a `docker` that takes all it is told for done.

use std::{fs, process::Command};

use super::{Tree, both};

/// A manager with one node, on which nothing is deployed yet. What comes by the environment or by
/// standard input is written to files; `$ARGUMENTS` has only what everyone may read.
const DOCKER: &str = r#"
printf '%s\n' "$*" >>"$ARGUMENTS"
case "$*" in
    "version "*Components*) echo "Engine containerd " ;;
    "version "*) echo 24.0.7 ;;
    "info "*ControlAvailable*) echo true ;;
    "info "*NodeID*) echo node1 ;;
    "image inspect "*) echo sha256:0123456789ab ;;
    "run "*)
        printenv SECRET_KEY FOOTFALL_ADMIN_PASSWORD >"$ENVIRONMENT"
        passed=()
        while (($#)); do
            [ "$1" != -e ] || passed+=("$2=${!2}")
            shift
        done
        exec env -i "${passed[@]}" "$BINARY" config
        ;;
    "secret inspect "*) exit 1 ;;
    "secret create "*) cat >"$SECRETS/$3" ;;
    "node ls "*) for node in ${NODES-node1}; do echo "$node"; done ;;
    "service inspect footfall_footfall") exit 1 ;;
    "service inspect "*) echo "footfall_footfall " ;;
    "stack services -q "*) echo service1 ;;
    "stack services "*) echo "footfall_footfall 2/2" ;;
esac"#;

impl Tree {
    pub(super) fn with_swarm() -> Self {
        let tree = Self::new();
        tree.stub("docker", DOCKER);
        fs::create_dir(tree.path("secrets")).unwrap();
        let copied = Command::new("cp")
            .arg("-r")
            .arg(format!("{}/grafana", super::ROOT))
            .arg(tree.path("grafana"))
            .status();
        assert!(copied.unwrap().success());
        tree
    }

    pub(super) fn deploy(&self) -> Command {
        let mut command = self.start(&["swarm"]);
        command
            .env("ARGUMENTS", self.path("arguments"))
            .env("BINARY", env!("CARGO_BIN_EXE_footfall"))
            .env("ENVIRONMENT", self.path("environment"))
            .env("SECRETS", self.path("secrets"));
        command
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

/// Everyone on a machine may read the arguments of every process.
#[test]
fn no_secret_is_an_argument() {
    let tree = Tree::with_swarm();
    let (key, password) = ("0123456789abcdef0123456789abcdef-key", "open sesame");
    let mut command = tree.deploy();
    command
        .env("SECRET_KEY", key)
        .env("FOOTFALL_ADMIN_PASSWORD", password);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    // They are where they belong.
    assert_eq!(tree.read("environment"), format!("{key}\n{password}\n"));
    assert_eq!(tree.read("secrets/footfall_secret_key"), key);
    assert_eq!(tree.read("secrets/footfall_admin_password"), password);
    let arguments = tree.read("arguments");
    assert!(arguments.contains("run --rm --network none"), "{arguments}");
    assert!(
        !arguments.contains(key) && !arguments.contains(password),
        "{arguments}"
    );
    assert!(!both(&output).contains(key) && !both(&output).contains(password));
}

#[test]
fn no_secret_that_is_made_is_an_argument() {
    let tree = Tree::with_swarm();
    let output = tree.deploy().output().unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    let environment = tree.read("environment");
    let key = tree.read("secrets/footfall_secret_key");
    let password = tree.read("secrets/footfall_admin_password");
    let tried = environment.lines().next().unwrap();
    for secret in [tried, &key, &password] {
        assert_eq!(secret.len(), 64, "{secret:?}");
        assert!(!tree.read("arguments").contains(secret));
    }
    assert!(
        said.contains(&format!("it is shown this once: {password}\n")),
        "{said}"
    );
    assert!(!said.contains(&key), "{said}");
}

/// Not as a replica that never starts.
#[test]
fn wrong_values_are_refused_before_anything_is_deployed() {
    let tree = Tree::with_swarm();
    for (name, shown) in [
        ("FOOTFALL_SENTRY_DSN", "FOOTFALL_SENTRY_DSN"),
        ("FOOTFALL_SMTP_URL", "FOOTFALL_SMTP_URL"),
        ("FOOTFALL_MAIL_FROM", "FOOTFALL_MAIL_FROM"),
        ("FOOTFALL_PUBLIC_URL", "FOOTFALL_PUBLIC_URL"),
        ("PROXY_SUBNET", "FOOTFALL_TRUSTED_PROXIES"),
        ("FOOTFALL_STORE_TIMEOUT", "FOOTFALL_STORE_TIMEOUT"),
    ] {
        let output = tree.deploy().env(name, "nonsense").output().unwrap();
        let said = both(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(shown), "{said}");
        assert!(said.contains("start.sh: nothing was deployed"), "{said}");
    }
    assert!(!tree.read("arguments").contains("secret create"));
}

#[test]
fn two_nodes_with_data_are_told_apart() {
    let tree = Tree::with_swarm();
    tree.assert_refused(
        tree.deploy().env("NODES", "node1 node2"),
        "start.sh: 2 nodes have the label footfall.data=true",
    );
    let output = tree.deploy().env("NODES", "").output().unwrap();
    let said = both(&output);
    assert!(said.contains("This node keeps the data"), "{said}");
    assert!(
        tree.read("arguments")
            .contains("node update --label-add footfall.data=true node1\n")
    );
}
