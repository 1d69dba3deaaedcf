//! What is read again of a stream: it should be what is recorded, since the transaction before was
//! committed and the stream not trimmed. If it is not, Redis has lost visits and given their numbers to
//! others.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::Borrowed;
use crate::{
    counting::carried::Stored,
    json::Text,
    record::{
        reading::rows::{self, Visit},
        table::{
            identities::{self, IDENTITIES_KEPT, Kind},
            recordings::Recording,
            runs,
        },
        times::Moments,
    },
    storage::sql::{Connection, DatabaseError, schema},
};

/// Identities by their numbers.
type Identities = BTreeMap<u64, [u8; 16]>;

/// What is recorded of some numbers.
struct Recorded {
    /// Numbers up to it are recorded no more.
    base: u64,
    /// When each was counted, and the one before them.
    times: BTreeMap<u64, i64>,
    /// When the visits were counted after ranges of which nothing is recorded, by the last numbers of those.
    gaps: BTreeMap<u64, i64>,
    carried: BTreeMap<u64, Visit>,
    identities: [Identities; 2],
    /// Identities of visits since this time are recorded still.
    identities_since: i64,
}

/// The visits of these entries whose numbers are recorded for others. The record is as it was before any of
/// them is appended.
///
/// # Errors
///
/// Those of the database.
pub(super) async fn others<'a>(
    connection: &mut Connection<'_>,
    recording: &Recording,
    entries: &[Borrowed<'a>],
) -> Result<Vec<Borrowed<'a>>, DatabaseError> {
    let known = entries.iter().filter(|entry| {
        let first = entry.last - entry.visits + 1;
        entry.visits > 0 && first <= recording.through
    });
    let known: Vec<_> = known.collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        return Ok(Vec::new());
    };
    let first = first.last - first.visits + 1;
    let numbers = (first, last.last.min(recording.through));
    let recorded = Recorded::of(connection, recording, numbers).await?;
    let others = known.into_iter().filter_map(|entry| {
        // Redis never writes an entry anew with more visits in it; and times never fall as numbers rise, so
        // what is later than all that is recorded is another visit.
        let last = match entry.last > recording.through || entry.at > recording.through_at {
            true => Some(entry.last.min(recording.through)),
            false => recorded.last_other(entry),
        };
        last.map(|last| up_to(entry, last))
    });
    Ok(others.collect())
}

/// The visits of an entry up to a number.
fn up_to<'a>(entry: &Borrowed<'a>, last: u64) -> Borrowed<'a> {
    let carried = entry.carried.iter();
    Borrowed {
        last,
        visits: entry.visits - (entry.last - last),
        carried: carried
            .filter(|(number, _)| *number <= last)
            .cloned()
            .collect(),
        ..entry.clone()
    }
}

impl Recorded {
    async fn of(
        connection: &mut Connection<'_>,
        recording: &Recording,
        (first, last): (u64, u64),
    ) -> Result<Self, DatabaseError> {
        let mut recorded = Self {
            base: recording.base,
            times: BTreeMap::new(),
            gaps: BTreeMap::new(),
            carried: BTreeMap::new(),
            identities: Default::default(),
            identities_since: schema::now(connection).await? - IDENTITIES_KEPT,
        };
        // With the one before, since times are kept from falling where the clock of Redis went back.
        let from = first.saturating_sub(1);
        for run in runs::between(connection, recording, from, last).await? {
            let Some(times) = &run.times else {
                recorded.gaps.insert(run.last, run.last_at);
                continue;
            };
            for moment in Moments::of(run.first, run.first_at, times) {
                for number in moment.first.max(from)..=moment.last.min(last) {
                    recorded.times.insert(number, moment.at);
                }
            }
        }
        for visit in rows::visits(connection, recording, first, last).await? {
            recorded.carried.insert(visit.0.unsigned_abs(), visit);
        }
        for (kind, into) in [Kind::Request, Kind::Key]
            .into_iter()
            .zip(&mut recorded.identities)
        {
            let all = identities::between(connection, recording, kind, (first, last)).await?;
            into.extend(all);
        }
        Ok(recorded)
    }

    /// The last number of an entry under which another visit is recorded, as far as it is known still. Those
    /// after it are the entry's own: it was read before, when the record ended within it.
    fn last_other(&self, entry: &Borrowed<'_>) -> Option<u64> {
        let first = (entry.last - entry.visits + 1).max(self.base + 1);
        let carried = entry.carried.iter();
        let carried: BTreeMap<_, _> = carried.map(|(number, it)| (*number, it)).collect();
        let keys_from = entry.identified + entry.requests.len() as u64;
        let identities = [
            (entry.identified, &entry.requests),
            (keys_from, &entry.keys),
        ];
        let identities = identities.map(|(from, digests)| {
            (from..)
                .zip(digests.iter().copied())
                .collect::<Identities>()
        });
        // Times are kept from falling where the clock of Redis went back.
        let before = first - 1;
        let before = self.times.get(&before).or(self.gaps.get(&before));
        let expected = before.map_or(entry.at, |before| entry.at.max(*before));
        let is_other = |number: &u64| {
            let Some(at) = self.times.get(number) else {
                return false;
            };
            let is_same = *at == expected
                && self.carries(*number, carried.get(number).copied())
                && identities.iter().zip(&self.identities).all(|(sent, kept)| {
                    match (sent.get(number), kept.get(number)) {
                        (None, None) => true,
                        (Some(_), None) => entry.at < self.identities_since,
                        (sent, kept) => sent == kept,
                    }
                });
            !is_same
        };
        (first..=entry.last).rev().find(is_other)
    }

    fn carries(&self, number: u64, sent: Option<&Stored<Text<'_>>>) -> bool {
        match (sent, self.carried.get(&number)) {
            (None, None) => true,
            (Some(stored), Some(row)) => is_erased(row) || is_same(row, stored),
            _ => false,
        }
    }
}

/// Whether nothing is left of what a visit carried: whose visitor was erased.
fn is_erased((_, visitor, path, referrer, campaign, country, properties): &Visit) -> bool {
    let all = [visitor, path, referrer, campaign, country, properties];
    all.into_iter().all(Option::is_none)
}

fn is_same(row: &Visit, stored: &Stored<Text<'_>>) -> bool {
    let (_, visitor, path, referrer, campaign, country, properties) = row;
    let attributes = &stored.attributes;
    let texts = [
        (visitor, &stored.visitor),
        (path, &attributes.path),
        (referrer, &attributes.referrer),
        (campaign, &attributes.campaign),
        (country, &attributes.country),
    ];
    let read: BTreeMap<Box<str>, Value> = properties
        .as_deref()
        .map(|json| serde_json::from_str(json).unwrap_or_default())
        .unwrap_or_default();
    let same_names = read.keys().eq(attributes.properties.keys());
    let mut values = read.values().zip(attributes.properties.values());
    texts
        .into_iter()
        .all(|(row, stored)| row.as_deref() == stored.as_deref())
        && same_names
        && values.all(|(row, stored)| is_same_value(row, stored))
}

/// PostgreSQL writes numbers in other words: 1e2 as 100.
fn is_same_value(row: &Value, stored: &Value) -> bool {
    match (row.as_f64(), stored.as_f64()) {
        (Some(row), Some(stored)) => row == stored,
        _ => row == stored,
    }
}
