//! What a counter may hold, as far as its clients can know.
//!
//! A visit whose outcome is unknown leaves two possibilities. They are not kept
//! one by one: it is enough to know how many visits may have been counted
//! beyond those that were acknowledged, and which identities they may have had.
//! Each number, each replay and each total seen later narrows that down.

use std::collections::{BTreeMap, HashMap};

/// An identity: whether it is an `Idempotency-Key`, and which.
pub type Key = (bool, u8);

/// What a client learns of its visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Counted { number: u64, replayed: bool },
    NotCounted,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It may have been counted.
    Maybe,
    Number(u64),
}

/// One counter.
#[derive(Debug, Default)]
pub struct Possibilities {
    /// Acknowledged numbers, and whose they are.
    given: BTreeMap<u64, Option<Key>>,
    fates: HashMap<Key, Fate>,
    /// Visits without identity that may have been counted.
    maybe_anonymous: u64,
    /// The highest total that was read.
    seen: u64,
}

impl Possibilities {
    /// Visits that were under way at the same time, while none else was.
    pub fn round(&mut self, visits: &[(Option<Key>, Outcome)]) {
        let floor = self.least();
        let mut identified: BTreeMap<Key, Vec<Outcome>> = BTreeMap::new();
        for (key, outcome) in visits {
            match (key, outcome) {
                (Some(key), outcome) => identified.entry(*key).or_default().push(*outcome),
                (None, Outcome::Counted { number, replayed }) => {
                    assert!(!replayed, "a visit without identity is no replay");
                    self.give(*number, None, floor);
                }
                (None, Outcome::Unknown) => self.maybe_anonymous += 1,
                (None, Outcome::NotCounted) => {}
            }
        }
        for (key, outcomes) in identified {
            self.identity(key, &outcomes, floor);
        }
        self.check();
    }

    /// A number that was given now, and so is above all that were known before.
    fn give(&mut self, number: u64, key: Option<Key>, floor: u64) {
        assert!(number > floor, "{number} was given after {floor} was known");
        let before = self.given.insert(number, key);
        assert_eq!(before, None, "{number} was given twice, now to {key:?}");
    }

    fn identity(&mut self, key: Key, outcomes: &[Outcome], floor: u64) {
        let before = self.fates.get(&key).copied();
        let unknown = outcomes.contains(&Outcome::Unknown);
        let counted: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Counted { number, replayed } => Some((*number, *replayed)),
                _ => None,
            })
            .collect();
        let Some(&(number, _)) = counted.first() else {
            if unknown && before.is_none() {
                self.fates.insert(key, Fate::Maybe);
            }
            return;
        };
        assert!(
            counted.iter().all(|(other, _)| *other == number),
            "{key:?} has several numbers: {counted:?}"
        );
        let fresh = counted.iter().filter(|(_, replayed)| !replayed).count();
        assert!(fresh <= 1, "{key:?} was counted {fresh} times");
        match before {
            Some(Fate::Number(known)) => {
                assert_eq!((number, fresh), (known, 0), "{key:?} had been counted");
            }
            Some(Fate::Maybe) if fresh == 0 => {
                let other = self.given.insert(number, Some(key));
                assert_eq!(other, None, "{number} is another's, not {key:?}'s");
            }
            Some(Fate::Maybe) => self.give(number, Some(key), floor),
            None => {
                assert!(fresh == 1 || unknown, "{key:?} is new, and was replayed");
                self.give(number, Some(key), floor);
            }
        }
        self.fates.insert(key, Fate::Number(number));
    }

    /// The total, read while nothing was under way.
    pub fn total(&mut self, total: u64) {
        assert!(total >= self.least(), "{total}, after {}", self.least());
        self.seen = total;
        self.check();
    }

    /// The least the total can be.
    fn least(&self) -> u64 {
        let highest = self.given.last_key_value().map_or(0, |(number, _)| *number);
        highest.max(self.seen)
    }

    /// The most the total can be.
    fn most(&self) -> u64 {
        self.given.len() as u64 + self.maybe_anonymous + self.unresolved().len() as u64
    }

    fn check(&self) {
        assert!(!self.given.contains_key(&0), "numbers begin with 1");
        assert!(
            self.least() <= self.most(),
            "{} were counted, and there were only {} visits: {self:?}",
            self.least(),
            self.most()
        );
    }

    /// Identities that may have been counted: a repeat will tell.
    pub fn unresolved(&self) -> Vec<Key> {
        let maybe = self.fates.iter().filter(|(_, fate)| **fate == Fate::Maybe);
        maybe.map(|(key, _)| *key).collect()
    }

    /// Nothing is left open but visits without identity, of which nobody can know.
    pub fn settled(&self) {
        assert_eq!(self.unresolved(), [] as [Key; 0]);
        if self.maybe_anonymous == 0 {
            let numbers: Vec<_> = self.given.keys().copied().collect();
            let expected: Vec<_> = (1..=self.seen).collect();
            assert_eq!(numbers, expected, "every number, each once");
        }
    }
}
