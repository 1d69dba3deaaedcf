//! Where in the form something is that the API points to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::draft::{Did, Draft, Group, Item};
use crate::{audiences::filter::Filter, edge::particulars::WrongPlace};

/// What is wrong, by the names of fields; under an empty name what is about none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors(BTreeMap<String, String>);

impl Errors {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field.
    pub fn of(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// All that is wrong, with the field it is about.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        all.map(|(name, said)| (name.as_str(), said.as_str()))
    }

    /// Notes something.
    pub fn note(&mut self, name: impl Into<String>, said: &str) {
        let before = self.0.entry(name.into()).or_default();
        if !before.is_empty() {
            before.push(' ');
        }
        before.push_str(said);
    }

    /// Notes what is wrong with the JSON of a draft, which stands in this place of what was sent.
    pub fn note_places(&mut self, draft: &Draft, within: &str, wrong: &[WrongPlace]) {
        for wrong in wrong {
            let pointer = wrong.pointer.strip_prefix(within);
            let pointer = pointer.unwrap_or(&wrong.pointer);
            let name = place(draft, pointer);
            let said = match draft {
                // Its pointer is all that says where it is.
                Draft::Json(_) if !pointer.is_empty() => format!("{pointer}: {}", said(wrong)),
                _ => said(wrong),
            };
            self.note(name, &said);
        }
    }

    /// The same where pointers are into the canonical form of the filter, in which rules have other places.
    pub fn note_canonical(&mut self, draft: &Draft, canonical: &str, wrong: &[WrongPlace]) {
        for wrong in wrong {
            let names = of_canonical(draft, canonical, &wrong.pointer);
            match names.is_empty() {
                true => self.note("", &said(wrong)),
                false => {
                    for name in names {
                        self.note(name, &said(wrong));
                    }
                }
            }
        }
    }
}

fn said(wrong: &WrongPlace) -> String {
    match &wrong.suggestion {
        Some(suggestion) => format!("{} {suggestion}", wrong.detail),
        None => wrong.detail.clone(),
    }
}

/// The name of the field that this JSON Pointer leads to; of the rule or the group where there is none.
fn place(draft: &Draft, pointer: &str) -> String {
    let Draft::Rules(rules) = draft else {
        return "json".to_owned();
    };
    let mut parts = pointer.split('/').skip(1);
    let (mut at, mut group) = match parts.next() {
        Some("include") => ("include".to_owned(), &rules.include),
        Some("exclude") => ("exclude".to_owned(), &rules.exclude),
        _ => return String::new(),
    };
    loop {
        let index = (
            parts.next(),
            parts.next().and_then(|index| index.parse().ok()),
        );
        let (Some("all" | "any"), Some(index)) = index else {
            return format!("{at}.of");
        };
        let index: usize = index;
        let Some(item) = group.items.get(index) else {
            return format!("{at}.of");
        };
        at = format!("{at}.{index}");
        match item {
            Item::Group(inner) => group = inner,
            leaf => return of_leaf(leaf, &at, &parts.collect::<Vec<_>>()),
        }
    }
}

/// A field of a rule; `rest` is what of the pointer is within it.
fn of_leaf(item: &Item, at: &str, rest: &[&str]) -> String {
    let field = match (item, rest) {
        (Item::Json(_), _) => "json".to_owned(),
        (Item::Audience(_), _) => "audience".to_owned(),
        (Item::Visitor(_), [member, ..]) => of_condition("where.0", member),
        (Item::Did(did), ["did", rest @ ..]) => return of_did(did, at, rest),
        _ => return at.to_owned(),
    };
    format!("{at}.{field}")
}

fn of_did(did: &Did, at: &str, rest: &[&str]) -> String {
    let field = match rest {
        ["counter", ..] => "counter".to_owned(),
        ["times", "at_least", ..] => "at_least".to_owned(),
        ["times", ..] => "at_most".to_owned(),
        ["within", field @ ("days" | "from" | "to"), ..] => (*field).to_owned(),
        ["within", ..] => "when".to_owned(),
        ["where", place, rest @ ..] => {
            let place = place.parse().unwrap_or(usize::MAX);
            if place >= did.conditions.len() {
                return at.to_owned();
            }
            of_condition(&format!("where.{place}"), rest.first().unwrap_or(&""))
        }
        _ => return at.to_owned(),
    };
    format!("{at}.{field}")
}

fn of_condition(at: &str, member: &str) -> String {
    match member {
        "property" | "visitor_property" => format!("{at}.key"),
        "field" | "visitor" | "" => format!("{at}.of"),
        _ => format!("{at}.value"),
    }
}

/// The fields of all rules that say what the canonical filter says in this place.
fn of_canonical(draft: &Draft, canonical: &str, pointer: &str) -> Vec<String> {
    let Draft::Rules(rules) = draft else {
        return vec!["json".to_owned()];
    };
    let Ok(filter) = serde_json::from_str::<Value>(canonical) else {
        return Vec::new();
    };
    // Down to the leaf.
    let (mut leaf, mut rest) = (&filter, pointer.split('/').skip(1).peekable());
    while let Some(part) = rest.peek() {
        let next = match leaf {
            Value::Array(values) => part.parse().ok().and_then(|place: usize| values.get(place)),
            Value::Object(members) if ["include", "exclude", "all", "any"].contains(part) => {
                members.get(*part)
            }
            _ => None,
        };
        let Some(next) = next else {
            break;
        };
        leaf = next;
        rest.next();
    }
    let rest: Vec<_> = rest.collect();
    let mut found = Vec::new();
    for (at, group) in [("include", &rules.include), ("exclude", &rules.exclude)] {
        same(group, at, leaf, &rest, &mut found);
    }
    found
}

fn same(group: &Group, at: &str, leaf: &Value, rest: &[&str], found: &mut Vec<String>) {
    for (place, item) in group.items.iter().enumerate() {
        let at = format!("{at}.{place}");
        match item {
            Item::Group(group) => same(group, &at, leaf, rest, found),
            item if canonical(item).as_ref() == Some(leaf) => found.push(of_leaf(item, &at, rest)),
            _ => {}
        }
    }
}

/// A rule in its canonical form.
fn canonical(item: &Item) -> Option<Value> {
    let json = item.write().json;
    let filter = Filter::read(&format!("{{\"version\":1,\"include\":{json}}}")).ok()?;
    let mut filter: Value = serde_json::from_str(&filter.canonical).ok()?;
    Some(filter["include"]["all"][0].take())
}
