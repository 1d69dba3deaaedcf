//! What the tests of the stack share. The HTTP client is that of tests/it.

#[allow(dead_code, reason = "written for tests/it, which uses the rest")]
#[path = "../../it/support/client.rs"]
pub mod client;
pub mod docker;
pub mod load;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

/// The longest wait for a condition: a rolling update of several replicas takes
/// most of it, anything else seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// Node 1, where the tests run, and node 2.
pub const NODES: [&str; 2] = ["10.213.0.1", "10.213.0.2"];

/// Asks again until the answer is `Some`.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "never came true: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Like [`eventually`], on a runtime: it holds no thread.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The files that make the stack, in a folder of their own that a test may change.
pub struct Checkout(tempfile::TempDir);

impl Checkout {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let status = Command::new("cp")
            .arg("-r")
            .args([".env", "compose", "config", "grafana", "start.sh"].map(|name| root.join(name)))
            .arg(directory.path())
            .status();
        assert!(status.unwrap().success());
        Self(directory)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `./start.sh` with these arguments and variables.
    pub fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new("./start.sh")
            .args(arguments)
            .envs(variables.iter().copied())
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    /// The same, where success is expected; gives what it printed.
    #[track_caller]
    pub fn started(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.start(arguments, variables);
        let (said, complaint) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "start.sh {arguments:?}: {said}{complaint}"
        );
        said.into_owned()
    }

    /// The same, where failure is expected; gives the last line of its complaint.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.start(arguments, variables);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        complaint.lines().last().unwrap_or_default().to_owned()
    }
}

/// A test that fails says what its containers said, and leaves nothing that the next would stumble over.
impl Drop for Checkout {
    fn drop(&mut self) {
        if thread::panicking() {
            docker::give_up();
        }
    }
}

/// Runs the commands after a mark in a file of docs/, in the folder of the stack, and gives what
/// they printed.
#[track_caller]
pub fn documented(checkout: &Checkout, file: &str, mark: &str) -> String {
    let path = format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text
        .split_once(&format!("<!-- {mark} -->\n```sh\n"))
        .unwrap();
    let (commands, _) = rest.split_once("```").unwrap();
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .current_dir(checkout.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{mark}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
