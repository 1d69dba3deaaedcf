//! Replicas, Redis and PostgreSQL are killed at random while clients count.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
};

use proptest::{prelude::Rng, test_runner::TestRng};

use super::{check, clients::Clients};
use crate::support::{
    Client, Footfall, Redis, client::Target, eventually, footfall::Builder, postgres::Postgres,
    slots::Slots,
};

/// Visits that are counted; `VISITS=200000 cargo test --test it storm` is the whole proof.
const VISITS: u64 = 4_000;

const REPLICAS: usize = 3;

/// Kills while these are counted, at least.
const KILLS: u64 = 12;

/// All that may be killed.
struct Servers {
    redis: Redis,
    postgres: Postgres,
    replicas: Vec<Option<Footfall>>,
    slots: Slots,
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Replica(usize),
    Redis,
    Postgres,
}

impl Servers {
    fn start(slots: Slots) -> Self {
        let mut servers = Self {
            redis: Redis::start(),
            postgres: Postgres::start(),
            replicas: Vec::new(),
            slots,
        };
        let replicas = (0..REPLICAS).map(|_| Some(servers.replica().start()));
        servers.replicas = replicas.collect();
        servers
    }

    fn replica(&self) -> Builder {
        let builder = self.slots.replica().env("REDIS_URL", self.redis.url());
        builder
            .env("DATABASE_URL", self.postgres.url("migrated"))
            .env("FOOTFALL_STORE_TIMEOUT", "2s")
    }

    fn kill(&mut self, victim: Victim) {
        match victim {
            Victim::Replica(index) => drop(self.replicas[index].take()),
            Victim::Redis => self.redis.kill(),
            Victim::Postgres => self.postgres.kill(),
        }
    }

    fn restart(&mut self, victim: Victim) {
        match victim {
            Victim::Replica(index) => self.replicas[index] = Some(self.replica().start()),
            Victim::Redis => self.redis.restart(),
            Victim::Postgres => self.postgres.restart(),
        }
    }

    /// Until so many visits are counted, and all was killed often enough; says how often what was.
    fn storm(&mut self, visits: u64, acknowledged: &AtomicU64) -> [u64; 3] {
        let mut random = TestRng::from_seed(
            proptest::test_runner::RngAlgorithm::ChaCha,
            &env::var("STORM_SEED").map_or([7; 32], |seed| [seed.parse().unwrap(); 32]),
        );
        let mut below = |most: u64| random.next_u64() % most;
        let (mut kills, pause) = ([0; 3], (visits / KILLS).min(1000));
        let counted = || acknowledged.load(Ordering::Relaxed);
        let wait = |more: u64| {
            let goal = counted() + more;
            eventually("counting goes on", || (counted() >= goal).then_some(()));
        };
        while counted() < visits || kills.iter().sum::<u64>() < KILLS {
            wait(1 + below(pause));
            // Each kind once, and then any.
            let kind = match kills.iter().position(|kills| *kills == 0) {
                Some(kind) => kind,
                None => below(3) as usize,
            };
            kills[kind] += 1;
            let victim = match kind {
                0 => Victim::Replica(below(REPLICAS as u64) as usize),
                1 => Victim::Redis,
                _ => Victim::Postgres,
            };
            self.kill(victim);
            // Without Redis nothing is counted.
            if victim != Victim::Redis {
                wait(below(pause));
            }
            self.restart(victim);
        }
        kills
    }

    /// What is left is recorded by replicas that nobody tells of it.
    fn kill_all_replicas(&mut self) {
        for index in 0..REPLICAS {
            self.kill(Victim::Replica(index));
        }
        self.ask("UPDATE record_sweeps SET next_at = 0");
        for index in 0..REPLICAS {
            self.restart(Victim::Replica(index));
        }
    }

    fn ask(&self, sql: &str) -> String {
        self.postgres.sql("migrated", sql)
    }

    /// The count of a counter, by Redis itself.
    fn count(&self, counter: &str) -> u64 {
        let reply = self
            .redis
            .command(&format!("GET footfall:{{{counter}}}:count"));
        reply.lines().nth(1).unwrap().parse().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_each_acknowledged_visit_is_recorded_once() {
    let visits = env::var("VISITS").map_or(VISITS, |visits| visits.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let slots = Slots::of(folder.path());
    let targets: Vec<_> = (1..=REPLICAS)
        .map(|slot| Target::Unix(slots.slot(slot)))
        .collect();
    let mut servers = tokio::task::spawn_blocking(|| Servers::start(slots))
        .await
        .unwrap();
    servers.replicas[0].as_ref().unwrap().ready().await;
    let token = Client::new(targets[0].clone()).token().await;
    let clients = Clients::start(&targets, &token, 4);
    let counted = clients.acknowledged();
    let storm = tokio::task::spawn_blocking(move || {
        let kills = servers.storm(visits, &counted);
        (servers, kills)
    });
    while !storm.is_finished() {
        clients.count(1).await;
    }
    let (mut servers, kills) = storm.await.unwrap();
    let told = clients.stop().await;
    let left: u64 = told
        .iter()
        .map(|(counter, told)| told.len() as u64 - through(&servers, counter))
        .sum();
    tokio::task::block_in_place(|| servers.kill_all_replicas());
    println!("killed {kills:?} of replicas, Redis, PostgreSQL; {left} visits were left");
    let ask = |sql: &str| servers.ask(sql);
    for (counter, told) in &told {
        assert_eq!(servers.count(counter), told.len() as u64);
        check::is_drained(&ask, counter, told.len() as u64).await;
        check::is_as_told(&ask, counter, told);
        eventually("Redis is told", || {
            let key = format!("XLEN footfall:{{{counter}}}:visits");
            (servers.redis.command(&key).trim() == ":0").then_some(())
        });
    }
}

fn through(servers: &Servers, counter: &str) -> u64 {
    let sql = format!("SELECT through FROM recordings WHERE counter = '{counter}'");
    servers.ask(&sql).parse().unwrap_or(0)
}
