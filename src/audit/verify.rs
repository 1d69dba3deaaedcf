//! Whether a chain is whole.
//!
//! What is found: an entry that was changed, put in, taken out or moved, and a tail that was cut
//! off, as long as the chain's head was not changed with it. What cannot be found from the inside
//! is that somebody who may do everything with the database has written all of it anew, hashes and
//! head; hence [`Anchor`].

use std::{fmt, str::FromStr};

use uuid::Uuid;

use super::row::{COLUMNS, Hash, Row, row};
use crate::storage::sql::{Connection, DatabaseError, on_either};

/// Entries read at a time.
const BATCH: i64 = 1000;

/// The most that is said of one chain.
const MOST_BREAKS: usize = 20;

/// A company's chain as its head tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Whose it is.
    pub company: Uuid,
    /// The first entry that is kept.
    pub first_seq: i64,
    /// The hash before it.
    pub first_hash: Vec<u8>,
    /// The last entry.
    pub last_seq: i64,
    /// Its hash.
    pub last_hash: Vec<u8>,
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Entries are not there.
    #[error("{} missing", entries(*.0, *.1))]
    Missing(i64, i64),
    /// Its hash is not that of what is stored and of the entry before.
    #[error("entry {0} does not fit its hash: it was changed or moved, or the entry before it was")]
    Changed(i64),
    /// It has entries that it should not have any more, or not yet.
    #[error("entry {0} is outside of what the chain's head says, {1} to {2}")]
    Outside(i64, i64, i64),
    /// The last entry is another than the head says.
    #[error("entry {0} is the last, and its hash is not the one the chain's head has")]
    OtherEnd(i64),
    /// There are entries and no head.
    #[error("the chain has entries and no head (no row in audit_chains)")]
    NoHead,
    /// What was noted elsewhere is not what is there.
    #[error(
        "entry {0} has not the hash of the anchor: the chain was written anew from there or before"
    )]
    NotAnchored(i64),
    /// What was noted elsewhere is later than the chain's end.
    #[error(
        "entry {0} of the anchor is not there, and the chain ends with {1}: its tail was cut off"
    )]
    EndsBefore(i64, i64),
}

fn entries(first: i64, last: i64) -> String {
    match first == last {
        true => format!("entry {first} is"),
        false => format!("entries {first} to {last} are"),
    }
}

/// A hash that was noted elsewhere: `COMPANY:SEQ:HASH`, as `footfall audit-trail verify` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Of which chain.
    pub company: Uuid,
    /// Of which entry.
    pub seq: i64,
    /// What it was.
    pub hash: Hash,
}

/// A text that is no anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an anchor is COMPANY:SEQUENCE:HASH, as `footfall audit-trail verify` prints it")]
pub struct InvalidAnchor;

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.company, self.seq, hex(&self.hash))
    }
}

impl FromStr for Anchor {
    type Err = InvalidAnchor;

    fn from_str(text: &str) -> Result<Self, InvalidAnchor> {
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or(InvalidAnchor);
        let company = part()?.parse().map_err(|_| InvalidAnchor)?;
        let seq = part()?.parse().map_err(|_| InvalidAnchor)?;
        let hash = unhex(part()?).ok_or(InvalidAnchor)?;
        match parts.next() {
            None if seq >= 0 => Ok(Self { company, seq, hash }),
            _ => Err(InvalidAnchor),
        }
    }
}

/// Bytes as people and other programs read them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Hash> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes?.try_into().ok()
}

/// The chains there are, of one company or of all that the transaction sees.
///
/// # Errors
///
/// Those of the database.
pub async fn chains(
    connection: &mut Connection<'_>,
    company: Option<Uuid>,
) -> Result<Vec<Chain>, DatabaseError> {
    Ok(on_either!(connection, |database| {
        sqlx::query_as(
            "SELECT company_id, first_seq, first_hash, last_seq, last_hash FROM audit_chains
             WHERE company_id = $1 OR $1 IS NULL ORDER BY company_id",
        )
        .bind(company)
        .fetch_all(&mut **database)
        .await
    })?
    .into_iter()
    .map(
        |(company, first_seq, first_hash, last_seq, last_hash)| Chain {
            company,
            first_seq,
            first_hash,
            last_seq,
            last_hash,
        },
    )
    .collect())
}

/// Companies that have entries and no head.
///
/// # Errors
///
/// Those of the database.
pub async fn without_head(
    connection: &mut Connection<'_>,
    company: Option<Uuid>,
) -> Result<Vec<Uuid>, DatabaseError> {
    Ok(on_either!(connection, |database| {
        sqlx::query_scalar(
            "SELECT DISTINCT company_id FROM audit_entries AS entry
             WHERE (company_id = $1 OR $1 IS NULL) AND NOT EXISTS (
                 SELECT 1 FROM audit_chains WHERE audit_chains.company_id = entry.company_id)",
        )
        .bind(company)
        .fetch_all(&mut **database)
        .await
    })?)
}

/// What does not fit in a chain: nothing, if it is whole. All in one transaction, or somebody could
/// append meanwhile.
///
/// # Errors
///
/// Those of the database.
pub async fn verify(
    connection: &mut Connection<'_>,
    chain: &Chain,
    anchors: &[Anchor],
) -> Result<Vec<Break>, DatabaseError> {
    let mut check = Check::new(chain, anchors);
    let mut after = i64::MIN;
    loop {
        let rows = batch(connection, chain.company, after).await?;
        let Some(last) = rows.last() else {
            return Ok(check.finish());
        };
        after = last.seq;
        rows.iter().for_each(|row| check.row(row));
    }
}

async fn batch(
    connection: &mut Connection<'_>,
    company: Uuid,
    after: i64,
) -> Result<Vec<Row>, DatabaseError> {
    let text = format!(
        "SELECT {COLUMNS} FROM audit_entries WHERE company_id = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    );
    on_either!(connection, |database| {
        let rows = sqlx::query(sqlx::AssertSqlSafe(text));
        let rows = rows.bind(company).bind(after).bind(BATCH);
        let rows = rows.fetch_all(&mut **database).await?;
        rows.iter().map(|row| Ok(row!(row))).collect()
    })
}

/// A chain that is gone through, entry by entry.
struct Check<'a> {
    chain: &'a Chain,
    anchors: Vec<&'a Anchor>,
    next: i64,
    hash: Vec<u8>,
    breaks: Vec<Break>,
}

impl<'a> Check<'a> {
    fn new(chain: &'a Chain, anchors: &'a [Anchor]) -> Self {
        let anchors = anchors.iter();
        let mut check = Self {
            anchors: anchors
                .filter(|anchor| anchor.company == chain.company)
                .collect(),
            next: chain.first_seq,
            hash: chain.first_hash.clone(),
            chain,
            breaks: Vec::new(),
        };
        check.anchor(chain.first_seq - 1, &chain.first_hash);
        check
    }

    fn row(&mut self, row: &Row) {
        let (first, last) = (self.chain.first_seq, self.chain.last_seq);
        if row.seq < first || row.seq > last {
            self.found(Break::Outside(row.seq, first, last));
        }
        if row.seq < first {
            return;
        }
        if row.seq > self.next {
            self.found(Break::Missing(self.next, row.seq - 1));
        }
        if row.hash_after(&self.hash) != *row.hash {
            self.found(Break::Changed(row.seq));
        }
        self.anchor(row.seq, &row.hash);
        // With what is stored, so that one change is not told as one of all that follow.
        self.hash.clone_from(&row.hash);
        self.next = row.seq + 1;
    }

    fn anchor(&mut self, seq: i64, hash: &[u8]) {
        let here = self.anchors.iter().filter(|anchor| anchor.seq == seq);
        if here.clone().any(|anchor| anchor.hash != *hash) {
            self.found(Break::NotAnchored(seq));
        }
    }

    fn finish(mut self) -> Vec<Break> {
        let last = self.chain.last_seq;
        if self.next <= last {
            self.found(Break::Missing(self.next, last));
        } else if self.next == last + 1 && self.hash != self.chain.last_hash {
            self.found(Break::OtherEnd(last));
        }
        let end = self.next - 1;
        for anchor in std::mem::take(&mut self.anchors) {
            if anchor.seq > end {
                self.found(Break::EndsBefore(anchor.seq, end));
            }
        }
        self.breaks
    }

    fn found(&mut self, found: Break) {
        if self.breaks.len() < MOST_BREAKS {
            self.breaks.push(found);
        }
    }
}
