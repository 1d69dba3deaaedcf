//! A filter that is being built: what is in the fields of the form, right or wrong.

/// Groups within each other, as far as they are fields: one more than a filter may have, so that what is
/// too deep is shown where it is.
pub const DEEPEST: usize = 6;

/// What of visits can be asked for.
pub const SUBJECTS: [(&str, &str); 5] = [
    ("path", "Path"),
    ("referrer", "Referrer"),
    ("campaign", "Campaign"),
    ("country", "Country"),
    ("property", "Property"),
];

/// What can be asked of it.
pub const OPERATORS: [(&str, &str); 10] = [
    ("in", "is one of"),
    ("not_in", "is none of, or missing"),
    ("contains", "contains"),
    ("starts_with", "starts with"),
    ("exists", "is present"),
    ("missing", "is missing"),
    ("gt", "is more than"),
    ("gte", "is at least"),
    ("lt", "is less than"),
    ("lte", "is at most"),
];

/// What values of properties are.
pub const TYPES: [(&str, &str); 3] = [
    ("text", "text"),
    ("number", "number"),
    ("boolean", "true or false"),
];

/// When visits were.
pub const TIMES: [(&str, &str); 3] = [
    ("ever", "at any time"),
    ("days", "in the last … days"),
    ("between", "between two times"),
];

/// A filter that is being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// As rules.
    Rules(Rules),
    /// As JSON of which the form cannot show anything.
    Json(String),
}

/// Whoever is in one group, and not in the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Who is meant.
    pub include: Group,
    /// Who of these is not; nobody, if it is empty.
    pub exclude: Group,
}

/// Some rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Whether one of them is enough.
    pub any: bool,
    /// The rules, and groups.
    pub items: Vec<Item>,
}

/// What can be in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Another group.
    Group(Group),
    /// Visits on a counter.
    Did(Did),
    /// What some visit of theirs says.
    Visitor(Condition),
    /// Who is in a saved audience, by its id.
    Audience(String),
    /// What the form cannot show.
    Json(String),
}

/// Visits on a counter, as they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did {
    /// The counter's name.
    pub counter: String,
    /// How many at least.
    pub at_least: String,
    /// How many at most.
    pub at_most: String,
    /// One of [`TIMES`].
    pub when: &'static str,
    /// In the last so many days.
    pub days: String,
    /// From then on, in UTC.
    pub from: String,
    /// Before then.
    pub to: String,
    /// What each visit meets.
    pub conditions: Vec<Condition>,
}

impl Default for Did {
    fn default() -> Self {
        Self {
            counter: String::new(),
            at_least: "1".to_owned(),
            at_most: String::new(),
            when: "ever",
            days: "30".to_owned(),
            from: String::new(),
            to: String::new(),
            conditions: Vec::new(),
        }
    }
}

/// What a visit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// One of [`SUBJECTS`].
    pub of: &'static str,
    /// The key of a property.
    pub key: String,
    /// One of [`OPERATORS`].
    pub op: &'static str,
    /// One of [`TYPES`].
    pub kind: &'static str,
    /// The value; of those of a list one on each line.
    pub value: String,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            of: "path",
            key: String::new(),
            op: "in",
            kind: "text",
            value: String::new(),
        }
    }
}

impl Condition {
    /// Whether it is about a property.
    pub fn is_of_property(&self) -> bool {
        self.of == "property"
    }

    /// Whether it asks for a list of values.
    pub fn is_list(&self) -> bool {
        matches!(self.op, "in" | "not_in")
    }

    /// Whether it says all without a value.
    pub fn is_flag(&self) -> bool {
        matches!(self.op, "exists" | "missing")
    }
}

impl Default for Draft {
    /// One rule, that is to be filled in.
    fn default() -> Self {
        Self::Rules(Rules {
            include: Group {
                any: false,
                items: vec![Item::Did(Did::default())],
            },
            exclude: Group {
                any: true,
                items: Vec::new(),
            },
        })
    }
}

impl Draft {
    /// Does what a button of the form says: `add did include`, `remove include.0`, `add condition include.0`,
    /// `remove include.0.where.1`. Where the cursor is to be then; `None` if there is no such thing.
    pub fn step(&mut self, button: &str) -> Option<String> {
        let Self::Rules(rules) = self else {
            return None;
        };
        let mut words = button.split(' ');
        match (words.next()?, words.next()?, words.next()) {
            ("add", "condition", Some(at)) => {
                let Item::Did(did) = rules.item(at)? else {
                    return None;
                };
                did.conditions.push(Condition::default());
                Some(format!("{at}.where.{}.of", did.conditions.len() - 1))
            }
            ("add", what, Some(at)) => {
                let (item, cursor) = new(what)?;
                let items = &mut rules.group(at)?.items;
                items.push(item);
                Some(format!("{at}.{}{cursor}", items.len() - 1))
            }
            ("remove", at, None) => rules.remove(at),
            _ => None,
        }
    }
}

/// A new rule, and in which of its fields the cursor is.
fn new(what: &str) -> Option<(Item, &'static str)> {
    Some(match what {
        "did" => (Item::Did(Did::default()), ".counter"),
        "visitor" => (Item::Visitor(Condition::default()), ".where.0.of"),
        "audience" => (Item::Audience(String::new()), ".audience"),
        "group" => {
            let group = Group {
                any: true,
                items: vec![Item::Did(Did::default())],
            };
            (Item::Group(group), ".of")
        }
        _ => return None,
    })
}

impl Rules {
    fn group(&mut self, at: &str) -> Option<&mut Group> {
        let mut places = at.split('.');
        let mut group = match places.next()? {
            "include" => &mut self.include,
            "exclude" => &mut self.exclude,
            _ => return None,
        };
        for place in places {
            let place: usize = place.parse().ok()?;
            let Item::Group(inner) = group.items.get_mut(place)? else {
                return None;
            };
            group = inner;
        }
        Some(group)
    }

    fn item(&mut self, at: &str) -> Option<&mut Item> {
        let (group, place) = at.rsplit_once('.')?;
        let place: usize = place.parse().ok()?;
        self.group(group)?.items.get_mut(place)
    }

    fn remove(&mut self, at: &str) -> Option<String> {
        let (before, place) = at.rsplit_once('.')?;
        let place: usize = place.parse().ok()?;
        if let Some(rule) = before.strip_suffix(".where") {
            let Item::Did(did) = self.item(rule)? else {
                return None;
            };
            (place < did.conditions.len()).then_some(())?;
            did.conditions.remove(place);
            return Some(format!("{rule}.counter"));
        }
        let items = &mut self.group(before)?.items;
        (place < items.len()).then_some(())?;
        items.remove(place);
        Some(format!("{before}.of"))
    }
}
