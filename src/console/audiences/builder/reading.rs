//! A draft from JSON: what the form can show becomes rules, and the rest stays JSON.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    draft::{Condition, DEEPEST, Did, Draft, Group, Item, OPERATORS, Rules, SUBJECTS},
    pretty::pretty,
};
use crate::{
    audiences::filter::{Filter, Invalid},
    audit::time,
    json::{Members, Text},
};

impl Draft {
    /// Of the JSON of a filter, or of what may become one.
    pub fn of_json(json: &str) -> Self {
        // Its version can be written in more than one way.
        let of_canonical = || rules(&Filter::read(json).ok()?.canonical);
        match rules(json).or_else(of_canonical) {
            Some(rules) => Self::Rules(rules),
            None => Self::Json(pretty(json)),
        }
    }
}

fn rules(json: &str) -> Option<Rules> {
    let object = Object::of(json, &["version", "include", "exclude"])?;
    if object.get("version").is_some_and(|version| version != "1") {
        return None;
    }
    Some(Rules {
        include: side(object.get("include"), false),
        exclude: side(object.get("exclude"), true),
    })
}

/// What stands alone is the only rule of a group.
fn side(json: Option<&str>, any: bool) -> Group {
    let items = match json.map(|json| (json, item(json, 1))) {
        None => Vec::new(),
        // Nobody would be left out by the form, while the API refuses it.
        Some((json, Item::Group(group))) if any && group.items.is_empty() => {
            vec![Item::Json(pretty(json))]
        }
        Some((_, Item::Group(group))) => return group,
        Some((_, item)) => vec![item],
    };
    Group { any, items }
}

fn item(json: &str, depth: usize) -> Item {
    let group = match depth < DEEPEST {
        true => group(json, depth),
        false => None,
    };
    let item = group.map(Item::Group).or_else(|| leaf(json));
    item.unwrap_or_else(|| Item::Json(pretty(json)))
}

fn group(json: &str, depth: usize) -> Option<Group> {
    let object = Object::of(json, &["all", "any"])?;
    let (any, items) = match (object.get("all"), object.get("any")) {
        (Some(all), None) => (false, all),
        (None, Some(any)) => (true, any),
        _ => return None,
    };
    let items = list(items)?.into_iter();
    Some(Group {
        any,
        items: items.map(|json| item(json, depth + 1)).collect(),
    })
}

/// A rule in fields, if these say the same, and are wrong in the same way.
fn leaf(json: &str) -> Option<Item> {
    let item = fields(json)?;
    let written = item.write();
    let is_same = written.wrong.is_empty() && meant(json) == meant(&written.json);
    is_same.then_some(item)
}

fn meant(json: &str) -> Result<String, Vec<Invalid>> {
    let filter = Filter::read(&format!("{{\"version\":1,\"include\":{json}}}"))?;
    Ok(filter.canonical)
}

fn fields(json: &str) -> Option<Item> {
    let known = ["did", "audience", "visitor", "visitor_property"];
    let Members(members) = Members::of(json).ok()?;
    let kind = members.iter().find(|(name, _)| known.contains(&&**name))?;
    Some(match &*kind.0 {
        "did" if members.len() == 1 => Item::Did(did(kind.1)?),
        "audience" if members.len() == 1 => Item::Audience(text(kind.1, false)?),
        "visitor" | "visitor_property" => {
            Item::Visitor(condition(json, ["visitor", "visitor_property"])?)
        }
        _ => return None,
    })
}

fn did(json: &str) -> Option<Did> {
    let object = Object::of(json, &["counter", "times", "within", "where"])?;
    let mut did = Did {
        counter: text(object.get("counter")?, false)?,
        ..Did::default()
    };
    if let Some(times) = object.get("times") {
        let times = Object::of(times, &["at_least", "at_most"])?;
        let number = |name| times.get(name).map_or(Some(String::new()), number);
        did.at_most = number("at_most")?;
        did.at_least = match number("at_least")? {
            at_least if at_least.is_empty() => did.at_least,
            at_least => at_least,
        };
    }
    if let Some(within) = object.get("within") {
        let within = Object::of(within, &["days", "from", "to"])?;
        match (within.get("days"), within.get("from"), within.get("to")) {
            (Some(days), None, None) => {
                did.when = "days";
                did.days = number(days)?;
            }
            (None, Some(from), Some(to)) => {
                did.when = "between";
                did.from = moment(from)?;
                did.to = moment(to)?;
            }
            _ => return None,
        }
    }
    if let Some(conditions) = object.get("where") {
        let conditions = list(conditions)?.into_iter();
        let conditions = conditions.map(|json| condition(json, ["field", "property"]));
        did.conditions = conditions.collect::<Option<_>>()?;
    }
    Some(did)
}

fn condition(json: &str, names: [&str; 2]) -> Option<Condition> {
    let Members(members) = Members::of(json).ok()?;
    let [field, property] = names;
    let [(subject, of), (op, value)] = &*members else {
        return None;
    };
    let (subject, of, op, value) = match [field, property].contains(&&**subject) {
        true => (subject, of, op, value),
        false => (op, value, subject, of),
    };
    let mut condition = Condition {
        op: among(op, OPERATORS.iter().map(|(op, _)| *op))?,
        ..Condition::default()
    };
    let of = text(of, false)?;
    match **subject == *property {
        true => (condition.of, condition.key) = ("property", of),
        false => condition.of = among(&of, SUBJECTS.iter().map(|(of, _)| *of))?,
    }
    match condition.op {
        "exists" | "missing" => {
            let is_yes = match *value {
                "true" => true,
                "false" => false,
                _ => return None,
            };
            if is_yes == (condition.op == "missing") {
                condition.op = "missing";
            } else {
                condition.op = "exists";
            }
        }
        "in" | "not_in" => {
            let values = list(value)?
                .into_iter()
                .map(|value| self::value(value, false));
            let values = values.collect::<Option<Vec<_>>>()?;
            let (first, _) = values.first()?;
            condition.kind = first;
            let is_alike = values.iter().all(|(kind, _)| kind == first);
            let lines: Vec<_> = values.iter().map(|(_, line)| line.as_str()).collect();
            condition.value = is_alike.then(|| lines.join("\n"))?;
        }
        _ => (condition.kind, condition.value) = self::value(value, true)?,
    }
    Some(condition)
}

fn value(json: &str, may_have_lines: bool) -> Option<(&'static str, String)> {
    match json {
        "true" | "false" => Some(("boolean", json.to_owned())),
        text if text.starts_with('"') => Some(("text", self::text(json, may_have_lines)?)),
        _ => Some(("number", number(json)?)),
    }
}

fn among(text: &str, mut known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known.find(|known| *known == text)
}

fn number(json: &str) -> Option<String> {
    let is_number = json.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    is_number.then(|| json.to_owned())
}

/// A text that a field holds as it is: browsers drop or change control characters.
fn text(json: &str, may_have_lines: bool) -> Option<String> {
    let Text(text) = serde_json::from_str(json).ok()?;
    let is_kept = |c: char| !c.is_control() || (may_have_lines && c == '\n');
    (!text.is_empty() && text.chars().all(is_kept)).then(|| text.into_owned())
}

/// As a field for times has it, in UTC.
fn moment(json: &str) -> Option<String> {
    let millis = time::parse(&text(json, false)?).filter(|millis| *millis >= 0)?;
    let text = time::format(millis);
    let text = text.strip_suffix('Z')?;
    let text = text.strip_suffix(".000").unwrap_or(text);
    Some(
        text.strip_suffix(":00")
            .filter(|text| text.len() == 16)
            .unwrap_or(text)
            .to_owned(),
    )
}

fn list(json: &str) -> Option<Vec<&str>> {
    let values: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(values.into_iter().map(RawValue::get).collect())
}

/// An object that has these members at most, each of them once.
struct Object<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Object<'a> {
    fn of(json: &'a str, known: &[&str]) -> Option<Self> {
        let Members(members) = Members::of(json).ok()?;
        let is_once = |(place, (name, _)): (usize, &(Cow<'_, str>, &str))| {
            known.contains(&&**name) && members[..place].iter().all(|(other, _)| other != name)
        };
        members.iter().enumerate().all(is_once).then_some(())?;
        Some(Self(members))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(member, _)| member == name);
        found.map(|(_, json)| *json)
    }
}
