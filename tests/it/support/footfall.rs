//! The built binary, started as a user would start it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::Value;

use rustix::process::Signal;

use super::{
    client::Client,
    clock::Clock,
    process::{Process, eventually},
};

/// Signs the tokens of all tests, so that replicas accept each other's.
pub const SECRET_KEY: &str = "a-secret-key-for-tests-of-forty-characters";

/// What is logged when the store goes away.
pub const AWAY: &str = "store is away; counting answers 503 until it is back";

/// The binary that was just built.
pub const BINARY: &str = env!("CARGO_BIN_EXE_footfall");

/// Settings of a service under test.
pub struct Builder {
    environment: Vec<(String, String)>,
    directory: Option<PathBuf>,
    disk: Option<String>,
    under: Vec<String>,
    binary: PathBuf,
}

impl Builder {
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// Works in this folder instead of one of its own.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Works on a file system of this size, in a mount namespace of its own.
    pub fn on_small_disk(mut self, size: &str) -> Self {
        self.disk = Some(size.to_owned());
        self
    }

    /// Runs this binary instead of the one that was just built.
    pub fn binary(mut self, binary: &Path) -> Self {
        self.binary = binary.to_owned();
        self
    }

    /// Listens on a Unix socket as well, for a proxy that makes its own request ids.
    pub fn socket(self, path: &Path) -> Self {
        self.env(
            "FOOTFALL_LISTEN",
            format!("tcp:127.0.0.1:0,unix:{}", path.display()),
        )
        .env("FOOTFALL_PROXY_REQUEST_ID", "on")
    }

    /// Goes by this clock.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.environment.extend(clock.environment());
        self
    }

    /// May have this many descriptors open.
    pub fn descriptors(self, limit: usize) -> Self {
        self.under(&["prlimit", &format!("--nofile={limit}:{limit}")])
    }

    /// Is bound by the modes of files, even where the tests run as root.
    pub fn unprivileged(self) -> Self {
        if rustix::process::geteuid().is_root() {
            self.under(&UNPRIVILEGED)
        } else {
            self
        }
    }

    /// Is started by this command.
    pub fn under(mut self, words: &[&str]) -> Self {
        self.under = words.iter().map(ToString::to_string).collect();
        self
    }

    fn command(&self, directory: &Path) -> Command {
        let mut command = match &self.disk {
            None => match self.under.split_first() {
                None => with_test_settings(Command::new(&self.binary)),
                Some((program, arguments)) => {
                    let mut command = Command::new(program);
                    command.args(arguments).arg(&self.binary);
                    with_test_settings(command)
                }
            },
            Some(size) => {
                let script = format!(
                    "mount -t tmpfs -o size={size} tmpfs . && cd \"$PWD\" && exec {}",
                    self.binary.display()
                );
                let mut command = Command::new("unshare");
                // Only an ordinary user needs, and only there may one have, another user namespace.
                let root = rustix::process::geteuid().is_root();
                command
                    .args(if root {
                        &["--mount"][..]
                    } else {
                        &["--mount", "--map-root-user"]
                    })
                    .args(["sh", "-c", &script]);
                with_test_settings(command)
            }
        };
        command
            .current_dir(directory)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and waits until it listens.
    pub fn start(self) -> Footfall {
        self.try_start()
            .expect("Footfall starts; above it says why not")
    }

    /// Starts it and waits until it listens, or ends.
    pub fn try_start(self) -> Option<Footfall> {
        let own_directory = tempfile::tempdir().unwrap();
        let directory = self
            .directory
            .clone()
            .unwrap_or(own_directory.path().to_owned());
        let mut process = Process::spawn(
            self.command(&directory)
                .stdout(Stdio::piped())
                .stderr(Stdio::inherit()),
        );
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stdout) = (log.clone(), process.0.stdout.take().unwrap());
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut footfall = Footfall {
            process,
            log,
            _own_directory: own_directory,
        };
        eventually("Footfall has started", || {
            if let Ok(Some(_)) = footfall.process.0.try_wait() {
                return Some(None);
            }
            footfall.find("started").map(Some)
        })
        .map(|_| footfall)
    }
}

/// The binary with an empty environment but for what every test needs.
pub fn footfall_command() -> Command {
    with_test_settings(Command::new(BINARY))
}

/// Starts what follows without the privilege to ignore the modes of files.
const UNPRIVILEGED: [&str; 3] = [
    "setpriv",
    "--bounding-set",
    "-dac_override,-dac_read_search",
];

/// The binary as a user whom the modes of files bind, even where the tests run as root.
pub fn unprivileged_footfall_command() -> Command {
    let directory = std::env::current_dir().unwrap();
    Footfall::builder().unprivileged().command(&directory)
}

fn with_test_settings(mut command: Command) -> Command {
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("FOOTFALL_ENV", "testing")
        .env("FOOTFALL_LISTEN", "tcp:127.0.0.1:0")
        .env("FOOTFALL_OPS_LISTEN", "tcp:127.0.0.1:0")
        .env("FOOTFALL_LOG_FORMAT", "json")
        .env("FOOTFALL_WORKERS", "2")
        .env("SECRET_KEY", SECRET_KEY);
    command
}

/// A running service.
pub struct Footfall {
    pub process: Process,
    log: Arc<Mutex<Vec<String>>>,
    _own_directory: tempfile::TempDir,
}

impl Footfall {
    pub fn builder() -> Builder {
        // Machines that test are slow at times, and a timeout is no test's subject unless it says so.
        Builder {
            environment: Vec::new(),
            directory: None,
            disk: None,
            under: Vec::new(),
            binary: BINARY.into(),
        }
        .env("FOOTFALL_STORE_TIMEOUT", "8s")
    }

    /// On the embedded store, in a folder of its own.
    pub fn start() -> Self {
        Self::builder().start()
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The first log line with this message.
    pub fn find(&self, message: &str) -> Option<Value> {
        let entries = self
            .log()
            .into_iter()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        entries
            .into_iter()
            .find(|entry| entry["message"] == message)
    }

    /// Waits for a log line.
    pub fn logged(&self, message: &str) -> Value {
        eventually(message, || self.find(message))
    }

    fn address(&self, kind: &str) -> String {
        let entries = self
            .log()
            .into_iter()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        let listening = entries
            .into_iter()
            .filter(|entry| entry["message"] == "listening" && entry["kind"] == kind);
        let mut addresses = listening
            .filter_map(|entry| Some(entry["address"].as_str()?.strip_prefix("tcp:")?.to_owned()));
        addresses.next().expect("listens on TCP")
    }

    /// Where the public TCP listener is, as `127.0.0.1:PORT`.
    pub fn public(&self) -> String {
        self.address("public")
    }

    /// Where the internal listener is.
    pub fn ops(&self) -> String {
        self.address("internal")
    }

    /// A client of the public listener.
    pub fn client(&self) -> Client {
        Client::tcp(&self.public())
    }

    /// A client of the internal listener.
    pub fn ops_client(&self) -> Client {
        Client::tcp(&self.ops())
    }

    /// A token of the one account.
    pub async fn token(&self) -> String {
        self.client().token().await
    }

    /// The count of the default counter.
    pub async fn total(&self, token: &str) -> u64 {
        let mut client = self.client().with_token(token);
        client.get("/api/counters/visits").await.visits()
    }

    /// Waits until the service is ready.
    pub async fn ready(&self) {
        self.ops_client().ready().await;
    }

    /// One metric's value, by its name and labels as they stand in the exposition.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        self.ops_client().metric(series).await
    }

    /// Waits until a metric is at least this.
    pub async fn metric_reaches(&self, series: &str, value: f64) {
        self.ops_client().metric_reaches(series, value).await;
    }

    /// Waits until a metric has this value.
    pub async fn metric_becomes(&self, series: &str, value: f64) {
        self.ops_client().metric_becomes(series, value).await;
    }

    /// `SIGTERM`, and how the process ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }
}
