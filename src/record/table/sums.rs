//! What the tables say of each counter, to be compared with what its row says, and with each other.

use std::collections::HashMap;

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
    /// Marks of minutes that say less than one before them, or more than `through`.
    pub marks: u64,
    /// Days that are over, and summed up, whose sums are not of as many visits as there are.
    pub days: u64,
}

/// A counter by its id, and all but the last two.
type Row = (i64, Uuid, String, i64, i64, i64, i64, i64);

/// Runs that end before the base are about to be removed.
const SUMS: &str = "
    SELECT recordings.id, company_id, counter, base, through,
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

const MARKS: &str = "
    SELECT recording_id, CAST(count(*) AS BIGINT)
    FROM (SELECT recording_id, number, lag(number) OVER (PARTITION BY recording_id ORDER BY minute) AS previous
          FROM marks) AS ordered
    JOIN recordings ON recordings.id = recording_id
    WHERE number > through OR number < previous GROUP BY recording_id";

/// Each visit that carries something is in the sums of its day, once for each text that it may name, and once for each
/// property that has sums.
const DAYS: &str = "
    SELECT recording_id, CAST(count(*) AS BIGINT)
    FROM (SELECT sums.recording_id, day FROM (
            SELECT recording_id, at / 86400000 AS day, 1 AS needed, count(*) AS visits
            FROM visits JOIN recordings ON recordings.id = recording_id WHERE number > base
            GROUP BY recording_id, at / 86400000
            UNION ALL SELECT recording_id, day, 1, visits FROM visitor_days
            UNION ALL SELECT recording_id, day, 1, sum(visits) FROM value_days GROUP BY recording_id, day, field
            UNION ALL SELECT recording_id, day, 0, sum(visits) FROM property_days GROUP BY recording_id, day, key
          ) AS sums JOIN recordings ON recordings.id = sums.recording_id
          WHERE day < summed GROUP BY sums.recording_id, day
          HAVING min(visits) <> max(visits) OR sum(needed) <> 6) AS wrong
    GROUP BY recording_id";

/// Those of all counters of all companies.
///
/// # Errors
///
/// Those of the database.
pub async fn all(connection: &mut Connection<'_>) -> Result<Vec<Sums>, Error> {
    let rows: Vec<Row> = on_either!(&mut *connection, |database| {
        sqlx::query_as(SUMS).fetch_all(&mut **database).await
    })?;
    let (mut marks, mut days) = (HashMap::new(), HashMap::new());
    for (statement, wrong) in [(MARKS, &mut marks), (DAYS, &mut days)] {
        let rows: Vec<(i64, i64)> = on_either!(&mut *connection, |database| {
            sqlx::query_as(statement).fetch_all(&mut **database).await
        })?;
        wrong.extend(rows);
    }
    let of = |wrong: &HashMap<i64, i64>, id| wrong.get(&id).map_or(0, |wrong| wrong.unsigned_abs());
    let rows = rows.into_iter();
    Ok(rows
        .filter_map(
            |(id, company, name, base, through, visits, breaks, outside)| {
                let (company, name) = (company.into(), name.parse().ok()?);
                Some(Sums {
                    counter: CounterId { company, name },
                    base: base.unsigned_abs(),
                    through: through.unsigned_abs(),
                    visits: visits.unsigned_abs(),
                    breaks: breaks.unsigned_abs(),
                    outside: outside.unsigned_abs(),
                    marks: of(&marks, id),
                    days: of(&days, id),
                })
            },
        )
        .collect())
}
