//! Appending to a chain.

use uuid::Uuid;

use super::{
    Entry, address,
    metrics::note_row,
    row::{COLUMNS, NOTHING, Row},
};
use crate::storage::sql::{Connection, DatabaseError, on_either, schema};

/// Records an entry, in the transaction of what it tells: both are done, or neither.
///
/// To be the last thing in that transaction. Until it ends nobody else appends to this chain, and
/// who waited for anything else meanwhile could wait for somebody who waits for the chain. Whoever
/// has several entries uses [`record_all`], once. The transaction must be of the entry's company,
/// or of all ([`Connection::within`], [`Connection::across_companies`]).
///
/// # Errors
///
/// Those of the database. Nothing of the transaction is to be committed then.
pub async fn record(connection: &mut Connection<'_>, entry: &Entry) -> Result<(), DatabaseError> {
    record_all(connection, std::slice::from_ref(entry)).await
}

/// Records several entries in the order they are in, as [`record`] does.
///
/// # Errors
///
/// Those of [`record`].
pub async fn record_all(
    connection: &mut Connection<'_>,
    entries: &[Entry],
) -> Result<(), DatabaseError> {
    let once = entries.iter().map(|entry| Pending {
        entry,
        id: Uuid::now_v7(),
        events: 1,
        first_ago: 0,
        last_ago: 0,
    });
    append(connection, once.collect()).await
}

/// What is to be appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending<'a> {
    pub entry: &'a Entry,
    pub id: Uuid,
    pub events: i64,
    /// How long ago the first of these events was, in milliseconds.
    pub first_ago: i64,
    pub last_ago: i64,
}

/// Appends to the chains of one or several companies.
pub(super) async fn append(
    connection: &mut Connection<'_>,
    mut pending: Vec<Pending<'_>>,
) -> Result<(), DatabaseError> {
    // One order for all who append to several chains, so that no two wait for each other. It is
    // stable: within a company it stays.
    pending.sort_by_key(|pending| pending.entry.company);
    for of_company in pending.chunk_by(|one, next| one.entry.company == next.entry.company) {
        append_to(of_company[0].entry.company, connection, of_company).await?;
    }
    Ok(())
}

/// Which of these ids there are.
pub(super) async fn are_there(
    connection: &mut Connection<'_>,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, DatabaseError> {
    let mut there = Vec::new();
    for id in ids {
        let found: Option<Uuid> = on_either!(connection, |database| {
            sqlx::query_scalar("SELECT id FROM audit_entries WHERE id = $1")
                .bind(id)
                .fetch_optional(&mut **database)
                .await
        })?;
        there.extend(found);
    }
    Ok(there)
}

async fn append_to(
    company: Uuid,
    connection: &mut Connection<'_>,
    pending: &[Pending<'_>],
) -> Result<(), DatabaseError> {
    let (mut seq, mut hash) = end(connection, company).await?;
    // Only now that it is our turn: the entries of a chain are in the order of their times.
    let now = schema::now(connection).await?;
    for pending in pending {
        seq += 1;
        let mut row = pending.row(seq, now)?;
        row.hash = row.hash_after(&hash).to_vec();
        insert(connection, &row).await?;
        if let Some(address) = pending.entry.address {
            insert_address(connection, &row, &address::bytes(address)).await?;
        }
        hash = row.hash;
        note_row(pending.entry.action);
    }
    Ok(())
}

impl Pending<'_> {
    fn row(&self, seq: i64, now: i64) -> Result<Row, DatabaseError> {
        let entry = self.entry;
        let details = serde_json::to_string(&entry.details);
        let details = details.map_err(|error| DatabaseError::Refused(error.to_string()))?;
        let (object, object_id) = match &entry.object {
            Some(object) => (Some(object.kind.text().into()), Some(object.id.clone())),
            None => (None, None),
        };
        Ok(Row {
            company_id: entry.company,
            seq,
            id: self.id,
            recorded_at: now,
            events: self.events,
            first_at: now - self.first_ago,
            last_at: now - self.last_ago,
            actor: entry.actor.kind().into(),
            actor_id: entry.actor.id(),
            action: entry.action.text().into(),
            object,
            object_id,
            outcome: entry.outcome.text().into(),
            request_id: entry.request_id.clone(),
            details,
            hash: Vec::new(),
        })
    }
}

/// The end of a company's chain. Nobody else appends to it until the transaction ends: in SQLite
/// nobody else writes at all, and in PostgreSQL its row is locked.
async fn end(
    connection: &mut Connection<'_>,
    company: Uuid,
) -> Result<(i64, Vec<u8>), DatabaseError> {
    let text = match connection {
        Connection::Postgres(_) => "SELECT seq, hash FROM footfall_audit_end($1)",
        Connection::Sqlite(database) => {
            sqlx::query(
                "INSERT INTO audit_chains SELECT $1, 1, $2, 0, $2
                 WHERE NOT EXISTS (SELECT 1 FROM audit_chains WHERE company_id = $1)",
            )
            .bind(company)
            .bind(NOTHING.as_slice())
            .execute(&mut **database)
            .await?;
            "SELECT last_seq, last_hash FROM audit_chains WHERE company_id = $1"
        }
    };
    Ok(on_either!(connection, |database| {
        let end = sqlx::query_as(text).bind(company);
        end.fetch_one(&mut **database).await
    })?)
}

async fn insert(connection: &mut Connection<'_>, row: &Row) -> Result<(), DatabaseError> {
    let text = format!(
        "INSERT INTO audit_entries ({COLUMNS})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
    );
    on_either!(connection, |database| {
        sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(row.company_id)
            .bind(row.seq)
            .bind(row.id)
            .bind(row.recorded_at)
            .bind(row.events)
            .bind(row.first_at)
            .bind(row.last_at)
            .bind(&row.actor)
            .bind(row.actor_id)
            .bind(&row.action)
            .bind(&row.object)
            .bind(&row.object_id)
            .bind(&row.outcome)
            .bind(&row.request_id)
            .bind(&row.details)
            .bind(&row.hash)
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    Ok(())
}

async fn insert_address(
    connection: &mut Connection<'_>,
    row: &Row,
    address: &[u8],
) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO audit_addresses (company_id, seq, recorded_at, address)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(row.company_id)
        .bind(row.seq)
        .bind(row.recorded_at)
        .bind(address)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}
