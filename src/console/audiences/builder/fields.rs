//! What the form of the builder sends, read to a draft: all of its state is in it.

use std::collections::HashMap;

use super::draft::{
    Condition, DEEPEST, Did, Draft, Group, Item, OPERATORS, Rules, SUBJECTS, TIMES, TYPES,
};
use crate::console::typed::Typed;

/// The fields of a form, by their names.
pub struct Fields<'a>(HashMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    /// Those that were sent.
    pub fn of(typed: &'a Typed) -> Self {
        Self(typed.pairs().collect())
    }

    /// A value as it was typed: forms send line feeds in two characters (HTML, 4.10.22.4).
    pub fn get(&self, name: &str) -> String {
        let value = self.0.get(name).copied().unwrap_or_default();
        value.replace("\r\n", "\n")
    }

    fn among(&self, name: &str, options: &[(&'static str, &str)]) -> &'static str {
        let value = self.0.get(name).copied().unwrap_or_default();
        let found = options.iter().find(|(option, _)| *option == value);
        found.unwrap_or(&options[0]).0
    }

    /// The filter that is being built.
    pub fn draft(&self) -> Draft {
        match self.get("as").as_str() {
            "json" => Draft::Json(self.get("json")),
            _ => Draft::Rules(Rules {
                include: self.group("include", 1),
                exclude: self.group("exclude", 1),
            }),
        }
    }

    fn group(&self, at: &str, depth: usize) -> Group {
        let items = (0..).map_while(|place| self.item(&format!("{at}.{place}"), depth));
        Group {
            any: self.get(&format!("{at}.of")) == "any",
            items: items.collect(),
        }
    }

    fn item(&self, at: &str, depth: usize) -> Option<Item> {
        let of = |name: &str| self.get(&format!("{at}.{name}"));
        Some(match of("kind").as_str() {
            "group" if depth < DEEPEST => Item::Group(self.group(at, depth + 1)),
            "did" => Item::Did(Did {
                counter: of("counter"),
                at_least: of("at_least"),
                at_most: of("at_most"),
                when: self.among(&format!("{at}.when"), &TIMES),
                days: of("days"),
                from: of("from"),
                to: of("to"),
                conditions: self.conditions(at),
            }),
            "visitor" => {
                let first = self.conditions(at).into_iter().next();
                Item::Visitor(first.unwrap_or_default())
            }
            "audience" => Item::Audience(of("audience")),
            "json" => Item::Json(of("json")),
            _ => return None,
        })
    }

    fn conditions(&self, at: &str) -> Vec<Condition> {
        let read = |place: usize| {
            let name = |field: &str| format!("{at}.where.{place}.{field}");
            self.0.contains_key(name("of").as_str()).then(|| Condition {
                of: self.among(&name("of"), &SUBJECTS),
                key: self.get(&name("key")),
                op: self.among(&name("op"), &OPERATORS),
                kind: self.among(&name("kind"), &TYPES),
                value: self.get(&name("value")),
            })
        };
        (0..).map_while(read).collect()
    }
}
