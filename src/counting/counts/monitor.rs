//! Asks the store whether it is there, and how far away.

use std::time::Duration;

use super::CounterStore;
use crate::storage::{Backend, Store, StoreError, redis::Measuring};

/// How often a store that is there is asked again.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How often a store that is away is asked again: recovery is noticed within
/// this and the time of one connect.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Asks the store again and again, for as long as the process lives.
pub async fn monitor(mut store: CounterStore) {
    let mut measuring = Measuring::default();
    loop {
        let suspected = store.health().is_suspected();
        let probed = store.probe().await;
        match &probed {
            Ok(()) => measure(&store.store, &mut measuring).await,
            // What comes back may be elsewhere.
            Err(_) => measuring = Measuring::default(),
        }
        if matches!(probed, Ok(()) | Err(StoreError::Busy)) {
            // A worker that finds the store away cuts the pause short, and one that is refused
            // does, but not again and again.
            match suspected {
                true => store.health().gone_within(PROBE_INTERVAL).await,
                false => store.health().in_doubt_within(PROBE_INTERVAL).await,
            }
        }
        if store.health().ready().is_err() {
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }
}

async fn measure(store: &Store, measuring: &mut Measuring) {
    if let (Backend::Redis(redis), Some(distance)) = (&store.backend, &store.distance) {
        measuring.ask(redis, distance).await;
    }
}
