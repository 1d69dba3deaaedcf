//! Floods: entries that are equal and come within a minute are one row.
//!
//! The first of them is written at once, so that it is seen, and kept, whatever happens next. Those
//! that follow within the minute are one row more, with their number and the times of the first and
//! the last. So an attacker who fails a thousand times a second makes two rows a minute.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{Action, Actor, Details, Entry, Object, Outcome, address};

/// How long equal entries are one row.
pub const WINDOW: Duration = Duration::from_mins(1);

/// Different entries that are told apart at a time, with their addresses.
const MOST: usize = 4096;

/// As many more, without their addresses: what a flood from everywhere comes to.
const MOST_WITHOUT_ADDRESS: usize = 1024;

/// What makes two entries equal: all but the request, and of the address the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    company: Uuid,
    actor: Actor,
    action: Action,
    object: Option<Object>,
    outcome: Outcome,
    details: Details,
    network: Option<Vec<u8>>,
}

impl Key {
    fn of(entry: &Entry) -> Self {
        Self {
            company: entry.company,
            actor: entry.actor,
            action: entry.action,
            object: entry.object.clone(),
            outcome: entry.outcome,
            details: entry.details.clone(),
            network: entry.address.map(address::network),
        }
    }
}

/// An entry that stands for several.
#[derive(Debug, Clone)]
pub struct Folded {
    /// The first of them; its request and address are kept.
    pub entry: Entry,
    /// The id of the row: when it is unknown whether it was written, it is looked for.
    pub id: Uuid,
    /// How many they are.
    pub events: u64,
    /// When the first of them happened.
    pub first: Instant,
    /// When the last of them happened.
    pub last: Instant,
}

impl Folded {
    fn new(entry: Entry, at: Instant) -> Self {
        Self {
            entry,
            id: Uuid::now_v7(),
            events: 1,
            first: at,
            last: at,
        }
    }
}

/// What came within the last minute.
#[derive(Debug, Default)]
pub struct Folds {
    open: HashMap<Key, Open>,
}

/// A minute that began with an entry, which was written, and what followed.
#[derive(Debug)]
struct Open {
    since: Instant,
    rest: Option<Folded>,
}

/// What becomes of an entry.
#[derive(Debug)]
pub enum Taken {
    /// It is to be written.
    Write(Box<Folded>),
    /// It will be told by a row that is written later.
    Folded,
    /// There are too many different ones.
    Dropped,
}

impl Folds {
    /// Takes an entry that happened now.
    pub fn take(&mut self, mut entry: Entry, now: Instant) -> Taken {
        let mut key = Key::of(&entry);
        if self.open.len() >= MOST && !self.open.contains_key(&key) {
            key.network = None;
            entry.address = None;
        }
        if let Some(open) = self.open.get_mut(&key) {
            let rest = open.rest.get_or_insert_with(|| {
                let mut rest = Folded::new(entry, now);
                rest.events = 0;
                rest
            });
            rest.events += 1;
            // Of two threads the one that looked at the clock first may come second.
            rest.first = rest.first.min(now);
            rest.last = rest.last.max(now);
            return Taken::Folded;
        }
        if self.open.len() >= MOST + MOST_WITHOUT_ADDRESS {
            return Taken::Dropped;
        }
        let (since, rest) = (now, None);
        self.open.insert(key, Open { since, rest });
        Taken::Write(Box::new(Folded::new(entry, now)))
    }

    /// Ends the minutes that are over, and gives what is to be written of them.
    pub fn over(&mut self, now: Instant) -> Vec<Folded> {
        self.close(|open| now.saturating_duration_since(open.since) >= WINDOW)
    }

    /// Ends all of them.
    pub fn all(&mut self) -> Vec<Folded> {
        self.close(|_| true)
    }

    fn close(&mut self, is_over: impl Fn(&Open) -> bool) -> Vec<Folded> {
        let over = self.open.extract_if(|_, open| is_over(open));
        let mut rest: Vec<_> = over.filter_map(|(_, open)| open.rest).collect();
        rest.sort_by_key(|folded| folded.first);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(address: &str) -> Entry {
        let company = crate::company::DEFAULT_ID;
        Entry::new(company, Actor::Anonymous, Action::SessionLogin)
            .ended(Outcome::Failure)
            .from_request("one", address.parse().ok())
    }

    fn is_written(taken: &Taken) -> bool {
        matches!(taken, Taken::Write(_))
    }

    #[test]
    fn equal_entries_of_a_minute_are_one_and_their_number() {
        let (mut folds, start) = (Folds::default(), Instant::now());
        assert!(is_written(&folds.take(failure("192.0.2.1"), start)));
        for second in 1..=50 {
            // Another host of the network, under another request.
            let entry =
                failure("192.0.2.77").from_request(second.to_string(), "192.0.2.9".parse().ok());
            let taken = folds.take(entry, start + Duration::from_secs(second));
            assert!(matches!(taken, Taken::Folded));
        }
        assert!(
            folds
                .over(start + WINDOW - Duration::from_millis(1))
                .is_empty()
        );
        let rest = folds.over(start + WINDOW);
        let [rest] = rest.as_slice() else {
            panic!("{rest:?}")
        };
        assert_eq!(rest.events, 50);
        assert_eq!((rest.first - start).as_secs(), 1);
        assert_eq!((rest.last - start).as_secs(), 50);
        assert_eq!(rest.entry.request_id.as_deref(), Some("1"));
        // The next minute begins anew.
        assert!(is_written(
            &folds.take(failure("192.0.2.1"), start + WINDOW)
        ));
        assert!(folds.all().is_empty(), "one is told by its own row");
    }

    #[test]
    fn what_differs_in_anything_that_is_kept_is_not_equal() {
        let base = failure("192.0.2.1");
        let mut others = vec![
            failure("192.0.3.1"),
            failure("2001:db8::1"),
            failure("none"),
            base.clone().ended(Outcome::Denied),
            base.clone().on(super::super::Kind::User, "a"),
            base.clone().on(super::super::Kind::User, "b"),
            base.clone().on(super::super::Kind::Session, "a"),
            base.clone().because(Details {
                reason: Some("disabled"),
                ..Details::default()
            }),
        ];
        for change in [
            |entry: &mut Entry| entry.company = Uuid::nil(),
            |entry: &mut Entry| entry.actor = Actor::System,
            |entry: &mut Entry| entry.actor = Actor::User(Uuid::nil()),
            |entry: &mut Entry| entry.actor = Actor::ApiToken(Uuid::nil()),
            |entry: &mut Entry| entry.action = Action::AccessDenied,
        ] {
            let mut other = base.clone();
            change(&mut other);
            others.push(other);
        }
        let (mut folds, now) = (Folds::default(), Instant::now());
        for entry in std::iter::once(base).chain(others) {
            assert!(is_written(&folds.take(entry.clone(), now)), "{entry:?}");
            assert!(matches!(folds.take(entry, now), Taken::Folded));
        }
    }

    /// From ever new networks: they are told apart up to a bound, then together.
    #[test]
    fn a_flood_from_everywhere_is_bounded_and_told() {
        let (mut folds, now) = (Folds::default(), Instant::now());
        let from = |number: usize| failure(&format!("2001:db8:{:x}::1", number));
        let mut written = 0;
        for number in 0..10_000 {
            written += usize::from(is_written(&folds.take(from(number), now)));
        }
        assert_eq!(written, MOST + 1);
        let rest = folds.all();
        let [rest] = rest.as_slice() else {
            panic!("{} rows", rest.len())
        };
        assert_eq!(rest.events as usize, 10_000 - written);
        assert_eq!(rest.entry.address, None);
    }

    #[test]
    fn times_are_in_their_order_whoever_comes_first() {
        let (mut folds, begin) = (Folds::default(), Instant::now());
        let times = [3, 2, 1, 2].map(|ms| begin + Duration::from_millis(ms));
        for at in times {
            folds.take(failure("192.0.2.1"), at);
        }
        let rest = folds.all();
        let told: Vec<_> = rest
            .iter()
            .map(|row| (row.events, row.first, row.last))
            .collect();
        assert_eq!(told, [(3, times[2], times[1])]);
    }

    #[test]
    fn what_cannot_be_told_together_is_dropped_at_a_bound() {
        let (mut folds, now) = (Folds::default(), Instant::now());
        let most = MOST + MOST_WITHOUT_ADDRESS;
        for number in 0..most {
            let entry = failure("192.0.2.1").on(super::super::Kind::Operation, number);
            assert!(is_written(&folds.take(entry, now)), "{number}");
        }
        let one_more = failure("192.0.2.1").on(super::super::Kind::Operation, most);
        assert!(matches!(folds.take(one_more, now), Taken::Dropped));
    }
}
