//! What is limited, by whom and how often: [`limits`]. All replicas share the counts.
//!
//! **[Guesses](Guess)** at a secret. An attempt is charged before the secret is looked at, and a right
//! one gives the charge back: who hangs up in between, or a replica that dies, saves
//! nothing. So there are two numbers: failures that are known, and attempts that
//! are under way. Both together never exceed the limit. Known failures alone lock;
//! what is only under way makes others wait until it is decided, so that many
//! people who log in from one address at one moment do not lock each other out.
//! Failures count for one window from the first.
//!
//! **[Actions](Action)** that count however they end. Each counts for one window from when it was
//! done, so in no stretch of that length there are more than the limit. Who is refused is not counted, nor
//! is that of which nothing came for a reason that is not in what was asked: the database was away, say.
//!
//! When the store is away, guesses and refreshes go on unthrottled: the bounded number of password
//! hashes at a time is then the limit. What sends mails to strangers waits for the store.

use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

pub mod limits;
mod redis;
mod sqlite;

pub use self::limits::{Action, Guess};
use self::limits::{Bucket, LONGEST_WINDOW};
use crate::{
    storage::{Backend, Operation, Store},
    supervision::Piece,
};

/// An attempt that has been under way for longer than this has failed: its replica has died.
/// The queue for hashing is over within seconds even on a slow machine.
const UNDER_WAY: Duration = Duration::from_secs(30);

/// Before a charge is tried to be given back again; each further time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Failures of a bucket, as they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    failures: u64,
    under_way: u64,
    remembered_for: Duration,
}

impl Standing {
    /// Why an attempt must not begin now, if it must not.
    fn refusal(&self, limit: u64) -> Option<Verdict> {
        if self.failures >= limit {
            Some(Verdict::Locked(self.remembered_for))
        } else if self.failures + self.under_way >= limit {
            Some(Verdict::Crowded)
        } else {
            None
        }
    }
}

/// Whether an attempt may begin.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may, and is charged.
    Go(Charge),
    /// There are too many failures; how long they will be remembered.
    Locked(Duration),
    /// There would be, if all that are under way failed: ask again in a moment.
    Crowded,
}

/// An attempt that counts as a failure until it is settled, or an action that was counted.
#[derive(Debug, PartialEq, Eq)]
pub struct Charge {
    id: String,
    buckets: Vec<Bucket>,
    kind: Kind,
}

/// What is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Guess,
    Action,
}

impl Charge {
    fn new(kind: Kind, buckets: Vec<Bucket>) -> Self {
        let id = Uuid::now_v7().to_string();
        Self { id, buckets, kind }
    }
}

/// An action that may be done.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Whether it was not done too often for this e-mail, from wherever. If it was, it is to be answered as
    /// if it were done, without a mail: whoever asks may be another one than those who did it so often, and
    /// is not to be told of them.
    pub is_told: bool,
    /// `None` if it was not counted.
    charge: Option<Charge>,
}

impl Allowed {
    /// It was done before, and is not counted again.
    pub fn uncounted() -> Self {
        Self {
            is_told: true,
            charge: None,
        }
    }
}

/// Why an action is not to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever asks has done it too often; the time to wait.
    #[error("too often from there")]
    TooMany(Duration),
    /// The store does not say, and it must not be done without.
    #[error("the store does not say how often it was done")]
    Unavailable,
}

/// Which bucket of actions is full, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Excess {
    of_addressee: bool,
    wait: Duration,
}

impl Excess {
    fn of(bucket: &Bucket, wait: Duration) -> Self {
        Self {
            of_addressee: bucket.is_addressee,
            wait,
        }
    }
}

/// Limits what people try, and do too often.
#[derive(Clone)]
pub struct Throttle {
    store: Store,
}

impl Throttle {
    /// Counts in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Asks whether this guess may be made, and charges the attempt if so. `None` if the store
    /// cannot say: guesses go on when the store does not.
    pub async fn charge(&self, guess: Guess<'_>) -> Option<Verdict> {
        let charge = Charge::new(Kind::Guess, guess.buckets());
        if self.store.health.is_away() {
            return None;
        }
        let asking = async {
            match &self.store.backend {
                Backend::Redis(redis) => redis::charge(redis, &charge).await,
                Backend::Sqlite(sqlite) => sqlite::charge(sqlite, &charge).await,
            }
        };
        match self.store.run(Operation::Throttle, asking).await {
            Ok(refusal) => Some(refusal.unwrap_or(Verdict::Go(charge))),
            Err(error) => {
                tracing::warn!(%error, "a login was not throttled");
                // All of its buckets may have been charged, or some.
                self.give_back_later(charge);
                None
            }
        }
    }

    /// Counts an action, unless there were too many: one round trip for each bucket, whether or
    /// not what it is about is known.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub async fn allow(&self, action: Action<'_>) -> Result<Allowed, Refusal> {
        let without_store = match action.goes_on_without_store() {
            true => Ok(Allowed::uncounted()),
            false => Err(Refusal::Unavailable),
        };
        if self.store.health.is_away() {
            return without_store;
        }
        let charge = Charge::new(Kind::Action, action.buckets());
        let (id, buckets) = (&charge.id, &charge.buckets);
        let asking = async {
            match &self.store.backend {
                Backend::Redis(redis) => redis::count(redis, id, buckets).await,
                Backend::Sqlite(sqlite) => sqlite::count(sqlite, id, buckets).await,
            }
        };
        match self.store.run(Operation::Throttle, asking).await {
            Ok(Some(excess)) if !excess.of_addressee => Err(Refusal::TooMany(excess.wait)),
            Ok(excess) => Ok(Allowed {
                is_told: excess.is_none(),
                charge: Some(charge),
            }),
            Err(error) => {
                tracing::warn!(%error, "whether something was done too often is unknown");
                // All of its buckets may have it, or some.
                self.give_back_later(charge);
                without_store
            }
        }
    }

    /// No longer counts an action of which nothing came.
    pub async fn give_back(&self, allowed: Allowed) {
        if let Some(charge) = allowed.charge {
            self.settle(charge, true).await;
        }
    }

    /// Gives the charge back, or makes it a failure that is known. If the store cannot take
    /// that, a right password is given back later; a wrong one comes to be a failure by itself.
    pub async fn settle(&self, charge: Charge, succeeded: bool) {
        let settled = !self.store.health.is_away() && self.try_settle(&charge, succeeded).await;
        if succeeded && !settled {
            self.give_back_later(charge);
        }
    }

    async fn try_settle(&self, charge: &Charge, succeeded: bool) -> bool {
        let settling = async {
            match &self.store.backend {
                Backend::Redis(redis) => redis::settle(redis, charge, succeeded).await,
                Backend::Sqlite(sqlite) => sqlite::settle(sqlite, charge, succeeded).await,
            }
        };
        let settled = self.store.run(Operation::Throttle, settling).await;
        if let Err(error) = &settled {
            tracing::debug!(%error, "the end of a login was not noted");
        }
        settled.is_ok()
    }

    /// Gives the charge back when the store takes it again, for as long as it would be remembered.
    /// Nobody waits for it, a drain neither. To give back twice changes nothing.
    fn give_back_later(&self, charge: Charge) {
        let throttle = self.clone();
        Piece::Refund.spawn(async move {
            let mut pause = FIRST_PAUSE;
            let windows = charge.buckets.iter().map(|bucket| bucket.window);
            let remembered_for = windows.max().unwrap_or_default();
            while pause < remembered_for {
                sleep(pause).await;
                if !throttle.store.health.is_away() && throttle.try_settle(&charge, true).await {
                    return;
                }
                pause *= 2;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{config::Settings, storage::StoreError, storage::metrics::StoreMetrics};

    /// A right password whose login ended while the store was away is no failure.
    #[tokio::test]
    async fn a_charge_is_given_back_when_the_store_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().to_str().unwrap();
        let settings = Settings::of(&[("FOOTFALL_DATA_DIR", data_dir)]);
        let metrics = Arc::new(StoreMetrics::detached().unwrap());
        let store = Store::open(&settings.store, metrics).await.unwrap();
        let throttle = Throttle::new(store.clone());
        let Backend::Sqlite(sqlite) = &store.backend else {
            unreachable!("it is the default")
        };
        let charges = async || {
            let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM login_failures");
            count.fetch_one(sqlite.reader()).await.unwrap()
        };
        store.health.mark_up();
        let guess = Guess::Login {
            client: Some([192, 0, 2, 1].into()),
            username: "admin",
            device: None,
        };
        let charge = throttle.charge(guess).await;
        let Some(Verdict::Go(charge)) = charge else {
            panic!("{charge:?}")
        };
        store.health.mark_away(&StoreError::Timeout);
        throttle.settle(charge, true).await;
        assert_eq!(charges().await, 2, "of the address and the user");
        store.health.mark_up();
        let given_back = async { while charges().await > 0 {} };
        let given_back = tokio::time::timeout(Duration::from_secs(20), given_back).await;
        given_back.expect("it is given back");
    }

    #[test]
    fn only_known_failures_lock() {
        let remembered_for = Duration::from_secs(7);
        let locked = Some(Verdict::Locked(remembered_for));
        for (failures, under_way, refusal) in [
            (0, 0, None),
            (9, 0, None),
            (0, 9, None),
            (0, 10, Some(Verdict::Crowded)),
            (9, 1, Some(Verdict::Crowded)),
            (9, 500, Some(Verdict::Crowded)),
            (10, 0, locked),
            (11, 5, Some(Verdict::Locked(remembered_for))),
        ] {
            let standing = Standing {
                failures,
                under_way,
                remembered_for,
            };
            assert_eq!(standing.refusal(10), refusal, "{standing:?}");
        }
    }
}
