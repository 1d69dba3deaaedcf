//! A master with two replicas, watched by three sentinels.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    Redis, eventually,
    process::{Process, free_port},
    redis::ask,
};

/// What the sentinels call the master.
const NAME: &str = "main";

fn spawn(directory: &Path, port: u16, watching: &str) -> Process {
    let path = directory.join(format!("{port}.conf"));
    // Sentinels write what they learn into their configuration.
    let directory = directory.display();
    let configuration = format!("port {port}\nbind 127.0.0.1\ndir {directory}\n{watching}");
    fs::write(&path, configuration).unwrap();
    Process::spawn(
        Command::new("redis-server")
            .arg(&path)
            .arg("--sentinel")
            .stdout(Stdio::null()),
    )
}

pub struct Sentinels {
    /// The first of them is the master at first.
    pub servers: Vec<Redis>,
    ports: Vec<u16>,
    _processes: Vec<Process>,
    _directory: tempfile::TempDir,
}

impl Sentinels {
    pub fn start() -> Self {
        let master = Redis::start();
        let replicas = [master.replica(), master.replica()];
        let directory = tempfile::tempdir().unwrap();
        let ports: Vec<_> = (0..3).map(|_| free_port()).collect();
        let watching = format!(
            "sentinel monitor {NAME} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 5000\n",
            master.port,
        );
        let processes = ports
            .iter()
            .map(|port| spawn(directory.path(), *port, &watching));
        let _processes = processes.collect();
        let [first, second] = replicas;
        let sentinels = Self {
            servers: vec![master, first, second],
            ports,
            _processes,
            _directory: directory,
        };
        sentinels.settled(2);
        sentinels
    }

    /// Waits until all sentinels know each other and this many replicas:
    /// before that there is no failover.
    pub fn settled(&self, replicas: usize) {
        for port in &self.ports {
            eventually("the sentinel knows everyone", || {
                let known = ask(*port, &format!("SENTINEL MASTER {NAME}"))?;
                let fields: Vec<_> = known.lines().collect();
                let is = |name: &str, value: &str| {
                    let position = fields.iter().position(|field| *field == name);
                    position.is_some_and(|position| fields.get(position + 2) == Some(&value))
                };
                let all = is("num-other-sentinels", "2")
                    && is("num-slaves", &replicas.to_string())
                    && is("flags", "master");
                all.then_some(())
            });
        }
        self.follow(replicas);
    }

    /// Waits until so many replicas follow the master.
    pub fn follow(&self, replicas: usize) {
        let master = self.master();
        eventually("the replicas follow", || {
            let lines = ask(self.servers[master].port, "INFO replication")?;
            (lines.matches("state=online").count() == replicas).then_some(())
        });
    }

    /// Which of the servers the sentinels call the master.
    pub fn master(&self) -> usize {
        eventually("a sentinel names the master", || {
            let reply = ask(
                self.ports[0],
                &format!("SENTINEL GET-MASTER-ADDR-BY-NAME {NAME}"),
            )?;
            let port: u16 = reply.lines().last()?.parse().ok()?;
            self.servers.iter().position(|server| server.port == port)
        })
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> = self
            .ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// Makes another server the master, without need.
    pub fn switch(&self) {
        let reply = ask(self.ports[0], &format!("SENTINEL FAILOVER {NAME}")).unwrap();
        assert!(reply.starts_with("+OK"), "{reply}");
    }
}

/// A sentinel by itself, that names a master whatever others say. It makes no other the master.
pub struct Lone {
    name: &'static str,
    pub port: u16,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Lone {
    /// With another server, which it knows as a replica, and calls down after so long.
    pub fn start(name: &'static str, master: &Redis, other: &Redis, down_after: Duration) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        // Two would have to agree that the master is down.
        let watching = format!(
            "sentinel monitor {name} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {name} {}\n\
             sentinel known-replica {name} 127.0.0.1 {}\n",
            master.port,
            down_after.as_millis(),
            other.port,
        );
        let process = spawn(directory.path(), port, &watching);
        eventually("the sentinel answers", || {
            let reply = ask(port, "PING")?;
            reply.starts_with("+PONG").then_some(())
        });
        Self {
            name,
            port,
            _process: process,
            _directory: directory,
        }
    }

    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{}", self.port, self.name)
    }
}
