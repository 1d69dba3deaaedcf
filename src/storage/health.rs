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

use super::{StoreError, refusals::Refusals};

/// The shared view of the store's state.
#[derive(Debug)]
pub struct StoreHealth {
    away: AtomicBool,
    state: Mutex<State>,
    outages: AtomicU64,
    gone: Notify,
    suspected: AtomicBool,
    suspicion: Notify,
    up: IntGauge,
    /// Of the record that is kept in the store; `None` until it is known.
    record: Mutex<Option<Result<(), String>>>,
    /// What is refused while the store is up.
    pub refusals: Refusals,
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
            gone: Notify::new(),
            suspected: AtomicBool::new(false),
            suspicion: Notify::new(),
            up,
            record: Mutex::new(None),
            refusals: Refusals::default(),
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
            self.gone.notify_one();
        }
    }

    /// Whether the record that is kept in the store can be written, if it is known.
    pub fn record(&self) -> Option<Result<(), String>> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.clone()
    }

    /// Notes whether the record that is kept in the store can be written. Counting does not need it.
    pub fn note_record(&self, probed: Result<(), StoreError>) {
        let new = probed.map_err(|error| error.to_string());
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        match (record.as_ref(), &new) {
            (Some(Ok(())) | None, Err(reason)) => {
                tracing::warn!(
                    reason,
                    "the record of visits cannot be written; visits are counted without it, and those that carry something are refused with 503 recording_behind"
                );
            }
            (Some(Err(_)), Ok(())) => {
                tracing::info!("the record of visits can be written again");
            }
            _ => {}
        }
        *record = Some(new);
    }

    /// Notes that the store has refused something, and perhaps refuses all:
    /// it is asked soon.
    pub fn suspect(&self) {
        if !self.suspected.swap(true, Ordering::Relaxed) {
            self.suspicion.notify_one();
        }
    }

    /// Whether the store has refused something since it was last asked.
    pub fn is_suspected(&self) -> bool {
        self.suspected.load(Ordering::Relaxed)
    }

    /// Whether there is a suspicion. It is given up: who takes it asks.
    pub fn take_suspicion(&self) -> bool {
        self.suspected.swap(false, Ordering::Relaxed)
    }

    /// Waits until the store goes away, for at most `pause`.
    pub async fn gone_within(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.gone.notified()).await;
    }

    /// Waits until the store goes away or is suspected, for at most `pause`.
    pub async fn in_doubt_within(&self, pause: Duration) {
        tokio::select! {
            () = self.suspicion.notified() => {}
            () = self.gone_within(pause) => {}
        }
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
