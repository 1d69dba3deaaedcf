//! Visits that wait at the same moment share one round trip to the store.
//!
//! While one round trip is under way, arriving visits queue; when it ends, all
//! that wait go with the next. So an idle service adds no delay, and a busy one
//! makes few, large batches, without a timer.

use std::{
    collections::{HashMap, hash_map::Entry},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    CountError, Counted, CounterName, Identity,
    ledger::Ledger,
    metrics::CountingMetrics,
    store::{Batch, BatchResult, CounterStore},
};
use crate::{storage::StoreError, supervision::Supervisor};

/// Visits that may wait, per worker. At the rate of one worker a full queue is
/// a fraction of a second of work: who comes later would wait in vain.
const QUEUE_LIMIT: usize = 8192;

/// Visits that share a round trip at most. Redis runs nothing else during a
/// script, and Lua's `unpack` ends at some thousand values.
const BATCH_LIMIT: usize = 1024;

/// With nothing to count, the connection is looked at this often.
const IDLE_CHECK: Duration = Duration::from_secs(1);

/// A visit that waits for its number.
struct Waiting {
    counter: CounterName,
    identity: Option<Identity>,
    reply: Reply,
}

/// The queue of one worker thread and the task that empties it.
#[derive(Clone)]
pub struct Coalescer {
    queue: mpsc::Sender<Waiting>,
    timeout: Duration,
    metrics: Arc<CountingMetrics>,
}

impl Coalescer {
    /// Starts the task that empties the queue on the current runtime. It ends
    /// when the last handle is gone.
    pub fn start(
        store: CounterStore,
        metrics: Arc<CountingMetrics>,
        supervisor: &Supervisor,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_LIMIT);
        let timeout = store.timeout();
        metrics.queue_capacity.add(QUEUE_LIMIT as i64);
        supervisor.spawn(
            "the queue of visits",
            flush_forever(waiting, store, metrics.clone()),
        );
        Self {
            queue,
            timeout,
            metrics,
        }
    }

    /// Queues one visit and waits for its number, at most for the store's timeout.
    ///
    /// # Errors
    ///
    /// See [`CountError`].
    pub async fn count(
        &self,
        counter: CounterName,
        identity: Option<Identity>,
    ) -> Result<Counted, CountError> {
        let (reply, number) = oneshot::channel();
        let visit = Waiting {
            counter,
            identity,
            reply,
        };
        self.queue
            .try_send(visit)
            .map_err(|_| CountError::Overloaded)?;
        self.metrics.queue_depth.inc();
        match tokio::time::timeout(self.timeout, number).await {
            Ok(Ok(result)) => result,
            // Only when counting panicked: whether the visit was counted is unknown.
            Ok(Err(_)) => {
                Err(StoreError::ConnectionLost("counting was interrupted".to_owned()).into())
            }
            Err(_) => Err(StoreError::Timeout.into()),
        }
    }
}

async fn flush_forever(
    mut queue: mpsc::Receiver<Waiting>,
    mut store: CounterStore,
    metrics: Arc<CountingMetrics>,
) {
    let mut waiting = Vec::with_capacity(BATCH_LIMIT);
    let mut ledger = Ledger::new(metrics.clone());
    loop {
        match timeout(IDLE_CHECK, queue.recv_many(&mut waiting, BATCH_LIMIT)).await {
            Ok(0) => return,
            Ok(visits) => {
                metrics.queue_depth.sub(visits as i64);
                // A bug must cost one batch, not the worker. The panic hook has logged it.
                let flushed =
                    AssertUnwindSafe(flush(&mut waiting, &mut store, &mut ledger, &metrics));
                let _ = flushed.catch_unwind().await;
            }
            Err(_) => store.check_connection().await,
        }
    }
}

/// Counts everything that waits and answers everyone.
async fn flush(
    waiting: &mut Vec<Waiting>,
    store: &mut CounterStore,
    ledger: &mut Ledger,
    metrics: &CountingMetrics,
) {
    let mut plan = Plan::default();
    for visit in waiting.drain(..) {
        // Whose reply is closed has gone, or has waited too long: nobody would see the number.
        if !visit.reply.is_closed() {
            plan.add(visit);
        }
    }
    if plan.batches.is_empty() {
        return;
    }
    if store.health().is_away() {
        // It went away while they were waiting: they are not sent after those that found out.
        let away = StoreError::Unavailable("it was away a moment ago".to_owned());
        for recipients in plan.recipients {
            recipients.answer(Err(away.clone()));
        }
        return;
    }
    metrics.batch_size.observe(plan.visits as f64);
    let mut sent = ledger.send(&plan.batches);
    let results = store.count(&plan.batches).await;
    for ((batch, recipients), result) in plan.batches.iter().zip(plan.recipients).zip(results) {
        ledger.answered(&mut sent, batch, &result);
        recipients.answer(result);
    }
}

/// Waiting visits sorted by counter: what goes to the store and who gets which number.
#[derive(Default)]
struct Plan {
    positions: HashMap<CounterName, usize>,
    batches: Vec<Batch>,
    recipients: Vec<Recipients>,
    visits: usize,
}

type Reply = oneshot::Sender<Result<Counted, CountError>>;

/// Those who wait for the numbers of one batch, in the order of the batch.
#[derive(Default)]
struct Recipients {
    anonymous: Vec<Reply>,
    identified: Vec<Vec<Reply>>,
    positions: HashMap<Identity, usize>,
}

impl Plan {
    fn add(&mut self, visit: Waiting) {
        self.visits += 1;
        let position = match self.positions.entry(visit.counter) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                self.batches.push(Batch::new(entry.key().clone()));
                self.recipients.push(Recipients::default());
                *entry.insert(self.batches.len() - 1)
            }
        };
        let (batch, recipients) = (&mut self.batches[position], &mut self.recipients[position]);
        match visit.identity {
            None => {
                batch.anonymous += 1;
                recipients.anonymous.push(visit.reply);
            }
            Some(identity) => recipients.add(identity, visit.reply, batch),
        }
    }
}

impl Recipients {
    /// Visits of one identity are one visit, also within a batch.
    fn add(&mut self, identity: Identity, reply: Reply, batch: &mut Batch) {
        match self.positions.entry(identity) {
            Entry::Occupied(entry) => self.identified[*entry.get()].push(reply),
            Entry::Vacant(entry) => {
                entry.insert(self.identified.len());
                self.identified.push(vec![reply]);
                batch.identities.push(identity);
            }
        }
    }

    fn answer(self, result: Result<Option<BatchResult>, StoreError>) {
        let result = match result {
            Ok(numbers) => numbers.ok_or(CountError::CountersFull),
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(result) => {
                for (number, reply) in (result.first..).zip(self.anonymous) {
                    let _ = reply.send(Ok(Counted {
                        number,
                        replayed: false,
                    }));
                }
                for (counted, replies) in result.identified.into_iter().zip(self.identified) {
                    answer_identity(counted, replies);
                }
            }
            Err(error) => {
                for reply in self
                    .anonymous
                    .into_iter()
                    .chain(self.identified.into_iter().flatten())
                {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }
}

/// The first of several equal requests was counted, the others are its replays.
fn answer_identity(counted: Result<Counted, Duration>, replies: Vec<Reply>) {
    let mut counted = counted.map_err(CountError::IdentitiesFull);
    for reply in replies {
        // A closed reply must not use up the one answer that says "counted".
        if reply.send(counted.clone()).is_ok()
            && let Ok(counted) = &mut counted
        {
            counted.replayed = true;
        }
    }
}
