//! Trying whether visits can be counted.

use std::{collections::HashSet, time::Duration};

use futures_util::future::{join4, try_join_all};
use uuid::Uuid;

use super::{
    RedisCounts, keys,
    room::Closed,
    script::{self, Call},
};
use crate::{
    counting::{
        Batch, Company, CounterId, CounterName, Identity, Visit, counts::Memory,
        identity::IdentityKind,
    },
    storage::{
        StoreError,
        redis::{HASH_SLOTS, Node},
    },
};

/// The window of a probe's identities. All that it has written expires within four of them.
const PROBE_WINDOW: Duration = Duration::from_millis(500);

impl RedisCounts {
    /// Does all that counting does on each master, on connections of its own.
    /// What it writes expires.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let mut counts = self.clone();
        let hash_slots = self.redis.hash_slots().await?;
        let mut unseen: HashSet<&Node> = hash_slots.masters().into_iter().collect();
        // Not used before: what an earlier probe has left would change what this one does.
        let nonce = Uuid::now_v7();
        let mut counters = Vec::new();
        for number in 0..HASH_SLOTS {
            let counter = CounterId {
                company: Company::Default,
                name: CounterName::probe(nonce, number),
            };
            if let Some(master) = hash_slots.master(&keys::count(&counter))
                && unseen.remove(master)
            {
                counters.push(counter);
            }
            if unseen.is_empty() {
                break;
            }
        }
        try_join_all(counters.iter().map(|counter| counts.probe_with(counter))).await?;
        counts.disconnect();
        Ok(())
    }

    /// Counts twice, each time with identities of both kinds. A window so much
    /// longer makes it time for other sets at the second count, as it is for a
    /// counter now and then.
    async fn probe_with(&self, counter: &CounterId) -> Result<(), StoreError> {
        let key = keys::count(counter);
        let count = |visit: u8, listed| {
            let window = PROBE_WINDOW * u32::from(visit);
            let call = Call {
                batch: &visits(counter, visit),
                listed,
                waits: self.wait_replicas > 0,
                memory: &Memory {
                    requests: window,
                    keys: window,
                    // What it records would stay.
                    records: false,
                    ..self.memory
                },
                closed: Closed::default(),
                carried: None,
            };
            call.command()
        };
        let (first, second) = (count(1, true), count(2, false));
        let expire = redis::cmd("PEXPIRE")
            .arg(&key)
            .arg(PROBE_WINDOW.as_millis() as u64)
            .take();
        // In this order, in one round trip: the connection pipelines them. Were the script loaded
        // only when it is missed, it would write after the expiry was set. Who may not load it
        // needs not, as long as it is there.
        let load = script::load(script::SCRIPT);
        let (_, first, second, mut expired) = join4(
            self.send::<()>(&key, &load),
            self.send::<Vec<i64>>(&key, &first),
            self.send::<Vec<i64>>(&key, &second),
            self.send::<i64>(&key, &expire),
        )
        .await;
        if matches!(expired, Ok((_, 0))) {
            // There was nothing to expire: the counts have followed their slot to another node, and
            // came later.
            expired = self.send(&key, &expire).await;
        }
        let (node, _) = first?;
        second?;
        expired?;
        if self.wait_replicas > 0 {
            self.wait(&node).await?;
        }
        Ok(())
    }
}

/// A visit without identity, and one with an identity of each kind.
fn visits(counter: &CounterId, visit: u8) -> Batch {
    let kinds = [IdentityKind::Request, IdentityKind::Key];
    let identities = kinds.map(|kind| Some(Identity::new(kind, "", &[visit])));
    let all = [None].into_iter().chain(identities);
    Batch {
        visits: all
            .map(|identity| Visit {
                identity,
                ..Visit::default()
            })
            .collect(),
        ..Batch::new(counter.clone())
    }
}
