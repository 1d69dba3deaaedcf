//! Counting: what a visit is, how waiting visits share a round trip, where
//! counts are kept. This room knows nothing of HTTP but in [`routes`].

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::Serialize;

mod coalescer;
mod cursor;
pub mod identity;
mod ledger;
pub mod metrics;
pub mod routes;
pub mod store;

pub use self::{coalescer::Coalescer, cursor::Cursor, identity::Identity};
use self::{
    metrics::{CountingMetrics, VisitFailure},
    store::CounterStore,
};
use crate::{storage::StoreError, supervision::Supervisor};

/// Longest name of a counter.
const MAX_NAME_BYTES: usize = 64;

/// The counter behind `GET /api/count`.
pub const DEFAULT_COUNTER: &str = "visits";

/// The name of a counter: `[a-z0-9][a-z0-9._-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct CounterName(Arc<str>);

impl CounterName {
    /// The counter behind `GET /api/count`.
    pub fn default_counter() -> Self {
        Self(DEFAULT_COUNTER.into())
    }

    /// Names no client can choose, for probing the store.
    pub(crate) fn probe(nonce: uuid::Uuid, number: u16) -> Self {
        Self(format!(".probe-{}-{number}", nonce.simple()).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no counter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a counter's name is 1 to 64 of a-z, 0-9, `.`, `_` and `-`, the first of them a letter or digit"
)]
pub struct InvalidName;

impl FromStr for CounterName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let (first, rest) = text.as_bytes().split_first().ok_or(InvalidName)?;
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = alphanumeric(first)
            && rest
                .iter()
                .all(|byte| alphanumeric(byte) || b"._-".contains(byte))
            && text.len() <= MAX_NAME_BYTES;
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidName)
        }
    }
}

impl fmt::Display for CounterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number a visit was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Its place in the count: 1, 2, 3, …
    pub number: u64,
    /// Whether it had been counted before and got the same number again.
    pub replayed: bool,
}

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
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CountError {
    fn failure(&self) -> VisitFailure {
        match self {
            Self::Overloaded | Self::Store(StoreError::Busy) => VisitFailure::Overloaded,
            Self::IdentitiesFull(_) => VisitFailure::IdentitiesFull,
            Self::CountersFull => VisitFailure::CountersFull,
            Self::Store(error) if error.outcome_is_unknown() => VisitFailure::OutcomeUnknown,
            Self::Store(_) => VisitFailure::StoreUnavailable,
        }
    }
}

/// A counter and how many visits it has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Its name.
    pub name: CounterName,
    /// The number of its last visit.
    pub visits: u64,
}

/// Some of the counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of their names.
    pub counters: Vec<Tally>,
    /// The last name of this page, if there are more.
    pub next: Option<CounterName>,
}

/// The counters, as one worker thread uses them.
#[derive(Clone)]
pub struct Counters {
    coalescer: Coalescer,
    store: CounterStore,
    metrics: Arc<CountingMetrics>,
}

impl Counters {
    /// Starts counting on the current runtime.
    pub fn start(
        store: CounterStore,
        metrics: Arc<CountingMetrics>,
        supervisor: &Supervisor,
    ) -> Self {
        let coalescer = Coalescer::start(store.clone(), metrics.clone(), supervisor);
        Self {
            coalescer,
            store,
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
    pub async fn visit(
        &self,
        counter: CounterName,
        identity: Option<Identity>,
    ) -> Result<Counted, CountError> {
        let result = self.number(counter, identity).await;
        match &result {
            Ok(counted) if counted.replayed => self.metrics.visits_replayed.inc(),
            Ok(_) => self.metrics.visits.inc(),
            Err(error) => self.metrics.visits_failed.of(error.failure()).inc(),
        }
        result
    }

    async fn number(
        &self,
        counter: CounterName,
        identity: Option<Identity>,
    ) -> Result<Counted, CountError> {
        if self.store.health().is_away() {
            let away = StoreError::Unavailable("it was away a moment ago".to_owned());
            return Err(away.into());
        }
        self.coalescer.count(counter, identity).await
    }

    /// The visits of one counter; `None` if nothing was ever counted on it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn get(&self, counter: &CounterName) -> Result<Option<u64>, StoreError> {
        self.store.get(counter).await
    }

    /// Up to `limit` counters in the order of their names, those after `after`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list(
        &self,
        after: Option<&CounterName>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.store.list(after, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern() {
        for good in ["a", "0", "visits", "a.b_c-d", "9-", &"x".repeat(64)] {
            assert_eq!(good.parse::<CounterName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".a",
            "-",
            "_x",
            "A",
            "a b",
            "a/b",
            "ä",
            "a\n",
            "{a}",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<CounterName>().is_err(), "{bad}");
        }
    }
}
