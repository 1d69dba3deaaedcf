//! Counting: what a visit is, how waiting visits share a round trip, where
//! counts are kept. This room knows nothing of HTTP but in [`routes`].

use std::{collections::HashMap, sync::Arc, time::Duration};

pub mod carried;
mod coalescer;
mod counter;
pub mod counts;
mod cursor;
pub mod identity;
mod ledger;
pub mod metrics;
pub mod routes;
mod visit;

pub use crate::company::Company;

pub use self::{
    coalescer::Coalescer,
    counter::{CounterId, CounterName, DEFAULT_COUNTER, InvalidName},
    identity::Identity,
    visit::{Batch, Counted, NotCounted, Outcome, Visit},
};
use self::{
    counts::CounterStore,
    metrics::{CountingMetrics, VisitFailure},
};
use crate::{auth::revocation::Revocations, storage::StoreError, supervision::Supervisor};

/// Why a visit got no number.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CountError {
    /// Too many visits are waiting. It was not counted.
    #[error("too many visits are waiting")]
    Overloaded,
    /// As many identities are remembered as may be. It was not counted. There is room again after
    /// this time.
    #[error("the memory for identities is full for {0:?}")]
    IdentitiesFull(Duration),
    /// The counter is new, and there are as many as there may be. It was not counted.
    #[error("there is no room for another counter")]
    CountersFull,
    /// It carries something, and its counter records nothing. It was not counted.
    #[error("its counter records nothing")]
    RecordingOff,
    /// It carries something, and as much waits to be recorded as may. It was not counted.
    #[error("too much waits to be recorded")]
    RecordingBehind,
    /// What it was made with has been revoked. It was not counted.
    #[error("it was made with a token that has been revoked")]
    Revoked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotCounted> for CountError {
    fn from(reason: NotCounted) -> Self {
        match reason {
            NotCounted::IdentitiesFull(room_in) => Self::IdentitiesFull(room_in),
            NotCounted::CountersFull => Self::CountersFull,
            NotCounted::RecordingOff => Self::RecordingOff,
            NotCounted::RecordingBehind => Self::RecordingBehind,
            NotCounted::Outdated => {
                let busy = "what was revoked changes faster than it can be read";
                Self::Store(StoreError::Unavailable(busy.to_owned()))
            }
        }
    }
}

impl CountError {
    fn failure(&self) -> VisitFailure {
        match self {
            Self::Overloaded | Self::Store(StoreError::Busy) => VisitFailure::Overloaded,
            Self::IdentitiesFull(_) => VisitFailure::IdentitiesFull,
            Self::CountersFull => VisitFailure::CountersFull,
            Self::RecordingOff => VisitFailure::RecordingOff,
            Self::RecordingBehind => VisitFailure::RecordingBehind,
            Self::Revoked => VisitFailure::InvalidToken,
            Self::Store(error) if error.outcome_is_unknown() => VisitFailure::OutcomeUnknown,
            Self::Store(_) => VisitFailure::StoreUnavailable,
        }
    }
}

/// A counter of a company and how many visits it has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Its name.
    pub name: CounterName,
    /// The number of its last visit.
    pub visits: u64,
}

/// Some of the counters of a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of their names.
    pub counters: Vec<Tally>,
    /// The last name of this page, if there are more.
    pub next: Option<CounterName>,
}

/// Counting, as one worker thread does it.
#[derive(Clone)]
pub struct Counting {
    coalescer: Coalescer,
    counts: CounterStore,
    metrics: Arc<CountingMetrics>,
}

impl Counting {
    /// Starts counting on the current runtime.
    pub fn start(
        counts: CounterStore,
        revocations: Revocations,
        metrics: Arc<CountingMetrics>,
        supervisor: &Supervisor,
    ) -> Self {
        let coalescer = Coalescer::start(counts.clone(), revocations, metrics.clone(), supervisor);
        Self {
            coalescer,
            counts,
            metrics,
        }
    }

    /// Counts one visit; the same identity again gets the same number again.
    ///
    /// # Errors
    ///
    /// See [`CountError`]. After [`StoreError::Timeout`],
    /// [`StoreError::ConnectionLost`], [`StoreError::Failed`] and
    /// [`StoreError::Unconfirmed`] the visit may or may not have been counted; to
    /// repeat it with the same identity is safe.
    pub async fn visit(&self, counter: CounterId, visit: Visit) -> Result<Counted, CountError> {
        let result = self.number(counter, visit).await;
        self.noted(result)
    }

    /// Counts one visit as [`visit`](Self::visit) does, but without what it carries if its counter records
    /// nothing.
    ///
    /// # Errors
    ///
    /// Those of [`visit`](Self::visit), but never [`CountError::RecordingOff`].
    pub async fn visit_in_any_case(
        &self,
        counter: CounterId,
        visit: Visit,
    ) -> Result<Counted, CountError> {
        let result = match self.number(counter.clone(), visit.clone()).await {
            Err(CountError::RecordingOff) => {
                let carried = None;
                self.number(counter, Visit { carried, ..visit }).await
            }
            result => result,
        };
        self.noted(result)
    }

    fn noted(&self, result: Result<Counted, CountError>) -> Result<Counted, CountError> {
        match &result {
            Ok(counted) if counted.replayed => self.metrics.visits_replayed.inc(),
            Ok(_) => self.metrics.visits.inc(),
            Err(error) => self.metrics.visits_failed.of(error.failure()).inc(),
        }
        result
    }

    /// The longest a visit waits for the store.
    pub fn timeout(&self) -> Duration {
        self.counts.timeout()
    }

    async fn number(&self, counter: CounterId, visit: Visit) -> Result<Counted, CountError> {
        if self.counts.health().is_away() {
            let away = StoreError::Unavailable("it was away a moment ago".to_owned());
            return Err(away.into());
        }
        self.coalescer.count(counter, visit).await
    }

    /// The visits of one counter; `None` if nothing was ever counted on it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn get(&self, counter: &CounterId) -> Result<Option<u64>, StoreError> {
        self.counts.get(counter).await
    }

    /// The visits of several counters: of those on which something was counted.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn get_all(
        &self,
        counters: &[CounterId],
    ) -> Result<HashMap<CounterId, u64>, StoreError> {
        self.counts.get_all(counters).await
    }

    /// Up to `limit` counters of a company in the order of their names, those after `after`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list(
        &self,
        company: Company,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.counts.list(company, after, limit).await
    }
}
