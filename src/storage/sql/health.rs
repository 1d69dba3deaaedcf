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
    noted: Notify,
    up: IntGauge,
}

impl DatabaseHealth {
    /// Nothing is known yet.
    pub fn new(up: IntGauge) -> Self {
        up.set(0);
        Self {
            state: Mutex::new(State::Unknown),
            doubt: Notify::new(),
            noted: Notify::new(),
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

    /// Waits until it is up, for at most `patience`.
    ///
    /// # Errors
    ///
    /// Why it is not, as [`ready`](Self::ready) says.
    pub async fn up_within(&self, patience: Duration) -> Result<Instant, String> {
        let up = async {
            loop {
                // Before the look: what is noted after it wakes this.
                let noted = self.noted.notified();
                match self.ready() {
                    Ok(since) => return since,
                    Err(_) => noted.await,
                }
            }
        };
        match tokio::time::timeout(patience, up).await {
            Ok(since) => Ok(since),
            Err(_) => self.ready(),
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
        self.noted.notify_waiters();
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
    async fn who_waits_is_told_when_it_is_up_or_why_it_is_not() {
        let health = DatabaseHealth::new(IntGauge::new("up", "Whether.").unwrap());
        let patience = Duration::from_secs(9);
        let nobody_asks = health.up_within(patience).await;
        assert_eq!(nobody_asks.unwrap_err(), "not reached yet");
        let started = tokio::time::Instant::now();
        let answers = async {
            health.note(Err(DatabaseError::Away("away".into())));
            tokio::task::yield_now().await;
            health.note(Ok(()));
        };
        let (up, ()) = tokio::join!(health.up_within(patience), answers);
        assert_eq!(up, health.ready());
        assert_eq!(started.elapsed(), Duration::ZERO);
        health.note(Err(DatabaseError::Away("gone".into())));
        let away = health.up_within(patience).await;
        assert_eq!(away.unwrap_err(), "gone");
        assert_eq!(started.elapsed(), patience);
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
