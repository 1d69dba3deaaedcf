//! When all counters are looked at again.

use sqlx::Error;

use crate::storage::sql::{Connection, schema};

const TAKE: &str = "UPDATE record_sweeps SET next_at = $1 + $2 WHERE id = 1 AND next_at <= $1";

/// Takes the next turn, if it is time; another comes after so many milliseconds.
///
/// # Errors
///
/// Those of the database.
pub async fn take(connection: &mut Connection<'_>, period: i64) -> Result<bool, Error> {
    let now = schema::now(connection).await?;
    match connection {
        Connection::Postgres(database) => {
            let taken = sqlx::query(TAKE).bind(now).bind(period);
            Ok(taken.execute(&mut **database).await?.rows_affected() == 1)
        }
        // Nothing is drained into it.
        Connection::Sqlite(_) => Ok(false),
    }
}
