//! What becomes of old entries: their addresses are cut after 30 days, and after 400 they go. The
//! database itself refuses to do either earlier.

use std::time::Duration;

use uuid::Uuid;

use super::{metrics::AuditMetrics, verify::chains};
use crate::storage::sql::{Connection, Database, DatabaseError, schema};

/// The time between two looks at what is old.
const EVERY: Duration = Duration::from_hours(1);

/// The time until the next look after one that failed, and the most that is said of it.
const AFTER_A_FAILURE: Duration = Duration::from_mins(1);

/// Rows that one transaction changes at most: others wait for it.
const MOST: i64 = 1000;

const DAY: i64 = 86_400_000;

/// How long an address is kept whole, in milliseconds.
const ADDRESS_KEPT: i64 = 30 * DAY;

/// How long an entry is kept, in milliseconds.
const KEPT: i64 = 400 * DAY;

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Addresses that were cut.
    pub cut: u64,
    /// Entries that were dropped.
    pub dropped: u64,
}

/// Tidies every hour, for as long as the process runs. Each replica does; one that finds nothing
/// to do has cost two questions.
pub(super) async fn run(database: Database, metrics: AuditMetrics) {
    loop {
        let pause = match tidy(&database, &metrics).await {
            Ok(tidied) => {
                if tidied != Tidied::default() {
                    let Tidied { cut, dropped } = tidied;
                    tracing::info!(cut, dropped, "the audit trail was tidied");
                }
                EVERY
            }
            // The monitor says so.
            Err(DatabaseError::Away(_)) => AFTER_A_FAILURE,
            Err(error) => {
                tracing::warn!(%error, "the audit trail cannot be tidied; it is tried again in a minute. `footfall audit-trail verify` says whether it is whole");
                AFTER_A_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Cuts and drops all that is due, in steps.
///
/// # Errors
///
/// Those of the database. What was done in earlier steps stays done.
pub async fn tidy(database: &Database, metrics: &AuditMetrics) -> Result<Tidied, DatabaseError> {
    let mut tidied = Tidied::default();
    loop {
        let cut = database.write("audit_cut", |connection| Box::pin(cut(connection)));
        let cut = cut.await?;
        metrics.cut.inc_by(cut);
        tidied.cut += cut;
        if cut < MOST.unsigned_abs() {
            break;
        }
    }
    let companies = database.read("audit_chains", |connection| {
        Box::pin(async {
            connection.across_companies().await?;
            chains(connection, None).await
        })
    });
    for chain in companies.await? {
        loop {
            let company = chain.company;
            let dropped = database.write("audit_drop", move |connection| {
                Box::pin(drop_oldest(connection, company))
            });
            let dropped = dropped.await?;
            metrics.expired.inc_by(dropped);
            tidied.dropped += dropped;
            if dropped < MOST.unsigned_abs() {
                break;
            }
        }
    }
    Ok(tidied)
}

async fn cut(connection: &mut Connection<'_>) -> Result<u64, DatabaseError> {
    let before = schema::now(connection).await? - ADDRESS_KEPT;
    match connection {
        Connection::Postgres(database) => {
            let cut: i64 = sqlx::query_scalar("SELECT footfall_audit_cut($1)")
                .bind(MOST)
                .fetch_one(&mut **database)
                .await?;
            Ok(cut.unsigned_abs())
        }
        Connection::Sqlite(database) => {
            let cut = sqlx::query(
                "UPDATE audit_addresses
                 SET address = substr(address, 1, CASE length(address) WHEN 4 THEN 3 ELSE 6 END)
                 WHERE (company_id, seq) IN (
                     SELECT company_id, seq FROM audit_addresses
                     WHERE length(address) IN (4, 16) AND recorded_at < $1
                     ORDER BY recorded_at LIMIT $2)",
            );
            let cut = cut.bind(before).bind(MOST).execute(&mut **database);
            Ok(cut.await?.rows_affected())
        }
    }
}

async fn drop_oldest(connection: &mut Connection<'_>, company: Uuid) -> Result<u64, DatabaseError> {
    let before = schema::now(connection).await? - KEPT;
    let database = match connection {
        Connection::Postgres(database) => {
            let dropped: i64 = sqlx::query_scalar("SELECT footfall_audit_drop($1, $2)")
                .bind(company)
                .bind(MOST)
                .fetch_one(&mut **database)
                .await?;
            return Ok(dropped.unsigned_abs());
        }
        Connection::Sqlite(database) => database,
    };
    let first: Option<i64> = sqlx::query_scalar(
        "SELECT coalesce(min(seq) FILTER (WHERE recorded_at >= $2), max(seq) + 1) FROM (
             SELECT seq, recorded_at FROM audit_entries WHERE company_id = $1 ORDER BY seq LIMIT $3)",
    )
    .bind(company)
    .bind(before)
    .bind(MOST)
    .fetch_one(&mut **database)
    .await?;
    for text in [
        // First, since only what is before the beginning may go.
        "UPDATE audit_chains SET first_seq = $2, first_hash = (
             SELECT hash FROM audit_entries WHERE company_id = $1 AND seq = $2 - 1)
         WHERE company_id = $1 AND first_seq < $2",
        "DELETE FROM audit_addresses WHERE company_id = $1 AND seq < $2",
    ] {
        let step = sqlx::query(text).bind(company).bind(first);
        step.execute(&mut **database).await?;
    }
    let dropped = sqlx::query("DELETE FROM audit_entries WHERE company_id = $1 AND seq < $2");
    let dropped = dropped.bind(company).bind(first);
    Ok(dropped.execute(&mut **database).await?.rows_affected())
}
