//! What the store refuses while it does all else: one counter's key is of
//! another type, say, or is not among the keys that its user may use.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::StoreError;

/// Subjects that are kept in mind. They are rare; beyond that many it is said
/// only that there are more.
const LIMIT: usize = 100;

/// Each subject that is refused, and whether that has been said.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Whether there are any: asked at every count.
    some: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    subjects: HashMap<String, Refusal>,
    /// There are more than are kept in mind, and this has been said.
    more: bool,
}

#[derive(Debug)]
struct Refusal {
    reason: StoreError,
    stage: Stage,
}

/// How far it is with finding out whether the store refuses only this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    /// The store is being asked to do something else.
    Asked,
    Said,
}

impl Refusals {
    /// Notes how something ended for `subject`; whether it was refused.
    pub fn note<T>(&self, subject: impl Fn() -> String, result: &Result<T, StoreError>) -> bool {
        match result {
            Ok(_) => {
                if self.some.load(Ordering::Relaxed) {
                    self.works(&subject());
                }
                false
            }
            Err(error) if error.may_concern_all() => {
                self.refused(subject(), error);
                true
            }
            Err(_) => false,
        }
    }

    fn refused(&self, subject: String, error: &StoreError) {
        let mut known = self.known();
        self.some.store(true, Ordering::Relaxed);
        if known.subjects.contains_key(&subject) {
            return;
        }
        if known.subjects.len() < LIMIT {
            let refusal = Refusal {
                reason: error.clone(),
                stage: Stage::New,
            };
            known.subjects.insert(subject, refusal);
        } else if !known.more {
            known.more = true;
            tracing::warn!(%error, "the store refuses more than the {LIMIT} that are named above");
        }
    }

    fn works(&self, subject: &str) {
        let mut known = self.known();
        let refusal = known.subjects.remove(subject);
        if refusal.is_some_and(|refusal| refusal.stage == Stage::Said) {
            tracing::info!(subject, "the store no longer refuses this");
            known.more = false;
        }
        self.some
            .store(!known.subjects.is_empty(), Ordering::Relaxed);
    }

    /// The store is about to be asked to do all that it has to do.
    pub fn asking(&self) {
        for refusal in self.known().subjects.values_mut() {
            if refusal.stage == Stage::New {
                refusal.stage = Stage::Asked;
            }
        }
    }

    /// It does, so what it refused before it was asked is refused alone: says so, once.
    pub fn alone(&self) {
        for (subject, refusal) in &mut self.known().subjects {
            if refusal.stage == Stage::Asked {
                refusal.stage = Stage::Said;
                let reason = &refusal.reason;
                tracing::warn!(subject, %reason, "the store refuses this while it does all else");
            }
        }
    }

    /// It does not, which says nothing of what it refused alone.
    pub fn forget(&self) {
        let mut known = self.known();
        known
            .subjects
            .retain(|_, refusal| refusal.stage == Stage::Said);
        self.some
            .store(!known.subjects.is_empty(), Ordering::Relaxed);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(refusals: &Refusals, subject: &str) -> bool {
        let refused = StoreError::Refused("WRONGTYPE".to_owned());
        refusals.note(|| subject.to_owned(), &Err::<(), _>(refused))
    }

    fn stage(refusals: &Refusals, subject: &str) -> Option<Stage> {
        let known = refusals.known();
        Some(known.subjects.get(subject)?.stage)
    }

    #[test]
    fn what_is_refused_alone_is_said_once_until_it_works_again() {
        let refusals = Refusals::default();
        assert!(refuse(&refusals, "a"));
        refusals.asking();
        assert!(refuse(&refusals, "b"), "it came after the question");
        refusals.alone();
        assert_eq!(stage(&refusals, "a"), Some(Stage::Said));
        assert_eq!(stage(&refusals, "b"), Some(Stage::New));
        assert!(refuse(&refusals, "a"));
        assert_eq!(stage(&refusals, "a"), Some(Stage::Said));
        assert!(!refusals.note(|| "a".to_owned(), &Ok(())));
        assert_eq!(stage(&refusals, "a"), None);
        assert!(refuse(&refusals, "a"));
        assert_eq!(stage(&refusals, "a"), Some(Stage::New));
    }

    #[test]
    fn a_store_that_refuses_all_refuses_nothing_alone() {
        let refusals = Refusals::default();
        refuse(&refusals, "alone");
        refusals.asking();
        refusals.alone();
        refuse(&refusals, "with all others");
        refusals.asking();
        refusals.forget();
        assert_eq!(stage(&refusals, "alone"), Some(Stage::Said));
        assert_eq!(stage(&refusals, "with all others"), None);
    }

    #[test]
    fn only_refusals_are_noted_and_not_without_end() {
        let refusals = Refusals::default();
        for error in [
            StoreError::Timeout,
            StoreError::Busy,
            StoreError::Unavailable(String::new()),
            StoreError::ConnectionLost(String::new()),
            StoreError::Unconfirmed(String::new()),
        ] {
            assert!(!refusals.note(|| "a".to_owned(), &Err::<(), _>(error)));
        }
        for number in 0..10 * LIMIT {
            refuse(&refusals, &number.to_string());
        }
        assert_eq!(refusals.known().subjects.len(), LIMIT);
    }
}
