//! Who takes the visits that wait.
//!
//! Where the store is near, one lane takes them, whenever it has its answer. Where it is at a distance
//! all lanes take turns, so that several batches are under way at once.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{BATCH_LIMIT, Waiting};
use crate::{counting::metrics::CountingMetrics, storage::redis::BATCHES};

/// The least time between two batches that a timer can keep.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// The visits that wait for the lanes of a worker thread.
pub struct Queue {
    line: Mutex<Line>,
    /// Nobody can add to it any more.
    closed: CancellationToken,
    metrics: Arc<CountingMetrics>,
}

/// What the lane has whose turn it is.
struct Line {
    visits: mpsc::Receiver<Waiting>,
    /// When a batch was last sent over a distance.
    sent: Instant,
}

/// The least time of a round trip, if the store is at a distance.
type Distance = watch::Receiver<Option<Duration>>;

/// The place of one lane in the queue.
#[derive(Clone)]
pub struct Place {
    queue: Arc<Queue>,
    /// `None` where there is none, ever.
    distance: Option<Distance>,
    /// Whether it has turns also where the store is near.
    is_first: bool,
}

impl Place {
    /// A place for each lane: one, or several if there may be a distance.
    pub fn all(
        visits: mpsc::Receiver<Waiting>,
        distance: Option<Distance>,
        metrics: Arc<CountingMetrics>,
    ) -> impl Iterator<Item = Self> {
        let sent = Instant::now();
        let queue = Arc::new(Queue {
            line: Mutex::new(Line { visits, sent }),
            closed: CancellationToken::new(),
            metrics,
        });
        let lanes = if distance.is_some() { BATCHES } else { 1 };
        (0..lanes).map(move |index| Self {
            queue: queue.clone(),
            distance: distance.clone(),
            is_first: index == 0,
        })
    }

    /// Waits for a turn and takes what waits; `false` if nothing does nor ever will. Whoever drops this
    /// before it is done has in `waiting` what was taken by then.
    pub async fn take(&mut self, waiting: &mut Vec<Waiting>) -> bool {
        if !waiting.is_empty() {
            // A batch ended in the middle, and these were not in it.
            return true;
        }
        if !self.is_first {
            self.is_needed().await;
        }
        let mut line = self.queue.line.lock().await;
        if !self.queue.receive(&mut line, waiting).await {
            self.queue.closed.cancel();
            return false;
        }
        if let Some(distance) = self.distance() {
            self.queue.collect(&mut line, waiting, distance).await;
        }
        true
    }

    fn distance(&self) -> Option<Duration> {
        *self.distance.as_ref()?.borrow()
    }

    /// While the store is at a distance, and at the end, when others may have left visits behind.
    async fn is_needed(&mut self) {
        let distant = async {
            let Some(distance) = &mut self.distance else {
                return std::future::pending().await;
            };
            if distance.wait_for(Option::is_some).await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = distant => {}
            () = self.queue.closed.cancelled() => {}
        }
    }
}

impl Queue {
    /// Waits for visits, and takes as many as there is room for; whether there were any.
    async fn receive(&self, line: &mut Line, waiting: &mut Vec<Waiting>) -> bool {
        let room = BATCH_LIMIT - waiting.len();
        let visits = line.visits.recv_many(waiting, room).await;
        self.metrics.queue_depth.sub(visits as i64);
        visits > 0
    }

    /// Takes what comes until it is time for the next batch: they are spread over a round trip, or some
    /// would have a single visit and one all that come in the rest of it.
    async fn collect(&self, line: &mut Line, waiting: &mut Vec<Waiting>, distance: Duration) {
        let pause = distance / BATCHES as u32;
        if pause >= SHORTEST_PAUSE {
            let due = line.sent + pause;
            while waiting.len() < BATCH_LIMIT
                && let Ok(true) = timeout_at(due, self.receive(line, waiting)).await
            {}
        }
        line.sent = Instant::now();
    }
}

#[cfg(test)]
mod tests;
