//! How the record of visits is put together.

use std::sync::Arc;

use super::Application;
use crate::{
    counting::{
        carried::Visitors,
        counts::{CounterStore, Recording},
    },
    record::{
        Record,
        drain::{Drain, RecordedInDatabase, Streams},
        erase::Erasure,
    },
    storage::{Backend, Store, sql::Database},
};

impl Application {
    /// Where visits are counted, and recorded if there is a database.
    pub(super) fn counts(&self, store: Store) -> CounterStore {
        let counts = CounterStore::new(store, &self.settings.store);
        match &self.database {
            Some(database) => counts.recording(Recording {
                visitors: Visitors::new(self.keys.clone(), self.salts.clone()),
                undrained: self.undrained.clone(),
                recorded: Some(Arc::new(RecordedInDatabase::new(
                    database.clone(),
                    self.settings.store.dedup_window,
                ))),
                recorder: self.recorder.clone(),
            }),
            None => counts,
        }
    }

    /// Where visits are counted, for who asks whether they can be: with the record, where that is written
    /// as they are counted.
    pub fn watched(&self, store: Store) -> CounterStore {
        match &store.backend {
            Backend::Sqlite(_) => self.counts(store),
            Backend::Redis(_) => CounterStore::new(store, &self.settings.store),
        }
    }

    /// What is read of the record.
    pub(super) fn record(&self, store: &Store) -> Record {
        Record {
            database: self.database.clone(),
            streams: self.streams(store),
            counts: Arc::new(CounterStore::new(store.clone(), &self.settings.store)),
            past: self.past.clone(),
            counter_limit: self.settings.store.counter_limit,
        }
    }

    /// What erases visitors from the record.
    pub(super) fn erasure(&self, store: &Store) -> Erasure {
        let settings = &self.settings;
        Erasure {
            database: self.database.clone(),
            streams: self.streams(store),
            counters: CounterStore::new(store.clone(), &settings.store),
            undrained: self.undrained.clone(),
            visitors: Visitors::new(self.keys.clone(), self.salts.clone()),
            salts: self.salts.clone(),
            // What is left of the time of a request is for the database.
            patience: settings.server.request_timeout / 2,
        }
    }

    /// What waits in Redis to be recorded; `None` where visits are counted in the database.
    pub(super) fn streams(&self, store: &Store) -> Option<Streams> {
        let Backend::Redis(redis) = &store.backend else {
            return None;
        };
        let window = self.settings.store.dedup_window;
        self.database
            .as_ref()
            .map(|_| Streams::new(redis.clone(), window))
    }

    /// What brings visits from Redis into the database; `None` where they are counted in it.
    pub(super) fn drain(&self, store: &Store, database: Database) -> Option<Drain> {
        let streams = self.streams(store)?;
        let counters = CounterStore::new(store.clone(), &self.settings.store);
        let (undrained, metrics) = (self.undrained.clone(), self.metrics.record.clone());
        Some(Drain::new(database, streams, counters, undrained, metrics))
    }
}
