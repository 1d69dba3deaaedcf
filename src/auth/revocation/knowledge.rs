//! What a process knows of revocations, shared by its threads.

use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{sync::Mutex, time::Instant};

use super::{entry::Entry, metrics::RevocationMetrics, pass::Pass, rules::Rules};
use crate::storage::{redis::Node, sql::sqlite::unix_millis};

/// Up to where a process has read what is revoked.
///
/// Two epochs are equal or not; which of two is the newer one nobody can say, since a Redis that has
/// lost its last writes goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The store's at the time.
    pub epoch: Arc<str>,
    /// When everything was last read and compared with the database: what a connection that was
    /// opened later leads to may have lost something since.
    pub whole_at: Option<Instant>,
    /// Which server that was; `None` in SQLite.
    pub from: Option<Node>,
}

impl Known {
    /// Whether it holds for a connection to this server that was opened at that time.
    pub fn holds_for(&self, node: &Node, since: Instant) -> bool {
        self.whole_at.is_some_and(|whole_at| whole_at >= since) && self.from.as_ref() == Some(node)
    }
}

/// What a process knows. It only grows, until what is in it has ended; what bounds it is told at `Rules`.
#[derive(Debug)]
pub struct Knowledge {
    /// How many are held: where there are none, nothing else has to be looked at.
    held: AtomicUsize,
    state: RwLock<State>,
    /// Whoever reads what is new: one at a time, so that not all threads ask for the same.
    pub turn: Mutex<()>,
    /// Whether the database could not be asked when everything was read.
    pub owed: AtomicBool,
    /// What is measured.
    pub metrics: Arc<RevocationMetrics>,
}

#[derive(Debug)]
struct State {
    known: Known,
    rules: Rules,
}

/// A look at all of it at one moment. It must not be held while anything is waited for.
pub struct Look<'a>(RwLockReadGuard<'a, State>);

impl Look<'_> {
    /// Up to where what is revoked was read.
    pub fn known(&self) -> &Known {
        &self.0.known
    }

    /// Whether a pass is good no longer.
    pub fn revokes(&self, pass: &Pass) -> bool {
        self.0.rules.revokes(pass)
    }
}

impl Knowledge {
    /// Nothing is known.
    pub fn new(metrics: Arc<RevocationMetrics>) -> Self {
        Self {
            held: AtomicUsize::new(0),
            state: RwLock::new(State {
                known: Known {
                    // No store's.
                    epoch: "?".into(),
                    whole_at: None,
                    from: None,
                },
                rules: Rules::default(),
            }),
            turn: Mutex::default(),
            owed: AtomicBool::new(false),
            metrics,
        }
    }

    /// What is known, all from one moment.
    pub fn look(&self) -> Look<'_> {
        Look(self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a pass is known to be good no longer.
    pub fn revokes(&self, pass: &Pass) -> bool {
        self.held.load(Ordering::Acquire) > 0 && self.look().revokes(pass)
    }

    /// Adds what was learned, and up to where it was read if that is known.
    pub fn learn(&self, entries: &[Entry], known: Option<Known>) {
        let now = unix_millis();
        self.change(|state| {
            for entry in entries.iter().filter(|entry| entry.until > now) {
                if state.rules.add(entry) {
                    let took = (now - entry.noted_at).max(0) as f64 / 1000.0;
                    self.metrics.known.observe(took);
                }
            }
            if let Some(known) = known {
                state.known = known;
            }
        });
    }

    /// Forgets what has ended.
    pub fn forget(&self) {
        self.change(|state| state.rules.forget(unix_millis()));
    }

    /// All that it holds.
    pub fn entries(&self) -> Vec<Entry> {
        self.look().0.rules.entries()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let held = state.rules.len();
        self.metrics
            .held
            .set(i64::try_from(held).unwrap_or(i64::MAX));
        self.held.store(held, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::auth::revocation::Revocation;

    #[test]
    fn what_is_learned_is_known_until_it_ends() {
        let metrics = Arc::new(RevocationMetrics::detached().unwrap());
        let knowledge = Knowledge::new(metrics.clone());
        let pass = |session| Pass {
            session,
            user: Uuid::nil(),
            user_generation: 1,
            company: Uuid::nil(),
            company_generation: 1,
        };
        let (ended, living) = (Uuid::now_v7(), Uuid::now_v7());
        let now = unix_millis();
        let entry = |id, until| Entry {
            revocation: Revocation::Session(id),
            noted_at: now,
            until,
        };
        assert!(!knowledge.revokes(&pass(living)));
        knowledge.learn(&[entry(ended, now - 1), entry(living, now + 60_000)], None);
        assert!(knowledge.revokes(&pass(living)) && !knowledge.revokes(&pass(ended)));
        assert_eq!(metrics.held.get(), 1);
        assert_eq!(&*knowledge.look().known().epoch, "?", "nothing was read");
        let read = Known {
            epoch: "7".into(),
            ..knowledge.look().known().clone()
        };
        // Again, which is no news.
        knowledge.learn(&[entry(living, now + 60_000)], Some(read.clone()));
        assert_eq!(*knowledge.look().known(), read);
        assert_eq!(metrics.known.get_sample_count(), 1);
        knowledge.learn(&[entry(ended, now + 1)], None);
        while unix_millis() <= now + 1 {}
        knowledge.forget();
        assert!(knowledge.revokes(&pass(living)) && !knowledge.revokes(&pass(ended)));
        assert_eq!((metrics.held.get(), knowledge.entries().len()), (1, 1));
    }
}
