//! Who watches what, and the last reading of it. All worker threads share it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::metrics::{LiveMetrics, Refused};
use crate::counting::{Company, CounterId};

/// Streams of one replica: what it holds open for them is some kilobytes each.
const MOST: usize = 1000;

/// Streams of one user on one replica: as many pages as anybody has in sight, on all their screens.
const MOST_OF_USER: usize = 64;

/// Something that can be watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Watched {
    /// A counter.
    Counter(CounterId),
    /// All counters of a company together.
    All(Company),
}

/// What was read at one moment.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// 1, 2, 3, …; 0 before the first.
    pub serial: u64,
    /// The visits of what was watched then. While the store is away, those of before.
    pub visits: HashMap<Watched, u64>,
    /// Whether the store could not be read.
    pub is_away: bool,
}

/// Who watches, and what they are told.
#[derive(Debug)]
pub struct Live {
    seats: Mutex<Seats>,
    /// Woken when somebody comes.
    pub(super) comes: Notify,
    pub(super) readings: watch::Sender<Arc<Reading>>,
    pub(super) metrics: Arc<LiveMetrics>,
}

#[derive(Debug, Default)]
struct Seats {
    taken: usize,
    users: HashMap<Uuid, usize>,
    watched: HashMap<Watched, usize>,
}

/// A stream, for as long as it is open.
#[derive(Debug)]
pub struct Seat {
    live: Arc<Live>,
    user: Uuid,
    /// What it watches.
    pub watched: Vec<Watched>,
    /// The last reading that was there before it came.
    pub since: u64,
}

impl Live {
    /// Nobody watches yet.
    pub fn new(metrics: Arc<LiveMetrics>) -> Self {
        Self {
            seats: Mutex::default(),
            comes: Notify::new(),
            readings: watch::Sender::default(),
            metrics,
        }
    }

    /// A stream for a user.
    ///
    /// # Errors
    ///
    /// If there is no room, and for whom.
    pub fn join(self: &Arc<Self>, user: Uuid, watched: Vec<Watched>) -> Result<Seat, Refused> {
        let mut seats = self.seats();
        let refused = match seats.users.get(&user) {
            Some(of_user) if *of_user >= MOST_OF_USER => Some(Refused::User),
            _ if seats.taken >= MOST => Some(Refused::Replica),
            _ => None,
        };
        if let Some(refused) = refused {
            self.metrics.refused.of(refused).inc();
            return Err(refused);
        }
        seats.taken += 1;
        add(&mut seats.users, &user);
        for one in &watched {
            add(&mut seats.watched, one);
        }
        drop(seats);
        self.metrics.streams.inc();
        let since = self.readings.borrow().serial;
        self.comes.notify_one();
        Ok(Seat {
            live: self.clone(),
            user,
            watched,
            since,
        })
    }

    /// What is watched now.
    pub(super) fn watched(&self) -> Vec<Watched> {
        self.seats().watched.keys().cloned().collect()
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The readings from now on.
    pub fn readings(&self) -> watch::Receiver<Arc<Reading>> {
        let mut readings = self.live.readings.subscribe();
        // One may have come meanwhile.
        readings.mark_changed();
        readings
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.live.seats();
        seats.taken -= 1;
        remove(&mut seats.users, &self.user);
        for one in &self.watched {
            remove(&mut seats.watched, one);
        }
        drop(seats);
        self.live.metrics.streams.dec();
    }
}

fn add<K: Hash + Eq + Clone>(numbers: &mut HashMap<K, usize>, key: &K) {
    *numbers.entry(key.clone()).or_default() += 1;
}

fn remove<K: Hash + Eq>(numbers: &mut HashMap<K, usize>, key: &K) {
    if let Some(number) = numbers.get_mut(key) {
        *number -= 1;
        if *number == 0 {
            numbers.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Registry;

    fn live() -> Arc<Live> {
        let metrics = LiveMetrics::register(&Registry::new().unwrap()).unwrap();
        Arc::new(Live::new(metrics.into()))
    }

    fn counter(name: &str) -> Watched {
        Watched::Counter(CounterId {
            company: Company::Default,
            name: name.parse().unwrap(),
        })
    }

    #[test]
    fn what_is_watched_is_what_somebody_watches() {
        let (live, user) = (live(), Uuid::now_v7());
        let first = live.join(user, vec![counter("a"), counter("b")]).unwrap();
        let second = live.join(user, vec![counter("a")]).unwrap();
        assert_eq!(live.watched().len(), 2);
        drop(first);
        assert_eq!(live.watched(), [counter("a")]);
        drop(second);
        assert_eq!(live.watched(), []);
        assert!(live.seats().users.is_empty());
        assert_eq!(live.metrics.streams.get(), 0);
    }

    #[test]
    fn nobody_has_more_streams_than_they_may_have() {
        let (live, user) = (live(), Uuid::now_v7());
        let mut seats: Vec<_> = (0..MOST_OF_USER)
            .map(|_| live.join(user, Vec::new()).unwrap())
            .collect();
        assert_eq!(live.join(user, Vec::new()).unwrap_err(), Refused::User);
        seats.pop();
        live.join(user, Vec::new()).unwrap();
        let others = MOST - seats.len();
        seats.extend((0..others).map(|_| live.join(Uuid::now_v7(), Vec::new()).unwrap()));
        let refused = live.join(Uuid::now_v7(), Vec::new());
        assert_eq!(refused.unwrap_err(), Refused::Replica);
        assert_eq!(live.metrics.refused.of(Refused::Replica).get(), 1);
        drop(seats);
        live.join(user, Vec::new()).unwrap();
    }
}
