//! Numbers, each in one way to write it.

use super::Exact;
use crate::json;

/// Up to this power of ten numbers are written with all their digits (ECMA-262, Number::toString, which
/// RFC 8785, section 3.2.2.3, refers to).
const WHOLE: i64 = 21;

/// From this power of ten on, likewise.
const SMALL: i64 = -6;

impl Exact {
    /// The number of a JSON literal; `None` if it is one that no property can have.
    pub(super) fn of(literal: &str) -> Option<Self> {
        json::exact(literal)?;
        let (digits, power) = json::digits(literal)?;
        if digits.is_empty() {
            return Some(Self("0".to_owned()));
        }
        let sign = if literal.starts_with('-') { "-" } else { "" };
        // The number is 0.DIGITS times ten to the power of this.
        let point = power + digits.len() as i64;
        let written = match usize::try_from(point) {
            Ok(whole) if point > 0 && point <= WHOLE => match digits.split_at_checked(whole) {
                Some((whole, "")) => whole.to_owned(),
                Some((whole, fraction)) => format!("{whole}.{fraction}"),
                None => format!("{digits:0<whole$}"),
            },
            _ if point > SMALL && point <= 0 => {
                let zeros = "0".repeat(point.unsigned_abs() as usize);
                format!("0.{zeros}{digits}")
            }
            _ => {
                let (first, rest) = digits.split_at(1);
                let dot = if rest.is_empty() { "" } else { "." };
                format!("{first}{dot}{rest}e{:+}", point - 1)
            }
        };
        Some(Self(format!("{sign}{written}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(literal: &str) -> Option<String> {
        Exact::of(literal).map(|Exact(number)| number)
    }

    /// The second half is appendix B of RFC 8785.
    #[test]
    fn numbers_are_written_as_in_rfc_8785() {
        for (literal, expected) in [
            ("5", "5"),
            ("5.0", "5"),
            ("5e0", "5"),
            ("50e-1", "5"),
            ("0.05E2", "5"),
            ("-5.00", "-5"),
            ("0.10", "0.1"),
            ("-0", "0"),
            ("-0.0e7", "0"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("5e-324", "5e-324"),
            ("-5e-324", "-5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740992", "9007199254740992"),
            ("295147905179352830000", "295147905179352830000"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("1e23", "1e+23"),
            ("1.0000000000000001e23", "1.0000000000000001e+23"),
            ("999999999999999700000", "999999999999999700000"),
            ("1e21", "1e+21"),
            ("1000000000000000000000", "1e+21"),
            ("9.999999999999997e-7", "9.999999999999997e-7"),
            ("0.000001", "0.000001"),
            ("333333333.3333332", "333333333.3333332"),
            ("-0.0000033333333333333333", "-0.0000033333333333333333"),
            ("1424953923781206.2", "1424953923781206.2"),
        ] {
            assert_eq!(written(literal).as_deref(), Some(expected), "{literal}");
        }
        for refused in ["1e999", "18446744073709551616", "0.12345678901234567890123"] {
            assert_eq!(written(refused), None, "{refused}");
        }
    }

    proptest! {
        #[test]
        fn a_double_has_one_literal(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            let number = written(&serde_json::to_string(&double).unwrap()).unwrap();
            prop_assert_eq!(number.parse::<f64>().unwrap(), double);
            prop_assert_eq!(written(&number), Some(number));
        }

        #[test]
        fn an_integer_keeps_its_digits(integer in any::<i64>(), zeros in 1..5_usize) {
            prop_assert_eq!(written(&integer.to_string()), Some(integer.to_string()));
            let small = integer >> 20;
            let point = format!("{small}.{}", "0".repeat(zeros));
            prop_assert_eq!(written(&point), Some(small.to_string()));
        }
    }
}
