//! A Redis Cluster: three masters with two replicas each.

use std::process::Command;

use super::{Redis, eventually};

const MASTERS: usize = 3;
const REPLICAS: usize = 2;

pub struct Cluster {
    pub nodes: Vec<Redis>,
}

impl Cluster {
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..MASTERS * (1 + REPLICAS)).map(|_| node(&[])).collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let output = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", &REPLICAS.to_string(), "--cluster-yes"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        let cluster = Self { nodes };
        for node in &cluster.nodes {
            eventually("the node sees the whole cluster", || {
                let info = node.command("CLUSTER INFO");
                (info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{}", cluster.nodes.len())))
                .then_some(())
            });
        }
        for node in cluster.masters() {
            eventually("its replicas follow", || {
                let lines = cluster.nodes[node].command("INFO replication");
                (lines.matches("state=online").count() == REPLICAS).then_some(())
            });
        }
        cluster
    }

    /// One node with all slots, which serves each of them whatever becomes of the others.
    pub fn of_one() -> Self {
        let node = node(&["--cluster-require-full-coverage", "no"]);
        node.told("CLUSTER ADDSLOTSRANGE 0 16383");
        eventually("the node serves its slots", || {
            let info = node.command("CLUSTER INFO");
            info.contains("cluster_state:ok").then_some(())
        });
        Self { nodes: vec![node] }
    }

    pub fn url(&self) -> String {
        let hosts: Vec<_> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    fn masters(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].command("ROLE").contains("master"))
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> u16 {
        let reply = self.nodes[0].command(&format!("CLUSTER KEYSLOT {key}"));
        reply.trim_start_matches(':').trim().parse().unwrap()
    }

    /// The node that has a key.
    pub fn master_of(&self, key: &str) -> usize {
        self.masters()
            .find(|&node| {
                !self.nodes[node]
                    .command(&format!("GET {key}"))
                    .starts_with("-MOVED")
            })
            .expect("somebody has it")
    }

    /// A master that does not have a key.
    pub fn other_than(&self, master: usize) -> usize {
        self.masters().find(|&node| node != master).unwrap()
    }

    fn id(&self, node: usize) -> String {
        let reply = self.nodes[node].command("CLUSTER MYID");
        reply.lines().nth(1).unwrap().to_owned()
    }

    /// Says that a slot is on its way.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let (source, target) = (self.id(from), self.id(to));
        self.set_slot(to, slot, &format!("IMPORTING {source}"));
        self.set_slot(from, slot, &format!("MIGRATING {target}"));
    }

    /// Moves the keys of a slot, one at a time, and the slot.
    pub fn finish_move(&self, slot: u16, from: usize, to: usize) {
        let target = self.nodes[to].port;
        loop {
            let reply = self.nodes[from].command(&format!("CLUSTER GETKEYSINSLOT {slot} 1"));
            let Some(key) = reply.lines().nth(2) else {
                break;
            };
            let moved =
                self.nodes[from].command(&format!("MIGRATE 127.0.0.1 {target} {key} 0 5000"));
            assert!(
                moved.starts_with("+OK") || moved.starts_with("+NOKEY"),
                "{moved}"
            );
        }
        let owner = format!("NODE {}", self.id(to));
        // The new owner first, so that at no time nobody has it.
        for node in [to, from] {
            self.set_slot(node, slot, &owner);
        }
    }

    fn set_slot(&self, node: usize, slot: u16, state: &str) {
        let reply = self.nodes[node].command(&format!("CLUSTER SETSLOT {slot} {state}"));
        assert!(reply.starts_with("+OK"), "{reply}");
    }
}

fn node(options: &[&str]) -> Redis {
    let cluster = [
        "--cluster-enabled",
        "yes",
        // Ten thousand above the other, where it would be, there may be no port.
        "--cluster-port",
        "PORT",
        "--cluster-node-timeout",
        "2000",
    ];
    Redis::with(&[&cluster, options].concat())
}
