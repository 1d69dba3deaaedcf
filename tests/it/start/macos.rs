//! The tools of macOS, as far as they differ from those of Linux where the stacks meet them.

use super::{Tree, both};
use crate::support::process::free_port;

/// Each with what it does not know there, and the number of lines padded.
const TOOLS: &[(&str, &str)] = &[
    ("wc", r#"printf '%8s\n' "$(/usr/bin/wc "$@")""#),
    (
        "base64",
        r#"[ $# = 0 ] || { echo "base64: invalid argument $1" >&2; exit 64; }; exec /usr/bin/base64 -w 0"#,
    ),
    (
        "xargs",
        r#"[[ $1 != -* ]] || { echo "xargs: illegal option $1" >&2; exit 1; }; exec /usr/bin/xargs "$@""#,
    ),
    (
        "mktemp",
        r#"[[ "$*" != *-t* ]] || set -- -d "$TMPDIR/${@: -1}.XXXXXX"; exec /usr/bin/mktemp "$@""#,
    ),
    (
        "shasum",
        r#"[ "$*" = "-a 256" ] || exit 1; exec /usr/bin/sha256sum"#,
    ),
];

impl Tree {
    pub(super) fn use_tools_of_macos(&self) {
        for (name, script) in TOOLS {
            self.stub(name, script);
        }
        // Linux only.
        for name in ["sha256sum", "setsid", "timeout", "nproc"] {
            self.remove(name);
        }
    }
}

#[test]
fn a_swarm_is_deployed() {
    let tree = Tree::with_swarm();
    let deployed_configs = |tree: &Tree| {
        let output = tree.deploy().output().unwrap();
        let said = both(&output);
        assert!(output.status.success(), "{said}");
        assert!(output.stderr.is_empty(), "{said}");
        tree.read("configs")
    };
    let names = "REDIS_CONFIG POSTGRES_CONFIG NGINX_CONFIG PROMETHEUS_CONFIG GRAFANA_CONFIG";
    let docker = format!(
        "[[ \"$*\" != \"stack deploy \"* ]] || printenv {names} >{}\n{}",
        tree.path("configs").display(),
        tree.read("bin/docker")
    );
    tree.stub("docker", &docker);
    let here = deployed_configs(&tree);
    tree.use_tools_of_macos();
    assert_eq!(deployed_configs(&tree), here);
    assert_eq!(tree.read("secrets/footfall_secret_key").len(), 64);
    tree.assert_refused(
        tree.deploy().env("NODES", "node1 node2"),
        "start.sh: 2 nodes have the label",
    );
}

#[test]
fn a_stack_is_started_again_and_stopped() {
    let tree = Tree::with_docker();
    tree.use_tools_of_macos();
    // One replica runs, so one is started.
    let mut command = tree.start_stack("nginx");
    command.env("RUNNING", "com.docker.compose.project");
    let output = command
        .env("HTTP_PORT", free_port().to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", both(&output));
    assert!(
        tree.told().contains(" --scale footfall=1\n"),
        "{}",
        tree.told()
    );

    let mut command = tree.start_stack("stop");
    command.env("RUNNING", "com.docker.compose.project");
    let said = both(&command.output().unwrap());
    assert_eq!(
        said,
        "Stopped. Counts are kept in the volume footfall_redis.\n"
    );
    assert!(
        tree.told().contains("\nstop -t 45 0123456789ab\n"),
        "{}",
        tree.told()
    );
    let said = both(&tree.start_stack("stop").output().unwrap());
    assert_eq!(said, "Nothing was running.\n");
}
