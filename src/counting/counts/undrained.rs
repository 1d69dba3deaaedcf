//! Counters of which visits wait to be recorded, as far as this process has counted them.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::counting::CounterId;

/// What the workers of a process tell the one that records. Only a hint: what it misses, since the
/// process was killed perhaps, is looked for now and then.
#[derive(Debug, Default)]
pub struct Undrained {
    counters: Mutex<HashSet<CounterId>>,
    wake: Notify,
}

impl Undrained {
    /// Notes that visits of a counter wait.
    pub fn note(&self, counter: &CounterId) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = counters.is_empty();
        // Nearly always it is there already.
        if !counters.contains(counter) {
            counters.insert(counter.clone());
        }
        drop(counters);
        if was_empty {
            self.wake.notify_one();
        }
    }

    /// Waits until there are some, and takes them.
    pub async fn take(&self) -> HashSet<CounterId> {
        loop {
            let counters =
                std::mem::take(&mut *self.counters.lock().unwrap_or_else(PoisonError::into_inner));
            if !counters.is_empty() {
                return counters;
            }
            self.wake.notified().await;
        }
    }
}
