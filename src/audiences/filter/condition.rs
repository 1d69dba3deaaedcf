//! Reads conditions: a place in which visits say something, and one operator.

use std::collections::BTreeSet;

use super::{
    Bound, Condition, Exact, Field, Scalar, Subject, Test,
    invalid::{Errors, did_you_mean, names},
    limits::MAX_VALUES,
    place::{Object, Place},
};
use crate::counting::carried::{MAX_KEY_BYTES, MAX_TEXT_BYTES};

/// What can be asked of a value.
pub(super) const OPERATORS: [&str; 10] = [
    "in",
    "not_in",
    "contains",
    "starts_with",
    "exists",
    "missing",
    "gt",
    "gte",
    "lt",
    "lte",
];

/// How a condition of a `where` says of what it is.
pub(super) const SUBJECT_OF_VISIT: [&str; 2] = ["field", "property"];

/// A condition on what this member of the object names.
pub(super) fn condition(
    object: &Object<'_>,
    subject: &str,
    errors: &mut Errors,
) -> Option<Condition> {
    let named = object.get(subject)?;
    let of = match subject {
        "field" | "visitor" => field(&named, subject, errors).map(Subject::Field),
        _ => key(&named, errors).map(Subject::Property),
    };
    let operators = object.those_of(&OPERATORS);
    let is_field = matches!(subject, "field" | "visitor");
    let is_country = of == Some(Subject::Field(Field::Country));
    let mut value = Value {
        is_field,
        is_country,
        errors,
    };
    let tests: Vec<_> = operators
        .iter()
        .filter_map(|operator| value.test(operator, &object.get(operator)?))
        .collect();
    match *operators {
        [_] => {}
        [] => errors.suggest(
            &object.pointer,
            format!(
                "one operator beside `{subject}`: {}",
                names(&OPERATORS, "or")
            ),
            format!("Say what is asked of it, as in `{{\"{subject}\": …, \"exists\": true}}`."),
        ),
        _ => errors.suggest(
            &object.pointer,
            format!(
                "one operator beside `{subject}`, and not {}",
                names(&operators, "and")
            ),
            "Write a condition for each.",
        ),
    }
    match <[Test; 1]>::try_from(tests) {
        Ok([test]) if operators.len() == 1 => Some(Condition { of: of?, test }),
        _ => None,
    }
}

fn field(place: &Place<'_>, subject: &str, errors: &mut Errors) -> Option<Field> {
    let all = Field::ALL.map(Field::name);
    let what = format!("one of the fields {}", names(&all, "and"));
    let text = place.text(0..=usize::MAX, &what, errors)?;
    let field = Field::ALL.into_iter().find(|field| field.name() == text);
    if field.is_none() {
        let property = match subject {
            "visitor" => "visitor_property",
            _ => "property",
        };
        let todo = did_you_mean(&text, &all).unwrap_or_else(|| {
            format!("Anything else that visits carry is asked for by `{property}`.")
        });
        errors.suggest(&place.pointer, what, todo);
    }
    field
}

fn key(place: &Place<'_>, errors: &mut Errors) -> Option<String> {
    let what = format!("the key of a property: a text of 1 to {MAX_KEY_BYTES} bytes of UTF-8");
    place.text(1..=MAX_KEY_BYTES, &what, errors)
}

/// How values are read: fields have texts only.
struct Value<'e> {
    is_field: bool,
    is_country: bool,
    errors: &'e mut Errors,
}

impl Value<'_> {
    fn test(&mut self, operator: &str, place: &Place<'_>) -> Option<Test> {
        match operator {
            "in" => self.values(place).map(Test::In),
            "not_in" => self.values(place).map(Test::NotIn),
            "contains" => self.part(place).map(Test::Contains),
            "starts_with" => self.part(place).map(Test::StartsWith),
            "exists" => self.flag(place).map(there),
            "missing" => self.flag(place).map(|missing| there(!missing)),
            "gt" => self
                .limit(place)
                .map(|limit| Test::Above(limit, Bound::Excluded)),
            "gte" => self
                .limit(place)
                .map(|limit| Test::Above(limit, Bound::Included)),
            "lt" => self
                .limit(place)
                .map(|limit| Test::Below(limit, Bound::Excluded)),
            _ => self
                .limit(place)
                .map(|limit| Test::Below(limit, Bound::Included)),
        }
    }

    fn values(&mut self, place: &Place<'_>) -> Option<BTreeSet<Scalar>> {
        let what = format!("a list of 1 to {MAX_VALUES} values");
        let places = place.list(&what, self.errors)?;
        match places.len() {
            1..=MAX_VALUES => {}
            0 => {
                let todo = "Name the values. Who has none at all is asked for by `missing`.";
                self.errors.suggest(
                    &place.pointer,
                    format!("{what}, and not an empty one"),
                    todo,
                );
            }
            many => {
                let todo =
                    "Split them over several conditions: `in` within `any`, `not_in` within `all`.";
                self.errors
                    .suggest(&place.pointer, format!("{what}, and not {many}"), todo);
            }
        }
        let values: Vec<_> = places.iter().map(|place| self.value(place)).collect();
        let values: Option<BTreeSet<_>> = values.into_iter().collect();
        values.filter(|values| !values.is_empty())
    }

    fn value(&mut self, place: &Place<'_>) -> Option<Scalar> {
        if self.is_country {
            return self.country(place).map(Scalar::Text);
        }
        if self.is_field || place.kind() == "a text" {
            return self.whole_text(place).map(Scalar::Text);
        }
        match place.kind() {
            "a number" => self.number(place),
            "`true`" => Some(Scalar::Bool(true)),
            "`false`" => Some(Scalar::Bool(false)),
            kind => {
                let todo =
                    (kind == "`null`").then_some("Who has no value is asked for by `missing`.");
                let expected = format!("a text, a number, `true` or `false`, and not {kind}");
                self.errors
                    .push(&place.pointer, expected, todo.map(str::to_owned));
                None
            }
        }
    }

    fn whole_text(&mut self, place: &Place<'_>) -> Option<String> {
        let what = match self.is_field {
            true => format!(
                "a text of at most {MAX_TEXT_BYTES} bytes of UTF-8, as all values of fields are"
            ),
            false => format!("a text of at most {MAX_TEXT_BYTES} bytes of UTF-8"),
        };
        place.text(0..=MAX_TEXT_BYTES, &what, self.errors)
    }

    /// ISO 3166-1 alpha-2 by its form, as it is read of visits.
    fn country(&mut self, place: &Place<'_>) -> Option<String> {
        let what = "a country, two letters as in ISO 3166-1: `DE`";
        let text = place.text(0..=MAX_TEXT_BYTES, what, self.errors)?;
        let is_country =
            matches!(text.as_bytes(), [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic());
        if !is_country {
            self.errors.add(&place.pointer, what);
        }
        is_country.then(|| text.to_ascii_uppercase())
    }

    fn part(&mut self, place: &Place<'_>) -> Option<String> {
        let what = format!("a text of 1 to {MAX_TEXT_BYTES} bytes of UTF-8");
        place.text(1..=MAX_TEXT_BYTES, &what, self.errors)
    }

    fn flag(&mut self, place: &Place<'_>) -> Option<bool> {
        match place.json {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                let todo = "Write it without quotes.".to_owned();
                let todo = matches!(place.json, "\"true\"" | "\"false\"").then_some(todo);
                place.refuse("`true` or `false`", todo, self.errors);
                None
            }
        }
    }

    fn limit(&mut self, place: &Place<'_>) -> Option<Scalar> {
        if self.is_field || place.kind() == "a text" {
            return self.whole_text(place).map(Scalar::Text);
        }
        if place.kind() == "a number" {
            return self.number(place);
        }
        place.refuse("a number or a text", None, self.errors);
        None
    }

    fn number(&mut self, place: &Place<'_>) -> Option<Scalar> {
        let number = Exact::of(place.json);
        if number.is_none() {
            self.errors.suggest(
                &place.pointer,
                "a number that an integer of 64 bits or a double has exactly as it is written: no property has another",
                "Write fewer digits.",
            );
        }
        number.map(Scalar::Number)
    }
}

fn there(exists: bool) -> Test {
    match exists {
        true => Test::Exists,
        false => Test::Missing,
    }
}
