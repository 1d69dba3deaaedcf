//! How often each value of a property was carried, and by whom: from rows, which are looked at once. There may be
//! hundreds of thousands of them.

use futures_util::TryStreamExt;
use roaring::RoaringTreemap;
use sqlx::{Error, types::Json};

use super::tally::{Often, Who};
use crate::{
    record::table::recordings::Recording,
    storage::sql::{Connection, of_company},
};

/// The most frequent values first, each with the visitors of all its visits. The value of visits without the property is NULL.
macro_rules! count {
    ($value:literal, $visitors:literal) => {
        concat!(
            "SELECT value, CAST(count(*) AS BIGINT) AS total, ",
            $visitors,
            " FILTER (WHERE visitor IS NOT NULL) FROM (
               SELECT ",
            $value,
            " AS value, visitor FROM visits
               WHERE company_id = $1 AND recording_id = $2 AND number > $3 AND number <= $4
             ) AS parts GROUP BY value ORDER BY total DESC, value"
        )
    };
}

const IN_POSTGRES: &str = count!("CAST(properties -> $5 AS TEXT)", "array_agg(visitor)");

const IN_SQLITE: &str = count!(
    "(SELECT CASE type WHEN 'text' THEN json_quote(value) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'
       ELSE CAST(value AS TEXT) END FROM json_each(properties) WHERE key = $5)",
    "json_group_array(visitor)"
);

/// The most frequent values of visits after one number and up to another, as JSON; how many visits carry any; and who
/// carried these, and none, and all who came.
///
/// # Errors
///
/// Those of the database.
pub async fn count(
    connection: &mut Connection<'_>,
    recording: &Recording,
    key: &str,
    (after, through): (u64, u64),
    most: usize,
) -> Result<(Vec<Often>, u64, Who), Error> {
    let mut counted = Counted::default();
    macro_rules! add {
        ($database:ident, $text:ident, $visitors:ty) => {{
            let mut rows = sqlx::query_as(of_company($text))
                .bind(recording.company())
                .bind(recording.id)
                .bind(after as i64)
                .bind(through as i64)
                .bind(key)
                .fetch(&mut **$database);
            while let Some(row) = rows.try_next().await? {
                let (value, visits, visitors): (Option<String>, i64, $visitors) = row;
                let visitors = visitors.iter().flat_map(|visitors| visitors.iter());
                counted.add(value, visits.unsigned_abs(), visitors, most);
            }
        }};
    }
    match connection {
        Connection::Postgres(database) => add!(database, IN_POSTGRES, Option<Vec<i64>>),
        Connection::Sqlite(database) => add!(database, IN_SQLITE, Option<Json<Vec<i64>>>),
    }
    Ok((counted.often, counted.carrying, counted.who))
}

/// What was read so far.
#[derive(Default)]
struct Counted {
    often: Vec<Often>,
    carrying: u64,
    who: Who,
}

impl Counted {
    /// Adds a value, which comes after those that are more frequent.
    fn add<'a>(
        &mut self,
        value: Option<String>,
        visits: u64,
        visitors: impl Iterator<Item = &'a i64>,
        most: usize,
    ) {
        let visitors = visitors.map(|visitor| visitor.unsigned_abs());
        let visitors: RoaringTreemap = visitors.collect();
        self.who.all |= &visitors;
        let Some(value) = value else {
            // Of those that carry nothing there.
            self.who.of.insert(String::new(), visitors);
            return;
        };
        self.carrying += visits;
        if self.often.len() < most {
            self.often.push((value.clone(), visits));
            self.who.of.insert(value, visitors);
        }
    }
}
