//! What is sent of an audience or a preset, and of a filter alone.

use serde_json::{Value, value::RawValue};
use uuid::Uuid;

use super::{list::List, name::Name, references::Reference};
use crate::{
    accounts::fields::Text,
    audiences::filter::{Filter, Invalid},
    edge::{
        Code, Problem,
        particulars::{Particulars, WrongPlace},
    },
};

/// What an audience or a preset is to be.
#[derive(Debug, Clone)]
pub struct New {
    /// What it is to be called.
    pub name: Name,
    /// Its filter.
    pub filter: Filter,
    /// Where that names audiences.
    pub references: Vec<Reference>,
}

impl New {
    /// Reads both members of a body.
    ///
    /// # Errors
    ///
    /// `invalid_body`, with the field, and `invalid_filter`, with all that is wrong.
    pub fn read(list: List, name: Text, filter: Option<&RawValue>) -> Result<Self, Problem> {
        let name = Name::read(name, list.name_field())?;
        let field = list.filter_field();
        let missing = || {
            Problem::from(Code::InvalidBody)
                .with_detail(format!(
                    "The field `{field}` is missing: it is a filter, an object."
                ))
                .of_field(field)
        };
        let json = filter.ok_or_else(missing)?.get();
        let within = format!("/{field}");
        let filter = read_filter(json, &within).map_err(|problem| problem.of_field(field))?;
        Ok(Self {
            name,
            references: references(json, &within),
            filter,
        })
    }
}

/// Reads a filter that stands in this place of a body (RFC 6901).
///
/// # Errors
///
/// `invalid_filter`, with all that is wrong.
pub fn read_filter(json: &str, within: &str) -> Result<Filter, Problem> {
    let wrong = |invalid: Invalid| WrongPlace {
        pointer: format!("{within}{}", invalid.pointer),
        detail: invalid.to_string(),
        suggestion: invalid.suggestion,
    };
    Filter::read(json).map_err(|errors| invalid(errors.into_iter().map(wrong).collect()))
}

/// A filter with these errors.
pub fn invalid(errors: Vec<WrongPlace>) -> Problem {
    let problem = Problem::from(Code::InvalidFilter);
    let problem = match errors.first() {
        Some(first) => {
            let place = match first.pointer.as_str() {
                "" => "the filter itself",
                pointer => pointer,
            };
            let rest = match errors.len() - 1 {
                0 => String::new(),
                1 => " One more error is in `errors`.".to_owned(),
                more => format!(" {more} more errors are in `errors`."),
            };
            problem.with_detail(format!(
                "The filter is wrong at {place}: {}{rest}",
                first.detail
            ))
        }
        None => problem,
    };
    problem.telling(Particulars {
        errors,
        ..Particulars::default()
    })
}

/// Where a filter, one that can be read, names audiences.
fn references(json: &str, within: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let filter: Value = serde_json::from_str(json).unwrap_or_default();
    for side in ["include", "exclude"] {
        note(&filter[side], &format!("{within}/{side}"), &mut found);
    }
    found
}

fn note(node: &Value, pointer: &str, found: &mut Vec<Reference>) {
    let named = node["audience"].as_str();
    if let Some(audience) = named.and_then(|text| Uuid::try_parse(text).ok()) {
        let pointer = format!("{pointer}/audience");
        found.push(Reference { audience, pointer });
    }
    for group in ["all", "any"] {
        let children = node[group].as_array().into_iter().flatten();
        for (place, child) in children.enumerate() {
            note(child, &format!("{pointer}/{group}/{place}"), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_where_they_were_sent() {
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let json = format!(
            r#"{{"include":{{"any":[{{"did":{{"counter":"a"}}}},{{"all":[{{"audience":"{one}"}}]}}]}},"exclude":{{"audience":"{other}"}}}}"#
        );
        let found = references(&json, "/filter");
        let found: Vec<_> = found
            .iter()
            .map(|reference| (reference.audience, reference.pointer.as_str()))
            .collect();
        let expected = [
            (one, "/filter/include/any/1/all/0/audience"),
            (other, "/filter/exclude/audience"),
        ];
        assert_eq!(found, expected);
    }
}
