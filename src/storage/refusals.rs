//! What the store refuses while it does all else: one counter's key is of
//! another type, say, or is not among the keys that its user may use.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::StoreError;

/// Subjects that are kept in mind. They are rare; beyond that many it is said
/// only that there are more.
const LIMIT: usize = 100;

/// What is not asked for any more, and so will never be found to work again, makes room for others
/// after this.
const KEPT: Duration = Duration::from_hours(1);

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
    /// The first that was refused when there was no room for it.
    more: Option<Refusal>,
}

#[derive(Debug)]
struct Refusal {
    reason: StoreError,
    stage: Stage,
    /// When it was refused last.
    last: Instant,
}

/// How far it is with finding out whether the store refuses only this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    /// The store is being asked to do something else.
    Asked,
    Said,
}

impl Refusal {
    /// The reason, if it is time to say it.
    fn say(&mut self) -> Option<&StoreError> {
        let asked = self.stage == Stage::Asked;
        asked.then(|| {
            self.stage = Stage::Said;
            &self.reason
        })
    }
}

impl Refusals {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.some.load(Ordering::Relaxed)
    }

    /// Notes how something ended for `subject`; whether it was refused.
    pub fn note<T>(&self, subject: impl Fn() -> String, result: &Result<T, StoreError>) -> bool {
        match result {
            Ok(_) => {
                if self.any() {
                    self.works(&subject());
                }
                false
            }
            Err(error) if error.may_concern_all() => {
                self.refused(subject(), error, Instant::now());
                true
            }
            Err(_) => false,
        }
    }

    fn refused(&self, subject: String, error: &StoreError, now: Instant) {
        let mut known = self.known();
        self.some.store(true, Ordering::Relaxed);
        if let Some(refusal) = known.subjects.get_mut(&subject) {
            refusal.last = now;
            return;
        }
        if known.subjects.len() >= LIMIT {
            known
                .subjects
                .retain(|_, refusal| now.saturating_duration_since(refusal.last) < KEPT);
        }
        let refusal = Refusal {
            reason: error.clone(),
            stage: Stage::New,
            last: now,
        };
        if known.subjects.len() < LIMIT {
            known.subjects.insert(subject, refusal);
            known.more = None;
        } else {
            known.more.get_or_insert(refusal);
        }
    }

    fn works(&self, subject: &str) {
        let mut known = self.known();
        let refusal = known.subjects.remove(subject);
        if refusal.is_some_and(|refusal| refusal.stage == Stage::Said) {
            tracing::info!(subject, "the store no longer refuses this");
            known.more = None;
        }
        self.some
            .store(!known.subjects.is_empty(), Ordering::Relaxed);
    }

    /// The store is about to be asked to do all that it has to do.
    pub fn asking(&self) {
        let mut known = self.known();
        let Known { subjects, more } = &mut *known;
        for refusal in subjects.values_mut().chain(more) {
            if refusal.stage == Stage::New {
                refusal.stage = Stage::Asked;
            }
        }
    }

    /// It does, so what it refused before it was asked is refused alone: says so, once.
    pub fn alone(&self) {
        let mut known = self.known();
        for (subject, refusal) in &mut known.subjects {
            if let Some(reason) = refusal.say() {
                tracing::warn!(subject, %reason, "the store refuses this while it does all else");
            }
        }
        if let Some(reason) = known.more.as_mut().and_then(Refusal::say) {
            tracing::warn!(%reason, "the store refuses more than the {LIMIT} that are named above");
        }
    }

    /// It does not, which says nothing of what it refused alone.
    pub fn forget(&self) {
        let mut known = self.known();
        known
            .subjects
            .retain(|_, refusal| refusal.stage == Stage::Said);
        known.more = None;
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

    #[test]
    fn that_there_are_more_is_said_after_those_that_are_named() {
        let refusals = Refusals::default();
        let more = || Some(refusals.known().more.as_ref()?.stage);
        let refuse_many = || {
            for number in 0..=LIMIT {
                refuse(&refusals, &number.to_string());
            }
        };
        refuse_many();
        refusals.asking();
        assert_eq!(more(), Some(Stage::Asked));
        // None of them is alone, and so none is named.
        refusals.forget();
        assert_eq!(more(), None);
        refuse_many();
        assert_eq!(more(), Some(Stage::New));
        refusals.asking();
        refusals.alone();
        assert_eq!(more(), Some(Stage::Said));
        refuse_many();
        assert_eq!(more(), Some(Stage::Said));
    }

    #[test]
    fn what_nobody_asks_for_any_more_makes_room() {
        let refusals = Refusals::default();
        for number in 0..=LIMIT {
            refuse(&refusals, &number.to_string());
        }
        assert!(refusals.known().more.is_some());
        let refused = StoreError::Refused("WRONGTYPE".to_owned());
        let later = Instant::now() + KEPT;
        refusals.refused("0".to_owned(), &refused, later);
        refusals.refused("new".to_owned(), &refused, later);
        assert_eq!(refusals.known().subjects.len(), 2);
        assert_eq!(stage(&refusals, "new"), Some(Stage::New));
        assert!(refusals.known().more.is_none());
    }
}
