//! What was read of counters before, for as long as it cannot change.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use lru::LruCache;

use super::Extent;
use crate::{company::Company, counting::CounterName};

/// Numbers that are kept: home asks for seven of each counter, so those of seven companies with a thousand counters.
const MOST: NonZeroUsize = NonZeroUsize::new(50_000).unwrap();

/// How far counters were before minutes that are over. To find one number takes longer than to read the row of its
/// counter, and each look at a list asks for the same midnights and hours.
#[derive(Clone)]
pub struct Past(Arc<Mutex<LruCache<Key, Known>>>);

#[derive(PartialEq, Eq, Hash)]
struct Key {
    company: Company,
    counter: CounterName,
    minute: i64,
}

/// A number, and how far its counter was when it was read.
struct Known {
    number: u64,
    through: u64,
    through_at: i64,
}

impl Known {
    /// Whether it would be read again. The times of a counter's visits never go back, so nothing is added to a minute
    /// that the record has passed. A record that is shorter than it was has been put back from a copy.
    fn holds(&self, minute: i64, now: &Extent) -> bool {
        let is_over = self.through_at >= minute * 60_000;
        self.through == now.through || (is_over && self.through < now.through)
    }
}

impl Default for Past {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(MOST))))
    }
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past").finish_non_exhaustive()
    }
}

impl Past {
    /// Whether there is room for so many at once, without all that others need.
    pub(super) fn has_room_for(&self, numbers: usize) -> bool {
        numbers <= MOST.get() / 2
    }

    /// How far counters were before these minutes, in their order.
    pub(super) fn of(
        &self,
        company: Company,
        minutes: &[i64],
        extents: &[Extent],
    ) -> Vec<Vec<Option<u64>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = |extent: &Extent, minute: i64| {
            let known = known.get(&key(company, extent, minute))?;
            known.holds(minute, extent).then_some(known.number)
        };
        let mut numbers = |extent: &Extent| {
            let minutes = minutes.iter();
            minutes.map(|minute| number(extent, *minute)).collect()
        };
        extents.iter().map(&mut numbers).collect()
    }

    /// Keeps what was read.
    pub(super) fn keep(&self, company: Company, minutes: &[i64], extents: &[Extent]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for extent in extents {
            for (minute, number) in minutes.iter().zip(&extent.before) {
                let number = Known {
                    number: *number,
                    through: extent.through,
                    through_at: extent.through_at,
                };
                known.put(key(company, extent, *minute), number);
            }
        }
    }
}

fn key(company: Company, extent: &Extent, minute: i64) -> Key {
    Key {
        company,
        counter: extent.name.clone(),
        minute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 720;
    const MINUTE: i64 = 60_000;

    fn extent(through: u64, through_at: i64, before: &[u64]) -> Extent {
        Extent {
            name: "visits".parse().unwrap(),
            recorded: true,
            through,
            through_at,
            before: before.to_vec(),
        }
    }

    /// What is known at noon of a counter that has come so far, when something was read of it before.
    fn known(read: Extent, now: Extent) -> Option<u64> {
        let past = Past::default();
        past.keep(Company::Default, &[NOON], &[read]);
        past.of(Company::Default, &[NOON], &[now])[0][0]
    }

    #[test]
    fn a_minute_that_the_record_has_passed_stays_as_it_was() {
        let read = extent(7, NOON * MINUTE, &[5]);
        assert_eq!(known(read, extent(9, NOON * MINUTE + 1, &[])), Some(5));
    }

    #[test]
    fn before_the_record_has_come_to_a_minute_its_number_grows() {
        let before_noon = NOON * MINUTE - 1;
        let read = || extent(5, before_noon, &[5]);
        assert_eq!(known(read(), extent(6, before_noon, &[])), None);
        assert_eq!(known(read(), extent(5, before_noon, &[])), Some(5));
    }

    #[test]
    fn a_record_from_a_copy_is_read_anew() {
        let read = extent(7, NOON * MINUTE, &[5]);
        assert_eq!(known(read, extent(6, NOON * MINUTE, &[])), None);
    }

    #[test]
    fn nothing_is_known_of_others() {
        let past = Past::default();
        let read = [extent(7, NOON * MINUTE, &[5])];
        past.keep(Company::Default, &[NOON], &read);
        let other = Company::Id(uuid::Uuid::from_u128(1));
        assert_eq!(past.of(other, &[NOON], &read), [[None]]);
        assert_eq!(past.of(Company::Default, &[NOON + 1], &read), [[None]]);
    }
}
