//! Salts of days, without which what is stored of a day's visitors leads to nobody.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// Bytes of a salt.
pub const SALT_BYTES: usize = 32;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The random salt of one day.
pub type Salt = [u8; SALT_BYTES];

/// The salts that are known, shared by all threads, in memory: to count does not need the database.
/// Days are those of UTC, counted from 1970-01-01.
#[derive(Clone, Default)]
pub struct Salts(Arc<RwLock<BTreeMap<i64, Salt>>>);

impl Salts {
    /// Takes these for all that there are: any other is forgotten.
    pub fn set(&self, salts: BTreeMap<i64, Salt>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = salts;
    }

    /// The salt of a day, if it is known.
    pub fn of(&self, day: i64) -> Option<Salt> {
        let salts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        salts.get(&day).copied()
    }

    /// All that are known.
    pub fn all(&self) -> Vec<Salt> {
        let salts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        salts.values().copied().collect()
    }

    /// The day it is, by the clock of this machine.
    pub fn today() -> i64 {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        (now.as_secs() / DAY_SECONDS) as i64
    }
}

impl fmt::Debug for Salts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let salts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(salts.keys()).finish()
    }
}
