//! Numbers as they are written in JSON, compared without loss: an integer of 64 bits and a double are not always
//! what a third kind of number can tell apart.

use std::cmp::Ordering;

use serde_json::Number;

use crate::json;

/// A decimal number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Without zeros at either end; none of 0.
    digits: Vec<u8>,
    /// Where the point is: 0.DIGITS times ten to the power of this.
    point: i64,
}

/// Integers that are further from 0 than this are all the same to who compares those of 64 bits with them.
const FAR: i128 = 1 << 100;

impl Decimal {
    /// What a JSON literal says; `None` if its exponent is beyond all that is kept.
    pub(super) fn of(literal: &str) -> Option<Self> {
        let (digits, power) = json::digits(literal)?;
        if digits.is_empty() {
            return Some(Self::zero());
        }
        Some(Self {
            negative: literal.starts_with('-'),
            point: power + digits.len() as i64,
            digits: digits.into_bytes(),
        })
    }

    fn zero() -> Self {
        Self {
            negative: false,
            digits: Vec::new(),
            point: 0,
        }
    }

    /// The greatest integer that is not greater, and whether it is the number itself.
    pub(super) fn floor(&self) -> (i128, bool) {
        let is_whole = self.point >= self.digits.len() as i64 || self.digits.is_empty();
        if self.point > 30 {
            return (if self.negative { -FAR } else { FAR }, is_whole);
        }
        let places = usize::try_from(self.point).unwrap_or(0);
        let digits = self.digits.iter().copied().chain(std::iter::repeat(b'0'));
        let toward_zero = digits.take(places).fold(0_i128, |number, digit| {
            number * 10 + i128::from(digit - b'0')
        });
        match (self.negative, is_whole) {
            (false, _) => (toward_zero, is_whole),
            (true, true) => (-toward_zero, true),
            (true, false) => (-toward_zero - 1, false),
        }
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (false, false) => self
                .point
                .cmp(&other.point)
                .then_with(|| self.digits.cmp(&other.digits)),
            (is_zero, other_is_zero) => other_is_zero.cmp(&is_zero),
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
            (negative, other_is) => other_is.cmp(&negative),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How a double is written in a visit, in all ways that a release has or had to write it.
pub(super) fn written(double: f64) -> Vec<String> {
    // -0.0 + 0.0 is 0.0.
    let Some(number) = Number::from_f64(double + 0.0) else {
        return Vec::new();
    };
    let literal = number.to_string();
    match literal.split_once('e') {
        None => vec![literal],
        Some((mantissa, exponent)) => {
            let exponent = exponent.trim_start_matches('+');
            let mut ways = vec![format!("{mantissa}e{exponent}")];
            if !exponent.starts_with('-') {
                ways.push(format!("{mantissa}e+{exponent}"));
            }
            ways
        }
    }
}

/// All ways in which a visit may write this number.
pub(super) fn all_written(literal: &str) -> Vec<String> {
    let mut ways = Vec::new();
    let Some(exact) = Decimal::of(literal) else {
        return ways;
    };
    if let (integer, true) = exact.floor()
        && (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer)
    {
        ways.push(integer.to_string());
    }
    let double = literal.parse().map(written).unwrap_or_default();
    let same = double
        .into_iter()
        .filter(|way| Decimal::of(way).as_ref() == Some(&exact));
    ways.extend(same);
    ways
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(literal: &str) -> Decimal {
        Decimal::of(literal).unwrap()
    }

    #[test]
    fn literals_are_compared_by_what_they_say() {
        let ascending = [
            "-1.7976931348623157e308",
            "-9223372036854775808",
            "-12",
            "-1.5",
            "-0.25",
            "0",
            "5e-324",
            "0.1",
            "0.30000000000000004",
            "1",
            "1.0000000000000002",
            "9.5",
            "10",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "18446744073709551615",
            "1e25",
        ];
        for (place, one) in ascending.iter().enumerate() {
            for (other_place, other) in ascending.iter().enumerate() {
                assert_eq!(
                    decimal(one).cmp(&decimal(other)),
                    place.cmp(&other_place),
                    "{one} {other}"
                );
            }
        }
        for (one, same) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("0.05", "5e-2"),
            ("120", "0.12E+3"),
        ] {
            assert_eq!(decimal(one), decimal(same));
        }
        assert_eq!(Decimal::of("1e99999999999"), None);
    }

    #[test]
    fn floors_are_integers() {
        for (literal, floor) in [
            ("0", (0, true)),
            ("1.5", (1, false)),
            ("-1.5", (-2, false)),
            ("-2", (-2, true)),
            ("0.5", (0, false)),
            ("-0.5", (-1, false)),
            ("1e3", (1000, true)),
            ("18446744073709551615", (18_446_744_073_709_551_615, true)),
            ("1e300", (FAR, true)),
            ("-1e300", (-FAR, true)),
            ("5e-324", (0, false)),
        ] {
            assert_eq!(decimal(literal).floor(), floor, "{literal}");
        }
    }

    #[test]
    fn a_number_is_found_however_it_was_written() {
        for (literal, ways) in [
            ("1", &["1", "1.0"][..]),
            ("100", &["100", "100.0"]),
            ("0.1", &["0.1"]),
            ("1e25", &["1e25", "1e+25"]),
            ("9007199254740993", &["9007199254740993"]),
            ("18446744073709551615", &["18446744073709551615"]),
            ("5e-324", &["5e-324"]),
        ] {
            assert_eq!(all_written(literal), ways, "{literal}");
        }
    }

    proptest! {
        #[test]
        fn what_a_visit_writes_is_among_the_ways(double in any::<f64>(), integer in any::<i64>(), unsigned in any::<u64>()) {
            for number in [Number::from_f64(double + 0.0), Some(integer.into()), Some(unsigned.into())] {
                let Some(literal) = number.map(|number| number.to_string()) else { continue };
                prop_assert!(all_written(&literal).contains(&literal), "{}", literal);
            }
        }

        #[test]
        fn doubles_are_ordered_as_they_are(one in any::<f64>(), other in any::<f64>()) {
            prop_assume!(one.is_finite() && other.is_finite());
            let order = decimal(&format!("{one:e}")).cmp(&decimal(&format!("{other:e}")));
            prop_assert_eq!(Some(order), one.partial_cmp(&other));
        }
    }
}
