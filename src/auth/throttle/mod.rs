//! Failed logins are limited per client address and per user name, and all
//! replicas share the count.
//!
//! Counts live for one window from the first failure. When the store is away
//! logins go on unthrottled: the bounded number of password hashes at a time
//! is then the limit.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use sha2::{Digest, Sha256};

mod redis;
mod sqlite;

use crate::store::{Backend, Operation, Store, StoreError};

/// How long failures are remembered.
pub const WINDOW: Duration = Duration::from_mins(5);

/// Failures of one address within the window: a person who forgot, not a program that tries.
pub const ADDRESS_LIMIT: u64 = 10;

/// Failures of one user name within the window, from anywhere. Higher, because
/// it locks out the rightful user too.
pub const USER_LIMIT: u64 = 50;

/// What failures are counted for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    name: String,
    limit: u64,
}

/// Failures and for how long they are still remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failures {
    count: u64,
    remembered_for: Duration,
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

    /// How long this client must wait before it may try this user name, if at all.
    pub async fn must_wait(&self, client: Option<IpAddr>, username: &str) -> Option<Duration> {
        let subjects = subjects(client, username);
        let failures = self.run(async {
            match &self.store.backend {
                Backend::Redis(redis) => redis::read(redis, &subjects).await,
                Backend::Sqlite(sqlite) => sqlite::read(sqlite, &subjects).await,
            }
        });
        let failures = failures.await?;
        let over = subjects
            .iter()
            .zip(failures)
            .filter(|(subject, failures)| failures.count >= subject.limit);
        over.map(|(_, failures)| failures.remembered_for).max()
    }

    /// Counts one failure.
    pub async fn record_failure(&self, client: Option<IpAddr>, username: &str) {
        let subjects = subjects(client, username);
        self.run(async {
            match &self.store.backend {
                Backend::Redis(redis) => redis::record(redis, &subjects).await,
                Backend::Sqlite(sqlite) => sqlite::record(sqlite, &subjects).await,
            }
        })
        .await;
    }

    /// Login goes on when the store does not: `None` then.
    async fn run<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        if self.store.health.is_away() {
            return None;
        }
        match self.store.run(Operation::Throttle, work).await {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::warn!(%error, "a login was not throttled");
                None
            }
        }
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
