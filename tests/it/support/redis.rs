//! A real Redis with the shipped configuration, on its own port and folder.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use super::{
    clock::Clock,
    process::{Process, eventually, free_port},
};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/redis.conf");

pub struct Redis {
    pub port: u16,
    arguments: Vec<String>,
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
    process: Process,
}

impl Redis {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With more options; `PORT` among them is another free port.
    pub fn with(options: &[&str]) -> Self {
        Self::in_environment(Vec::new(), options)
    }

    /// Goes by this clock.
    pub fn start_with(clock: &Clock) -> Self {
        Self::in_environment(clock.environment(), &[])
    }

    fn in_environment(environment: Vec<(String, String)>, options: &[&str]) -> Self {
        // Between looking for a free port and using it, another process may take it.
        for _ in 0..10 {
            let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
            let another = free_port().to_string();
            let arguments: Vec<_> = options
                .iter()
                .map(|option| option.replace("PORT", &another))
                .collect();
            if let Some(process) = spawn(port, directory.path(), &arguments, &environment) {
                return Self {
                    port,
                    arguments,
                    directory,
                    environment,
                    process,
                };
            }
        }
        panic!("redis-server does not start with {options:?}");
    }

    /// One that follows this one.
    pub fn replica(&self) -> Self {
        Self::with(&["--replicaof", "127.0.0.1", &self.port.to_string()])
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// As an administrator would, with everything written.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        self.process.wait();
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Starts it again on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        let (directory, environment) = (self.directory.path(), &self.environment);
        self.process = spawn(self.port, directory, &self.arguments, environment)
            .expect("it has ended: its last words are above");
    }

    /// One command, with its reply as text.
    pub fn command(&self, line: &str) -> String {
        ask(self.port, line).unwrap()
    }

    /// One command that is done.
    pub fn told(&self, line: &str) {
        let reply = self.command(line);
        assert!(reply.starts_with("+OK"), "{line}: {reply}");
    }
}

/// `None` if it has ended at once.
fn spawn(
    port: u16,
    directory: &Path,
    arguments: &[String],
    environment: &[(String, String)],
) -> Option<Process> {
    // A copy: sentinels have the servers write their role into it.
    let configuration = directory.join("redis.conf");
    if !configuration.exists() {
        fs::copy(SHIPPED, &configuration).unwrap();
    }
    let mut process = Process::spawn(
        Command::new("redis-server")
            .arg(configuration)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
            .arg(directory)
            .args(arguments)
            .envs(environment.iter().cloned())
            .stdout(Stdio::null()),
    );
    eventually("Redis answers", || {
        if process.0.try_wait().unwrap().is_some() {
            return Some(false);
        }
        let reply = ask(port, "PING")?;
        reply.starts_with("+PONG").then_some(true)
    })
    .then_some(process)
}

/// One command to whatever speaks Redis' protocol on this port.
pub fn ask(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(format!("{line}\r\n").as_bytes()).ok()?;
    let mut reply = [0; 16384];
    let length = stream.read(&mut reply).ok()?;
    Some(String::from_utf8_lossy(&reply[..length]).into_owned())
}
