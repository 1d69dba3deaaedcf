//! Numbers that are kept as they were sent, or refused.

use serde_json::{Number, Value};

/// The number of a JSON literal, if it can be kept: an integer of 64 bits, or what a double (IEEE 754,
/// which is what RFC 8259 expects numbers to be) says in the same digits. `-0` is kept as 0.
pub fn exact(literal: &str) -> Option<Number> {
    if let Ok(integer) = literal.parse::<i64>() {
        return Some(integer.into());
    }
    if let Ok(integer) = literal.parse::<u64>() {
        return Some(integer.into());
    }
    let double: f64 = literal.parse().ok()?;
    // -0.0 + 0.0 is 0.0.
    let number = Number::from_f64(double + 0.0)?;
    // As it will be written: of two that are as short and as near, JSON has the even one.
    (digits(literal) == digits(&number.to_string())).then_some(number)
}

/// A whole number that is not negative, however it is written: 30.0 is an integer (JSON Schema, 6.1.1), and languages
/// that have only doubles send it.
pub fn whole(value: &Value) -> Option<u64> {
    /// From here on doubles are not one apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let of_double = || {
        let double = value.as_f64()?;
        let is_whole = double.fract() == 0.0 && (0.0..EXACT).contains(&double);
        is_whole.then_some(double as u64)
    };
    value.as_u64().or_else(of_double)
}

/// The value of a literal: its digits without zeros before and after them, and the power of ten of the
/// last one. `None` if that is no number of 32 bits.
pub fn digits(literal: &str) -> Option<(String, i64)> {
    let literal = literal.trim_start_matches('-');
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [whole, fraction].concat();
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some((String::new(), 0));
    }
    let zeros_after = all.len() - all.trim_end_matches('0').len();
    let power = i64::from(exponent) - fraction.len() as i64 + zeros_after as i64;
    Some((significant.to_owned(), power))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        for (literal, number) in [
            ("0", Some(0)),
            ("30", Some(30)),
            ("30.0", Some(30)),
            ("3e1", Some(30)),
            ("-0.0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("9007199254740991.0", Some(9_007_199_254_740_991)),
            ("9007199254740992.0", None),
            ("1e300", None),
            ("30.5", None),
            ("-1", None),
            ("-1.0", None),
            ("\"30\"", None),
            ("true", None),
            ("null", None),
            ("[30]", None),
        ] {
            assert_eq!(
                whole(&serde_json::from_str(literal).unwrap()),
                number,
                "{literal}"
            );
        }
    }

    #[test]
    fn what_is_kept_says_the_same() {
        for (literal, kept) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("-0e5", "0.0"),
            ("42", "42"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            ("0.1", "0.1"),
            ("0.10", "0.1"),
            ("1.0", "1.0"),
            ("1e2", "100.0"),
            ("1E+2", "100.0"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1e25", "1e+25"),
            ("10000000000000000000000000", "1e+25"),
            ("5e-324", "5e-324"),
            ("1424953923781206.2", "1424953923781206.2"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ] {
            let number = exact(literal).unwrap_or_else(|| panic!("{literal}"));
            let shown = number.to_string().replace("e+", "e");
            assert_eq!(shown, kept.replace("e+", "e"), "{literal}");
        }
        for refused in [
            "1e999",
            "-1e999",
            "1e-999",
            "1e99999999999999999999",
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "0.12345678901234567890123",
            "9007199254740993.0",
            "1.7976931348623159e308",
            "1424953923781206.3",
        ] {
            assert_eq!(exact(refused), None, "{refused}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_double_prints_comes_back(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            let number = exact(&serde_json::to_string(&double).unwrap()).unwrap();
            prop_assert_eq!(number.as_f64(), Some(double));
            // It is the same after having been in a store.
            let stored = number.to_string();
            let read: Number = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(read.to_string(), stored);
        }

        #[test]
        fn integers_of_64_bits_are_kept(integer in any::<i64>(), unsigned in any::<u64>()) {
            prop_assert_eq!(exact(&integer.to_string()), Some(integer.into()));
            prop_assert_eq!(exact(&unsigned.to_string()), Some(unsigned.into()));
        }

        /// What is kept is what was written, and what is not is more than a double has.
        #[test]
        fn decimals_are_kept_or_refused(literal in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?") {
            let significant = digits(&literal);
            match exact(&literal) {
                Some(number) => prop_assert_eq!(digits(&number.to_string()), significant),
                None => {
                    let (digits, power) = significant.unwrap();
                    let magnitude = digits.len() as i64 + power;
                    prop_assert!(digits.len() > 15 || !(-306..308).contains(&magnitude), "{}", literal);
                }
            }
        }
    }
}
