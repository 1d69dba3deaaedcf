//! The rules of a draft as they are shown: fields, with what is wrong beside them, and buttons.

use askama::{Template, filters::HtmlSafe};

use super::{
    draft::{Condition, DEEPEST, Did, Group, Item, OPERATORS, Rules, SUBJECTS, TIMES, TYPES},
    places::Errors,
};
use crate::console::form::{Field, Kind};

/// What fields of rules are made with.
pub struct Context<'a> {
    /// The audiences that a rule can refer to: ids and names.
    pub audiences: &'a [(String, String)],
    /// What is wrong.
    pub errors: &'a Errors,
    /// The field that the cursor is in.
    pub cursor: Option<&'a str>,
}

/// Both groups of a filter.
pub fn both(rules: &Rules, context: &Context<'_>) -> [GroupView; 2] {
    [
        context.group(&rules.include, "include", "Who is meant", 1),
        context.group(&rules.exclude, "exclude", "But not", 1),
    ]
}

/// A group. In a template: `{{ group }}`.
#[derive(Template)]
#[template(path = "console/audiences/group.html")]
pub struct GroupView {
    at: String,
    id: String,
    legend: String,
    of: Field,
    items: Vec<ItemView>,
    /// Whether it may have groups.
    may_nest: bool,
    is_root: bool,
}

impl HtmlSafe for GroupView {}

/// What is in a group. In a template: `{{ item }}`.
#[derive(Template)]
#[template(path = "console/audiences/rule.html")]
pub struct ItemView {
    at: String,
    id: String,
    number: usize,
    error: Option<String>,
    body: Body,
}

impl HtmlSafe for ItemView {}

enum Body {
    Group(GroupView),
    Did(Box<DidView>),
    Visitor(Box<ConditionView>),
    Audience(Field),
    Json(Field),
}

/// Visits on a counter.
struct DidView {
    counter: Field,
    at_least: Field,
    at_most: Field,
    when: Field,
    days: Field,
    from: Field,
    to: Field,
    conditions: Vec<ConditionView>,
}

/// A condition. In a template: `{{ condition }}`.
#[derive(Template)]
#[template(path = "console/audiences/condition.html")]
pub struct ConditionView {
    at: String,
    legend: &'static str,
    of: Field,
    key: Field,
    op: Field,
    kind: Field,
    value: Field,
    can_be_removed: bool,
}

impl HtmlSafe for ConditionView {}

impl Context<'_> {
    fn field(&self, name: String, label: &str, kind: Kind, value: &str) -> Field {
        let error = self.errors.of(&name);
        let focused = self.cursor == Some(name.as_str());
        let field = Field::new(name, label, kind).with(value);
        Field {
            error,
            focused,
            ..field
        }
    }

    fn select(&self, name: String, label: &str, options: &[(&str, &str)], value: &str) -> Field {
        let options = options.iter();
        let options = options.map(|(value, label)| ((*value).to_owned(), (*label).to_owned()));
        self.field(name, label, Kind::Select(options.collect()), value)
    }

    fn group(&self, group: &Group, at: &str, legend: &str, depth: usize) -> GroupView {
        let options = [("all", "all of these"), ("any", "any of these")];
        let value = match group.any {
            true => "any",
            false => "all",
        };
        let items = group.items.iter().enumerate();
        GroupView {
            at: at.to_owned(),
            id: at.replace('.', "-"),
            legend: legend.to_owned(),
            of: self.select(format!("{at}.of"), "Whoever meets", &options, value),
            items: items
                .map(|(place, item)| self.item(item, format!("{at}.{place}"), place, depth))
                .collect(),
            may_nest: depth + 1 < DEEPEST,
            is_root: depth == 1,
        }
    }

    fn item(&self, item: &Item, at: String, place: usize, depth: usize) -> ItemView {
        let body = match item {
            Item::Group(group) => Body::Group(self.group(group, &at, "Group", depth + 1)),
            Item::Did(did) => Body::Did(Box::new(self.did(did, &at))),
            Item::Visitor(condition) => Body::Visitor(Box::new(self.condition(
                condition,
                &format!("{at}.where.0"),
                false,
            ))),
            Item::Audience(id) => Body::Audience(self.audience(id, format!("{at}.audience"))),
            Item::Json(json) => {
                let name = format!("{at}.json");
                Body::Json(self.field(name, "JSON of this rule", Kind::Lines, json))
            }
        };
        ItemView {
            id: at.replace('.', "-"),
            number: place + 1,
            error: self.errors.of(&at),
            body,
            at,
        }
    }

    fn did(&self, did: &Did, at: &str) -> DidView {
        let line = |field: &str, label: &str, kind: &'static str, value: &str| {
            self.field(format!("{at}.{field}"), label, Kind::Line(kind), value)
        };
        let conditions = did.conditions.iter().enumerate();
        DidView {
            counter: Field {
                list: Some("counters"),
                ..line("counter", "Counter", "text", &did.counter)
            },
            at_least: numeric(line("at_least", "At least", "text", &did.at_least)),
            at_most: numeric(line("at_most", "At most", "text", &did.at_most)).optional(),
            when: self.select(format!("{at}.when"), "When", &TIMES, did.when),
            days: numeric(line("days", "Days", "text", &did.days)),
            from: line("from", "From (UTC)", "datetime-local", &did.from),
            to: line("to", "To before (UTC)", "datetime-local", &did.to),
            conditions: conditions
                .map(|(place, condition)| {
                    self.condition(condition, &format!("{at}.where.{place}"), true)
                })
                .collect(),
        }
    }

    fn condition(&self, condition: &Condition, at: &str, is_of_visit: bool) -> ConditionView {
        let name = |field: &str| format!("{at}.{field}");
        ConditionView {
            at: at.to_owned(),
            legend: match is_of_visit {
                true => "Condition on each of these visits",
                false => "Condition on some visit, on any counter",
            },
            of: self.select(name("of"), "What", &SUBJECTS, condition.of),
            key: self.field(name("key"), "Key", Kind::Line("text"), &condition.key),
            op: self.select(name("op"), "Test", &OPERATORS, condition.op),
            kind: self.select(name("kind"), "As", &TYPES, condition.kind),
            value: self.field(name("value"), "Value", Kind::Lines, &condition.value),
            can_be_removed: is_of_visit,
        }
    }

    fn audience(&self, id: &str, name: String) -> Field {
        let mut options = vec![(String::new(), "Choose …".to_owned())];
        options.extend(self.audiences.iter().cloned());
        if !options.iter().any(|(known, _)| known == id) {
            options.push((id.to_owned(), format!("not there: {id}")));
        }
        self.field(name, "Who is in the audience", Kind::Select(options), id)
    }
}

fn numeric(field: Field) -> Field {
    Field {
        inputmode: Some("numeric"),
        ..field
    }
}
