//! The order of numbers in SQLite, which knows integers of 64 bits and doubles, and does not promise to read the
//! last digit of a double as it was written. What visits say is compared exactly all the same: integers as
//! integers, the few doubles around the limit by their texts, and all others as SQLite reads them.

use sea_query::{Cond, Expr, ExprTrait};

use super::{
    exact::{Decimal, written},
    property::Property,
    statement::nothing,
};
use crate::audiences::filter::Bound;

/// Doubles on each side of the limit that are compared by their texts.
const AROUND: i64 = 64;

/// Which side of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Above,
    Below,
}

/// That a number is above a limit.
pub(super) fn is_above(property: &Property<'_>, limit: &str, bound: Bound) -> Cond {
    is_beyond(property, limit, bound, Side::Above)
}

/// That a number is below a limit.
pub(super) fn is_below(property: &Property<'_>, limit: &str, bound: Bound) -> Cond {
    is_beyond(property, limit, bound, Side::Below)
}

fn is_beyond(property: &Property<'_>, limit: &str, bound: Bound, side: Side) -> Cond {
    let (Some(exact), Ok(double)) = (Decimal::of(limit), limit.parse::<f64>()) else {
        return Cond::all().add(nothing());
    };
    let kind = |name: &'static str| Cond::all().add(property.kind().eq(name));
    Cond::any()
        .add(kind("integer").add(integers(property, &exact, bound, side)))
        .add(kind("real").add(doubles(property, &exact, double, bound, side)))
}

/// The integers that are beyond a limit begin with this one.
fn first(exact: &Decimal, bound: Bound, side: Side) -> i128 {
    let (floor, is_whole) = exact.floor();
    match (side, bound, is_whole) {
        (Side::Above, Bound::Included, true) => floor,
        (Side::Above, ..) => floor + 1,
        (Side::Below, Bound::Excluded, true) => floor - 1,
        (Side::Below, ..) => floor,
    }
}

/// SQLite makes doubles of integers beyond those that have a sign, which are compared by their digits.
fn integers(property: &Property<'_>, exact: &Decimal, bound: Bound, side: Side) -> Cond {
    let first = first(exact, bound, side);
    let in_reach = first.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    let is_signed = || Expr::cust_with_exprs("typeof($1) = 'integer'", [property.text()]);
    let digits = Expr::cust_with_exprs("substr('0' || $1, -20)", [property.json()]);
    let unsigned = format!("{:020}", first.clamp(0, u64::MAX.into()));
    let (signed, great) = match side {
        Side::Above => (property.text().gte(in_reach), digits.gte(unsigned)),
        Side::Below => (property.text().lte(in_reach), digits.lte(unsigned)),
    };
    // What is clamped from beyond is no number that is beyond the limit.
    let none_signed = match side {
        Side::Above => first > i64::MAX.into(),
        Side::Below => first < i64::MIN.into(),
    };
    let none_great = match side {
        Side::Above => first > u64::MAX.into(),
        Side::Below => first <= i64::MAX.into(),
    };
    let mut any = Cond::any();
    if !none_signed {
        any = any.add(Cond::all().add(is_signed()).add(signed));
    }
    if !none_great {
        any = any.add(Cond::all().add(is_signed().not()).add(great));
    }
    match any.is_empty() {
        true => Cond::all().add(nothing()),
        false => any,
    }
}

fn doubles(property: &Property<'_>, exact: &Decimal, limit: f64, bound: Bound, side: Side) -> Cond {
    let is_beyond = |literal: &String| {
        Decimal::of(literal).is_some_and(|number| match (side, bound) {
            (Side::Above, Bound::Included) => number >= *exact,
            (Side::Above, Bound::Excluded) => number > *exact,
            (Side::Below, Bound::Included) => number <= *exact,
            (Side::Below, Bound::Excluded) => number < *exact,
        })
    };
    let around = (-AROUND..=AROUND).flat_map(|steps| written(step(limit, steps)));
    let around: Vec<String> = around.filter(is_beyond).collect();
    let far = match side {
        Side::Above => property.text().gt(step(limit, AROUND / 2)),
        Side::Below => property.text().lt(step(limit, -AROUND / 2)),
    };
    Cond::any().add(far).add(property.json().is_in(around))
}

/// The double so many further; an infinite one beyond the last.
fn step(double: f64, steps: i64) -> f64 {
    // Doubles are ordered as their bits are, on each side of 0.
    let ordered = |bits: i64| if bits < 0 { i64::MIN - bits } else { bits };
    let greatest = f64::INFINITY.to_bits() as i64;
    let place = ordered(double.to_bits() as i64).saturating_add(steps);
    let place = place.clamp(-greatest, greatest);
    f64::from_bits(ordered(place) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_to_the_next_double() {
        assert_eq!(step(1.0, 1), 1.0 + f64::EPSILON);
        assert_eq!(step(1.0, -1), 1.0 - f64::EPSILON / 2.0);
        assert_eq!(step(0.0, 1), 5e-324);
        assert_eq!(step(0.0, -1), -5e-324);
        assert_eq!(step(-5e-324, 2), 5e-324);
        assert_eq!(step(f64::MAX, 1), f64::INFINITY);
        assert_eq!(step(f64::MAX, 64), f64::INFINITY);
        assert_eq!(step(f64::MIN, -64), f64::NEG_INFINITY);
        assert_eq!(step(-1.0, 1), -1.0 + f64::EPSILON / 2.0);
    }
}
