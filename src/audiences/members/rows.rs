//! Who the members of an audience are, by their numbers.

use uuid::Uuid;

use crate::{
    record::table::visitors::{key_of, shown},
    storage::sql::{Connection, DatabaseError, of_company},
};

const FIND_IN_POSTGRES: &str = "SELECT id, key FROM visitors
     WHERE company_id = $1 AND id = ANY ($2) AND key IS NOT NULL ORDER BY id";

const FIND_IN_SQLITE: &str = "SELECT id, key FROM visitors
     WHERE company_id = $1 AND id IN (SELECT value FROM json_each($2)) AND key IS NOT NULL ORDER BY id";

/// What is shown of these visitors, in the order of their numbers. Who was erased is left out.
pub async fn names(
    connection: &mut Connection<'_>,
    company: Uuid,
    numbers: &[i64],
) -> Result<Vec<String>, DatabaseError> {
    let rows: Vec<(i64, String)> = match connection {
        Connection::Postgres(database) => {
            let find = sqlx::query_as(of_company(FIND_IN_POSTGRES)).bind(company);
            find.bind(numbers).fetch_all(&mut **database).await?
        }
        Connection::Sqlite(database) => {
            let find = sqlx::query_as(of_company(FIND_IN_SQLITE)).bind(company);
            let find = find.bind(sqlx::types::Json(numbers));
            find.fetch_all(&mut **database).await?
        }
    };
    Ok(rows.into_iter().map(|(_, key)| shown(key)).collect())
}

/// The number of the visitor that is shown like this.
pub async fn number(
    connection: &mut Connection<'_>,
    company: Uuid,
    text: &str,
) -> Result<Option<i64>, DatabaseError> {
    let key = key_of(text);
    Ok(crate::on_either!(connection, |database| {
        sqlx::query_scalar(of_company(
            "SELECT min(id) FROM visitors WHERE company_id = $1 AND key = $2",
        ))
        .bind(company)
        .bind(&*key)
        .fetch_one(&mut **database)
        .await
    })?)
}
