//! `start.sh`, and the other scripts.

mod accounts;
mod compiler;
mod database;
mod docker;
mod grafana_password;
mod local;
mod macos;
mod registering;
mod settings;
mod swarm;
mod systemd;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a test itself puts on the `PATH`, or leaves away.
const STUBS: &[&str] = &["docker", "docker-compose", "cargo", "cc", "apt-get", "sudo"];

/// A copy of what `start.sh` needs, and a `PATH` without [`STUBS`].
struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = Self { folder };
        for directory in ["bin", "tmp"] {
            fs::create_dir(tree.path(directory)).unwrap();
        }
        for name in ["start.sh", ".env", "config", "compose"] {
            let copied = Command::new("cp")
                .arg("-r")
                .arg(format!("{ROOT}/{name}"))
                .arg(tree.path(name))
                .status();
            assert!(copied.unwrap().success());
        }
        for tool in fs::read_dir("/usr/bin").unwrap() {
            let tool = tool.unwrap();
            if !STUBS.iter().any(|stub| tool.file_name() == *stub) {
                symlink(tool.path(), tree.path("bin").join(tool.file_name())).unwrap();
            }
        }
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command of this name that does this.
    fn stub(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        // Else it would be written through the link, onto the machine's own.
        self.remove(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Leaves this command away.
    fn remove(&self, name: &str) {
        match fs::remove_file(self.path("bin").join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{name}: {error}"),
            _ => {}
        }
    }

    /// `start.sh`, in this copy.
    fn start(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/env");
        command
            // Who starts the tests in the background may have turned Ctrl-C off, and a shell cannot
            // turn on what was off before it.
            .arg("--default-signal=INT")
            .arg(self.path("start.sh"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("TMPDIR", self.path("tmp"));
        command
    }

    /// Checks that it ends at once with exit code 1 and one line that says why.
    #[track_caller]
    fn assert_refused(&self, command: &mut Command, why: &str) {
        let output = command.output().unwrap();
        let said = both(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert_eq!(complaints.lines().count(), 1, "{said}");
        assert!(complaints.starts_with("start.sh: "), "{said}");
        assert!(complaints.contains(why), "{said}");
        assert_eq!(fs::read_dir(self.path("tmp")).unwrap().count(), 0);
    }
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn what_is_not_understood_ends_with_the_usage() {
    let tree = Tree::new();
    for arguments in [
        &["everything"][..],
        &["--help"],
        &["full", "3"],
        &["local", "3", "4"],
    ] {
        let output = tree.start(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let usage = both(&output);
        assert!(usage.starts_with("usage: ./start.sh "), "{usage}");
        for mode in [
            "local",
            "basic",
            "nginx",
            "monitoring",
            "full",
            "swarm",
            "stop",
        ] {
            assert!(usage.contains(mode), "{usage}");
        }
    }
}

/// All scripts of bash in this folder and those below.
fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_symlink() || matches!(name, "target" | ".git" | "data" | "node_modules") {
            continue;
        }
        if path.is_dir() {
            scripts(&path, found);
        } else if fs::read(&path).unwrap().starts_with(b"#!/usr/bin/env bash") {
            found.push(path);
        }
    }
}

#[test]
fn shellcheck_finds_nothing() {
    let mut found = Vec::new();
    scripts(Path::new(ROOT), &mut found);
    for known in [
        "start.sh",
        "test.sh",
        ".ci/run",
        ".ci/lint",
        "config/tls/self-signed.sh",
    ] {
        assert!(found.contains(&Path::new(ROOT).join(known)), "{known}");
    }
    let output = Command::new("shellcheck")
        .args(["--external-sources", "--source-path=SCRIPTDIR"])
        .args(found)
        .output();
    let output = output.expect("shellcheck is there; ./test.sh installs it");
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn both_services_of_integration_call_the_same_scripts() {
    let read = |name: &str| fs::read_to_string(format!("{ROOT}/{name}")).unwrap();
    let workflow = read(".github/workflows/ci.yml");
    let of_github = workflow.lines().map(str::trim);
    let of_github = of_github.filter_map(|line| line.strip_prefix("- run: "));
    let jenkins = read("Jenkinsfile");
    let (stages, _) = jenkins.split_once("post {").unwrap();
    let of_jenkins = stages.lines().map(str::trim);
    let of_jenkins = of_jenkins.filter_map(|line| line.strip_prefix("sh '")?.strip_suffix('\''));
    let of_github: Vec<_> = of_github.collect();
    assert_eq!(of_github, of_jenkins.collect::<Vec<_>>());
    assert!(of_github.contains(&".ci/run"));
    assert!(of_github.contains(&".ci/supply advisories"));

    let image = |text: &'static str, file: &str| {
        let (_, rest) = file.split_once(text).unwrap();
        rest.split(['\n', '\'']).next().unwrap().to_owned()
    };
    assert_eq!(image("image: ", &workflow), image("image '", &jenkins));
    // An action is code of others: a tag can be moved, a commit cannot.
    let actions = workflow
        .lines()
        .filter_map(|line| line.split_once("uses: "));
    for (_, action) in actions {
        let (_, commit) = action.split_once('@').unwrap();
        let commit = commit.split(' ').next().unwrap();
        assert!(
            commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit()),
            "{action}"
        );
    }
}
