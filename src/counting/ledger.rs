//! What the store has confirmed to this process, kept apart from the store, so
//! that a lost or doubled visit can be seen.

use std::sync::Arc;

use lru::LruCache;

use super::{Batch, CounterId, Outcome, metrics::CountingMetrics};
use crate::storage::StoreError;

/// Counters whose last number a lane keeps in mind: those it counts most.
const COUNTERS: usize = 1024;

/// One lane's books.
pub struct Ledger {
    highest: LruCache<CounterId, u64>,
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
        result: &Result<Vec<Outcome>, StoreError>,
    ) {
        sent.answered += visits(batch);
        match result {
            Ok(outcomes) => self.confirm(batch, outcomes),
            Err(error) if error.outcome_is_unknown() => {
                self.metrics.visits_uncertain.inc_by(visits(batch));
            }
            Err(_) => {}
        }
    }

    fn confirm(&mut self, batch: &Batch, outcomes: &[Outcome]) {
        let (mut confirmed, mut lowest, mut highest) = (0, u64::MAX, 0);
        for counted in outcomes.iter().flatten() {
            if !counted.replayed {
                confirmed += 1;
                lowest = lowest.min(counted.number);
                highest = highest.max(counted.number);
            }
        }
        if confirmed == 0 {
            return;
        }
        self.metrics.visits_confirmed.inc_by(confirmed);
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
    batch.visits.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        counting::{Company, Counted, CounterName, NotCounted, Visit},
        telemetry::metrics::Registry,
    };

    fn metrics() -> Arc<CountingMetrics> {
        Arc::new(CountingMetrics::register(&Registry::new().unwrap()).unwrap())
    }

    fn batch(company: Company, visits: usize) -> Batch {
        let name = CounterName::default_counter();
        Batch {
            visits: vec![Visit::default(); visits],
            ..Batch::new(CounterId { company, name })
        }
    }

    fn answer(ledger: &mut Ledger, company: Company, outcomes: Vec<Outcome>) {
        let batch = batch(company, outcomes.len());
        let mut sent = ledger.send(std::slice::from_ref(&batch));
        ledger.answered(&mut sent, &batch, &Ok(outcomes));
    }

    fn outcomes(numbers: impl IntoIterator<Item = u64>, replayed: bool) -> Vec<Outcome> {
        let numbers = numbers.into_iter();
        numbers
            .map(|number| Ok(Counted { number, replayed }))
            .collect()
    }

    #[test]
    fn numbers_that_go_back_are_seen_once() {
        let metrics = metrics();
        let mut ledger = Ledger::new(metrics.clone());
        let mut counted = |numbers| {
            let outcomes = outcomes(numbers, false);
            answer(&mut ledger, Company::Default, outcomes);
        };
        counted(1..=10);
        counted(11..=11);
        assert_eq!(metrics.count_regressions.get(), 0);
        counted(11..=11);
        assert_eq!(metrics.count_regressions.get(), 1);
        counted(12..=16);
        assert_eq!(metrics.count_regressions.get(), 1);
        assert_eq!(metrics.visits_confirmed.get(), 17);
        assert_eq!(metrics.visits_unanswered.get(), 0);
    }

    #[test]
    fn counters_of_two_companies_with_one_name_are_two() {
        let metrics = metrics();
        let mut ledger = Ledger::new(metrics.clone());
        let other = Company::Id(uuid::Uuid::now_v7());
        for (company, numbers) in [
            (Company::Default, 1..=10),
            (other, 1..=3),
            (Company::Default, 11..=12),
            (other, 4..=4),
        ] {
            answer(&mut ledger, company, outcomes(numbers, false));
        }
        assert_eq!(metrics.count_regressions.get(), 0);
        answer(&mut ledger, other, outcomes([4], false));
        assert_eq!(metrics.count_regressions.get(), 1);
    }

    #[test]
    fn only_what_was_counted_now_is_confirmed() {
        let metrics = metrics();
        let mut ledger = Ledger::new(metrics.clone());
        let mut answer = |outcomes| answer(&mut ledger, Company::Default, outcomes);
        answer(outcomes(1..=10, false));
        // Replays are no numbers that go back.
        answer(outcomes([3], true));
        answer(vec![Err(NotCounted::CountersFull)]);
        answer([outcomes([7], true), outcomes([11], false)].concat());
        assert_eq!(metrics.count_regressions.get(), 0);
        assert_eq!(metrics.visits_confirmed.get(), 11);
        assert_eq!(metrics.visits_uncertain.get(), 0);
        assert_eq!(metrics.visits_unanswered.get(), 0);
    }

    #[test]
    fn only_unknown_outcomes_are_uncertain() {
        let metrics = metrics();
        let mut ledger = Ledger::new(metrics.clone());
        let batch = batch(Company::Default, 3);
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
