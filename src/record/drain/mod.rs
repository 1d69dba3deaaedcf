//! From Redis into the database: what was counted is recorded, exactly once.
//!
//! Any replica drains any counter. The row of the counter in the database is the lock, and the number
//! in it, `through`, is all that the proof needs: what comes after it is read from the stream and
//! written together with its new value in one transaction. What is read twice is recorded once; a
//! transaction whose outcome is unknown is looked at again; only after the commit is the stream
//! trimmed, by whoever comes first.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval, sleep};

mod again;
mod fields;
mod one;
mod recorded;
mod stream;
mod sweep;

pub use self::{
    one::{Drained, One, Read, drain},
    recorded::RecordedInDatabase,
    stream::{CHUNK, State, Streams, Taught, Waiting},
};
use super::metrics::RecordMetrics;
use crate::{
    counting::{
        CounterId,
        counts::{CounterStore, Undrained},
    },
    storage::sql::Database,
};

/// Between two rounds. Visits that come meanwhile share a transaction.
const PAUSE: Duration = Duration::from_millis(200);

/// Between two rounds while nothing can be written.
const RETRY: Duration = Duration::from_secs(1);

/// Counters that share a transaction: a commit is what one costs that has few visits.
const TOGETHER: usize = 8;

/// Counters of which it is found out how much waits, in one round.
const LOOKED_AT: usize = 1000;

/// What drains, once in a process.
pub struct Drain {
    database: Database,
    streams: Streams,
    /// What tells which counters there are.
    counters: CounterStore,
    undrained: Arc<Undrained>,
    metrics: Arc<RecordMetrics>,
    /// Counters of which something may wait.
    pending: HashSet<CounterId>,
    /// Visits of a counter that a transaction may record. A slow database has to be done with them within its
    /// time limit, or they would wait for ever.
    chunk: u64,
}

impl Drain {
    /// Drains what counting says is undrained.
    pub fn new(
        database: Database,
        streams: Streams,
        counters: CounterStore,
        undrained: Arc<Undrained>,
        metrics: Arc<RecordMetrics>,
    ) -> Self {
        Self {
            database,
            streams,
            counters,
            undrained,
            metrics,
            pending: HashSet::new(),
            chunk: CHUNK,
        }
    }

    /// Drains for as long as the process lives.
    pub async fn run(mut self) {
        let mut sweeping = interval(sweep::LOOK);
        sweeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let idle = self.pending.is_empty();
            tokio::select! {
                counters = self.undrained.take() => self.pending.extend(counters),
                _ = sweeping.tick() => if !self.sweep().await {
                    // As at the start of a process, whose database is up a moment later.
                    sweeping.reset_after(RETRY);
                },
                () = std::future::ready(()), if !idle => {}
            }
            let is_up = self
                .database
                .health()
                .is_none_or(|health| health.ready().is_ok());
            let progress = is_up && self.round().await;
            self.look().await;
            sleep(if progress { PAUSE } else { RETRY }).await;
        }
    }

    /// Drains all that is pending; whether any of it could be.
    async fn round(&mut self) -> bool {
        let pending: Vec<_> = std::mem::take(&mut self.pending).into_iter().collect();
        let mut progress = pending.is_empty();
        for counters in pending.chunks(TOGETHER) {
            progress |= self.drain_together(counters.to_vec()).await;
        }
        progress
    }

    /// Drains some counters to their ends, in as many transactions as that takes.
    async fn drain_together(&mut self, mut counters: Vec<CounterId>) -> bool {
        let mut progress = false;
        while !counters.is_empty() {
            let results = match self.transact(counters.clone()).await {
                Ok(results) => results,
                // One that cannot be written must not keep the others waiting.
                Err(_) if counters.len() > 1 => {
                    let mut results = HashMap::new();
                    for counter in &counters {
                        if let Ok(result) = self.transact(vec![counter.clone()]).await {
                            results.extend(result);
                        }
                    }
                    results
                }
                Err(_) => HashMap::new(),
            };
            let mut more = Vec::new();
            for counter in counters {
                match results.get(&counter) {
                    Some(Drained::All) => progress = true,
                    Some(Drained::More) => more.push(counter),
                    // Another replica is at it, or it failed: it is looked at again.
                    Some(Drained::Taken) => {
                        progress = true;
                        self.pending.insert(counter);
                    }
                    None => {
                        self.pending.insert(counter);
                    }
                }
            }
            counters = more;
        }
        progress
    }

    /// One transaction. What it did not get to is not in the answer.
    async fn transact(
        &mut self,
        counters: Vec<CounterId>,
    ) -> Result<HashMap<CounterId, Drained>, ()> {
        let started = Instant::now();
        let mut states = HashMap::new();
        for counter in &counters {
            match self.streams.state(counter).await {
                Ok(state) => states.insert(counter.clone(), state),
                Err(error) => {
                    tracing::warn!(%counter, %error, "the record of this counter cannot be read from Redis");
                    continue;
                }
            };
        }
        let (streams, chunk) = (self.streams.clone(), self.chunk);
        let asked = states.clone();
        let written = self.database.write("drain", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                let mut all = HashMap::new();
                for (counter, state) in asked {
                    if let Some(state) = state {
                        let one = drain(connection, &streams, &counter, state, chunk).await?;
                        all.insert(counter, one);
                    }
                }
                Ok(all)
            })
        });
        let written = written.await;
        let written = match written {
            Ok(written) => {
                self.chunk = (2 * chunk).min(CHUNK);
                written
            }
            Err(error) => {
                self.chunk = (chunk / 2).max(1);
                tracing::warn!(%error, "visits wait to be recorded");
                return Err(());
            }
        };
        self.metrics
            .drain_duration
            .observe(started.elapsed().as_secs_f64());
        let mut results: HashMap<_, _> = states
            .iter()
            .filter(|(_, state)| state.is_none())
            .map(|(counter, _)| (counter.clone(), Drained::All))
            .collect();
        for (counter, one) in written {
            one.note(&counter, &self.metrics);
            let settled = one.settle(&self.streams, &counter).await;
            match settled {
                Ok(drained) => {
                    results.insert(counter, drained);
                }
                Err(error) => {
                    tracing::warn!(%counter, %error, "what is recorded cannot be taken from Redis yet");
                }
            }
        }
        Ok(results)
    }

    /// Finds out how much waits.
    async fn look(&self) {
        let (mut waiting, mut oldest) = (0, None);
        for counter in self.pending.iter().take(LOOKED_AT) {
            let Ok(Some(state)) = self.streams.state(counter).await else {
                continue;
            };
            waiting += state.waiting();
            if state.waiting() > 0
                && let Ok(Some(Waiting { since, .. })) =
                    self.streams.oldest(counter, state.through).await
            {
                oldest = Some(oldest.map_or(since, |oldest: i64| oldest.min(since)));
            }
        }
        self.metrics.waiting.set(waiting as i64);
        self.metrics.oldest.set(oldest.unwrap_or(0) / 1000);
    }
}
