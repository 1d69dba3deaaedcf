//! How full the memory of each server is, as all threads of a process see it.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{Node, RedisStore, lock};
use crate::storage::StoreError;

/// How full a server is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// Bytes in use.
    pub used: u64,
    /// `maxmemory`: Redis writes nothing when that much is in use.
    pub limit: u64,
    /// When enough of it expires, if that is known.
    pub relief: Option<Instant>,
}

impl Fill {
    /// Bytes by which more is in use than this many hundredths of the limit.
    pub fn above(&self, percent: u64) -> u64 {
        self.used.saturating_sub(self.limit / 100 * percent)
    }
}

/// The servers that are so full that it matters.
#[derive(Default)]
pub struct Fills {
    /// Whether there is one: all that a visit has to look at.
    any: AtomicBool,
    full: Mutex<HashMap<Node, Fill>>,
}

impl RedisStore {
    /// How full a server is said to be; `None` if there is no need to mind.
    pub fn fill(&self, node: &Node) -> Option<Fill> {
        lock(&self.fills.full).get(node).copied()
    }

    /// Whether a server is too full.
    pub fn any_full(&self) -> bool {
        self.fills.any.load(Ordering::Relaxed)
    }

    /// Notes the servers that are too full, instead of those noted before.
    pub fn note_full(&self, full: HashMap<Node, Fill>) {
        self.fills.any.store(!full.is_empty(), Ordering::Relaxed);
        *lock(&self.fills.full) = full;
    }

    /// Asks a server how full it is; `None` if it has no limit.
    ///
    /// # Errors
    ///
    /// If it does not answer, or may not be asked for `INFO`, as is common with managed services.
    pub async fn ask_fill(&self, node: &Node) -> Result<Option<Fill>, StoreError> {
        let mut connection = self.connection(node).await?;
        let info: redis::InfoDict = redis::cmd("INFO")
            .arg("memory")
            .query_async(&mut connection)
            .await?;
        let number = |key: &str| info.get::<u64>(key).unwrap_or(0);
        let limit = number("maxmemory");
        Ok((limit > 0).then(|| Fill {
            used: number("used_memory"),
            limit,
            relief: None,
        }))
    }
}
