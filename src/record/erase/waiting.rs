//! What waits in Redis is recorded first: it may be of whoever is to be erased.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Erasure;
use crate::{
    company::Company,
    counting::CounterId,
    edge::{Code, Problem},
    record::drain::Streams,
    storage::StoreError,
};

/// Between two looks: as long as those who drain pause.
const PAUSE: Duration = Duration::from_millis(100);

/// Counters whose names are read at a time.
const PAGE: usize = 500;

/// A counter, and up to which number its stream has to be recorded.
type Waiting = Vec<(CounterId, u64)>;

impl Erasure {
    /// Waits until all is recorded, and taken from Redis, that was counted before this.
    ///
    /// # Errors
    ///
    /// `recording_behind` if that takes too long, and those of Redis.
    pub(super) async fn is_drained(&self, company: Company) -> Result<(), Problem> {
        let Some(streams) = &self.streams else {
            return Ok(());
        };
        let deadline = Instant::now() + self.patience;
        let mut waiting = self.waiting(streams, company).await?;
        loop {
            waiting = still(streams, waiting).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Problem::from(Code::RecordingBehind).with_detail(format!(
                    "Visits of {} counters wait to be recorded, and may be of this visitor. Nobody was erased; send it again later.",
                    waiting.len()
                )));
            }
            // Whoever counted them may be gone.
            for (counter, _) in &waiting {
                self.undrained.note(counter);
            }
            sleep(PAUSE).await;
        }
    }

    async fn waiting(&self, streams: &Streams, company: Company) -> Result<Waiting, StoreError> {
        let (mut waiting, mut after) = (Vec::new(), None);
        loop {
            let page = self.counters.list(company, after.as_ref(), PAGE).await?;
            for tally in page.counters {
                let name = tally.name;
                let counter = CounterId { company, name };
                let state = streams.state(&counter).await?;
                if let Some(state) = state.filter(|state| state.waiting() > 0) {
                    waiting.push((counter, state.top));
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(waiting);
            }
        }
    }
}

/// Those of which something waits still.
async fn still(streams: &Streams, waiting: Waiting) -> Result<Waiting, StoreError> {
    let mut still = Vec::new();
    for (counter, top) in waiting {
        let state = streams.state(&counter).await?;
        if state.is_some_and(|state| state.through < top) {
            still.push((counter, top));
        }
    }
    Ok(still)
}
