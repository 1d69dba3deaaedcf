//! A real Redis with the shipped configuration, on its own port and folder.

use std::{
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

pub struct Redis {
    pub port: u16,
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
    process: Process,
}

impl Redis {
    pub fn start() -> Self {
        Self::in_environment(Vec::new())
    }

    /// Goes by this clock.
    pub fn start_with(clock: &Clock) -> Self {
        Self::in_environment(clock.environment())
    }

    fn in_environment(environment: Vec<(String, String)>) -> Self {
        let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
        let process = spawn(port, directory.path(), &environment);
        Self {
            port,
            directory,
            environment,
            process,
        }
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
        self.process = spawn(self.port, self.directory.path(), &self.environment);
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

fn spawn(port: u16, directory: &Path, environment: &[(String, String)]) -> Process {
    let process = Process::spawn(
        Command::new("redis-server")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/config/redis.conf"))
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--dir"])
            .arg(directory)
            .envs(environment.iter().cloned())
            .stdout(Stdio::null()),
    );
    eventually("Redis answers", || {
        ask(port, "PING").filter(|reply| reply.starts_with("+PONG"))
    });
    process
}

fn ask(port: u16, line: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(format!("{line}\r\n").as_bytes()).ok()?;
    let mut reply = [0; 4096];
    let length = stream.read(&mut reply).ok()?;
    Some(String::from_utf8_lossy(&reply[..length]).into_owned())
}
