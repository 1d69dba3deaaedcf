//! Where the lines of a chart are that numbers are read off by.

/// Intervals of an axis at most.
const MOST: u128 = 5;

/// The numbers beside the lines, from 0 to one that is no smaller than this: all of them round, and equally far
/// apart. There are two at least.
pub fn ticks(greatest: u64) -> Vec<u64> {
    let greatest = u128::from(greatest.max(1));
    let mut power = 1;
    let step = loop {
        let steps = [power, 2 * power, 5 * power];
        if let Some(step) = steps.into_iter().find(|step| greatest <= step * MOST) {
            break step;
        }
        power *= 10;
    };
    let intervals = greatest.div_ceil(step);
    // Beyond all that can be counted there are no lines.
    let ticks = (0..=intervals).map(|interval| interval * step);
    ticks
        .map(|tick| u64::try_from(tick).unwrap_or(u64::MAX))
        .collect()
}

/// Of so many places the few that are labelled, equally far apart, the last among them.
pub fn labelled(places: usize, most: usize) -> Vec<usize> {
    let step = places.div_ceil(most.max(1)).max(1);
    let mut labelled: Vec<_> = (0..places).rev().step_by(step).collect();
    labelled.reverse();
    labelled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_at_round_numbers() {
        for (greatest, expected) in [
            (0, vec![0, 1]),
            (1, vec![0, 1]),
            (2, vec![0, 1, 2]),
            (5, vec![0, 1, 2, 3, 4, 5]),
            (6, vec![0, 2, 4, 6]),
            (11, vec![0, 5, 10, 15]),
            (42, vec![0, 10, 20, 30, 40, 50]),
            (99, vec![0, 20, 40, 60, 80, 100]),
            (1_000, vec![0, 200, 400, 600, 800, 1_000]),
            (1_234_567, vec![0, 500_000, 1_000_000, 1_500_000]),
        ] {
            assert_eq!(ticks(greatest), expected, "{greatest}");
        }
        assert_eq!(ticks(u64::MAX).last(), Some(&u64::MAX));
    }

    #[test]
    fn few_places_are_labelled_and_the_last_is() {
        for (places, most, expected) in [
            (0, 6, vec![]),
            (1, 6, vec![0]),
            (6, 6, vec![0, 1, 2, 3, 4, 5]),
            (7, 6, vec![0, 2, 4, 6]),
            (24, 6, vec![3, 7, 11, 15, 19, 23]),
            (30, 6, vec![4, 9, 14, 19, 24, 29]),
        ] {
            assert_eq!(labelled(places, most), expected, "{places}");
        }
    }

    proptest! {
        #[test]
        fn all_is_within_the_lines(greatest in (any::<u64>(), 0..64u32).prop_map(|(number, shift)| number >> shift)) {
            let ticks = ticks(greatest);
            prop_assert!((2..=6).contains(&ticks.len()));
            prop_assert!(*ticks.last().unwrap() >= greatest);
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn there_are_never_too_many_labels(places in 0..5000usize, most in 1..12usize) {
            let labelled = labelled(places, most);
            prop_assert!(labelled.len() <= most && labelled.last().copied() == places.checked_sub(1));
        }
    }
}
