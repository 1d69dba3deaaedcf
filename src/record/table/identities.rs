//! Under which identities the newest visits were counted.

use sqlx::Error;

use super::recordings::Recording;
use crate::{
    record::{
        plan::{DAY, Identified},
        times,
    },
    storage::sql::{Connection, of_company, on_either},
};

/// What an identity is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request, by the id that a proxy gave it.
    Request,
    /// An `Idempotency-Key`.
    Key,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Key => "key",
        }
    }
}

/// Identities of visits that were counted together, or nearly so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// When the last of them was counted, in Unix milliseconds.
    pub at: i64,
    /// Numbers and identities.
    pub identities: Vec<(u64, [u8; 16])>,
}

const INSERT: &str =
    "INSERT INTO recorded_identities (company_id, recording_id, kind, last, at, numbers, digests)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

const SINCE: &str = "SELECT at, numbers, digests FROM recorded_identities
     WHERE company_id = $1 AND recording_id = $2 AND kind = $3 AND at >= $4 ORDER BY last";

/// Rows that are read at a time, each of a chunk.
const ROWS: i64 = 4;

const SOME: &str = "SELECT numbers, digests FROM recorded_identities
     WHERE company_id = $1 AND recording_id = $2 AND kind = $3 AND at >= $4 AND last > $5 ORDER BY last LIMIT $6";

/// Each row has the numbers after those of the row before, up to its last.
const BETWEEN: &str = "SELECT numbers, digests FROM recorded_identities
     WHERE company_id = $1 AND recording_id = $2 AND kind = $3 AND last >= $4
       AND last <= coalesce((SELECT min(last) FROM recorded_identities
         WHERE company_id = $1 AND recording_id = $2 AND kind = $3 AND last >= $5), $5)";

/// How long they are kept for a store of counts that has lost them, in milliseconds: longer than any store
/// does.
pub(in crate::record) const IDENTITIES_KEPT: i64 = 2 * DAY;

/// Writes the identities of a chunk, in the order of their numbers, that was counted by this time.
pub(in crate::record) async fn write(
    connection: &mut Connection<'_>,
    recording: &Recording,
    kind: Kind,
    identified: &Identified<'_>,
    at: i64,
) -> Result<(), Error> {
    let Some((last, _)) = identified.last() else {
        return Ok(());
    };
    let (numbers, digests) = packed(identified);
    on_either!(connection, |database| {
        sqlx::query(INSERT)
            .bind(recording.company())
            .bind(recording.id)
            .bind(kind.text())
            .bind(*last as i64)
            .bind(at)
            .bind(&numbers)
            .bind(&digests)
            .execute(&mut **database)
            .await
            .map(drop)
    })
}

/// The identities of a counter that were recorded since this time, and some of before it; the oldest
/// first.
///
/// # Errors
///
/// Those of the database.
pub async fn since(
    connection: &mut Connection<'_>,
    recording: &Recording,
    kind: Kind,
    at: i64,
) -> Result<Vec<Remembered>, Error> {
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(SINCE))
            .bind(recording.company())
            .bind(recording.id)
            .bind(kind.text())
            .bind(at)
            .fetch_all(&mut **database)
            .await
    })?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(at, numbers, digests)| Remembered {
            at,
            identities: unpacked(&numbers, &digests),
        })
        .collect())
}

/// Some identities of a counter that were recorded since this time and have numbers after this one, in their
/// order; none if there are no more.
///
/// # Errors
///
/// Those of the database.
pub async fn some(
    connection: &mut Connection<'_>,
    recording: &Recording,
    kind: Kind,
    at: i64,
    after: u64,
) -> Result<Vec<(u64, [u8; 16])>, Error> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(SOME))
            .bind(recording.company())
            .bind(recording.id)
            .bind(kind.text())
            .bind(at)
            .bind(after as i64)
            .bind(ROWS)
            .fetch_all(&mut **database)
            .await
    })?;
    let rows = rows.iter();
    Ok(rows
        .flat_map(|(numbers, digests)| unpacked(numbers, digests))
        .collect())
}

/// The identities of a counter that were recorded for these numbers, from the first to the last.
///
/// # Errors
///
/// Those of the database.
pub async fn between(
    connection: &mut Connection<'_>,
    recording: &Recording,
    kind: Kind,
    (first, last): (u64, u64),
) -> Result<Vec<(u64, [u8; 16])>, Error> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = on_either!(connection, |database| {
        sqlx::query_as(of_company(BETWEEN))
            .bind(recording.company())
            .bind(recording.id)
            .bind(kind.text())
            .bind(first as i64)
            .bind(last as i64)
            .fetch_all(&mut **database)
            .await
    })?;
    let all = rows.iter();
    let all = all.flat_map(|(numbers, digests)| unpacked(numbers, digests));
    Ok(all
        .filter(|(number, _)| (first..=last).contains(number))
        .collect())
}

fn packed(identified: &Identified<'_>) -> (Vec<u8>, Vec<u8>) {
    let (mut numbers, mut digests) = (Vec::new(), Vec::new());
    let mut after = 0;
    for row in identified.chunk_by(|(one, _), (next, _)| *next == one + 1) {
        times::push(&mut numbers, row[0].0 - after);
        times::push(&mut numbers, row.len() as u64);
        after = row[0].0 + row.len() as u64;
        digests.extend(row.iter().flat_map(|(_, digest)| *digest));
    }
    (numbers, digests)
}

fn unpacked(mut numbers: &[u8], digests: &[u8]) -> Vec<(u64, [u8; 16])> {
    let (digests, _) = digests.as_chunks::<16>();
    let mut digests = digests.iter();
    let mut identified = Vec::with_capacity(digests.len());
    let mut next = 0_u64;
    while let (Some(over), Some(follow)) = (times::take(&mut numbers), times::take(&mut numbers)) {
        next = next.saturating_add(over);
        for digest in digests.by_ref().take(usize::try_from(follow).unwrap_or(0)) {
            identified.push((next, *digest));
            next = next.saturating_add(1);
        }
    }
    identified
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn identities_are_those_that_were_packed(
            all in prop::collection::btree_map(1u64..200, any::<[u8; 16]>(), 0..100),
            offset in 0u64..1 << 60,
        ) {
            let identified: Vec<_> = all.iter().map(|(number, digest)| (offset + number, digest)).collect();
            let (numbers, digests) = packed(&identified);
            let expected: Vec<_> = identified.iter().map(|(number, digest)| (*number, **digest)).collect();
            prop_assert_eq!(unpacked(&numbers, &digests), expected);
        }
    }
}
