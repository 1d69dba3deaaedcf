//! Whether the database can be used, as all threads of a process see it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus::IntGauge;
use tokio::sync::Notify;

use super::DatabaseError;

#[derive(Debug)]
enum State {
    /// Nobody has asked yet.
    Unknown,
    /// It answers, since then.
    Up(Instant),
    Away(String),
}

/// The shared view of the database's state.
#[derive(Debug)]
pub struct DatabaseHealth {
    state: Mutex<State>,
    doubt: Notify,
    up: IntGauge,
}

impl DatabaseHealth {
    /// Nothing is known yet.
    pub fn new(up: IntGauge) -> Self {
        up.set(0);
        Self {
            state: Mutex::new(State::Unknown),
            doubt: Notify::new(),
            up,
        }
    }

    /// Since when it has been up, or why it is not.
    ///
    /// # Errors
    ///
    /// A sentence for people.
    pub fn ready(&self) -> Result<Instant, String> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Up(since) => Ok(*since),
            State::Unknown => Err("not reached yet".to_owned()),
            State::Away(reason) => Err(reason.clone()),
        }
    }

    /// Notes that an operation has failed in a way that all others may: it is asked soon.
    pub fn doubt(&self) {
        self.doubt.notify_one();
    }

    /// Waits until there is doubt, for at most `pause`.
    pub async fn doubted_within(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.doubt.notified()).await;
    }

    /// Notes what it answered when it was asked.
    pub fn note(&self, answer: Result<(), DatabaseError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.up.set(i64::from(answer.is_ok()));
        *state = match (answer, &*state) {
            (Ok(()), State::Up(since)) => State::Up(*since),
            (Ok(()), _) => {
                tracing::info!("database is up");
                State::Up(Instant::now())
            }
            (Err(error), State::Away(_)) => State::Away(error.to_string()),
            (Err(error), _) => {
                tracing::warn!(%error, "database is away; counting goes on without it");
                State::Away(error.to_string())
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_up_from_the_first_answer_to_the_first_failure() {
        let up = IntGauge::new("up", "Whether.").unwrap();
        let health = DatabaseHealth::new(up.clone());
        assert_eq!(health.ready().unwrap_err(), "not reached yet");
        health.note(Ok(()));
        let since = health.ready().unwrap();
        health.note(Ok(()));
        assert_eq!((health.ready(), up.get()), (Ok(since), 1));
        for reason in ["one", "another"] {
            health.note(Err(DatabaseError::Away(reason.into())));
            assert_eq!((health.ready(), up.get()), (Err(reason.into()), 0));
        }
        health.note(Ok(()));
        assert!(health.ready().unwrap() > since);
    }

    #[tokio::test(start_paused = true)]
    async fn doubt_ends_the_pause() {
        let health = DatabaseHealth::new(IntGauge::new("up", "Whether.").unwrap());
        let started = tokio::time::Instant::now();
        health.doubt();
        health.doubted_within(Duration::from_secs(9)).await;
        assert!(started.elapsed() < Duration::from_secs(9));
        health.doubted_within(Duration::from_secs(9)).await;
        assert!(started.elapsed() >= Duration::from_secs(9));
    }
}
