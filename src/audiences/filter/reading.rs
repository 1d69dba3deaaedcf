//! Reads what was sent.

use uuid::Uuid;

use super::{
    Condition, Did, Node, Tree, Within,
    condition::{OPERATORS, SUBJECT_OF_VISIT, condition},
    invalid::{Errors, Invalid, names, shortened, too_long},
    limits::{MAX_DAYS, MAX_DEPTH, MAX_FILTER_BYTES, MAX_LEAVES, MAX_TIMES},
    place::{Object, Place},
};
use crate::{audit::time, counting::CounterName};

/// The version of filters that this release reads and writes.
pub(super) const VERSION: u16 = 1;

/// What a node can be.
const KINDS: [&str; 6] = [
    "all",
    "any",
    "did",
    "visitor",
    "visitor_property",
    "audience",
];

/// The kinds that are conditions, and have an operator.
const SUBJECT_OF_VISITOR: [&str; 2] = ["visitor", "visitor_property"];

const DAY: i64 = 24 * 60 * 60 * 1000;

/// What was sent, as it was written: not yet in its canonical form.
pub(super) fn read(json: &str) -> Result<Tree, Vec<Invalid>> {
    if json.len() > MAX_FILTER_BYTES {
        return Err(vec![too_long("as it was sent", json.len())]);
    }
    let mut reader = Reader::default();
    let tree = reader.filter(json);
    reader.errors.or(tree)
}

#[derive(Default)]
struct Reader {
    errors: Errors,
    leaves: usize,
}

impl Reader {
    fn filter(&mut self, json: &str) -> Option<Tree> {
        let place = Place {
            pointer: String::new(),
            json: json.trim_ascii(),
        };
        let known = ["version", "include", "exclude"];
        let object = place.object("a filter, which is an object", &known, &mut self.errors)?;
        let version = object.need("version", "1", &mut self.errors);
        if let Some(version) = version {
            // Another version has another grammar, by which nothing of the rest is wrong.
            version.whole(VERSION..=VERSION, &mut self.errors)?;
        }
        let example = r#"{"did": {"counter": "signup"}}"#;
        let include = object.need("include", example, &mut self.errors);
        let include = include.map(|include| self.node(&include, 1));
        let exclude = object.get("exclude").map(|exclude| self.node(&exclude, 1));
        if self.leaves > MAX_LEAVES {
            let expected = format!(
                "at most {MAX_LEAVES} conditions in all, each of a `where` counted; there are {}",
                self.leaves
            );
            self.errors.suggest(
                "",
                expected,
                "Save a part of it as an audience, and refer to that by `audience`.",
            );
        }
        Some(Tree {
            include: include??,
            exclude: match exclude {
                Some(exclude) => Some(exclude?),
                None => None,
            },
        })
    }

    /// A group or a leaf, within so many groups if it is one itself.
    fn node(&mut self, place: &Place<'_>, depth: usize) -> Option<Node> {
        let known = [KINDS.as_slice(), &OPERATORS].concat();
        let what = format!("an object with {}", names(&KINDS, "or"));
        let object = place.object(&what, &known, &mut self.errors)?;
        let kinds = object.those_of(&KINDS);
        let nodes: Vec<_> = kinds
            .iter()
            .filter_map(|kind| self.node_of(kind, &object, depth))
            .collect();
        self.only_one(&object, &kinds);
        if !kinds.is_empty() && object.those_of(&SUBJECT_OF_VISITOR).is_empty() {
            for operator in object.those_of(&OPERATORS) {
                let pointer = format!("{}/{operator}", object.pointer);
                let expected = format!("nothing beside `{}`", kinds[0]);
                let todo = "Write it beside the `field` or `property` of a condition in `where`, or beside `visitor` or `visitor_property`.";
                self.errors.suggest(&pointer, expected, todo);
            }
        }
        match <[Node; 1]>::try_from(nodes) {
            Ok([node]) if kinds.len() == 1 => Some(node),
            _ => None,
        }
    }

    fn node_of(&mut self, kind: &str, object: &Object<'_>, depth: usize) -> Option<Node> {
        let place = object.get(kind)?;
        match kind {
            "all" => self.children(&place, depth).map(Node::All),
            "any" => self.children(&place, depth).map(Node::Any),
            "did" => self.did(&place).map(Node::Did),
            "audience" => {
                self.leaves += 1;
                audience(&place, &mut self.errors).map(Node::Audience)
            }
            subject => {
                self.leaves += 1;
                condition(object, subject, &mut self.errors).map(Node::Visitor)
            }
        }
    }

    fn only_one(&mut self, object: &Object<'_>, kinds: &[&str]) {
        match kinds {
            [_] => {}
            [] => self.errors.suggest(
                &object.pointer,
                format!("one of {}", names(&KINDS, "and")),
                r#"Say what is meant, as in `{"did": {"counter": "signup"}}`."#,
            ),
            several => {
                let expected = format!(
                    "one of {}, and not {}",
                    names(&KINDS, "and"),
                    names(several, "and")
                );
                let each: Vec<_> = several
                    .iter()
                    .map(|kind| format!("{{\"{kind}\": …}}"))
                    .collect();
                let todo = format!(
                    "Write an object for each: `{{\"all\": [{}]}}`.",
                    each.join(", ")
                );
                self.errors.suggest(&object.pointer, expected, todo);
            }
        }
    }

    fn children(&mut self, place: &Place<'_>, depth: usize) -> Option<Vec<Node>> {
        if depth > MAX_DEPTH {
            self.errors.suggest(
                &place.pointer,
                format!("groups at most {MAX_DEPTH} deep"),
                "Save a part of it as an audience, and refer to that by `audience`.",
            );
            return None;
        }
        let children = place.list("a list of conditions and groups", &mut self.errors)?;
        if children.is_empty() {
            self.errors.suggest(
                &place.pointer,
                "at least one condition or group in the list",
                "Leave the group out: an empty one could mean nobody or everybody.",
            );
        }
        let nodes: Vec<_> = children
            .iter()
            .map(|child| self.node(child, depth + 1))
            .collect();
        let nodes: Option<Vec<_>> = nodes.into_iter().collect();
        nodes.filter(|nodes| !nodes.is_empty())
    }

    fn did(&mut self, place: &Place<'_>) -> Option<Did> {
        self.leaves += 1;
        let known = ["counter", "times", "within", "where"];
        let what = "an object with `counter`, and perhaps `times`, `within` and `where`";
        let object = place.object(what, &known, &mut self.errors)?;
        let counter = object.need("counter", "\"signup\"", &mut self.errors);
        let counter = counter.and_then(|counter| self::counter(&counter, &mut self.errors));
        let times = object
            .get("times")
            .map(|place| times(&place, &mut self.errors));
        let within = object
            .get("within")
            .map(|place| within(&place, &mut self.errors));
        let conditions = object.get("where").map(|place| self.conditions(&place));
        let (at_least, at_most) = times.unwrap_or(Some((1, None)))?;
        Some(Did {
            counter: counter?,
            at_least,
            at_most,
            within: match within {
                Some(within) => Some(within?),
                None => None,
            },
            conditions: conditions.unwrap_or_else(|| Some(Vec::new()))?,
        })
    }

    fn conditions(&mut self, place: &Place<'_>) -> Option<Vec<Condition>> {
        let places = place.list("a list of conditions", &mut self.errors)?;
        // The visits themselves are the first one.
        self.leaves += places.len().saturating_sub(1);
        let conditions: Vec<_> = places
            .iter()
            .map(|place| self.condition_of_visit(place))
            .collect();
        conditions.into_iter().collect()
    }

    fn condition_of_visit(&mut self, place: &Place<'_>) -> Option<Condition> {
        let known = [SUBJECT_OF_VISIT.as_slice(), &OPERATORS].concat();
        let what = "an object with `field` or `property`, and an operator";
        let object = place.object(what, &known, &mut self.errors)?;
        match *object.those_of(&SUBJECT_OF_VISIT) {
            [subject] => condition(&object, subject, &mut self.errors),
            [] => {
                let todo = "Name what the visit must have, as in `{\"property\": \"plan\", \"in\": [\"pro\"]}`.";
                self.errors
                    .suggest(&object.pointer, "`field` or `property`", todo);
                None
            }
            _ => {
                self.errors.suggest(
                    &object.pointer,
                    "one of `field` and `property`, and not both",
                    "Write a condition for each.",
                );
                None
            }
        }
    }
}

fn audience(place: &Place<'_>, errors: &mut Errors) -> Option<Uuid> {
    let what = "the id of an audience, a UUID as in `0192d4a5-7b1c-7def-8a90-0123456789ab`";
    let text = place.text(0..=MAX_FILTER_BYTES, what, errors)?;
    // Other ways to write one (RFC 9562 knows this one only) are not for people.
    let is_hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    let id = Uuid::try_parse(&text).ok().filter(|_| is_hyphenated);
    if id.is_none() {
        errors.suggest(
            &place.pointer,
            what,
            "Look up the audience in `GET /api/audiences`: its `id` is meant, not its name.",
        );
    }
    id
}

fn counter(place: &Place<'_>, errors: &mut Errors) -> Option<CounterName> {
    let what = "the name of a counter: 1 to 64 of a-z, 0-9, `.`, `_` and `-`, the first of them a letter or digit";
    let text = place.text(0..=MAX_FILTER_BYTES, what, errors)?;
    let name = text.parse();
    if name.is_err() {
        let near: String = text
            .trim()
            .chars()
            .map(|c| {
                if c.is_whitespace() {
                    '-'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect();
        let todo = near.parse::<CounterName>().ok();
        let todo = todo.map(|near| format!("Did you mean `{near}`?"));
        errors.push(&place.pointer, what.to_owned(), todo);
    }
    name.ok()
}

fn times(place: &Place<'_>, errors: &mut Errors) -> Option<(u16, Option<u16>)> {
    let known = ["at_least", "at_most"];
    let what = "an object with `at_least`, `at_most` or both";
    let object = place.object(what, &known, errors)?;
    if object.those_of(&known).is_empty() {
        errors.suggest(
            &place.pointer,
            "`at_least`, `at_most` or both",
            "Leave `times` out to mean one visit or more.",
        );
        return None;
    }
    let mut number = |name| {
        object
            .get(name)
            .map(|place| place.whole(1..=MAX_TIMES, errors))
    };
    let (at_least, at_most) = (number("at_least"), number("at_most"));
    let at_least = at_least.unwrap_or(Some(1))?;
    let at_most = match at_most {
        Some(at_most) => Some(at_most?),
        None => None,
    };
    if at_most.is_some_and(|at_most| at_most < at_least) {
        let todo = "Exchange the two. Who came less often than that is not meant by `at_most` alone: write them under `exclude`.";
        errors.suggest(&place.pointer, "`at_least` to be at most `at_most`", todo);
        return None;
    }
    Some((at_least, at_most))
}

fn within(place: &Place<'_>, errors: &mut Errors) -> Option<Within> {
    let known = ["days", "from", "to"];
    let what = "an object with `days`, or with `from` and `to`";
    let object = place.object(what, &known, errors)?;
    match *object.those_of(&known) {
        ["days"] => object
            .get("days")?
            .whole(1..=MAX_DAYS, errors)
            .map(Within::Days),
        ["from", "to"] => {
            let from = instant(&object.get("from")?, errors);
            let to = instant(&object.get("to")?, errors);
            between(place, from?, to?, errors)
        }
        _ => {
            let todo = r#"Write `{"days": 30}`, or `{"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}`."#;
            errors.suggest(&place.pointer, "`days`, or `from` and `to`", todo);
            None
        }
    }
}

fn between(place: &Place<'_>, from: i64, to: i64, errors: &mut Errors) -> Option<Within> {
    let pointer = format!("{}/to", place.pointer);
    if to <= from {
        let todo = "`to` is the first moment that is not meant: for one day it is the beginning of the next.";
        errors.suggest(&pointer, "a time after `from`", todo);
        return None;
    }
    if to - from > i64::from(MAX_DAYS) * DAY {
        let expected = format!("a time at most {MAX_DAYS} days after `from`");
        errors.suggest(
            &pointer,
            expected,
            "Ask for a shorter time, or leave `within` out to mean all that is kept.",
        );
        return None;
    }
    Some(Within::Between(from, to))
}

/// A time in Unix milliseconds.
fn instant(place: &Place<'_>, errors: &mut Errors) -> Option<i64> {
    let what = "a time from 1970 on to the millisecond, as RFC 3339 has it: `2026-03-01T12:00:00Z`";
    let text = place.text(0..=MAX_FILTER_BYTES, what, errors)?;
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let digits = fraction.trim_end_matches(|c: char| !c.is_ascii_digit());
    let digits = digits.split(['+', '-']).next().unwrap_or_default();
    let is_exact = digits.trim_end_matches('0').len() <= 3;
    let millis = time::parse(&text).filter(|millis| *millis >= 0 && is_exact);
    if millis.is_none() {
        let day = format!("{text}T00:00:00Z");
        let todo = time::parse(&day).map(|_| format!("Did you mean `{day}`?"));
        let todo = todo.or_else(|| {
            let zone = format!("{text}Z");
            time::parse(&zone).map(|_| format!("Say in which time zone: `{zone}` is UTC."))
        });
        errors.push(
            &place.pointer,
            format!("{what}, and not `{}`", shortened(&text)),
            todo,
        );
    }
    millis
}
