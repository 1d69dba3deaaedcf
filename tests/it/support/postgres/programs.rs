//! PostgreSQL's programs, and who runs them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::geteuid;

/// Who runs a server where the tests run as root, which PostgreSQL refuses.
const NOBODY: u32 = 65534;

/// A folder that belongs to who runs the server.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        give_away(folder.path());
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}

/// Makes a file that of who runs the server.
pub fn give_away(path: &Path) {
    if geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// The newest installed.
pub fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.filter_map(|version| {
        let path = version.ok()?.path();
        let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
        Some((number, path))
    });
    let (_, newest) = versions
        .max()
        .expect("there is no PostgreSQL in /usr/lib/postgresql; ./test.sh installs it");
    newest.join("bin").join(name)
}

/// A program of PostgreSQL, as who runs the server.
pub fn as_server(name: &str) -> Command {
    let mut command = as_user(&program(name));
    // Nothing of the caller's settings of libpq, nor its folder, which may not be theirs to enter.
    command
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/");
    command
}

/// A program, as who runs the server.
pub fn as_user(program: &Path) -> Command {
    match geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            let id = NOBODY.to_string();
            command
                .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
                .arg(program);
            command
        }
        false => Command::new(program),
    }
}

pub fn finished(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
