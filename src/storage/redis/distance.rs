//! How far away Redis is: where the way takes longer than the work, several batches are under way at
//! once.
//!
//! An answer is late because of the way, because the server is busy, or because it waits for its disk.
//! Only the first is distance: where the server is what takes time, several batches would only be
//! smaller ones. So what counts is the least of all round trips of a `PING` since the connection was
//! opened. A server that is busy now was idle once, or is for a moment now and then, and the way to it
//! stays the same while a connection lasts.

use std::time::{Duration, Instant};

use deadpool_redis::Connection;
use futures_util::future::try_join_all;
use prometheus::Gauge;
use redis::RedisError;
use tokio::{sync::watch, time::timeout};

use super::{Node, RedisStore};
use crate::storage::StoreError;

/// Round trips after which the least of them is taken for the way: about ten seconds of them.
const ENOUGH: u32 = 10;

/// From here on several batches pay. A round trip takes 0.05 ms on one machine, 0.1 to 0.3 ms within a
/// data center and 0.5 to 2 ms from one to the next.
const DISTANT: Duration = Duration::from_micros(500);

/// What all threads know of the distance.
#[derive(Debug)]
pub struct Distance {
    known: watch::Sender<Option<Duration>>,
    metric: Gauge,
}

impl Distance {
    /// It is near until it is known.
    pub fn new(metric: Gauge) -> Self {
        let known = watch::Sender::new(None);
        Self { known, metric }
    }

    /// The least time of a round trip, if the store is at a distance.
    pub fn watch(&self) -> watch::Receiver<Option<Duration>> {
        self.known.subscribe()
    }

    fn learn(&self, least: Duration) {
        self.metric.set(least.as_secs_f64());
        let distant = (least >= DISTANT).then_some(least);
        let before = self.known.send_replace(distant);
        if before.is_some() != distant.is_some() {
            let batches = if distant.is_some() { "several" } else { "one" };
            tracing::info!(round_trip = ?least, batches, "the distance to the store is known");
        }
    }
}

/// Measures it, for all threads of a process.
#[derive(Default)]
pub struct Measuring {
    held: Vec<(Node, Connection)>,
    round_trips: u32,
    least: Duration,
}

impl Measuring {
    /// Asks each master once. What fails begins anew over other connections; until there is enough of
    /// that, what was known holds.
    pub async fn ask(&mut self, redis: &RedisStore, distance: &Distance) {
        match timeout(redis.timeout(), self.round_trip(redis)).await {
            Ok(Ok(took)) => self.note(took, distance),
            _ => *self = Self::default(),
        }
    }

    fn note(&mut self, took: Duration, distance: &Distance) {
        self.least = match self.round_trips {
            0 => took,
            _ => self.least.min(took),
        };
        self.round_trips = self.round_trips.saturating_add(1);
        if self.round_trips >= ENOUGH {
            distance.learn(self.least);
        }
    }

    /// Of all masters at once: the farthest is what a batch waits for.
    async fn round_trip(&mut self, redis: &RedisStore) -> Result<Duration, StoreError> {
        let hash_slots = redis.hash_slots().await?;
        let masters = hash_slots.masters();
        if !self
            .held
            .iter()
            .map(|(node, _)| node)
            .eq(masters.iter().copied())
        {
            let opening = masters.into_iter().map(async |node| {
                let connection = redis.counting_connection(node).await?;
                Ok::<_, StoreError>((node.clone(), connection))
            });
            *self = Self::default();
            self.held = try_join_all(opening).await?;
        }
        let begun = Instant::now();
        try_join_all(self.held.iter_mut().map(|(_, connection)| ping(connection))).await?;
        Ok(begun.elapsed())
    }
}

async fn ping(connection: &mut Connection) -> Result<(), RedisError> {
    match redis::cmd("PING").query_async::<()>(connection).await {
        // Who may not ask is answered all the same.
        Err(error) if error.clone().into_server_errors().is_none() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(distance: &Distance) -> Option<Duration> {
        *distance.watch().borrow()
    }

    fn noted(measuring: &mut Measuring, distance: &Distance, took: &[u64]) {
        for micros in took {
            measuring.note(Duration::from_micros(*micros), distance);
        }
    }

    #[test]
    fn what_counts_is_the_least_of_enough_round_trips() {
        let distance = Distance::new(Gauge::new("distance", "Distance").unwrap());
        let mut measuring = Measuring::default();
        noted(&mut measuring, &distance, &[1000; ENOUGH as usize - 1]);
        assert_eq!((known(&distance), distance.metric.get()), (None, 0.0));
        noted(&mut measuring, &distance, &[1200]);
        assert_eq!(known(&distance), Some(Duration::from_millis(1)));
        assert!((distance.metric.get() - 0.001).abs() < 1e-9);
        // A busy server answers later; that moves it no further away.
        noted(&mut measuring, &distance, &[30_000; 100]);
        assert_eq!(known(&distance), Some(Duration::from_millis(1)));
        noted(&mut measuring, &distance, &[700]);
        assert_eq!(known(&distance), Some(Duration::from_micros(700)));
    }

    /// As with `appendfsync always` on a slow disk.
    #[test]
    fn one_quick_answer_of_a_slow_server_says_that_it_is_near() {
        let distance = Distance::new(Gauge::new("distance", "Distance").unwrap());
        let mut measuring = Measuring::default();
        noted(&mut measuring, &distance, &[60]);
        noted(&mut measuring, &distance, &[8000; 100]);
        assert_eq!(known(&distance), None);
        // Also if it was busy when it was first looked at.
        let mut measuring = Measuring::default();
        noted(&mut measuring, &distance, &[8000; 100]);
        assert!(known(&distance).is_some());
        noted(&mut measuring, &distance, &[60]);
        assert_eq!(known(&distance), None);
    }

    /// A connection was lost, which says nothing of the way.
    #[test]
    fn what_was_known_holds_until_there_is_enough_again() {
        let distance = Distance::new(Gauge::new("distance", "Distance").unwrap());
        noted(
            &mut Measuring::default(),
            &distance,
            &[1000; ENOUGH as usize],
        );
        let mut measuring = Measuring::default();
        noted(&mut measuring, &distance, &[50; ENOUGH as usize - 1]);
        assert!(known(&distance).is_some());
        noted(&mut measuring, &distance, &[1000]);
        assert_eq!(known(&distance), None);
    }
}
