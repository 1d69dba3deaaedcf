//! Whether the store can be reached, as all threads of a process see it.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus::IntGauge;
use tokio::sync::Notify;

use super::StoreError;

/// The shared view of the store's state.
#[derive(Debug)]
pub struct StoreHealth {
    away: AtomicBool,
    state: Mutex<State>,
    outages: AtomicU64,
    changed: Notify,
    up: IntGauge,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Nobody has asked yet.
    Unknown,
    Up,
    Away(String),
}

impl StoreHealth {
    /// Nothing is known yet.
    pub fn new(up: IntGauge) -> Self {
        up.set(0);
        Self {
            away: AtomicBool::new(false),
            state: Mutex::new(State::Unknown),
            outages: AtomicU64::new(0),
            changed: Notify::new(),
            up,
        }
    }

    /// Whether the store is known to be away, so that a request need not wait to find out.
    pub fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// How often the store has gone away. A connection from before the last
    /// time leads nowhere.
    pub fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }

    /// `Ok` once it has answered, else why it is not ready.
    ///
    /// # Errors
    ///
    /// A sentence for people.
    pub fn ready(&self) -> Result<(), String> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Up => Ok(()),
            State::Unknown => Err("not reached yet".to_owned()),
            State::Away(reason) => Err(reason.clone()),
        }
    }

    /// Notes that the store is away. It is asked again soon, and then regularly.
    pub fn mark_away(&self, error: &StoreError) {
        if self.change(State::Away(error.to_string()), None) {
            tracing::warn!(%error, "store is away; counting answers 503 until it is back");
            self.changed.notify_one();
        }
    }

    /// Waits until the store goes away, for at most `pause`.
    pub async fn gone_within(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.changed.notified()).await;
    }

    /// Notes that the store is there.
    pub fn mark_up(&self) {
        if self.change(State::Up, None) {
            tracing::info!("store is up");
        }
    }

    /// Notes that the store is there, unless it has gone away since
    /// [`Self::outages`] said this.
    pub fn mark_up_since(&self, outages: u64) {
        if self.change(State::Up, Some(outages)) {
            tracing::info!("store is up");
        }
    }

    /// Sets the state, if there were no more outages than that; whether it went
    /// from away to up or the other way round.
    fn change(&self, new: State, outages: Option<u64>) -> bool {
        let away = matches!(new, State::Away(_));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if outages.is_some_and(|outages| outages != self.outages()) {
            return false;
        }
        let turned = std::mem::discriminant(&*state) != std::mem::discriminant(&new);
        if turned && away {
            self.outages.fetch_add(1, Ordering::Relaxed);
        }
        *state = new;
        self.away.store(away, Ordering::Relaxed);
        self.up.set(i64::from(!away));
        turned
    }
}
