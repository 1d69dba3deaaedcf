//! When visits were counted, packed: pairs of how many there were and how many milliseconds after
//! those before them. Numbers are LEB128 (DWARF 5, section 7.6), so that most take a byte.

/// Bits of a number in each of its bytes; the highest says that more follow.
const BITS: u32 = 7;

/// The highest bit of a byte.
const MORE: u8 = 0x80;

/// Appends a number.
pub fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(MORE) {
        bytes.push(number as u8 | MORE);
        number >>= BITS;
    }
    bytes.push(number as u8);
}

/// Takes a number from the front; `None` if there is none that is whole and fits.
pub fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(BITS as usize) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & !MORE);
        if part.leading_zeros() < shift {
            return None;
        }
        number |= part << shift;
        if byte & MORE == 0 {
            return Some(number);
        }
    }
    None
}

/// Some visits that were counted at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The number of the first of them.
    pub first: u64,
    /// The number of the last of them.
    pub last: u64,
    /// When, in Unix milliseconds.
    pub at: i64,
}

/// The moments of a run, one after the other. It ends early, with `None`, where its bytes are none
/// that were packed here; who must know that compares its last number with that of the run.
#[derive(Debug, Clone)]
pub struct Moments<'a> {
    next: u64,
    at: i64,
    bytes: &'a [u8],
}

impl<'a> Moments<'a> {
    /// Those of a run that begins with this number at this time.
    pub fn of(first: u64, first_at: i64, times: &'a [u8]) -> Self {
        Self {
            next: first,
            at: first_at,
            bytes: times,
        }
    }
}

impl Iterator for Moments<'_> {
    type Item = Moment;

    fn next(&mut self) -> Option<Moment> {
        let visits = take(&mut self.bytes)?;
        let after = i64::try_from(take(&mut self.bytes)?).ok()?;
        let first = self.next;
        self.next = first.checked_add(visits)?;
        self.at = self.at.checked_add(after)?;
        let last = self.next.checked_sub(1)?;
        Some(Moment {
            first,
            last,
            at: self.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of all lengths, and not only the long ones that chance prefers.
    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..u64::BITS).prop_map(|(number, shift)| number >> shift)
    }

    proptest! {
        #[test]
        fn a_number_is_taken_as_it_was_pushed(numbers in prop::collection::vec(number(), 0..20)) {
            let mut bytes = Vec::new();
            for number in &numbers {
                let before = bytes.len();
                push(&mut bytes, *number);
                let bits = u64::BITS - number.leading_zeros();
                prop_assert_eq!(bytes.len() - before, bits.div_ceil(BITS).max(1) as usize);
            }
            let mut rest = bytes.as_slice();
            for number in numbers {
                prop_assert_eq!(take(&mut rest), Some(number));
            }
            prop_assert_eq!(take(&mut rest), None);
        }

        #[test]
        fn moments_are_those_that_were_packed(
            first in 1u64..1 << 40,
            first_at in 0i64..1 << 42,
            pairs in prop::collection::vec((1u64..1 << 20, 0u32..), 1..50),
        ) {
            let mut bytes = Vec::new();
            let (mut next, mut at, mut expected) = (first, first_at, Vec::new());
            for (visits, after) in pairs {
                push(&mut bytes, visits);
                push(&mut bytes, u64::from(after));
                at += i64::from(after);
                expected.push(Moment { first: next, last: next + visits - 1, at });
                next += visits;
            }
            prop_assert_eq!(Moments::of(first, first_at, &bytes).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn nothing_that_was_not_packed_is_too_much(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut next = 7;
            for moment in Moments::of(7, i64::MAX - 5, &bytes) {
                prop_assert!(moment.first == next);
                next = moment.last + 1;
            }
        }
    }

    #[test]
    fn numbers_that_are_cut_or_too_great_are_none() {
        for bytes in [&[][..], &[0x80], &[0xff; 9], &[0xff; 10], &[0xff; 11]] {
            assert_eq!(take(&mut &*bytes), None, "{bytes:?}");
        }
        let greatest = [[0xff; 9].as_slice(), &[1]].concat();
        assert_eq!(take(&mut greatest.as_slice()), Some(u64::MAX));
        let one_more = [[0xff; 9].as_slice(), &[2]].concat();
        assert_eq!(take(&mut one_more.as_slice()), None);
    }
}
