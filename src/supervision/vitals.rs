//! Whether the process is well: its threads turn, and it is not shutting down.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often each thread shows that it turns.
const BEAT: Duration = Duration::from_millis(200);

/// A thread that has not turned for this long is stuck: nothing of ours may
/// hold one for more than some milliseconds, and a busy machine catches up.
pub const STUCK: Duration = Duration::from_secs(2);

/// Why a process is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwell {
    /// Its public addresses do not lead to it yet.
    Starting,
    /// It is shutting down.
    Draining,
    /// A thread of it no longer turns.
    Stuck,
}

/// What the threads of a process tell each other of its state.
#[derive(Debug, Clone)]
pub struct Vitals(Arc<State>);

#[derive(Debug)]
struct State {
    started: AtomicBool,
    draining: CancellationToken,
    threads: Mutex<Vec<Arc<Thread>>>,
    begin: Instant,
}

#[derive(Debug)]
struct Thread {
    name: String,
    /// Milliseconds from the beginning to the last time it turned.
    turned: AtomicU64,
}

impl Default for Vitals {
    fn default() -> Self {
        Self(Arc::new(State {
            started: AtomicBool::new(false),
            draining: CancellationToken::new(),
            threads: Mutex::default(),
            begin: Instant::now(),
        }))
    }
}

impl Vitals {
    /// From now on the public addresses lead here, or rightly do not.
    pub fn have_started(&self) {
        self.0.started.store(true, Ordering::Relaxed);
    }

    /// From now on the process is shutting down.
    pub fn start_draining(&self) {
        self.0.draining.cancel();
    }

    /// Whether the process is shutting down.
    pub fn is_draining(&self) -> bool {
        self.0.draining.is_cancelled()
    }

    /// Returns when the process begins to shut down.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.draining.clone().cancelled_owned()
    }

    /// The heartbeat of a thread, to be run on its runtime. From now on the
    /// thread is expected to turn.
    pub fn heartbeat(&self, thread: &str) -> impl Future<Output = ()> + use<> {
        let thread = Arc::new(Thread {
            name: thread.to_owned(),
            turned: AtomicU64::new(self.now()),
        });
        let mut threads = self.threads();
        threads.push(thread.clone());
        drop(threads);
        let vitals = self.clone();
        async move {
            loop {
                thread.turned.store(vitals.now(), Ordering::Relaxed);
                sleep(BEAT).await;
            }
        }
    }

    /// A thread that has not turned for `limit`, by its name.
    pub fn stuck_for(&self, limit: Duration) -> Option<String> {
        let oldest = self.now().checked_sub(limit.as_millis() as u64)?;
        let threads = self.threads();
        let stuck = |thread: &&Arc<Thread>| thread.turned.load(Ordering::Relaxed) < oldest;
        threads.iter().find(stuck).map(|stuck| stuck.name.clone())
    }

    fn now(&self) -> u64 {
        self.0.begin.elapsed().as_millis() as u64
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Thread>>> {
        self.0
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the process is not live, if it is not.
    ///
    /// # Errors
    ///
    /// [`Unwell::Draining`] and [`Unwell::Stuck`].
    pub fn check(&self) -> Result<(), Unwell> {
        if self.is_draining() {
            Err(Unwell::Draining)
        } else if self.stuck_for(STUCK).is_some() {
            Err(Unwell::Stuck)
        } else {
            Ok(())
        }
    }

    /// Why the process is not live or has not started, if so: who waits for a start to end asks this.
    ///
    /// # Errors
    ///
    /// Those of [`Vitals::check`] and [`Unwell::Starting`].
    pub fn check_started(&self) -> Result<(), Unwell> {
        self.check()?;
        match self.0.started.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(Unwell::Starting),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(500);

    #[tokio::test]
    async fn a_thread_that_turns_is_not_stuck() {
        let vitals = Vitals::default();
        let beating = tokio::spawn(vitals.heartbeat("one"));
        let other = vitals.clone();
        let resting = std::thread::spawn(move || {
            std::thread::sleep(LIMIT * 2);
            other.stuck_for(LIMIT)
        });
        while !resting.is_finished() {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(resting.join().unwrap(), None);
        beating.abort();
    }

    #[tokio::test]
    async fn a_thread_that_does_not_is_named_until_it_does() {
        let vitals = Vitals::default();
        tokio::spawn(vitals.heartbeat("one"));
        std::thread::sleep(LIMIT * 2);
        assert_eq!(vitals.stuck_for(LIMIT).as_deref(), Some("one"));
        assert_eq!(vitals.stuck_for(LIMIT * 20), None);
        tokio::task::yield_now().await;
        assert_eq!(vitals.stuck_for(LIMIT), None);
    }

    #[test]
    fn one_that_starts_is_live_and_has_not_started() {
        let vitals = Vitals::default();
        assert_eq!(vitals.check(), Ok(()));
        assert_eq!(vitals.check_started(), Err(Unwell::Starting));
        vitals.have_started();
        assert_eq!(vitals.check_started(), Ok(()));
        vitals.start_draining();
        assert_eq!(vitals.check_started(), Err(Unwell::Draining));
    }
}
