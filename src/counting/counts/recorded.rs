//! What the database has of counters that Redis may have lost.

use std::collections::HashSet;

use futures_util::future::BoxFuture;

use crate::{
    counting::CounterId,
    storage::{RedisStore, StoreError},
};

/// Asked when counting goes on over a new connection: it may lead to a server that lacks what another
/// had before, and no number that is recorded must be given again.
pub trait Recorded: Send + Sync {
    /// Counters of which visits were recorded lately. None, if the database does not say so soon: counting
    /// needs none.
    fn lately(&self) -> BoxFuture<'_, HashSet<CounterId>>;

    /// Raises the count of one of them in Redis to what is recorded, if it is less.
    fn raise<'a>(
        &'a self,
        redis: &'a RedisStore,
        counter: &'a CounterId,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}
