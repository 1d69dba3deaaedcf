//! The one form of each filter, and its JSON: that of RFC 8785, but that integers of 64 bits keep their digits.

use super::{Bound, Condition, Did, Node, Scalar, Subject, Test, Tree, Within, reading::VERSION};
use crate::audit::time;

/// The same filter in its canonical form.
pub(super) fn settled(tree: Tree) -> Tree {
    Tree {
        include: node(tree.include),
        exclude: tree.exclude.map(node),
    }
}

fn node(node: Node) -> Node {
    match node {
        Node::All(children) => group(children, Node::All, |child| match child {
            Node::All(inner) => Ok(inner),
            other => Err(other),
        }),
        Node::Any(children) => group(children, Node::Any, |child| match child {
            Node::Any(inner) => Ok(inner),
            other => Err(other),
        }),
        Node::Did(mut did) => {
            did.conditions.sort_by_cached_key(of_visit);
            did.conditions.dedup();
            Node::Did(did)
        }
        leaf @ (Node::Visitor(_) | Node::Audience(_)) => leaf,
    }
}

/// Children first, so that what they come down to is seen here; a group of one is that one.
fn group(
    children: Vec<Node>,
    kind: fn(Vec<Node>) -> Node,
    same: fn(Node) -> Result<Vec<Node>, Node>,
) -> Node {
    let mut flat = Vec::new();
    for child in children {
        match same(node(child)) {
            Ok(inner) => flat.extend(inner),
            Err(other) => flat.push(other),
        }
    }
    flat.sort_by_cached_key(of_node);
    flat.dedup();
    match <[Node; 1]>::try_from(flat) {
        Ok([one]) => one,
        Err(several) => kind(several),
    }
}

/// The canonical JSON of a tree that is settled.
pub(super) fn json(tree: &Tree) -> String {
    let side = |node: &Node, group: &'static str| match node {
        Node::All(_) | Node::Any(_) => of_node(node),
        one => object([(group, list([of_node(one)]))]),
    };
    let exclude = tree
        .exclude
        .as_ref()
        .map(|node| ("exclude", side(node, "any")));
    let rest = [
        ("include", side(&tree.include, "all")),
        ("version", VERSION.to_string()),
    ];
    object(exclude.into_iter().chain(rest))
}

fn of_node(node: &Node) -> String {
    match node {
        Node::All(children) => object([("all", list(children.iter().map(of_node)))]),
        Node::Any(children) => object([("any", list(children.iter().map(of_node)))]),
        Node::Did(did) => object([("did", of_did(did))]),
        Node::Visitor(condition) => of_condition(condition, "visitor", "visitor_property"),
        Node::Audience(id) => object([("audience", text(&id.hyphenated().to_string()))]),
    }
}

fn of_did(did: &Did) -> String {
    let mut members = vec![("counter", text(did.counter.as_str()))];
    let at_least = (did.at_least > 1).then_some(("at_least", did.at_least));
    let times: Vec<_> = at_least
        .into_iter()
        .chain(did.at_most.map(|at_most| ("at_most", at_most)))
        .map(|(name, number)| (name, number.to_string()))
        .collect();
    if !times.is_empty() {
        members.push(("times", object(times)));
    }
    if !did.conditions.is_empty() {
        members.push(("where", list(did.conditions.iter().map(of_visit))));
    }
    members.extend(did.within.map(|within| ("within", of_within(within))));
    object(members)
}

fn of_within(within: Within) -> String {
    match within {
        Within::Days(days) => object([("days", days.to_string())]),
        Within::Between(from, to) => object([
            ("from", text(&time::format(from))),
            ("to", text(&time::format(to))),
        ]),
    }
}

fn of_visit(condition: &Condition) -> String {
    of_condition(condition, "field", "property")
}

fn of_condition(condition: &Condition, field: &'static str, property: &'static str) -> String {
    let of = match &condition.of {
        Subject::Field(name) => (field, text(name.name())),
        Subject::Property(key) => (property, text(key)),
    };
    object([of, of_test(&condition.test)])
}

fn of_test(test: &Test) -> (&'static str, String) {
    let yes = || "true".to_owned();
    match test {
        Test::In(values) => ("in", list(values.iter().map(scalar))),
        Test::NotIn(values) => ("not_in", list(values.iter().map(scalar))),
        Test::Contains(part) => ("contains", text(part)),
        Test::StartsWith(part) => ("starts_with", text(part)),
        Test::Exists => ("exists", yes()),
        Test::Missing => ("missing", yes()),
        Test::Above(limit, Bound::Excluded) => ("gt", scalar(limit)),
        Test::Above(limit, Bound::Included) => ("gte", scalar(limit)),
        Test::Below(limit, Bound::Excluded) => ("lt", scalar(limit)),
        Test::Below(limit, Bound::Included) => ("lte", scalar(limit)),
    }
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(number) => number.0.clone(),
        Scalar::Text(value) => text(value),
    }
}

/// Names and JSON, in the order of the names: all are ASCII, where that of RFC 8785 is that of bytes.
fn object(members: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut members: Vec<_> = members.into_iter().collect();
    members.sort();
    let members = members
        .iter()
        .map(|(name, json)| format!("\"{name}\":{json}"));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(","))
}

/// serde_json escapes what has to be, and as RFC 8785 wants it.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
