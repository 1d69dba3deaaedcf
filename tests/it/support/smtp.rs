//! A real mail server, aiosmtpd from Debian's packages, that fails where a test wants it to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::process::{Process, eventually, until};

/// A mail server of its own.
pub struct Smtp {
    folder: tempfile::TempDir,
    options: Value,
    process: Option<Process>,
    pub port: u16,
}

/// A message that it has taken.
pub struct Taken {
    pub envelope: Value,
    pub data: String,
}

impl Smtp {
    pub fn start() -> Self {
        Self::with(json!({}))
    }

    /// With options of the script.
    pub fn with(options: Value) -> Self {
        let mut smtp = Self {
            folder: tempfile::tempdir().unwrap(),
            options,
            process: None,
            port: 0,
        };
        smtp.launch();
        smtp
    }

    fn launch(&mut self) {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/smtp_receiver.py");
        let _ = fs::remove_file(self.path("port"));
        let mut command = Command::new("/usr/bin/python3");
        command.env_clear().arg(script).arg(self.folder.path());
        command.arg(self.options.to_string()).stdin(Stdio::null());
        self.process = Some(Process::spawn(&mut command));
        let port = self.path("port");
        self.port = eventually("the mail server listens; ./test.sh installs it", || {
            fs::read_to_string(&port).ok()?.parse().ok()
        });
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Ends it, at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again, on the same port.
    pub fn restart(&mut self) {
        self.options["port"] = json!(self.port);
        self.launch();
    }

    /// Without TLS.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// What goes wrong at a step from now on: `hang`, `drop` or an answer.
    pub fn fault(&self, step: &str, what: &str) {
        fs::write(self.path("faults.new"), what).unwrap();
        fs::rename(self.path("faults.new"), self.path("faults").join(step)).unwrap();
    }

    /// Nothing goes wrong at this step any more.
    pub fn heal(&self, step: &str) {
        fs::remove_file(self.path("faults").join(step)).unwrap();
    }

    /// How often anybody has come to this step.
    pub fn steps(&self, step: &str) -> usize {
        let steps = fs::read_to_string(self.path("steps")).unwrap_or_default();
        steps.lines().filter(|line| *line == step).count()
    }

    /// Waits until somebody has come to this step so often.
    pub async fn reaches(&self, step: &str, times: usize) {
        let what = format!("{step} is reached {times} times");
        until(&what, async || (self.steps(step) >= times).then_some(())).await;
    }

    /// The messages that it has taken, in their order.
    pub fn taken(&self) -> Vec<Taken> {
        let entries = fs::read_dir(self.path("messages")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
        paths.sort();
        let taken = paths.iter().map(|path| {
            let envelope: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            let data = envelope["data"].as_str().unwrap().to_owned();
            Taken { envelope, data }
        });
        taken.collect()
    }

    /// Waits until it has taken so many messages.
    pub async fn has_taken(&self, count: usize) -> Vec<Taken> {
        let what = format!("{count} messages are taken");
        until(&what, async || {
            let taken = self.taken();
            (taken.len() >= count).then_some(taken)
        })
        .await
    }
}

impl Taken {
    /// The value of a header.
    pub fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        let mut lines = self.data.split("\r\n");
        lines.find_map(|line| line.strip_prefix(&start)).unwrap()
    }

    /// Its text, with quoted-printable undone as far as links need it.
    pub fn text(&self) -> String {
        self.data.replace("=\r\n", "").replace("=3D", "=")
    }
}
