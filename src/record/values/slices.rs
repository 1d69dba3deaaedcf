//! How often each visitor came, as bit slices: a set of those whose number has a bit, for each bit. Numbers of
//! several days are added, and compared, a set at a time.

use std::io;

use roaring::RoaringTreemap;

/// Slices of what is kept of a day: numbers up to 15 are exact.
const OF_A_DAY: usize = 4;

/// What is kept of a day: visits beyond the first, of 14 at most.
const MOST_AGAIN: [usize; 3] = [1, 2, 3];

/// The greatest number of visits that sums of days tell from greater ones.
pub const EXACT: u16 = 15;

/// A number for each visitor, exact up to some number.
#[derive(Debug, Clone)]
pub struct Slices(Vec<RoaringTreemap>);

impl Slices {
    /// Of visitors of whom nobody has come. What is asked later is whether they came so often, or less.
    pub fn up_to(most: u16) -> Self {
        let bits = (u16::BITS - most.leading_zeros()).max(1);
        Self(vec![RoaringTreemap::new(); bits as usize])
    }

    /// Each of them came so many times more: two to the power of this.
    pub fn add(&mut self, visitors: RoaringTreemap, power: usize) {
        if let [came] = &mut self.0[..] {
            *came |= visitors;
            return;
        }
        let mut carry = visitors;
        for slice in self.0.iter_mut().skip(power) {
            if carry.is_empty() {
                return;
            }
            let next = &*slice & &carry;
            *slice ^= carry;
            carry = next;
        }
        // More than can be said is as much as can be said.
        if !carry.is_empty() {
            self.0.iter_mut().for_each(|slice| *slice |= &carry);
        }
    }

    /// Each of them came once more, as often as they are named.
    pub fn add_each(&mut self, mut visitors: Vec<u64>) {
        visitors.sort_unstable();
        let most = (1_usize << self.0.len()) - 1;
        let mut of_bit = vec![RoaringTreemap::new(); self.0.len()];
        for same in visitors.chunk_by(|one, next| one == next) {
            let times = same.len().min(most);
            let bits = of_bit.iter_mut().enumerate();
            for (_, of_bit) in bits.filter(|(bit, _)| times >> bit & 1 == 1) {
                of_bit.insert(same[0]);
            }
        }
        for (bit, visitors) in of_bit.into_iter().enumerate() {
            self.add(visitors, bit);
        }
    }

    /// Who came so often, or more. The number must not be 0, nor greater than that of [`up_to`](Self::up_to).
    pub fn at_least(&self, times: u16) -> RoaringTreemap {
        let mut greater = RoaringTreemap::new();
        let mut equal = self
            .0
            .iter()
            .fold(RoaringTreemap::new(), |all, slice| all | slice);
        for (bit, slice) in self.0.iter().enumerate().rev() {
            if times >> bit & 1 == 1 {
                equal &= slice;
            } else {
                greater |= &equal & slice;
            }
        }
        greater | equal
    }
}

/// Who came more than once on a day, and how often.
#[derive(Debug, Default)]
pub(super) struct Again([RoaringTreemap; OF_A_DAY]);

impl Again {
    /// One who has come before on this day came again.
    pub(super) fn note(&mut self, visitor: u64) {
        if MOST_AGAIN.iter().all(|bit| self.0[*bit].contains(visitor)) {
            return;
        }
        for slice in &mut self.0 {
            if slice.insert(visitor) {
                return;
            }
            slice.remove(visitor);
        }
    }

    /// As the database has it: the slices one after the other, and nothing if nobody came again.
    pub(super) fn packed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.0.iter().any(|slice| !slice.is_empty()) {
            for slice in &self.0 {
                // Into memory: it cannot fail.
                let _ = slice.serialize_into(&mut bytes);
            }
        }
        bytes
    }
}

/// Adds what is kept of a day: who came, and how often they came again.
///
/// # Errors
///
/// If these are no slices.
pub fn add_day(to: &mut Slices, visitors: RoaringTreemap, mut again: &[u8]) -> io::Result<()> {
    to.add(visitors, 0);
    let mut power = 0;
    while !again.is_empty() {
        to.add(RoaringTreemap::deserialize_from(&mut again)?, power);
        power += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Visits of some days, by visitor: few who come often, and many who do not.
    fn days() -> impl Strategy<Value = Vec<Vec<u64>>> {
        let visitor = prop_oneof![0..4_u64, 0..200_u64, Just(1 << 40)];
        prop::collection::vec(prop::collection::vec(visitor, 0..60), 1..8)
    }

    fn numbers(days: &[Vec<u64>]) -> BTreeMap<u64, usize> {
        let mut numbers = BTreeMap::new();
        for visitor in days.iter().flatten() {
            *numbers.entry(*visitor).or_default() += 1;
        }
        numbers
    }

    fn check(slices: &Slices, days: &[Vec<u64>], most: u16) -> Result<(), TestCaseError> {
        let numbers = numbers(days);
        for times in 1..=most {
            let often = numbers
                .iter()
                .filter(|(_, number)| **number >= times.into());
            let often: RoaringTreemap = often.map(|(visitor, _)| *visitor).collect();
            prop_assert_eq!(slices.at_least(times), often, "{} of {}", times, most);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn slices_count_as_one_would(days in days(), most in prop_oneof![1..=EXACT, 1..=1001_u16]) {
            let mut slices = Slices::up_to(most);
            for visitors in &days {
                slices.add_each(visitors.clone());
            }
            check(&slices, &days, most)?;
        }

        #[test]
        fn days_that_are_kept_count_the_same(days in days(), most in 1..=EXACT) {
            let mut slices = Slices::up_to(most);
            for visits in &days {
                let (mut visitors, mut again) = (RoaringTreemap::new(), Again::default());
                for visitor in visits {
                    if !visitors.insert(*visitor) {
                        again.note(*visitor);
                    }
                }
                add_day(&mut slices, visitors, &again.packed()).unwrap();
            }
            check(&slices, &days, most)?;
        }
    }

    #[test]
    fn nobody_takes_no_bytes_and_nonsense_is_none() {
        assert!(Again::default().packed().is_empty());
        let mut slices = Slices::up_to(3);
        assert!(add_day(&mut slices, RoaringTreemap::new(), b"nonsense").is_err());
    }
}
