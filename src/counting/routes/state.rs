//! What the routes of this room use.

use std::sync::Arc;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::{
    counting::{CountError, CounterName, Counting, carried::Carried},
    edge::{Code, Problem},
};

/// Lines of requests with many that may be on their way to the store, for each worker: half of what may
/// wait there. So they never take the place of single visits, and are never shed for want of it: those
/// for which there is no room yet wait before they queue, whole requests in their order.
const LINES: usize = 4096;

/// What the routes of this room use.
pub struct CountingState {
    /// Counting.
    pub counting: Counting,
    /// The counter behind `GET /api/count`.
    pub default_counter: CounterName,
    /// Whether a proxy's `X-Request-ID` identifies a visit.
    pub request_ids_identify: bool,
    /// Whether there is a database, which keeps what visits carry.
    has_database: bool,
    lines: Semaphore,
}

impl CountingState {
    /// The state of one worker thread.
    pub fn new(counting: Counting, request_ids_identify: bool, has_database: bool) -> Self {
        Self {
            counting,
            default_counter: CounterName::default_counter(),
            request_ids_identify,
            has_database,
            lines: Semaphore::new(LINES),
        }
    }

    /// What a visit carries, if it can be kept.
    pub(super) fn kept(&self, carried: Option<Carried>) -> Result<Option<Arc<Carried>>, Problem> {
        match carried {
            Some(_) if !self.has_database => Err(Problem::from(Code::NoDatabase).with_detail(
                "This Footfall has no database, so nothing can be kept of what a visit carries, and this one was not counted. Send it without, or have DATABASE_URL name a database.",
            )),
            carried => Ok(carried.map(Arc::new)),
        }
    }

    /// Room for so many lines, once there is some, for as long as a visit may wait for the store.
    pub(super) async fn room_for(&self, lines: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let room = self.lines.acquire_many(lines.min(LINES) as u32);
        match timeout(self.counting.timeout(), room).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(CountError::Overloaded.into()),
        }
    }
}
