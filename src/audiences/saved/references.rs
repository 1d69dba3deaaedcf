//! To which audiences saved filters refer: to those that are there, never in a circle, and not further than
//! three of them behind each other, whoever of them is changed.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::list::List;
use crate::{
    edge::particulars::{Thing, WrongPlace},
    storage::sql::{Connection, DatabaseError, of_company, on_either},
};

/// How many audiences behind each other a filter may refer to.
pub const DEEPEST: usize = 3;

/// A place in a filter that refers to an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The audience.
    pub audience: Uuid,
    /// Where: a JSON Pointer (RFC 6901) in the filter as it was sent.
    pub pointer: String,
}

/// Who refers to whom in a company.
#[derive(Debug, Default)]
pub struct References {
    /// What audiences are called.
    names: BTreeMap<Uuid, String>,
    /// From each audience to those its filter names.
    down: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// From each audience to those whose filters name it.
    up: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// To which of them presets refer.
    of_presets: BTreeSet<Uuid>,
}

impl References {
    /// All of a company.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn read(
        connection: &mut Connection<'_>,
        company: Uuid,
        names: BTreeMap<Uuid, String>,
    ) -> Result<Self, DatabaseError> {
        let arrows: Vec<(Uuid, Uuid)> = on_either!(connection, |database| {
            sqlx::query_as(of_company(
                "SELECT owner_id, audience_id FROM audience_references WHERE company_id = $1",
            ))
            .bind(company)
            .fetch_all(&mut **database)
            .await
        })?;
        let of_presets: Vec<Uuid> = on_either!(connection, |database| {
            sqlx::query_scalar(of_company(
                "SELECT DISTINCT audience_id FROM preset_references WHERE company_id = $1",
            ))
            .bind(company)
            .fetch_all(&mut **database)
            .await
        })?;
        let mut all = Self {
            names,
            of_presets: of_presets.into_iter().collect(),
            ..Self::default()
        };
        for (from, to) in arrows {
            all.note(from, to);
        }
        Ok(all)
    }

    fn note(&mut self, from: Uuid, to: Uuid) {
        self.down.entry(from).or_default().insert(to);
        self.up.entry(to).or_default().insert(from);
    }

    /// What is wrong with these references, if they are those of `own`, an audience that is there, or of a
    /// filter that nobody refers to.
    pub fn wrong(&self, own: Option<Uuid>, references: &[Reference]) -> Vec<WrongPlace> {
        let above = own.map_or(0, |own| self.above(own));
        let wrong = |reference: &Reference| {
            let (detail, suggestion) = self.wrong_with(own, above, reference.audience)?;
            let pointer = reference.pointer.clone();
            Some(WrongPlace {
                pointer,
                detail,
                suggestion,
            })
        };
        references.iter().filter_map(wrong).collect()
    }

    fn wrong_with(
        &self,
        own: Option<Uuid>,
        above: usize,
        audience: Uuid,
    ) -> Option<(String, Option<String>)> {
        let Some(name) = self.names.get(&audience) else {
            let detail =
                "Expected the id of an audience of the company; there is none with this one.";
            let hint = "`GET /api/audiences` lists them.";
            return Some((detail.to_owned(), Some(hint.to_owned())));
        };
        let levels = levels(&self.down, audience);
        if own.is_some_and(|own| levels.iter().any(|level| level.contains(&own))) {
            let detail = format!(
                "Expected an audience that does not refer to this one; `{name}` does, so they would go round in a circle."
            );
            return Some((detail, None));
        }
        let deep = above + levels.len();
        if deep <= DEEPEST {
            return None;
        }
        let detail = match above {
            0 => format!(
                "Expected at most {DEEPEST} audiences that refer to each other; with `{name}` there would be {deep}."
            ),
            _ => format!(
                "Expected at most {DEEPEST} audiences that refer to each other; with `{name}` there would be {deep} for those that refer to this audience."
            ),
        };
        let hint = format!("Write what `{name}` says here instead of its id.");
        Some((detail, Some(hint)))
    }

    /// How many refer to each other before this audience is reached, at most: 0 if nobody refers to it.
    fn above(&self, own: Uuid) -> usize {
        let levels = levels(&self.up, own);
        let of_preset = |(far, level): (usize, &BTreeSet<Uuid>)| {
            let is_named = level
                .iter()
                .any(|audience| self.of_presets.contains(audience));
            is_named.then_some(far + 1)
        };
        let of_presets = levels.iter().enumerate().filter_map(of_preset).max();
        (levels.len() - 1).max(of_presets.unwrap_or(0))
    }
}

/// What is so many steps away: first the start itself. There is no further step than one more than filters
/// may refer, so a circle would end as well.
fn levels(steps: &BTreeMap<Uuid, BTreeSet<Uuid>>, start: Uuid) -> Vec<BTreeSet<Uuid>> {
    let mut levels = vec![BTreeSet::from([start])];
    while levels.len() <= DEEPEST {
        let last = levels.last().into_iter().flatten();
        let next: BTreeSet<Uuid> = last
            .filter_map(|id| steps.get(id))
            .flatten()
            .copied()
            .collect();
        if next.is_empty() {
            break;
        }
        levels.push(next);
    }
    levels
}

/// Notes to which audiences one of a list refers, in the place of what was noted before.
///
/// # Errors
///
/// Those of the database.
pub async fn write(
    connection: &mut Connection<'_>,
    list: List,
    (company, owner): (Uuid, Uuid),
    references: &[Reference],
) -> Result<(), DatabaseError> {
    let (clear, add) = match list {
        List::Audiences => (
            "DELETE FROM audience_references WHERE company_id = $1 AND owner_id = $2",
            "INSERT INTO audience_references (company_id, owner_id, audience_id) VALUES ($1, $2, $3)",
        ),
        List::Presets => (
            "DELETE FROM preset_references WHERE company_id = $1 AND owner_id = $2",
            "INSERT INTO preset_references (company_id, owner_id, audience_id) VALUES ($1, $2, $3)",
        ),
    };
    on_either!(&mut *connection, |database| {
        sqlx::query(of_company(clear))
            .bind(company)
            .bind(owner)
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    let audiences: BTreeSet<Uuid> = references.iter().map(|one| one.audience).collect();
    for audience in audiences {
        on_either!(&mut *connection, |database| {
            sqlx::query(add)
                .bind(company)
                .bind(owner)
                .bind(audience)
                .execute(&mut **database)
                .await
                .map(drop)
        })?;
    }
    Ok(())
}

/// Who refers to an audience, in the order of their names.
///
/// # Errors
///
/// Those of the database.
pub async fn users(
    connection: &mut Connection<'_>,
    company: Uuid,
    audience: Uuid,
) -> Result<Vec<Thing>, DatabaseError> {
    let mut users = Vec::new();
    for (list, text) in [
        (
            List::Audiences,
            "SELECT id, name FROM audiences WHERE company_id = $1 AND id IN
                 (SELECT owner_id FROM audience_references WHERE company_id = $1 AND audience_id = $2)
             ORDER BY name, id",
        ),
        (
            List::Presets,
            "SELECT id, name FROM presets WHERE company_id = $1 AND id IN
                 (SELECT owner_id FROM preset_references WHERE company_id = $1 AND audience_id = $2)
             ORDER BY name, id",
        ),
    ] {
        let rows: Vec<(Uuid, String)> = on_either!(&mut *connection, |database| {
            sqlx::query_as(of_company(text))
                .bind(company)
                .bind(audience)
                .fetch_all(&mut **database)
                .await
        })?;
        let kind = list.one();
        users.extend(rows.into_iter().map(|(id, name)| Thing { kind, id, name }));
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    /// Audiences 1 to 9, of which some refer to each other.
    fn company(arrows: &[(u128, u128)], of_presets: &[u128]) -> References {
        let mut all = References {
            names: (1..=9).map(|one| (id(one), format!("A{one}"))).collect(),
            of_presets: of_presets.iter().copied().map(id).collect(),
            ..References::default()
        };
        for (from, to) in arrows {
            all.note(id(*from), id(*to));
        }
        all
    }

    fn wrong(all: &References, own: Option<u128>, to: u128) -> Option<String> {
        let reference = Reference {
            audience: id(to),
            pointer: "/include/audience".to_owned(),
        };
        let wrong = all.wrong(own.map(id), &[reference]);
        wrong.into_iter().next().map(|wrong| wrong.detail)
    }

    #[test]
    fn an_audience_that_is_not_there() {
        let all = company(&[], &[]);
        assert!(wrong(&all, None, 10).unwrap().contains("there is none"));
        assert_eq!(wrong(&all, None, 1), None);
    }

    #[test]
    fn three_deep_and_no_deeper() {
        // 1 → 2 → 3, and a filter that refers to 1 is three deep.
        let all = company(&[(1, 2), (2, 3)], &[]);
        assert_eq!(wrong(&all, None, 1), None);
        assert_eq!(wrong(&all, Some(9), 1), None);
        let all = company(&[(1, 2), (2, 3), (3, 4)], &[]);
        assert!(wrong(&all, None, 1).unwrap().contains("there would be 4"));
        assert_eq!(wrong(&all, None, 2), None);
        // By the longest way of several.
        let all = company(&[(1, 4), (1, 2), (2, 3), (3, 4)], &[]);
        assert!(wrong(&all, None, 1).is_some());
    }

    #[test]
    fn who_refers_to_it_counts_as_well() {
        // 1 → 2 → 3 already; what 3 refers to would be three deep for 1.
        let all = company(&[(1, 2), (2, 3)], &[]);
        assert_eq!(wrong(&all, Some(3), 4), None);
        let all = company(&[(1, 2), (2, 3), (4, 5)], &[]);
        let why = wrong(&all, Some(3), 4).unwrap();
        assert!(
            why.contains("for those that refer to this audience"),
            "{why}"
        );
        // Presets are above audiences.
        let all = company(&[(1, 2), (2, 3)], &[1]);
        assert!(wrong(&all, Some(3), 4).is_some());
        let all = company(&[(1, 2)], &[1]);
        assert_eq!(wrong(&all, Some(2), 3), None);
        let all = company(&[(1, 2)], &[2]);
        assert_eq!(wrong(&all, Some(2), 3), None);
    }

    #[test]
    fn no_circle_however_long() {
        let all = company(&[(1, 2), (2, 3)], &[]);
        for (own, to) in [(1, 1), (2, 1), (3, 1), (3, 2)] {
            let why = wrong(&all, Some(own), to);
            assert!(why.unwrap().contains("circle"), "{own} {to}");
        }
        // The same place may be reached twice.
        let all = company(&[(1, 3), (2, 3)], &[]);
        for to in [1, 2, 3] {
            assert_eq!(wrong(&all, Some(9), to), None);
        }
    }
}
