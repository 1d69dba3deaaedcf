//! A filter in words.

use uuid::Uuid;

use super::{Bound, Condition, Did, Node, Scalar, Subject, Test, Tree, Within};
use crate::audit::time;

/// U+2068 and U+2069 (UAX #9): what is between them does not turn the direction of what is around it.
const ISOLATE: char = '\u{2068}';
const END_OF_ISOLATE: char = '\u{2069}';

/// What a filter says, as one plain English sentence. Filters that say something different have different
/// sentences: groups within others and lists are in brackets, texts in quotes, and what cannot be seen in them
/// is escaped.
///
/// `name_of` is asked for the name of each audience that is referred to; one without a name is named by its id.
pub fn sentence(tree: &Tree, name_of: &dyn Fn(Uuid) -> Option<String>) -> String {
    let words = Words { name_of };
    let include = words.side(&tree.include);
    match &tree.exclude {
        Some(exclude) => format!(
            "Visitors who {include}, but not those who {}.",
            words.side(exclude)
        ),
        None => format!("Visitors who {include}."),
    }
}

struct Words<'a> {
    name_of: &'a dyn Fn(Uuid) -> Option<String>,
}

impl Words<'_> {
    /// All of it, where no brackets are needed.
    fn side(&self, node: &Node) -> String {
        match node {
            Node::All(children) => self.joined(children, " and "),
            Node::Any(children) => self.joined(children, " or "),
            Node::Did(did) => self::did(did),
            Node::Visitor(asked) => {
                format!("have a visit on any counter where {}", condition(asked))
            }
            Node::Audience(id) => match (self.name_of)(*id) {
                Some(name) => format!("are in the audience {}", quoted(&name)),
                None => format!("are in the audience {}", id.hyphenated()),
            },
        }
    }

    fn joined(&self, children: &[Node], word: &str) -> String {
        let parts: Vec<_> = children.iter().map(|child| self.part(child)).collect();
        parts.join(word)
    }

    /// A part of a group.
    fn part(&self, node: &Node) -> String {
        match node {
            Node::All(_) | Node::Any(_) => format!("({})", self.side(node)),
            leaf => self.side(leaf),
        }
    }
}

fn did(did: &Did) -> String {
    let visits = match (did.at_least, did.at_most) {
        (1, None) => "a visit".to_owned(),
        (at_least, None) => format!("at least {at_least} visits"),
        (1, Some(1)) => "exactly 1 visit".to_owned(),
        (at_least, Some(at_most)) if at_least == at_most => format!("exactly {at_most} visits"),
        (at_least, Some(at_most)) => format!("{at_least} to {at_most} visits"),
    };
    let when = match did.within {
        None => String::new(),
        Some(Within::Days(1)) => " in the last 24 hours".to_owned(),
        Some(Within::Days(days)) => format!(" in the last {days} days"),
        Some(Within::Between(from, to)) => {
            format!(
                " from {} to before {}",
                time::format(from),
                time::format(to)
            )
        }
    };
    let conditions: Vec<_> = did.conditions.iter().map(condition).collect();
    let conditions = match &*conditions {
        [] => String::new(),
        [one] => format!(" where {one}"),
        several => format!(" where ({})", several.join(" and ")),
    };
    format!(
        "have {visits} on {}{when}{conditions}",
        quoted(did.counter.as_str())
    )
}

fn condition(condition: &Condition) -> String {
    let of = match &condition.of {
        Subject::Field(field) => field.name().to_owned(),
        Subject::Property(key) => format!("property {}", quoted(key)),
    };
    format!("{of} {}", test(&condition.test))
}

fn test(test: &Test) -> String {
    let list = |values: Vec<String>| match &*values {
        [one] => one.clone(),
        several => format!("one of ({})", several.join(", ")),
    };
    match test {
        Test::In(values) => format!("is {}", list(values.iter().map(scalar).collect())),
        Test::NotIn(values) => {
            let values = list(values.iter().map(scalar).collect());
            format!("is not {values} (or is missing)")
        }
        Test::Contains(part) => format!("contains {}", quoted(part)),
        Test::StartsWith(part) => format!("starts with {}", quoted(part)),
        Test::Exists => "is present".to_owned(),
        Test::Missing => "is missing".to_owned(),
        Test::Above(Scalar::Text(limit), Bound::Excluded) => {
            format!("is a text that sorts after {}", quoted(limit))
        }
        Test::Above(Scalar::Text(limit), Bound::Included) => {
            format!("is a text that does not sort before {}", quoted(limit))
        }
        Test::Below(Scalar::Text(limit), Bound::Excluded) => {
            format!("is a text that sorts before {}", quoted(limit))
        }
        Test::Below(Scalar::Text(limit), Bound::Included) => {
            format!("is a text that does not sort after {}", quoted(limit))
        }
        Test::Above(limit, Bound::Excluded) => format!("is greater than {}", scalar(limit)),
        Test::Above(limit, Bound::Included) => format!("is at least {}", scalar(limit)),
        Test::Below(limit, Bound::Excluded) => format!("is less than {}", scalar(limit)),
        Test::Below(limit, Bound::Included) => format!("is at most {}", scalar(limit)),
    }
}

/// Texts have quotes, and all else has none: `"5"` is no number.
fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(number) => number.0.clone(),
        Scalar::Text(text) => quoted(text),
    }
}

/// A text in quotes, as Rust escapes it: quotes, backslashes, and all that has no picture of its own or turns
/// the direction of others. What is written from right to left stays between its quotes.
fn quoted(text: &str) -> String {
    match text.chars().any(is_from_right_to_left) {
        true => format!("{ISOLATE}{text:?}{END_OF_ISOLATE}"),
        false => format!("{text:?}"),
    }
}

/// The blocks of scripts that are written so (Unicode, `DerivedBidiClass.txt`: where R and AL are the default).
fn is_from_right_to_left(character: char) -> bool {
    matches!(
        u32::from(character),
        0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x10800..=0x10fff | 0x1e800..=0x1efff
    )
}
