//! How many visits a second one key may send.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// So much of its rate may come at once, in nanoseconds: what pages of one second send.
const AT_ONCE: u64 = 1_000_000_000;

/// Leaky bucket (the generic cell rate algorithm, as ITU-T I.371 has it): one number, and no lock, for
/// all threads of a process.
#[derive(Debug)]
pub struct Budget {
    since: Instant,
    /// Nanoseconds between two visits.
    pause: u64,
    /// When all that was sent so far would have come one by one, in nanoseconds.
    due: AtomicU64,
}

impl Budget {
    /// So many visits a second.
    pub fn new(rate: u32) -> Self {
        Self {
            since: Instant::now(),
            pause: AT_ONCE / u64::from(rate.max(1)),
            due: AtomicU64::new(0),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    ///
    /// After which time there is one again.
    pub fn take(&self) -> Result<(), Duration> {
        let now = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let next = |due: u64| due.max(now).saturating_add(self.pause);
        let taken = self
            .due
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| {
                (next(due) - now <= AT_ONCE).then(|| next(due))
            });
        match taken {
            Ok(_) => Ok(()),
            Err(due) => Err(Duration::from_nanos(next(due) - now - AT_ONCE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_at_once_and_then_the_rate() {
        for rate in [1, 3, 100, 10_000] {
            let budget = Budget::new(rate);
            let all = || (0..20_000).take_while(|_| budget.take().is_ok()).count();
            assert_eq!(all(), rate as usize, "{rate}");
            let wait = budget.take().unwrap_err();
            let most = Duration::from_secs(1) / rate;
            assert!(wait > Duration::ZERO && wait <= most, "{rate}: {wait:?}");
            tokio::time::advance(wait).await;
            assert_eq!(all(), 1, "{rate}");
            // However long nobody came.
            tokio::time::advance(Duration::from_hours(1)).await;
            assert_eq!(all(), rate as usize, "{rate}");
        }
    }
}
