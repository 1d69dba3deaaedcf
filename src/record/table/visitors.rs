//! Who came: the numbers of visitors, by what is stored of who they are.

use std::borrow::Cow;

use sqlx::{Error, types::Json};
use uuid::Uuid;

use crate::{
    record::distinct::{Distinct, Found, Numbers},
    storage::sql::{Connection, of_company},
};

/// In the order of the keys, and in one row: to read as many as there are visitors, or to have their keys sent back,
/// would cost more than all else that is done here.
const FIND_IN_POSTGRES: &str = "SELECT array(
       SELECT (SELECT id FROM visitors WHERE company_id = $1 AND key = wanted.key)
       FROM unnest($2) WITH ORDINALITY AS wanted (key, place) ORDER BY place)";

const FIND_IN_SQLITE: &str =
    "SELECT (SELECT id FROM visitors WHERE company_id = $1 AND key = wanted.value)
     FROM json_each($2) AS wanted ORDER BY wanted.key";

const ADD_TO_POSTGRES: &str = "WITH added AS (
       INSERT INTO visitors (company_id, key) SELECT $1, key FROM unnest($2) AS new (key)
       ON CONFLICT (company_id, key) DO NOTHING RETURNING key, id)
     SELECT coalesce(array_agg(key), '{}'), coalesce(array_agg(id), '{}') FROM added";

const ADD_TO_SQLITE: &str =
    "INSERT INTO visitors (company_id, key) SELECT $1, value FROM json_each($2) WHERE true
     ON CONFLICT (company_id, key) DO NOTHING RETURNING key, id";

/// What is shown of a visitor with this key: the hash, or the name as it was given. One that could be taken
/// for a hash, or for a name that is marked like this, here or in a table, keeps its mark.
pub fn shown(key: String) -> String {
    match key.strip_prefix('=') {
        Some(given) if !given.starts_with(['#', '~', '=', '\'']) => given.to_owned(),
        _ => key,
    }
}

/// The key of the visitor that is [shown](shown()) like this.
pub fn key_of(text: &str) -> Cow<'_, str> {
    match text.starts_with(['#', '~', '=']) {
        true => text.into(),
        false => format!("={text}").into(),
    }
}

/// The numbers of visitors, by their places. Who is new gets one.
pub(in crate::record) async fn number(
    connection: &mut Connection<'_>,
    company: Uuid,
    visitors: &Distinct<'_>,
) -> Result<Vec<i64>, Error> {
    let mut numbers = Numbers::of(visitors);
    let mut missing = numbers.missing();
    if !missing.is_empty() {
        numbers.fill(find(connection, company, &missing).await?);
        missing = numbers.missing();
    }
    if !missing.is_empty() {
        // In one order for all: of two who add the same at the same time, one waits for the other.
        missing.sort_unstable();
        numbers.note(add(connection, company, &missing).await?);
        missing = numbers.missing();
    }
    if !missing.is_empty() {
        // Somebody else has added them meanwhile.
        numbers.fill(find(connection, company, &missing).await?);
    }
    numbers
        .all()
        .ok_or_else(|| Error::InvalidArgument("a visitor was removed meanwhile".into()))
}

/// The numbers of those who have one, in the order of the keys.
async fn find(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[&str],
) -> Result<Vec<Option<i64>>, Error> {
    match connection {
        Connection::Postgres(database) => {
            let find = sqlx::query_scalar(of_company(FIND_IN_POSTGRES)).bind(company);
            find.bind(keys).fetch_one(&mut **database).await
        }
        Connection::Sqlite(database) => {
            let find = sqlx::query_scalar(of_company(FIND_IN_SQLITE)).bind(company);
            find.bind(Json(keys)).fetch_all(&mut **database).await
        }
    }
}

async fn add(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[&str],
) -> Result<Found, Error> {
    match connection {
        Connection::Postgres(database) => {
            let add = sqlx::query_as(ADD_TO_POSTGRES).bind(company);
            add.bind(keys).fetch_one(&mut **database).await
        }
        Connection::Sqlite(database) => {
            let add = sqlx::query_as(ADD_TO_SQLITE).bind(company);
            let rows: Vec<(String, i64)> = add.bind(Json(keys)).fetch_all(&mut **database).await?;
            Ok(rows.into_iter().unzip())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No two keys are shown alike.
    #[test]
    fn what_is_shown_is_one_key() {
        for key in [
            "#hash", "~hash", "=ann", "=a#b", "=#hash", "=~hash", "==ann", "==#a", "='ann", "=-ann",
        ] {
            assert_eq!(key_of(&shown(key.to_owned())), key);
        }
    }
}
