//! What the audiences say that a filter refers to, at most three within each other.

use std::collections::{BTreeMap, BTreeSet};

use sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

use super::{
    as_of::{AsOf, Hash, hash},
    names::Name,
    refused::Refused,
    statement::{Statement, of},
};
use crate::{
    audiences::filter::{Node, Tree},
    audit::verify::hex,
    company::Company,
    edge::{
        Code, Problem,
        particulars::{Particulars, WrongPlace},
        query::invalid,
    },
    storage::sql::Connection,
};

/// How many audiences may be within each other.
const MOST_DEEP: usize = 3;

/// More than an `as_of` has room for.
const MOST: usize = 150;

/// An audience as it is looked at.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) tree: Tree,
    pub(super) hash: Hash,
}

/// Audiences by their ids.
pub(super) type Audiences = BTreeMap<Uuid, Saved>;

/// All audiences that a filter refers to, as they are now, or were.
///
/// # Errors
///
/// `invalid_filter` if one is not there, or there are too many within each other.
pub(super) async fn resolve(
    connection: &mut Connection<'_>,
    company: Company,
    tree: &Tree,
    as_of: Option<&AsOf>,
) -> Result<Audiences, Refused> {
    let mut audiences = Audiences::new();
    let mut wanted: BTreeSet<Uuid> = named(tree).into_iter().collect();
    for _ in 0..MOST_DEEP {
        if wanted.is_empty() {
            break;
        }
        let found = find(connection, company, &wanted, as_of).await?;
        if let Some(id) = wanted.iter().find(|id| !found.contains_key(id)) {
            return Err(unknown(tree, &audiences, *id).into());
        }
        let next = found.values().flat_map(|audience| named(&audience.tree));
        let next: BTreeSet<Uuid> = next.collect();
        audiences.extend(found);
        wanted = next
            .into_iter()
            .filter(|id| !audiences.contains_key(id))
            .collect();
        if audiences.len() + wanted.len() > MOST {
            return Err(Code::TooManyCounters.into());
        }
    }
    let mut heights = BTreeMap::new();
    for (id, pointer) in tree.references() {
        height(&audiences, id, &mut heights).map_err(|what| wrong(pointer, what))?;
    }
    Ok(audiences)
}

/// A saved audience, as it is now, or was.
///
/// # Errors
///
/// `not_found` if there is none.
pub(super) async fn saved(
    connection: &mut Connection<'_>,
    company: Company,
    id: Uuid,
    as_of: Option<&AsOf>,
) -> Result<Saved, Refused> {
    let wanted = BTreeSet::from([id]);
    let mut now = find(connection, company, &wanted, None).await?;
    let none = || Refused::from(Problem::from(Code::NotFound));
    let now = now.remove(&id).ok_or_else(none)?;
    match as_of {
        None => Ok(now),
        Some(_) => find(connection, company, &wanted, as_of)
            .await?
            .remove(&id)
            .ok_or_else(none),
    }
}

fn named(tree: &Tree) -> Vec<Uuid> {
    let references = tree.references().into_iter();
    references.map(|(id, _)| id).collect()
}

async fn find(
    connection: &mut Connection<'_>,
    company: Company,
    wanted: &BTreeSet<Uuid>,
    as_of: Option<&AsOf>,
) -> Result<Audiences, Refused> {
    match as_of {
        None => find_now(connection, company, wanted).await,
        Some(as_of) => find_then(connection, company, wanted, as_of).await,
    }
}

async fn find_now(
    connection: &mut Connection<'_>,
    company: Company,
    wanted: &BTreeSet<Uuid>,
) -> Result<Audiences, Refused> {
    let query = Query::select()
        .columns([Name::Id, Name::Hash, Name::Filter])
        .from(Name::Audiences)
        .and_where(of(company.id()))
        .and_where(Expr::col(Name::Id).is_in(wanted.iter().copied()))
        .take();
    let mut rows: Vec<(Uuid, String, String)> = Vec::new();
    let found = Statement::new(&query).each(connection, |row| {
        rows.push(row);
        Ok(())
    });
    found.await?;
    let rows = rows.into_iter();
    rows.map(|(id, of, filter)| {
        Ok((
            id,
            Saved {
                tree: read(&filter)?,
                hash: hash(&of).unwrap_or_default(),
            },
        ))
    })
    .collect()
}

async fn find_then(
    connection: &mut Connection<'_>,
    company: Company,
    wanted: &BTreeSet<Uuid>,
    as_of: &AsOf,
) -> Result<Audiences, Refused> {
    let hash_of = |id: &Uuid| {
        let hash = as_of.filters.get(id).copied();
        let other = || invalid("as_of must be that of an earlier answer to the same question.");
        hash.ok_or_else(other).map(|hash| (*id, hash))
    };
    let hashes = wanted.iter().map(hash_of).collect::<Result<Vec<_>, _>>()?;
    let query = Query::select()
        .columns([Name::Hash, Name::Filter])
        .from(Name::AudienceFilters)
        .and_where(of(company.id()))
        .and_where(Expr::col(Name::Hash).is_in(hashes.iter().map(|(_, hash)| hex(hash))))
        .take();
    let mut filters = BTreeMap::<String, String>::new();
    let found = Statement::new(&query).each(connection, |(hash, filter)| {
        filters.insert(hash, filter);
        Ok(())
    });
    found.await?;
    let hashes = hashes.into_iter();
    hashes
        .map(|(id, hash)| {
            let filter = filters.get(&hex(&hash)).ok_or(Code::AsOfTooOld)?;
            Ok((
                id,
                Saved {
                    tree: read(filter)?,
                    hash,
                },
            ))
        })
        .collect()
}

fn read(filter: &str) -> Result<Tree, Refused> {
    Tree::from_stored(filter).map_err(|error| {
        let problem = Problem::from(Code::InvalidFilter).with_detail(error.to_string());
        problem.into()
    })
}

/// How many audiences are within each other, this one among them. `None` is known of one that is being looked at.
fn height(
    audiences: &Audiences,
    id: Uuid,
    known: &mut BTreeMap<Uuid, Option<usize>>,
) -> Result<usize, String> {
    match known.get(&id) {
        Some(Some(height)) => return Ok(*height),
        Some(None) => {
            return Err(format!(
                "an audience that does not refer to itself; {id} does, by way of others"
            ));
        }
        None => known.insert(id, None),
    };
    let too_deep = || format!("no more than {MOST_DEEP} audiences within each other");
    let audience = audiences.get(&id).ok_or_else(too_deep)?;
    let mut height_of_it = 1;
    for next in named(&audience.tree) {
        let below = height(audiences, next, known)?;
        height_of_it = Ord::max(height_of_it, 1 + below);
    }
    if height_of_it > MOST_DEEP {
        return Err(too_deep());
    }
    known.insert(id, Some(height_of_it));
    Ok(height_of_it)
}

/// One that is not there, with the place in the filter that leads to it.
fn unknown(tree: &Tree, audiences: &Audiences, id: Uuid) -> Problem {
    let leads = |start: Uuid| {
        let mut ways = vec![start];
        let mut seen = BTreeSet::new();
        while let Some(at) = ways.pop() {
            if at == id {
                return true;
            }
            if seen.insert(at) {
                ways.extend(
                    audiences
                        .get(&at)
                        .iter()
                        .flat_map(|audience| named(&audience.tree)),
                );
            }
        }
        false
    };
    let place = tree
        .references()
        .into_iter()
        .find(|(start, _)| leads(*start));
    let pointer = place.map(|(_, pointer)| pointer).unwrap_or_default();
    wrong(
        pointer,
        format!("an audience of the company: there is none with the id {id}"),
    )
}

fn wrong(pointer: String, expected: String) -> Problem {
    let detail = format!("Expected {expected}.");
    Problem::from(Code::InvalidFilter)
        .with_detail(format!("{pointer}: {detail}"))
        .telling(Particulars {
            errors: vec![WrongPlace {
                pointer,
                detail,
                suggestion: None,
            }],
            ..Particulars::default()
        })
}

/// Every node of a filter and of all audiences it refers to.
pub(super) fn nodes<'a>(tree: &'a Tree, audiences: &'a Audiences) -> Vec<&'a Node> {
    let trees = [tree]
        .into_iter()
        .chain(audiences.values().map(|audience| &audience.tree));
    let mut open: Vec<&Node> = trees
        .flat_map(|tree| [&tree.include].into_iter().chain(&tree.exclude))
        .collect();
    let mut nodes = Vec::new();
    while let Some(node) = open.pop() {
        nodes.push(node);
        if let Node::All(nodes) | Node::Any(nodes) = node {
            open.extend(nodes);
        }
    }
    nodes
}
