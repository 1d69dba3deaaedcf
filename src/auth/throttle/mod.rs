//! Failed logins are limited per client address and per user name, and all
//! replicas share the count.
//!
//! An attempt is charged before its password is looked at, and a right password
//! gives the charge back: who hangs up in between, or a replica that dies, saves
//! nothing. So there are two numbers: failures that are known, and attempts that
//! are under way. Both together never exceed the limit. Known failures alone lock;
//! what is only under way makes others wait until it is decided, so that many
//! people who log in from one address at one moment do not lock each other out.
//!
//! Failures count for one window from the first. When the store is away logins go
//! on unthrottled: the bounded number of password hashes at a time is then the limit.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::sleep;
use uuid::Uuid;

mod redis;
mod sqlite;

use crate::{
    storage::{Backend, Operation, Store},
    supervision::Piece,
};

/// How long failures are remembered.
pub const WINDOW: Duration = Duration::from_mins(5);

/// Failures of one address within the window: a person who forgot, not a program that tries.
pub const ADDRESS_LIMIT: u64 = 10;

/// Failures of one user name within the window, from anywhere. Higher, because
/// it locks out the rightful user too.
pub const USER_LIMIT: u64 = 50;

/// An attempt that has been under way for longer than this has failed: its replica has died.
/// The queue for hashing is over within seconds even on a slow machine.
const UNDER_WAY: Duration = Duration::from_secs(30);

/// Before a charge is tried to be given back again; each further time twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What failures are counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    name: String,
    limit: u64,
}

/// Failures of a subject, as they stand.
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

/// An attempt that counts as a failure until it is settled.
#[derive(Debug, PartialEq, Eq)]
pub struct Charge {
    id: String,
    subjects: Vec<Subject>,
}

/// Limits failed logins.
#[derive(Clone)]
pub struct Throttle {
    store: Store,
}

impl Throttle {
    /// Counts failures in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Asks whether this client may try this user name, and charges the attempt if
    /// so. `None` if the store cannot say: login goes on when the store does not.
    pub async fn charge(&self, client: Option<IpAddr>, username: &str) -> Option<Verdict> {
        let charge = Charge {
            id: Uuid::now_v7().to_string(),
            subjects: subjects(client, username),
        };
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
                // All of its subjects may have been charged, or some.
                self.give_back_later(charge);
                None
            }
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
            while pause < WINDOW {
                sleep(pause).await;
                if !throttle.store.health.is_away() && throttle.try_settle(&charge, true).await {
                    return;
                }
                pause *= 2;
            }
        });
    }
}

fn subjects(client: Option<IpAddr>, username: &str) -> Vec<Subject> {
    let address = client.map(|address| Subject {
        name: format!("address:{}", network(address)),
        limit: ADDRESS_LIMIT,
    });
    // Hashed: people type passwords into the wrong field, and names have any length.
    let hash: String = Sha256::digest(username)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    address
        .into_iter()
        .chain([Subject {
            name: format!("user:{hash}"),
            limit: USER_LIMIT,
        }])
        .collect()
}

/// One IPv6 client commonly has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        config::{Settings, Sources},
        storage::StoreError,
        storage::metrics::StoreMetrics,
    };

    /// A right password whose login ended while the store was away is no failure.
    #[tokio::test]
    async fn a_charge_is_given_back_when_the_store_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let options = [("data_dir".to_owned(), folder.path().display().to_string())];
        let sources = Sources {
            options: options.into_iter().collect(),
            ..Sources::default()
        };
        let settings = Settings::load(&sources).unwrap();
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
        let client = Some(IpAddr::from([192, 0, 2, 1]));
        let charge = throttle.charge(client, "admin").await;
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
