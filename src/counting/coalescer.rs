//! Visits that wait at the same moment share one round trip to the store.
//!
//! While one round trip is under way, arriving visits queue; when it ends, all
//! that wait go with the next. So an idle service adds no delay, and a busy one
//! makes few, large batches, without a timer. Where the store is at a distance
//! several round trips are under way at once, each in a lane of its own.
//!
//! Requests of one identity are one visit, also where they show different tokens: each token is
//! looked at by itself. One that has been revoked is answered so, and the others count.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

mod queue;

use self::queue::Place;
use super::{
    Batch, CountError, Counted, CounterId, Identity, NotCounted, Outcome, Visit,
    counts::CounterStore, ledger::Ledger, metrics::CountingMetrics,
};
use crate::{
    auth::revocation::{Known, Pass, Revocations},
    storage::StoreError,
    supervision::{Part, Piece, Supervisor},
};

/// Visits that may wait, per worker. At the rate of one worker a full queue is
/// a fraction of a second of work: who comes later would wait in vain.
const QUEUE_LIMIT: usize = 8192;

/// Visits that share a round trip at most. Redis runs nothing else during a
/// script, and Lua's `unpack` ends at some thousand values.
const BATCH_LIMIT: usize = 1024;

/// With nothing to count for so long, the connection is looked at, and then this often.
const IDLE_CHECK: Duration = Duration::from_secs(1);

/// A visit that waits for its number.
struct Waiting {
    counter: CounterId,
    visit: Visit,
    reply: Reply,
}

type Reply = oneshot::Sender<Result<Counted, CountError>>;

/// The queue of one worker thread, which its lanes empty.
#[derive(Clone)]
pub struct Coalescer {
    queue: mpsc::Sender<Waiting>,
    timeout: Duration,
    metrics: Arc<CountingMetrics>,
}

impl Coalescer {
    /// Starts the lanes that empty the queue on the current runtime. They end
    /// when the last handle is gone and nothing waits any more.
    pub fn start(
        counts: CounterStore,
        revocations: Revocations,
        metrics: Arc<CountingMetrics>,
        supervisor: &Supervisor,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_LIMIT);
        let timeout = counts.timeout();
        metrics.queue_capacity.add(QUEUE_LIMIT as i64);
        for place in Place::all(waiting, counts.distance(), metrics.clone()) {
            let lane = Lane {
                place,
                counts: counts.clone(),
                revocations: revocations.clone(),
                ledger: Ledger::new(metrics.clone()),
                metrics: metrics.clone(),
            };
            supervisor.spawn(Part::Queue, lane.flush_forever());
        }
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
    pub async fn count(&self, counter: CounterId, visit: Visit) -> Result<Counted, CountError> {
        let (reply, number) = oneshot::channel();
        let waiting = Waiting {
            counter,
            visit,
            reply,
        };
        self.queue
            .try_send(waiting)
            .map_err(|_| CountError::Overloaded)?;
        self.metrics.queue_depth.inc();
        match timeout(self.timeout, number).await {
            Ok(Ok(result)) => result,
            // Only when counting panicked: whether the visit was counted is unknown.
            Ok(Err(_)) => {
                Err(StoreError::ConnectionLost("counting was interrupted".to_owned()).into())
            }
            Err(_) => Err(StoreError::Timeout.into()),
        }
    }
}

/// What has one batch under way at a time. It shares neither connections with the others, since
/// `WAIT` is for what its own connection has written, nor books: only the numbers that come one
/// batch after the other always grow.
struct Lane {
    place: Place,
    counts: CounterStore,
    revocations: Revocations,
    ledger: Ledger,
    metrics: Arc<CountingMetrics>,
}

impl Lane {
    async fn flush_forever(mut self) {
        let mut waiting = Vec::with_capacity(BATCH_LIMIT);
        // One timer for good: to set one for each round trip would cost each visit.
        let mut period = interval(IDLE_CHECK);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle = false;
        loop {
            let goes_on = tokio::select! {
                biased;
                goes_on = self.place.take(&mut waiting) => goes_on,
                _ = period.tick() => true,
            };
            // Also what was taken when the timer came between.
            if !waiting.is_empty() {
                idle = false;
                // A bug must cost one batch, not the lane. The panic hook has logged it.
                let _ = Piece::Batch.isolated(self.flush(&mut waiting)).await;
            } else if !goes_on {
                return;
            } else if std::mem::replace(&mut idle, true) {
                self.counts.check_connection().await;
            }
        }
    }

    /// Counts everything that waits and answers everyone. What the store has not counted, since more
    /// was revoked than was known here, goes to it again.
    async fn flush(&mut self, waiting: &mut Vec<Waiting>) {
        let begun = Instant::now();
        loop {
            // Whose reply is closed has gone, or has waited too long: nobody would see the number.
            waiting.retain(|visit| !visit.reply.is_closed());
            let known = self.refuse_revoked(waiting);
            if waiting.is_empty() {
                return;
            }
            if self.counts.health().is_away() {
                // It went away while they were waiting: they are not sent after those that found out.
                let away = StoreError::Unavailable("it was away a moment ago".to_owned());
                return refuse_all(waiting, &away);
            }
            self.count(waiting, known.as_ref()).await;
            let Some(outdated) = known.filter(|_| !waiting.is_empty()) else {
                return;
            };
            // Apart: what is rare and large is not to be moved with every batch.
            let caught_up = Box::pin(self.revocations.catch_up(&outdated)).await;
            let busy = || {
                let busy = "what was revoked changes faster than it can be read";
                Err(StoreError::Unavailable(busy.to_owned()))
            };
            let in_time = begun.elapsed() < self.counts.timeout();
            if let Err(error) = caught_up.and_then(|()| if in_time { Ok(()) } else { busy() }) {
                return refuse_all(waiting, &error);
            }
        }
    }

    /// Answers those whose pass has been revoked, and says up to where that was known, if the store
    /// is to compare it.
    fn refuse_revoked(&self, waiting: &mut Vec<Waiting>) -> Option<Known> {
        // Where nobody has a pass there is nothing to look at.
        if waiting.iter().all(|waiting| waiting.visit.pass.is_none()) {
            return None;
        }
        let look = self.revocations.look();
        let revoked = |waiting: &mut Waiting| {
            let pass = waiting.visit.pass.as_deref();
            pass.is_some_and(|pass| look.revokes(pass))
        };
        for refused in waiting.extract_if(.., revoked) {
            let _ = refused.reply.send(Err(CountError::Revoked));
        }
        let compared = self.revocations.are_compared();
        compared.then(|| look.known().clone())
    }

    /// Sends all that waits to the store; what it leaves uncounted waits again.
    async fn count(&mut self, waiting: &mut Vec<Waiting>, known: Option<&Known>) {
        self.metrics.batch_size.observe(waiting.len() as f64);
        let plan = Plan::new(waiting, known);
        let mut sent = self.ledger.send(&plan.batches);
        let results = self.counts.count(&plan.batches).await;
        for ((batch, recipients), result) in
            plan.batches.into_iter().zip(plan.recipients).zip(results)
        {
            self.ledger.answered(&mut sent, &batch, &result);
            match result {
                Ok(outcomes) if outcomes.first() == Some(&Err(NotCounted::Outdated)) => {
                    wait_again(batch, recipients, waiting);
                }
                result => answer(recipients, result),
            }
        }
    }
}

fn refuse_all(waiting: &mut Vec<Waiting>, error: &StoreError) {
    for visit in waiting.drain(..) {
        let _ = visit.reply.send(Err(error.clone().into()));
    }
}

/// Waiting visits by counter: what goes to the store, and who gets which number.
#[derive(Default)]
struct Plan {
    batches: Vec<Batch>,
    /// For each visit of each batch.
    recipients: Vec<Vec<Recipient>>,
}

/// Who waits for the number of a visit. Requests of one identity are one visit; the pass of the
/// first is in its batch.
struct Recipient {
    first: Reply,
    repeats: Vec<(Option<Arc<Pass>>, Reply)>,
}

impl Plan {
    fn new(waiting: &mut Vec<Waiting>, known: Option<&Known>) -> Self {
        // Stable: visits of a counter stay in the order in which they came.
        waiting.sort_by(|one, other| one.counter.cmp(&other.counter));
        let mut plan = Self::default();
        // With a single visit, as when the service is idle, there is nothing to look for.
        let repeats_possible = waiting.len() > 1;
        let mut positions = HashMap::new();
        for visit in waiting.drain(..) {
            if plan.begin_batch(&visit.counter) {
                positions.clear();
            }
            plan.add(visit, repeats_possible.then_some(&mut positions), known);
        }
        plan
    }

    /// Begins a batch if the last one is of another counter; whether it did.
    fn begin_batch(&mut self, counter: &CounterId) -> bool {
        let another = self
            .batches
            .last()
            .is_none_or(|batch| batch.counter != *counter);
        if another {
            self.batches.push(Batch::new(counter.clone()));
            self.recipients.push(Vec::new());
        }
        another
    }

    /// Adds a visit to the last batch, unless one of its identity is in it.
    fn add(
        &mut self,
        waiting: Waiting,
        positions: Option<&mut HashMap<Identity, usize>>,
        known: Option<&Known>,
    ) {
        let (Some(batch), Some(recipients)) = (self.batches.last_mut(), self.recipients.last_mut())
        else {
            return;
        };
        if waiting.visit.pass.is_some() && batch.known.is_none() {
            batch.known = known.cloned();
        }
        if let (Some(identity), Some(positions)) = (waiting.visit.identity, positions) {
            let position = *positions.entry(identity).or_insert(recipients.len());
            if let Some(recipient) = recipients.get_mut(position) {
                recipient.repeats.push((waiting.visit.pass, waiting.reply));
                return;
            }
        }
        batch.visits.push(waiting.visit);
        recipients.push(Recipient {
            first: waiting.reply,
            repeats: Vec::new(),
        });
    }
}

/// Has all requests of a batch wait once more, each with its own pass.
fn wait_again(batch: Batch, recipients: Vec<Recipient>, waiting: &mut Vec<Waiting>) {
    for (visit, recipient) in batch.visits.into_iter().zip(recipients) {
        let (identity, carried) = (visit.identity, visit.carried);
        let all = [(visit.pass, recipient.first)].into_iter();
        waiting.extend(all.chain(recipient.repeats).map(|(pass, reply)| Waiting {
            counter: batch.counter.clone(),
            visit: Visit {
                identity,
                pass,
                carried: carried.clone(),
            },
            reply,
        }));
    }
}

fn answer(recipients: Vec<Recipient>, result: Result<Vec<Outcome>, StoreError>) {
    match result {
        Ok(outcomes) => {
            for (recipient, outcome) in recipients.into_iter().zip(outcomes) {
                recipient.answer(outcome.map_err(CountError::from));
            }
        }
        Err(error) => {
            for recipient in recipients {
                recipient.answer(Err(error.clone().into()));
            }
        }
    }
}

impl Recipient {
    /// The first of several equal requests was counted, the others are its replays.
    fn answer(self, mut result: Result<Counted, CountError>) {
        let repeats = self.repeats.into_iter().map(|(_, reply)| reply);
        for reply in [self.first].into_iter().chain(repeats) {
            // A closed reply must not use up the one answer that says "counted".
            if reply.send(result.clone()).is_ok()
                && let Ok(counted) = &mut result
            {
                counted.replayed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
