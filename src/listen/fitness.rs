//! Whether a replica is fit to be sent visits.

use std::sync::Arc;

use crate::{storage::StoreHealth, supervision::Vitals};

/// Whether a replica is fit to be sent visits: live, and its store is there.
#[derive(Debug, Clone)]
pub struct Fitness {
    /// Its threads and its life.
    pub vitals: Vitals,
    /// Its store.
    pub store: Arc<StoreHealth>,
}

impl Fitness {
    /// Whether it is.
    pub fn is_fit(&self) -> bool {
        self.vitals.check().is_ok() && self.store.ready().is_ok()
    }
}
