//! Visits that are kept aside, since their numbers are recorded for others.

use std::{collections::BTreeMap, ops::Deref};

use sqlx::Error;

use super::recordings::Recording;
use crate::{
    record::Entry,
    storage::sql::{Connection, on_either},
};

const INSERT: &str =
    "INSERT INTO repeated_visits (company_id, recording_id, last, visits, at, carried)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";

/// Keeps visits aside, once however often they are read. Says how many are new here.
///
/// # Errors
///
/// Those of the database.
pub async fn keep<T: Deref<Target = str> + Sync>(
    connection: &mut Connection<'_>,
    recording: &Recording,
    entry: &Entry<T>,
) -> Result<u64, Error> {
    let carried: BTreeMap<_, _> = entry
        .carried
        .iter()
        .map(|(number, it)| (number, it))
        .collect();
    let carried = serde_json::to_string(&carried).map_err(|error| Error::Encode(error.into()))?;
    let kept = on_either!(connection, |database| {
        sqlx::query(INSERT)
            .bind(recording.company())
            .bind(recording.id)
            .bind(entry.last as i64)
            .bind(entry.visits as i64)
            .bind(entry.at)
            .bind(&carried)
            .execute(&mut **database)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(kept * entry.visits)
}
