//! A filter as it is computed with: every form in which it can be written leads here.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::counting::CounterName;

/// Which visitors are meant: those of `include` that are not of `exclude`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Whoever of these …
    pub include: Node,
    /// … is none of these.
    pub exclude: Option<Node>,
}

impl Tree {
    /// The audiences it refers to, each with where it does: a JSON Pointer (RFC 6901) into the canonical JSON.
    pub fn references(&self) -> Vec<(Uuid, String)> {
        let mut found = Vec::new();
        self.each(&mut |node, pointer| {
            if let Node::Audience(id) = node {
                found.push((*id, format!("{pointer}/audience")));
            }
        });
        found
    }

    /// The counters it names.
    pub fn counters(&self) -> BTreeSet<CounterName> {
        let mut found = BTreeSet::new();
        self.each(&mut |node, _| {
            if let Node::Did(did) = node {
                found.insert(did.counter.clone());
            }
        });
        found
    }

    /// Whether visits on all counters of the company matter, and not only on those it names.
    pub fn looks_at_all_counters(&self) -> bool {
        let mut looks = false;
        self.each(&mut |node, _| looks |= matches!(node, Node::Visitor(_)));
        looks
    }

    /// Calls back for every node, with its pointer into the canonical JSON, where both sides are groups.
    fn each(&self, call: &mut dyn FnMut(&Node, &str)) {
        let sides = [
            ("include", "all", Some(&self.include)),
            ("exclude", "any", self.exclude.as_ref()),
        ];
        for (side, group, node) in sides {
            match node {
                Some(node @ (Node::All(_) | Node::Any(_))) => node.each(&format!("/{side}"), call),
                Some(node) => node.each(&format!("/{side}/{group}/0"), call),
                None => {}
            }
        }
    }
}

/// A set of visitors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Who is in each of them. There are at least two.
    All(Vec<Self>),
    /// Who is in any of them. There are at least two.
    Any(Vec<Self>),
    /// Who did something.
    Did(Did),
    /// Of whom some visit, on any counter of the company, meets this condition.
    Visitor(Condition),
    /// Who is in a saved audience.
    Audience(Uuid),
}

impl Node {
    fn each(&self, pointer: &str, call: &mut dyn FnMut(&Self, &str)) {
        call(self, pointer);
        let (group, children) = match self {
            Self::All(children) => ("all", children),
            Self::Any(children) => ("any", children),
            Self::Did(_) | Self::Visitor(_) | Self::Audience(_) => return,
        };
        for (place, child) in children.iter().enumerate() {
            child.each(&format!("{pointer}/{group}/{place}"), call);
        }
    }
}

/// Visits on one counter, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did {
    /// The counter.
    pub counter: CounterName,
    /// How many visits at least; 1 unless the filter says more.
    pub at_least: u16,
    /// How many visits at most.
    pub at_most: Option<u16>,
    /// When; without it, ever.
    pub within: Option<Within>,
    /// What each of these visits meets.
    pub conditions: Vec<Condition>,
}

/// A time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// So many times 24 hours back from the instant of `as_of`.
    Days(u16),
    /// From this one on and before that one, in Unix milliseconds.
    Between(i64, i64),
}

/// What a visit says in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where.
    pub of: Subject,
    /// What.
    pub test: Test,
}

/// A place in which visits say something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One of the fields, of which all values are texts.
    Field(Field),
    /// A property, by its key.
    Property(String),
}

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// To what.
    Path,
    /// From where.
    Referrer,
    /// By which campaign.
    Campaign,
    /// From which country.
    Country,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Path, Self::Referrer, Self::Campaign, Self::Country];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Referrer => "referrer",
            Self::Campaign => "campaign",
            Self::Country => "country",
        }
    }
}

/// What is asked of a value. One that is missing meets `Missing` and `NotIn` only; values of different types
/// are never equal, and neither is before the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    In(BTreeSet<Scalar>),
    /// It is none of these.
    NotIn(BTreeSet<Scalar>),
    /// It is a text with this in it, of the same bytes.
    Contains(String),
    /// It is a text that begins with this, of the same bytes.
    StartsWith(String),
    /// It is there.
    Exists,
    /// It is not there.
    Missing,
    /// It is greater, or equal if so said. Texts are compared by their bytes.
    Above(Scalar, Bound),
    /// It is less, or equal if so said.
    Below(Scalar, Bound),
}

/// Whether the limit itself is meant as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// It is.
    Included,
    /// It is not.
    Excluded,
}

/// A value, in the one way to write it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Exact),
    /// A text.
    Text(String),
}

/// A number, as RFC 8785 writes it, but that integers of 64 bits keep all their digits: `5` for `5.0` and `5e0`.
/// Two are equal if they are the same number; their order here is that of the texts and means nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact(pub String);
