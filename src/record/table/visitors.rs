//! Who came: the numbers of visitors, by what is stored of who they are.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use sqlx::{Error, types::Json};
use uuid::Uuid;

use crate::storage::sql::{Connection, of_company};

/// The numbers of visitors, by their keys.
pub(in crate::record) type Numbers = HashMap<String, i64>;

const FIND_IN_POSTGRES: &str =
    "SELECT key, id FROM visitors WHERE company_id = $1 AND key = ANY ($2)";

const FIND_IN_SQLITE: &str = "SELECT key, id FROM visitors
     WHERE company_id = $1 AND key IN (SELECT value FROM json_each($2))";

const ADD_TO_POSTGRES: &str =
    "INSERT INTO visitors (company_id, key) SELECT $1, key FROM unnest($2) AS new (key)
     ON CONFLICT (company_id, key) DO NOTHING RETURNING key, id";

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

/// The numbers of these visitors. Who is new gets one.
pub(in crate::record) async fn number(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: BTreeSet<&str>,
) -> Result<Numbers, Error> {
    // In one order for all: of two who add the same at the same time, one waits for the other.
    let mut missing: Vec<&str> = keys.into_iter().collect();
    let mut numbers = Numbers::with_capacity(missing.len());
    find(connection, company, &mut missing, &mut numbers).await?;
    if !missing.is_empty() {
        let added = add(connection, company, &missing).await?;
        note(added, &mut missing, &mut numbers);
    }
    if !missing.is_empty() {
        // Somebody else has added them meanwhile.
        find(connection, company, &mut missing, &mut numbers).await?;
    }
    match missing.first() {
        None => Ok(numbers),
        Some(_) => Err(Error::InvalidArgument(
            "a visitor was removed meanwhile".into(),
        )),
    }
}

fn note(rows: Vec<(String, i64)>, missing: &mut Vec<&str>, numbers: &mut Numbers) {
    numbers.extend(rows);
    missing.retain(|key| !numbers.contains_key(*key));
}

async fn find(
    connection: &mut Connection<'_>,
    company: Uuid,
    missing: &mut Vec<&str>,
    numbers: &mut Numbers,
) -> Result<(), Error> {
    let found = match connection {
        Connection::Postgres(database) => {
            let find = sqlx::query_as(of_company(FIND_IN_POSTGRES)).bind(company);
            find.bind(&*missing).fetch_all(&mut **database).await?
        }
        Connection::Sqlite(database) => {
            let find = sqlx::query_as(of_company(FIND_IN_SQLITE)).bind(company);
            find.bind(Json(&*missing))
                .fetch_all(&mut **database)
                .await?
        }
    };
    note(found, missing, numbers);
    Ok(())
}

async fn add(
    connection: &mut Connection<'_>,
    company: Uuid,
    keys: &[&str],
) -> Result<Vec<(String, i64)>, Error> {
    match connection {
        Connection::Postgres(database) => {
            let add = sqlx::query_as(ADD_TO_POSTGRES).bind(company);
            add.bind(keys).fetch_all(&mut **database).await
        }
        Connection::Sqlite(database) => {
            let add = sqlx::query_as(ADD_TO_SQLITE).bind(company);
            add.bind(Json(keys)).fetch_all(&mut **database).await
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
