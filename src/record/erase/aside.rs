//! Visits that are kept aside, in `repeated_visits`. In SQLite there are none.

use std::collections::BTreeMap;

use sqlx::Error;
use uuid::Uuid;

use crate::{
    counting::carried::Stored,
    storage::sql::{Connection, of_company},
};

const ASIDE: &str =
    "SELECT recording_id, last, at, carried FROM repeated_visits WHERE company_id = $1";

const REPLACE: &str = "UPDATE repeated_visits SET carried = $5
     WHERE company_id = $1 AND recording_id = $2 AND last = $3 AND at = $4";

/// Takes what visits carried whose visitor has one of these keys.
pub(super) async fn erase(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[Box<str>],
) -> Result<(), Error> {
    let Connection::Postgres(database) = connection else {
        return Ok(());
    };
    let aside: Vec<(i64, i64, i64, String)> = sqlx::query_as(of_company(ASIDE))
        .bind(company)
        .fetch_all(&mut **database)
        .await?;
    for (recording, last, at, carried) in aside {
        if let Some(carried) = without(&carried, keys)? {
            sqlx::query(of_company(REPLACE))
                .bind(company)
                .bind(recording)
                .bind(last)
                .bind(at)
                .bind(carried)
                .execute(&mut **database)
                .await?;
        }
    }
    Ok(())
}

/// What is left of it, if that is less.
fn without(carried: &str, keys: &[Box<str>]) -> Result<Option<String>, Error> {
    let carried = serde_json::from_str(carried);
    let mut carried: BTreeMap<u64, Stored> =
        carried.map_err(|error| Error::Decode(error.into()))?;
    let before = carried.len();
    carried.retain(|_, stored| {
        stored
            .visitor
            .as_ref()
            .is_none_or(|key| !keys.contains(key))
    });
    if carried.len() == before {
        return Ok(None);
    }
    let left = serde_json::to_string(&carried);
    left.map(Some).map_err(|error| Error::Encode(error.into()))
}
