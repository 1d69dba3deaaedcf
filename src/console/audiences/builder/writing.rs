//! A draft as JSON, as it goes to the API.

use super::draft::{Condition, Did, Draft, Group, Item};
use crate::edge::particulars::WrongPlace;

/// The JSON of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// A filter, or what comes near to it: fields that are wrong are texts.
    pub json: String,
    /// What cannot be said in JSON, and what was left empty.
    pub wrong: Vec<WrongPlace>,
}

const EMPTY: &str = "Fill this in.";

impl Draft {
    /// Its JSON.
    pub fn write(&self) -> Written {
        let mut writer = Writer::default();
        let json = match self {
            Self::Json(json) => json.clone(),
            Self::Rules(rules) => {
                let include = writer.group(&rules.include, "/include");
                let exclude = match rules.exclude.items.is_empty() {
                    true => String::new(),
                    false => format!(",\"exclude\":{}", writer.group(&rules.exclude, "/exclude")),
                };
                format!("{{\"version\":1,\"include\":{include}{exclude}}}")
            }
        };
        Written {
            json,
            wrong: writer.wrong,
        }
    }
}

impl Item {
    /// Its JSON, alone.
    pub fn write(&self) -> Written {
        let mut writer = Writer::default();
        let json = writer.item(self, "");
        Written {
            json,
            wrong: writer.wrong,
        }
    }
}

#[derive(Default)]
struct Writer {
    wrong: Vec<WrongPlace>,
}

impl Writer {
    fn refuse(&mut self, pointer: &str, detail: impl Into<String>) {
        self.wrong.push(WrongPlace {
            pointer: pointer.to_owned(),
            detail: detail.into(),
            suggestion: None,
        });
    }

    fn group(&mut self, group: &Group, at: &str) -> String {
        let kind = match group.any {
            true => "any",
            false => "all",
        };
        if group.items.is_empty() {
            self.refuse(&format!("{at}/{kind}"), "Add a rule, or remove this group.");
        }
        let items = group.items.iter().enumerate();
        let items: Vec<_> = items
            .map(|(place, item)| self.item(item, &format!("{at}/{kind}/{place}")))
            .collect();
        format!("{{\"{kind}\":[{}]}}", items.join(","))
    }

    fn item(&mut self, item: &Item, at: &str) -> String {
        match item {
            Item::Group(group) => self.group(group, at),
            Item::Did(did) => format!("{{\"did\":{}}}", self.did(did, &format!("{at}/did"))),
            Item::Visitor(condition) => {
                self.condition(condition, at, ["visitor", "visitor_property"])
            }
            Item::Audience(id) => {
                if id.is_empty() {
                    self.refuse(&format!("{at}/audience"), "Choose an audience.");
                }
                format!("{{\"audience\":{}}}", text(id))
            }
            Item::Json(json) => match serde_json::from_str::<serde::de::IgnoredAny>(json) {
                Ok(_) => json.trim().to_owned(),
                Err(error) => {
                    self.refuse(at, format!("This is no JSON. The parser says: {error}."));
                    text(json)
                }
            },
        }
    }

    fn did(&mut self, did: &Did, at: &str) -> String {
        if did.counter.is_empty() {
            self.refuse(&format!("{at}/counter"), "Choose a counter.");
        }
        let mut members = format!("\"counter\":{}", text(&did.counter));
        let times = [("at_least", &did.at_least), ("at_most", &did.at_most)];
        let times: Vec<_> = times
            .iter()
            .filter(|(_, number)| !number.trim().is_empty())
            .map(|(name, number)| {
                let number = self.whole(number, &format!("{at}/times/{name}"));
                format!("\"{name}\":{number}")
            })
            .collect();
        // One visit is what is meant without it.
        if !matches!(&*times, [one] if one == "\"at_least\":1") && !times.is_empty() {
            members.push_str(&format!(",\"times\":{{{}}}", times.join(",")));
        }
        match did.when {
            "days" => {
                let days = self.whole(&did.days, &format!("{at}/within/days"));
                members.push_str(&format!(",\"within\":{{\"days\":{days}}}"));
            }
            "between" => {
                let from = self.moment(&did.from, &format!("{at}/within/from"));
                let to = self.moment(&did.to, &format!("{at}/within/to"));
                members.push_str(&format!(",\"within\":{{\"from\":{from},\"to\":{to}}}"));
            }
            _ => {}
        }
        let conditions = did.conditions.iter().enumerate();
        let conditions: Vec<_> = conditions
            .map(|(place, condition)| {
                let at = format!("{at}/where/{place}");
                self.condition(condition, &at, ["field", "property"])
            })
            .collect();
        if !conditions.is_empty() {
            members.push_str(&format!(",\"where\":[{}]", conditions.join(",")));
        }
        format!("{{{members}}}")
    }

    fn condition(&mut self, condition: &Condition, at: &str, names: [&str; 2]) -> String {
        let [field, property] = names;
        let of = match condition.is_of_property() {
            true => {
                if condition.key.is_empty() {
                    self.refuse(&format!("{at}/{property}"), EMPTY);
                }
                format!("\"{property}\":{}", text(&condition.key))
            }
            false => format!("\"{field}\":\"{}\"", condition.of),
        };
        let op = condition.op;
        let at = format!("{at}/{op}");
        let value = match () {
            () if condition.is_flag() => "true".to_owned(),
            () if condition.is_list() => {
                let lines = condition.value.split('\n').filter(|line| !line.is_empty());
                let values: Vec<_> = lines
                    .enumerate()
                    .map(|(place, line)| self.value(condition, line, &format!("{at}/{place}")))
                    .collect();
                if values.is_empty() {
                    self.refuse(&at, "Name at least one value, each on a line of its own.");
                }
                format!("[{}]", values.join(","))
            }
            () => {
                if condition.value.is_empty() {
                    self.refuse(&at, EMPTY);
                }
                self.value(condition, &condition.value, &at)
            }
        };
        format!("{{{of},\"{op}\":{value}}}")
    }

    fn value(&mut self, condition: &Condition, value: &str, at: &str) -> String {
        let is_text = !condition.is_of_property()
            || condition.kind == "text"
            || matches!(condition.op, "contains" | "starts_with");
        // A country of a list is two letters; what one contains is any text to the API, and stays as it is.
        let is_code = condition.of == "country" && condition.is_list();
        let value = match is_text && !is_code {
            true => value,
            false => value.trim(),
        };
        let (expected, is_literal) = match condition.kind {
            _ if is_text => return text(value),
            "number" => ("a number, such as 5 or 19.5", is_number(value)),
            _ => ("true or false", matches!(value, "true" | "false")),
        };
        match is_literal {
            true => value.to_owned(),
            false => {
                if !value.is_empty() {
                    self.refuse(at, format!("Expected {expected}, and not “{value}”."));
                }
                text(value)
            }
        }
    }

    fn whole(&mut self, number: &str, at: &str) -> String {
        let number = number.trim();
        match is_number(number) {
            true => number.to_owned(),
            false => {
                self.refuse(at, "Expected a whole number.");
                text(number)
            }
        }
    }

    /// Fields for times have no zone, and mean UTC here.
    fn moment(&mut self, moment: &str, at: &str) -> String {
        let moment = moment.trim();
        if moment.is_empty() {
            self.refuse(at, "Choose a time.");
        }
        let is_local = moment.len() >= "2026-03-01T12:00".len()
            && moment.as_bytes()[10].eq_ignore_ascii_case(&b'T')
            && moment[11..]
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b":.".contains(&byte));
        match is_local {
            true if moment.len() == "2026-03-01T12:00".len() => text(&format!("{moment}:00Z")),
            true => text(&format!("{moment}Z")),
            false => text(moment),
        }
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
