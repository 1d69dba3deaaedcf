//! `footfall migrate`

use std::{process::ExitCode, sync::Arc};

use super::Failure;
use crate::{
    config::Settings,
    counting::store::CounterStore,
    storage::{Backend, Store, metrics::StoreMetrics},
};

/// Brings the store to the layout of this version. To run it again is safe.
pub fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    super::block_on(async {
        // Opening an embedded database migrates it.
        let store = Store::open(&settings.store, Arc::new(StoreMetrics::detached()?)).await?;
        CounterStore::new(store.clone(), &settings.store)
            .probe()
            .await?;
        if let Backend::Redis(redis) = &store.backend {
            redis.note_layout().await?;
        }
        super::print(format_args!("the {} store is ready", store.name()))?;
        store.close().await;
        Ok(ExitCode::SUCCESS)
    })?
}
