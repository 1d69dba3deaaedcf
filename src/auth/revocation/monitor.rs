//! Reads what was revoked for those who do not count, publishes what nobody has, and removes what
//! has ended, for as long as the process runs.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{
    redis,
    shared::{Reach, Revocations, unavailable},
    table::{self, Wanted},
};
use crate::storage::{Backend, Operation, StoreError};

/// The time between two looks at the epoch: what does not count learns of a revocation within a
/// second, also on a busy machine.
const PERIOD: Duration = Duration::from_millis(250);

/// What was left unpublished is looked for at each so many of them.
const SECOND: u32 = 4;

/// What has ended is removed after so many of these.
const TRIM_EACH: u32 = 60;

/// Looks again and again. What fails is tried again at the next time: who asks the store for
/// anything else says that it is away.
pub async fn monitor(revocations: Revocations) {
    let Some(reach) = revocations.reach.clone() else {
        return std::future::pending().await;
    };
    let mut period = interval(PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut until_trim = 0;
    for round in (0..SECOND).cycle() {
        period.tick().await;
        if reach.store.health.is_away() {
            continue;
        }
        let mut done = revocations.look_for_news(&reach).await;
        if round == 0 {
            revocations.knowledge.forget();
        }
        if round == 0 && done.is_ok() {
            done = revocations.publish_left(&reach).await;
            if until_trim > 0 {
                until_trim -= 1;
            } else if done.is_ok() {
                done = revocations.trim(&reach).await;
                until_trim = if done.is_ok() { TRIM_EACH } else { 0 };
            }
        }
        if let Err(error) = done {
            tracing::debug!(%error, "what was revoked could not be looked after");
        }
    }
}

impl Revocations {
    async fn look_for_news(&self, reach: &Reach) -> Result<(), StoreError> {
        let known = self.look().known().clone();
        let epoch = match &reach.store.backend {
            Backend::Redis(redis) => {
                let asking = redis::epoch(redis);
                reach.store.run(Operation::Revoke, asking).await?
            }
            Backend::Sqlite(file) => {
                let asking = table::epoch_in(file);
                let epoch = reach.store.run(Operation::Revoke, asking).await?;
                epoch.to_string()
            }
        };
        if *known.epoch != *epoch {
            self.catch_up(&known).await?;
        }
        self.compare_late(reach).await
    }

    /// Compares with a database that could not be asked when everything was read.
    async fn compare_late(&self, reach: &Reach) -> Result<(), StoreError> {
        let is_up = reach
            .database
            .health()
            .is_none_or(|health| health.ready().is_ok());
        let Backend::Redis(redis) = &reach.store.backend else {
            return Ok(());
        };
        if !is_up || !self.knowledge.owed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let _turn = self.knowledge.turn.lock().await;
        let reading = self.read_all(reach, redis);
        reach.store.run(Operation::Revoke, reading).await
    }

    /// Publishes what was noted by a process that has died since, or could not reach the store.
    async fn publish_left(&self, reach: &Reach) -> Result<(), StoreError> {
        let Backend::Redis(redis) = &reach.store.backend else {
            return Ok(());
        };
        let reading = reach.database.read("revocations", |connection| {
            Box::pin(async move { table::read(connection, Wanted::Unpublished, 0).await })
        });
        let rows = reading.await.map_err(unavailable)?;
        if rows.is_empty() {
            return Ok(());
        }
        let (rows, entries): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        // Several replicas find the same: only the first of them publishes it.
        let known = self.look().known().epoch.clone();
        if reach.publish(redis, &known, &entries).await?.is_some() {
            self.knowledge
                .metrics
                .published
                .inc_by(entries.len() as u64);
            reach.mark(rows).await.map_err(unavailable)?;
        }
        Ok(())
    }

    async fn trim(&self, reach: &Reach) -> Result<(), StoreError> {
        if let Backend::Redis(redis) = &reach.store.backend {
            reach.publish(redis, redis::ANY, &[]).await?;
        }
        loop {
            let trimming = reach.database.write("revocations_trim", |connection| {
                Box::pin(async move { table::trim(connection).await })
            });
            if !trimming.await.map_err(unavailable)? {
                return Ok(());
            }
        }
    }
}
