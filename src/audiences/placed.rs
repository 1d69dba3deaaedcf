//! Where something is wrong in a filter as it was sent, if it was found in the canonical form: there conditions are in
//! another order, and in groups that nobody wrote.

use serde_json::{Value, json};

use super::filter::Filter;
use crate::edge::{
    Problem,
    particulars::{Particulars, WrongPlace},
};

/// What may be wrong with a condition that can be read, as pointers into it (RFC 6901).
const WITHIN: [&str; 2] = ["/audience", "/did/within"];

/// The same problem with the places that its errors have in what was sent. An error whose place is not found keeps its own.
pub(super) fn as_sent(problem: Problem, sent: &str, filter: &Filter) -> Problem {
    let (Ok(sent), Ok(canonical)) = (
        serde_json::from_str::<Value>(sent),
        serde_json::from_str::<Value>(&filter.canonical),
    ) else {
        return problem;
    };
    let Some(first) = problem.errors().first() else {
        return problem;
    };
    let told = problem.errors().iter();
    let errors: Vec<_> = told
        .flat_map(|error| errors(error, &sent, &canonical))
        .collect();
    let rest = problem.detail.strip_prefix(&first.pointer);
    let detail = match (rest, errors.first()) {
        (Some(rest), Some(placed)) => format!("{}{rest}", placed.pointer),
        _ => problem.detail.to_string(),
    };
    problem.with_detail(detail).telling(Particulars {
        errors,
        ..Particulars::default()
    })
}

/// An error of each condition that was sent and means what the one in its place does.
fn errors(error: &WrongPlace, sent: &Value, canonical: &Value) -> Vec<WrongPlace> {
    let pointer = error.pointer.as_str();
    let of = |within| Some((pointer.strip_suffix(within)?, within));
    let Some((place, within)) = WITHIN.into_iter().find_map(of) else {
        return vec![error.clone()];
    };
    let meant = canonical.pointer(place);
    let side = match place.starts_with("/exclude") {
        true => "exclude",
        false => "include",
    };
    let mut conditions = Vec::new();
    note(&sent[side], format!("/{side}"), &mut conditions);
    let same = conditions
        .into_iter()
        .filter(|(_, condition)| canonical_form(condition).as_ref() == meant);
    let errors: Vec<_> = same
        .map(|(place, _)| WrongPlace {
            pointer: format!("{place}{within}"),
            ..error.clone()
        })
        .collect();
    match errors.is_empty() {
        true => vec![error.clone()],
        false => errors,
    }
}

/// Notes all conditions, with their places.
fn note<'s>(node: &'s Value, at: String, found: &mut Vec<(String, &'s Value)>) {
    for group in ["all", "any"] {
        if let Some(nodes) = node[group].as_array() {
            for (place, node) in nodes.iter().enumerate() {
                note(node, format!("{at}/{group}/{place}"), found);
            }
            return;
        }
    }
    found.push((at, node));
}

fn canonical_form(condition: &Value) -> Option<Value> {
    let alone = json!({ "version": 1, "include": condition });
    let filter = Filter::read(&alone.to_string()).ok()?;
    let canonical: Value = serde_json::from_str(&filter.canonical).ok()?;
    canonical.pointer("/include/all/0").cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::Code;

    /// The places that are told of an error at this place of the canonical form.
    fn told(sent: &Value, pointer: &str) -> Vec<String> {
        let sent = sent.to_string();
        let error = WrongPlace {
            pointer: pointer.to_owned(),
            detail: "Expected another.".to_owned(),
            suggestion: None,
        };
        let problem = Problem::from(Code::InvalidFilter)
            .with_detail(format!("{pointer}: Expected another."))
            .telling(Particulars {
                errors: vec![error],
                ..Particulars::default()
            });
        let problem = as_sent(problem, &sent, &Filter::read(&sent).unwrap());
        let errors = problem.errors().iter();
        let places: Vec<_> = errors.map(|error| error.pointer.clone()).collect();
        let detail = format!("{}: Expected another.", places[0]);
        assert_eq!(problem.detail, detail);
        places
    }

    #[test]
    fn an_error_is_where_it_was_sent() {
        let audience = json!({ "audience": "0192d4a5-7b1c-7def-8a90-0123456789ab" });
        let of = |include: Value| json!({ "version": 1, "include": include });
        assert_eq!(
            told(&of(audience.clone()), "/include/all/0/audience"),
            ["/include/audience"]
        );
        let came = json!({ "did": { "counter": "a", "within": { "days": 2.0 }, "where": [] } });
        let sent = of(json!({ "any": [{ "any": [came, { "all": [audience] }] }, came] }));
        let whole = Filter::read(&sent.to_string()).unwrap().canonical;
        let whole: Value = serde_json::from_str(&whole).unwrap();
        let mut conditions = Vec::new();
        note(&whole["include"], "/include".to_owned(), &mut conditions);
        assert_eq!(conditions.len(), 2);
        for (place, condition) in conditions {
            let (within, expected) = match condition["audience"].is_string() {
                true => ("/audience", vec!["/include/any/0/any/1/all/0/audience"]),
                false => (
                    "/did/within",
                    vec![
                        "/include/any/0/any/0/did/within",
                        "/include/any/1/did/within",
                    ],
                ),
            };
            assert_eq!(told(&sent, &format!("{place}{within}")), expected);
        }
        let both = json!({ "version": 1, "include": came, "exclude": { "all": [came] } });
        let place = "/exclude/any/0/did/within";
        assert_eq!(told(&both, place), ["/exclude/all/0/did/within"]);
        // What is nowhere stays where it is.
        for nowhere in ["/include/all/7/audience", "/version"] {
            assert_eq!(told(&both, nowhere), [nowhere]);
        }
    }
}
