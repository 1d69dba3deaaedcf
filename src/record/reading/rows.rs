//! What is read from the tables: runs, and what visits carried.

use sqlx::Error;

use crate::{
    record::table::recordings::Recording,
    storage::sql::{Connection, of_company, on_either},
};

/// Runs from the one that has a number on. Its beginning is one value for PostgreSQL, since whoever may see only some
/// rows may not look into an index by what might tell of others.
pub const RUNS: &str = "SELECT first, last, reason, first_at, times FROM runs
     WHERE company_id = $1 AND recording_id = $2 AND first <= $4
       AND first >= (SELECT coalesce((SELECT max(first) FROM runs WHERE company_id = $1 AND recording_id = $2 AND first <= $3), 0))
     ORDER BY first LIMIT $5";

/// The columns of `visits` with their texts.
macro_rules! visits {
    ($properties:literal) => {
        concat!(
            "SELECT visits.number, visitors.key, path.text, referrer.text, campaign.text, country.text, ",
            $properties,
            " FROM visits
             LEFT JOIN visitors ON visitors.id = visits.visitor AND visitors.company_id = visits.company_id
             LEFT JOIN texts AS path ON path.recording_id = visits.recording_id AND path.id = visits.path
             LEFT JOIN texts AS referrer ON referrer.recording_id = visits.recording_id AND referrer.id = visits.referrer
             LEFT JOIN texts AS campaign ON campaign.recording_id = visits.recording_id AND campaign.id = visits.campaign
             LEFT JOIN texts AS country ON country.recording_id = visits.recording_id AND country.id = visits.country
             WHERE visits.company_id = $1 AND visits.recording_id = $2 AND visits.number >= $3 AND visits.number <= $4
             ORDER BY visits.number"
        )
    };
}

const VISITS_IN_POSTGRES: &str = visits!("visits.properties::text");

const VISITS_IN_SQLITE: &str = visits!("visits.properties");

/// A run: its first and last number, why nothing is recorded of it, when it began, its times.
pub type Run = (i64, i64, Option<String>, i64, Option<Vec<u8>>);

/// A number, the visitor, four texts and the properties.
pub type Visit = (
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// Runs that have numbers from one to another, as many at most.
pub async fn runs(
    connection: &mut Connection<'_>,
    recording: &Recording,
    first: u64,
    last: u64,
    most: i64,
) -> Result<Vec<Run>, Error> {
    on_either!(connection, |database| {
        sqlx::query_as(of_company(RUNS))
            .bind(recording.company())
            .bind(recording.id)
            .bind(first as i64)
            .bind(last as i64)
            .bind(most)
            .fetch_all(&mut **database)
            .await
    })
}

/// What visits carried whose numbers are from one to another.
pub async fn visits(
    connection: &mut Connection<'_>,
    recording: &Recording,
    first: u64,
    last: u64,
) -> Result<Vec<Visit>, Error> {
    let text = match connection {
        Connection::Postgres(_) => VISITS_IN_POSTGRES,
        Connection::Sqlite(_) => VISITS_IN_SQLITE,
    };
    on_either!(connection, |database| {
        // The condition names the table, since others are joined that have the column, too.
        sqlx::query_as(of_company(text))
            .bind(recording.company())
            .bind(recording.id)
            .bind(first as i64)
            .bind(last as i64)
            .fetch_all(&mut **database)
            .await
    })
}
