//! What a batch needs to know of the record: how visitors are stored, and how far the database is.

use std::sync::PoisonError;

use tokio::time::{Instant, timeout_at};

use super::{RedisCounts, script::Carried};
use crate::{
    counting::{Batch, CounterId, carried::VisitorMode, counts::Recording},
    storage::StoreError,
};

/// Counters of which a worker keeps in mind how their visitors are stored.
const MODES: usize = 1024;

impl RedisCounts {
    /// Has visits recorded.
    pub fn record(&mut self, recording: Recording) {
        self.memory.records = true;
        self.recording = Some(recording);
    }

    /// Whether there is anything to be asked before something is counted.
    pub(super) fn may_be_behind(&self) -> bool {
        let recording = self.recording.as_ref();
        let is_asked = recording.is_some_and(|recording| recording.recorded.is_some());
        is_asked && self.behind.as_ref().is_none_or(|behind| !behind.is_empty())
    }

    /// Over new connections, before anything is counted: raises the counts that are less than what is
    /// recorded.
    pub(super) async fn catch_up(&mut self, batches: &[Batch], deadline: Instant) {
        let recording = self.recording.as_ref();
        let Some(recorded) = recording.and_then(|recording| recording.recorded.as_ref()) else {
            return;
        };
        let behind = match &mut self.behind {
            Some(behind) => behind,
            behind => behind.insert(recorded.lately().await),
        };
        if behind.is_empty() {
            return;
        }
        let mut caught_up = Vec::new();
        for batch in batches {
            if behind.contains(&batch.counter) {
                let raising = recorded.raise(&self.redis, &batch.counter);
                // What fails here fails in a moment as well, and is asked again then.
                if let Ok(Ok(())) = timeout_at(deadline, raising).await {
                    behind.remove(&batch.counter);
                    caught_up.push(&batch.counter);
                }
            }
        }
        for counter in caught_up {
            // One that has a count is not listed when it is counted, and the list may be lost as well.
            let _ = timeout_at(deadline, self.list_counter(counter)).await;
        }
    }

    /// What is stored of each visit of a batch, `None` for those that carry nothing.
    pub(super) fn stored(&self, batch: &Batch, mode: VisitorMode) -> Carried {
        let visitors = self.recording.as_ref().map(|recording| &recording.visitors);
        let visits = batch.visits.iter();
        let stored = visits.map(|visit| {
            let carried = visit.carried.as_ref()?;
            Some(match visitors {
                Some(visitors) => visitors.written(batch.counter.company, mode, carried),
                // It will be refused, if other replicas do not record either.
                None => carried.rest.with(None),
            })
        });
        let visits = stored.collect();
        Carried { mode, visits }
    }

    pub(super) fn mode(&self, counter: &CounterId) -> VisitorMode {
        let mut modes = self.modes.lock().unwrap_or_else(PoisonError::into_inner);
        modes.get(counter).copied().unwrap_or_default()
    }

    pub(super) fn learn_mode(
        &self,
        counter: &CounterId,
        code: i64,
    ) -> Result<VisitorMode, StoreError> {
        let mode = u8::try_from(code).ok().and_then(VisitorMode::from_code);
        let unknown = || {
            StoreError::Refused(format!(
                "visitors of {counter} are stored in the way {code}, which this version does not know"
            ))
        };
        let mode = mode.ok_or_else(unknown)?;
        let mut modes = self.modes.lock().unwrap_or_else(PoisonError::into_inner);
        modes.put(counter.clone(), mode);
        if modes.len() > MODES {
            modes.pop_lru();
        }
        Ok(mode)
    }
}
