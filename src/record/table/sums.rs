//! What the tables say of each counter, to be compared with what its row says.

use sqlx::Error;
use uuid::Uuid;

use crate::{
    counting::CounterId,
    storage::sql::{Connection, on_either},
};

/// What there is of a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// The counter.
    pub counter: CounterId,
    /// Runs are to follow each other from the number after this one …
    pub base: u64,
    /// … up to this one.
    pub through: u64,
    /// How many visits they have.
    pub visits: u64,
    /// How often one does not begin where the one before it ends.
    pub breaks: u64,
    /// Rows of visits whose numbers are in no run that is recorded.
    pub outside: u64,
}

/// Runs that end before the base are about to be removed.
const SUMS: &str = "
    SELECT company_id, counter, base, through,
        CAST(coalesce(joined.visits, 0) AS BIGINT), CAST(coalesce(joined.breaks, 0) AS BIGINT),
        (SELECT count(*) FROM visits WHERE visits.recording_id = recordings.id AND number > through)
        + (SELECT count(*) FROM runs JOIN visits ON visits.recording_id = runs.recording_id
             AND number >= first AND number <= last AND number > base
           WHERE runs.recording_id = recordings.id AND reason IS NOT NULL)
    FROM recordings LEFT JOIN (
        SELECT recording_id,
            sum(last - CASE WHEN first > low THEN first - 1 ELSE low END) AS visits,
            sum(CASE WHEN first > low AND first <> coalesce(previous, low) + 1 THEN 1 ELSE 0 END) AS breaks
        FROM (SELECT recording_id, first, last, recordings.base AS low,
                lag(last) OVER (PARTITION BY recording_id ORDER BY first) AS previous
              FROM runs JOIN recordings ON recordings.id = recording_id WHERE last > recordings.base) AS ordered
        GROUP BY recording_id) AS joined ON joined.recording_id = recordings.id
    ORDER BY recordings.id";

/// Those of all counters of all companies.
///
/// # Errors
///
/// Those of the database.
pub async fn all(connection: &mut Connection<'_>) -> Result<Vec<Sums>, Error> {
    let rows: Vec<(Uuid, String, i64, i64, i64, i64, i64)> = on_either!(connection, |database| {
        sqlx::query_as(SUMS).fetch_all(&mut **database).await
    })?;
    let rows = rows.into_iter();
    Ok(rows
        .filter_map(|(company, name, base, through, visits, breaks, outside)| {
            let (company, name) = (company.into(), name.parse().ok()?);
            Some(Sums {
                counter: CounterId { company, name },
                base: base.unsigned_abs(),
                through: through.unsigned_abs(),
                visits: visits.unsigned_abs(),
                breaks: breaks.unsigned_abs(),
                outside: outside.unsigned_abs(),
            })
        })
        .collect())
}
