//! What the store has confirmed to this process, kept apart from the store, so
//! that a lost or doubled visit can be seen.

use std::sync::Arc;

use lru::LruCache;

use super::{
    CounterName,
    metrics::CountingMetrics,
    store::{Batch, BatchResult},
};
use crate::storage::StoreError;

/// Counters whose last number a worker keeps in mind: those it counts most.
const COUNTERS: usize = 1024;

/// One worker's books.
pub struct Ledger {
    highest: LruCache<CounterName, u64>,
    metrics: Arc<CountingMetrics>,
}

impl Ledger {
    /// Empty books.
    pub fn new(metrics: Arc<CountingMetrics>) -> Self {
        Self {
            // Not with its capacity, which would be allocated at once.
            highest: LruCache::unbounded(),
            metrics,
        }
    }

    /// Notes that these batches go to the store, until what is returned is dropped.
    pub fn send(&self, batches: &[Batch]) -> Sent {
        let sent = Sent {
            all: batches.iter().map(visits).sum(),
            answered: 0,
            metrics: self.metrics.clone(),
        };
        self.metrics.visits_unanswered.add(sent.all as i64);
        sent
    }

    /// Notes what the store said of one of the batches that were sent.
    pub fn answered(
        &mut self,
        sent: &mut Sent,
        batch: &Batch,
        result: &Result<Option<BatchResult>, StoreError>,
    ) {
        sent.answered += visits(batch);
        match result {
            Ok(Some(numbers)) => self.confirm(batch, numbers),
            Err(error) if error.outcome_is_unknown() => {
                self.metrics.visits_uncertain.inc_by(visits(batch));
            }
            Ok(None) | Err(_) => {}
        }
    }

    fn confirm(&mut self, batch: &Batch, result: &BatchResult) {
        let anonymous = (batch.anonymous > 0).then_some(result.first);
        let last_anonymous = anonymous.map(|first| first + batch.anonymous - 1);
        let identified = result.identified.iter().flatten();
        let fresh = identified
            .filter(|counted| !counted.replayed)
            .map(|counted| counted.number);
        let confirmed = batch.anonymous + fresh.clone().count() as u64;
        self.metrics.visits_confirmed.inc_by(confirmed);
        let numbers = fresh.chain(anonymous).chain(last_anonymous);
        let (Some(lowest), Some(highest)) = (numbers.clone().min(), numbers.max()) else {
            return;
        };
        let before = self.highest.put(batch.counter.clone(), highest);
        if self.highest.len() > COUNTERS {
            self.highest.pop_lru();
        }
        if let Some(before) = before.filter(|before| lowest <= *before) {
            self.metrics.count_regressions.inc();
            tracing::error!(
                counter = %batch.counter,
                before,
                now = lowest,
                "the store gave a number that it had given before: acknowledged visits are lost"
            );
        }
    }
}

/// Visits on their way to the store. They are under way until this is dropped,
/// so that an audit never sees one neither here nor there.
pub struct Sent {
    all: u64,
    answered: u64,
    metrics: Arc<CountingMetrics>,
}

impl Drop for Sent {
    fn drop(&mut self) {
        // Counting panicked: nobody knows of the rest.
        self.metrics
            .visits_uncertain
            .inc_by(self.all - self.answered);
        self.metrics.visits_unanswered.sub(self.all as i64);
    }
}

fn visits(batch: &Batch) -> u64 {
    batch.anonymous + batch.identities.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::{Counted, Identity, identity::IdentityKind};
    use crate::telemetry::metrics::Registry;

    fn answer(ledger: &mut Ledger, first: u64, anonymous: u64) {
        let batch = Batch {
            anonymous,
            ..Batch::new(CounterName::default_counter())
        };
        let mut sent = ledger.send(std::slice::from_ref(&batch));
        let identified = Vec::new();
        let numbers = BatchResult { first, identified };
        ledger.answered(&mut sent, &batch, &Ok(Some(numbers)));
    }

    #[test]
    fn numbers_that_go_back_are_seen_once() {
        let metrics = Arc::new(CountingMetrics::register(&Registry::new().unwrap()).unwrap());
        let mut ledger = Ledger::new(metrics.clone());
        answer(&mut ledger, 1, 10);
        answer(&mut ledger, 11, 1);
        assert_eq!(metrics.count_regressions.get(), 0);
        answer(&mut ledger, 11, 1);
        assert_eq!(metrics.count_regressions.get(), 1);
        answer(&mut ledger, 12, 5);
        assert_eq!(metrics.count_regressions.get(), 1);
        assert_eq!(metrics.visits_confirmed.get(), 17);
        assert_eq!(metrics.visits_unanswered.get(), 0);
    }

    #[test]
    fn replays_are_neither_confirmed_nor_taken_for_numbers_that_go_back() {
        let metrics = Arc::new(CountingMetrics::register(&Registry::new().unwrap()).unwrap());
        let mut ledger = Ledger::new(metrics.clone());
        answer(&mut ledger, 1, 10);
        let identity = Identity::new(IdentityKind::Key, "user", b"key");
        let batch = Batch {
            identities: vec![identity],
            ..Batch::new(CounterName::default_counter())
        };
        let mut sent = ledger.send(std::slice::from_ref(&batch));
        let replayed = Counted {
            number: 3,
            replayed: true,
        };
        let result = BatchResult {
            first: 1,
            identified: vec![Ok(replayed)],
        };
        ledger.answered(&mut sent, &batch, &Ok(Some(result)));
        assert_eq!(metrics.count_regressions.get(), 0);
        assert_eq!(metrics.visits_confirmed.get(), 10);
    }

    #[test]
    fn only_unknown_outcomes_are_uncertain() {
        let metrics = Arc::new(CountingMetrics::register(&Registry::new().unwrap()).unwrap());
        let mut ledger = Ledger::new(metrics.clone());
        let batch = Batch {
            anonymous: 3,
            ..Batch::new(CounterName::default_counter())
        };
        for error in [StoreError::Timeout, StoreError::Unavailable(String::new())] {
            let mut sent = ledger.send(std::slice::from_ref(&batch));
            assert_eq!(metrics.visits_unanswered.get(), 3);
            ledger.answered(&mut sent, &batch, &Err(error));
        }
        assert_eq!(metrics.visits_uncertain.get(), 3);
        assert_eq!(metrics.visits_unanswered.get(), 0);
        // As after a panic.
        drop(ledger.send(&[batch]));
        assert_eq!(metrics.visits_uncertain.get(), 6);
        assert_eq!(metrics.visits_unanswered.get(), 0);
    }
}
