//! One map, asked for by whoever needs it first and shared by all threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync;

/// What is known, until it is forgotten.
#[derive(Debug)]
pub struct SharedMap<T> {
    known: Mutex<Known<T>>,
    /// Held while somebody asks, so that the others wait for the answer.
    asking: sync::Mutex<()>,
}

#[derive(Debug)]
struct Known<T> {
    map: Option<Arc<T>>,
    /// How often it was forgotten.
    forgotten: u64,
}

impl<T> SharedMap<T> {
    /// Nothing is known.
    pub fn new() -> Self {
        let known = Known {
            map: None,
            forgotten: 0,
        };
        Self {
            known: Mutex::new(known),
            asking: sync::Mutex::new(()),
        }
    }

    /// What is known.
    pub fn known(&self) -> Option<Arc<T>> {
        self.lock().map.clone()
    }

    /// Asks again at the next use: what failed may be elsewhere by now.
    pub fn forget(&self) {
        let mut known = self.lock();
        known.map = None;
        known.forgotten += 1;
    }

    /// What is known, else what this answers.
    ///
    /// # Errors
    ///
    /// Those of the question.
    pub async fn get<E>(&self, ask: impl AsyncFnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let _asking = self.asking.lock().await;
        match self.known() {
            Some(found) => Ok(found),
            None => self.ask(ask).await,
        }
    }

    /// Asks, whatever is known: what was known before, and what is known now.
    ///
    /// # Errors
    ///
    /// Those of the question; what was known is kept.
    pub async fn ask_again<E>(
        &self,
        ask: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<(Option<Arc<T>>, Arc<T>), E> {
        let _asking = self.asking.lock().await;
        let before = self.known();
        Ok((before, self.ask(ask).await?))
    }

    /// An answer to a question that was put before something failed may be what made it fail: it
    /// is not kept.
    async fn ask<E>(&self, ask: impl AsyncFnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let forgotten = self.lock().forgotten;
        let answer = Arc::new(ask().await?);
        let mut known = self.lock();
        if known.forgotten == forgotten {
            known.map = Some(answer.clone());
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
