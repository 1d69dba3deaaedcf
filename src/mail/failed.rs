//! Mails that were given up.

use uuid::Uuid;

use crate::storage::sql::{Database, DatabaseError, of_company, on_either};

const FAILED: &str = "SELECT count(*) FROM mails WHERE company_id = $1 AND state = 'failed'";

/// How many mails of a company were given up in the last week: so long they are known.
///
/// # Errors
///
/// Those of the database.
pub async fn failed(database: &Database, company: Uuid) -> Result<u64, DatabaseError> {
    let read = database.read("mails_failed", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            let number: i64 = on_either!(connection, |database| {
                sqlx::query_scalar(of_company(FAILED))
                    .bind(company)
                    .fetch_one(&mut **database)
                    .await
            })?;
            Ok(number.unsigned_abs())
        })
    });
    read.await
}
