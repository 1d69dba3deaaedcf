//! Who came: the numbers of visitors, by what is stored of who they are.

use std::borrow::Cow;

use sqlx::{Error, SqlSafeStr, SqlStr, types::Json};
use uuid::Uuid;

use crate::{
    record::distinct::{Distinct, Found, Numbers},
    storage::sql::{Connection, of_company},
};

/// In one row: to read as many as there are visitors would cost more than all else that is done here.
macro_rules! in_one_row {
    ($from:literal) => {
        concat!(
            "SELECT coalesce(array_agg(key), '{}'), coalesce(array_agg(id), '{}') FROM ",
            $from
        )
    };
}

const FIND_IN_POSTGRES: &str = in_one_row!("visitors WHERE company_id = $1 AND key = ANY ($2)");

const FIND_IN_SQLITE: &str = "SELECT key, id FROM visitors
     WHERE company_id = $1 AND key IN (SELECT value FROM json_each($2))";

const ADD_TO_POSTGRES: &str = concat!(
    "WITH added AS (
       INSERT INTO visitors (company_id, key) SELECT $1, key FROM unnest($2) AS new (key)
       ON CONFLICT (company_id, key) DO NOTHING RETURNING key, id) ",
    in_one_row!("added")
);

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
        numbers.note(find(connection, company, &missing).await?);
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
        numbers.note(find(connection, company, &missing).await?);
    }
    numbers
        .all()
        .ok_or_else(|| Error::InvalidArgument("a visitor was removed meanwhile".into()))
}

async fn find(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[&str],
) -> Result<Found, Error> {
    let find = [FIND_IN_POSTGRES, FIND_IN_SQLITE].map(of_company);
    ask(connection, company, keys, find).await
}

async fn add(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[&str],
) -> Result<Found, Error> {
    let add = [ADD_TO_POSTGRES, ADD_TO_SQLITE].map(SqlSafeStr::into_sql_str);
    ask(connection, company, keys, add).await
}

async fn ask(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[&str],
    [in_postgres, in_sqlite]: [SqlStr; 2],
) -> Result<Found, Error> {
    match connection {
        Connection::Postgres(database) => {
            let ask = sqlx::query_as(in_postgres).bind(company);
            ask.bind(keys).fetch_one(&mut **database).await
        }
        Connection::Sqlite(database) => {
            let ask = sqlx::query_as(in_sqlite).bind(company);
            let rows: Vec<(String, i64)> = ask.bind(Json(keys)).fetch_all(&mut **database).await?;
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
