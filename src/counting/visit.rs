//! Visits on their way to the store, and how they end there.

use std::{sync::Arc, time::Duration};

use super::{CounterId, Identity, carried::Carried};
use crate::auth::revocation::{Known, Pass};

/// A visit that is to be counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visit {
    /// What makes a repeated request the same visit, if anything does.
    pub identity: Option<Identity>,
    /// What it must not be counted without, if it was made with something that can be revoked.
    pub pass: Option<Arc<Pass>>,
    /// What it carries, if anything.
    pub carried: Option<Arc<Carried>>,
}

/// Visits of one counter that go to the store together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The counter.
    pub counter: CounterId,
    /// The visits, no two of them with the same identity: those would be one visit.
    pub visits: Vec<Visit>,
    /// Up to where their passes were looked at, if any of them has one: the store counts nothing
    /// of the batch if more was revoked since.
    pub known: Option<Known>,
}

impl Batch {
    /// An empty batch.
    pub fn new(counter: CounterId) -> Self {
        Self {
            counter,
            visits: Vec::new(),
            known: None,
        }
    }

    /// The identities of those visits that have one, in their order.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.visits
            .iter()
            .filter_map(|visit| visit.identity.as_ref())
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

/// Why a store that does its work did not count a visit. Nothing was done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCounted {
    /// There is no room to remember its identity, and there will be some after this time.
    IdentitiesFull(Duration),
    /// Its counter is new, and its company has as many as it may have.
    CountersFull,
    /// It carries something, and its counter records nothing.
    RecordingOff,
    /// It carries something, and as much waits to be recorded as may.
    RecordingBehind,
    /// More was revoked than [`Batch::known`] says: its pass has to be looked at again.
    Outdated,
}

/// How one visit of a batch ended.
pub type Outcome = Result<Counted, NotCounted>;
