//! Marks of minutes that are long past: only those stay that end a quarter of an hour.

use sqlx::Error;

use crate::{
    record::{span::kept_from, table::recordings::Recording},
    storage::sql::{Connection, Database, DatabaseError, of_company, on_either},
};

/// Minutes that are thinned in one transaction: a week.
const STEP: i64 = 7 * 24 * 60;

const THINNED: &str = "SELECT thinned FROM recordings WHERE company_id = $1 AND id = $2";

const FIRST: &str =
    "SELECT minute FROM marks WHERE company_id = $1 AND recording_id = $2 AND minute >= $3
     ORDER BY minute LIMIT 1";

/// From one quarter of an hour on to another. What stays is found once and not by each mark: whoever may see only
/// some rows may not look into an index by what is computed of a row.
pub const THIN: &str = "DELETE FROM marks WHERE company_id = $1 AND recording_id = $2 AND minute >= $3 AND minute < $4
     AND minute NOT IN (SELECT max(minute) FROM marks
       WHERE company_id = $1 AND recording_id = $2 AND minute >= $3 AND minute < $4 GROUP BY minute / 15)";

const NOTE: &str =
    "UPDATE recordings SET thinned = $3 WHERE company_id = $1 AND id = $2 AND thinned < $3";

/// Thins the marks of a counter.
///
/// # Errors
///
/// Those of the database. What was done by then stays done.
pub async fn thin(
    database: &Database,
    recording: &Recording,
    now: i64,
) -> Result<(), DatabaseError> {
    let end = kept_from(now);
    let of = recording.clone();
    let from = database.read("marks_thinned", move |connection| {
        Box::pin(async move {
            connection.within(of.company()).await?;
            Ok(from(connection, &of).await?)
        })
    });
    let Some(mut from) = from.await? else {
        return Ok(());
    };
    while from < end {
        let to = (from + STEP).min(end);
        let of = recording.clone();
        let thinned = database.write("marks_thin", move |connection| {
            Box::pin(async move {
                connection.within(of.company()).await?;
                Ok(step(connection, &of, from, to).await?)
            })
        });
        thinned.await?;
        from = to;
    }
    Ok(())
}

/// The quarter of an hour from which on there is something to do.
async fn from(
    connection: &mut Connection<'_>,
    recording: &Recording,
) -> Result<Option<i64>, Error> {
    let (company, id) = (recording.company(), recording.id);
    on_either!(connection, |database| {
        let thinned: i64 = sqlx::query_scalar(of_company(THINNED))
            .bind(company)
            .bind(id)
            .fetch_one(&mut **database)
            .await?;
        let first: Option<i64> = sqlx::query_scalar(of_company(FIRST))
            .bind(company)
            .bind(id)
            .bind(thinned)
            .fetch_optional(&mut **database)
            .await?;
        Ok(first.map(|minute| minute - minute.rem_euclid(crate::record::span::QUARTER)))
    })
}

async fn step(
    connection: &mut Connection<'_>,
    recording: &Recording,
    from: i64,
    to: i64,
) -> Result<(), Error> {
    let (company, id) = (recording.company(), recording.id);
    on_either!(connection, |database| {
        let thin = sqlx::query(of_company(THIN)).bind(company).bind(id);
        thin.bind(from).bind(to).execute(&mut **database).await?;
        let note = sqlx::query(of_company(NOTE)).bind(company).bind(id);
        note.bind(to).execute(&mut **database).await.map(drop)
    })
}
