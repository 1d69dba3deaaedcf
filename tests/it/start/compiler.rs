//! A machine with Rust and without a C compiler.

use std::{fs, process::Command};

use super::{Tree, both};

/// Writes down what it is told; when it is to install a compiler, there is one.
const APT_GET: &str = r#"
printf 'apt-get %s\n' "$*" >>"$LOG"
case "$*" in
    *" gcc"*) [ -n "${OFFLINE-}" ] && exit 100; printf '#!/bin/sh\n' >"$BIN/cc"; chmod +x "$BIN/cc" ;;
esac"#;

const SUDO: &str = r#"
printf 'sudo %s\n' "$*" >>"$LOG"
[ -z "${PASSWORD-}" ] || { echo "sudo: a password is required" >&2; exit 1; }
while [[ $1 == -* ]]; do shift; done
exec "$@""#;

const INSTALLED: &str = "apt-get install -qq -y --no-install-recommends gcc libc6-dev";

impl Tree {
    fn without_compiler() -> Self {
        let tree = Self::new();
        // What comes after the compiler.
        tree.stub("cargo", "echo 'cargo builds'; exit 101");
        fs::write(tree.path("log"), "").unwrap();
        tree
    }

    fn user(&self, id: u32) {
        self.stub("id", &format!("echo {id}"));
    }

    /// Without a terminal, where sudo could ask.
    fn local(&self) -> Command {
        let start = self.start(&["local"]);
        let mut command = Command::new("/usr/bin/setsid");
        command.arg("--wait").arg(start.get_program());
        command.args(start.get_args()).env_clear();
        for (name, value) in start.get_envs() {
            command.env(name, value.unwrap());
        }
        command
            .env("LOG", self.path("log"))
            .env("BIN", self.path("bin"));
        command
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }
}

#[test]
fn it_is_installed_by_root() {
    let tree = Tree::without_compiler();
    tree.stub("apt-get", APT_GET);
    tree.user(0);
    let output = tree.local().output().unwrap();
    let said = both(&output);
    let order = [
        "A C compiler is missing: installing gcc and libc6-dev with apt-get.\n",
        "Building and starting the local service",
        "cargo builds",
    ];
    let places: Vec<_> = order.iter().map(|text| said.find(text)).collect();
    assert!(places.is_sorted() && places[0] == Some(0), "{said}");
    assert_eq!(output.status.code(), Some(101), "{said}");
    assert_eq!(tree.log(), format!("apt-get update -qq\n{INSTALLED}\n"));

    // There is one now.
    fs::write(tree.path("log"), "").unwrap();
    let said = both(&tree.local().output().unwrap());
    assert!(said.starts_with("Building"), "{said}");
    assert_eq!(tree.log(), "");
}

/// Debian's gcc comes without the headers of the C library, unless they are asked for.
#[test]
fn a_compiler_without_headers_is_none() {
    let tree = Tree::without_compiler();
    tree.stub("apt-get", APT_GET);
    tree.stub(
        "cc",
        "echo 'fatal error: stdio.h: No such file or directory' >&2; exit 1",
    );
    tree.user(0);
    let said = both(&tree.local().output().unwrap());
    assert!(tree.log().contains(INSTALLED), "{said}");
    assert!(
        said.contains("cargo builds") && !said.contains("stdio.h"),
        "{said}"
    );
}

#[test]
fn it_is_installed_through_sudo() {
    let tree = Tree::without_compiler();
    tree.stub("apt-get", APT_GET);
    tree.stub("sudo", SUDO);
    tree.user(1000);
    let said = both(&tree.local().output().unwrap());
    assert!(said.contains("cargo builds"), "{said}");
    let log = tree.log();
    assert!(log.contains(INSTALLED), "{log}");
    // There is no terminal to ask on.
    assert!(log.starts_with("sudo -n apt-get update"), "{log}");
}

#[test]
fn where_it_cannot_be_installed_it_is_asked_for() {
    let ask = "a C compiler is missing; on Debian and Ubuntu: apt-get install gcc libc6-dev";
    let tree = Tree::without_compiler();
    tree.user(0);
    tree.assert_refused(&mut tree.local(), ask);

    tree.stub("apt-get", APT_GET);
    tree.user(1000);
    tree.assert_refused(&mut tree.local(), ask);
    assert_eq!(tree.log(), "");

    tree.user(0);
    tree.assert_refused(tree.local().env("OFFLINE", "1"), ask);

    tree.user(1000);
    tree.stub("sudo", SUDO);
    let output = tree.local().env("PASSWORD", "1").output().unwrap();
    let said = both(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.ends_with("apt-get install gcc libc6-dev; on macOS: xcode-select --install\n"),
        "{said}"
    );
}
