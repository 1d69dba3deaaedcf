//! How often each text was carried in a field, and by whom: from sums of days that are over, and from rows.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use roaring::RoaringTreemap;
use sqlx::{Error, SqlStr, types::Json};

use crate::{
    record::table::recordings::Recording,
    storage::sql::{Connection, of_company, on_either},
};

/// Which visits are looked at: those of whole days that were summed up, and two ranges of numbers: after
/// one, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// From this day (Unix) on, before that one.
    pub days: (i64, i64),
    /// What is before those days, and what is after them.
    pub ranges: [(u64, u64); 2],
}

/// How often a value was carried. A text is known by its id, the value of a property as JSON.
pub type Often = (String, u64);

/// Who carried each value, and anything: visits that carry nothing in the field are under an empty text.
#[derive(Debug, Default)]
pub struct Who {
    /// By value.
    pub of: HashMap<String, RoaringTreemap>,
    /// All together.
    pub all: RoaringTreemap,
}

/// The id of a text as text, or NULL.
fn value(field: &str) -> &'static str {
    match field {
        "path" => "CAST(path AS TEXT)",
        "referrer" => "CAST(referrer AS TEXT)",
        "campaign" => "CAST(campaign AS TEXT)",
        _ => "CAST(country AS TEXT)",
    }
}

/// The rows of both ranges.
fn rows(columns: &str, rest: &str) -> String {
    let range = |after: &str, through: &str| {
        format!(
            "SELECT {columns} FROM visits WHERE company_id = $1 AND recording_id = $2
               AND number > {after} AND number <= {through} {rest}"
        )
    };
    format!("{} UNION ALL {}", range("$6", "$7"), range("$8", "$9"))
}

/// Names all parameters, since both databases want to know each.
const ALL: &str = "$3 <> '' AND $4 + $5 IS NOT NULL";

fn often(value: &str) -> String {
    let rows = rows(
        &format!("{value} AS value, 1 AS visits"),
        &format!("AND {value} IS NOT NULL"),
    );
    format!(
        "SELECT value, CAST(sum(visits) AS BIGINT) AS total FROM (
           SELECT CAST(text AS TEXT) AS value, visits FROM value_days
           WHERE company_id = $1 AND recording_id = $2 AND field = $3 AND day >= $4 AND day < $5 AND text <> 0
           UNION ALL {rows}
         ) AS parts WHERE {ALL} GROUP BY value ORDER BY total DESC, value LIMIT $10"
    )
}

fn total(value: &str) -> String {
    let rows = rows("1 AS visits", &format!("AND {value} IS NOT NULL"));
    format!(
        "SELECT CAST(coalesce(sum(visits), 0) AS BIGINT) FROM (
           SELECT visits FROM value_days
           WHERE company_id = $1 AND recording_id = $2 AND field = $3 AND day >= $4 AND day < $5 AND text <> 0
           UNION ALL {rows}
         ) AS parts WHERE {ALL}"
    )
}

fn who_of_rows(value: &str) -> String {
    let rows = rows(
        &format!("coalesce({value}, '') AS value, visitor"),
        "AND visitor IS NOT NULL",
    );
    format!("SELECT DISTINCT value, visitor FROM ({rows}) AS parts WHERE {ALL}")
}

const WHO_OF_DAYS: &str = "SELECT CASE text WHEN 0 THEN '' ELSE CAST(text AS TEXT) END, visitors FROM value_days
     WHERE company_id = $1 AND recording_id = $2 AND field = $3 AND day >= $4 AND day < $5 AND visitors IS NOT NULL
       AND text IN ";

const ALL_OF_DAYS: &str = "SELECT visitors FROM visitor_days
     WHERE company_id = $1 AND recording_id = $2 AND day >= $3 AND day < $4";

const TEXTS_OF: &str = "SELECT CAST(id AS TEXT), text FROM texts WHERE company_id = $1 AND recording_id = $2 AND id IN ";

/// What is looked at: everything a statement binds, but for what only one of them does.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The counter.
    pub recording: &'a Recording,
    /// The field: one of those whose texts are kept in a dictionary.
    pub field: &'static str,
    /// Which visits.
    pub parts: Parts,
}

/// Binds what all statements about values bind.
macro_rules! bound {
    ($query:expr, $look:expr) => {{
        let (look, [before, after]) = ($look, $look.parts.ranges);
        $query
            .bind(look.recording.company())
            .bind(look.recording.id)
            .bind(look.field)
            .bind(look.parts.days.0)
            .bind(look.parts.days.1)
            .bind(before.0 as i64)
            .bind(before.1 as i64)
            .bind(after.0 as i64)
            .bind(after.1 as i64)
    }};
}

impl Look<'_> {
    /// The most frequent values, and how many visits carry any.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn often(
        &self,
        connection: &mut Connection<'_>,
        most: usize,
    ) -> Result<(Vec<Often>, u64), Error> {
        let value = value(self.field);
        let rows: Vec<(String, i64)> = on_either!(connection, |database| {
            bound!(sqlx::query_as(of_company(often(value))), self)
                .bind(most as i64)
                .fetch_all(&mut **database)
                .await
        })?;
        let all: i64 = on_either!(connection, |database| {
            bound!(sqlx::query_scalar(of_company(total(value))), self)
                .fetch_one(&mut **database)
                .await
        })?;
        let rows = rows.into_iter();
        let rows = rows.map(|(value, visits)| (value, visits.unsigned_abs()));
        Ok((rows.collect(), all.unsigned_abs()))
    }

    /// Who carried these values, and none, and all who came.
    ///
    /// # Errors
    ///
    /// Those of the database; a sum that is none.
    pub async fn who(
        &self,
        connection: &mut Connection<'_>,
        values: &[Often],
    ) -> Result<Who, Error> {
        let mut who = Who::default();
        let names = values.iter().map(|(value, _)| value.as_str());
        for value in names.clone().chain([""]) {
            who.of.insert(value.to_owned(), RoaringTreemap::new());
        }
        let value = value(self.field);
        on_either!(&mut *connection, |database| {
            let mut rows =
                bound!(sqlx::query_as(of_company(who_of_rows(value))), self).fetch(&mut **database);
            while let Some((value, visitor)) = rows.try_next().await? {
                let (value, visitor): (String, i64) = (value, visitor);
                let visitor = visitor.unsigned_abs();
                who.all.insert(visitor);
                if let Some(of) = who.of.get_mut(&value) {
                    of.insert(visitor);
                }
            }
        });
        if self.parts.days.0 < self.parts.days.1 {
            let ids = names.filter_map(|id| id.parse().ok()).chain([0]).collect();
            self.who_of_days(connection, &mut who, ids).await?;
        }
        Ok(who)
    }

    async fn who_of_days(
        &self,
        connection: &mut Connection<'_>,
        who: &mut Who,
        ids: Vec<i64>,
    ) -> Result<(), Error> {
        let (from, to) = self.parts.days;
        on_either!(&mut *connection, |database| {
            let mut rows = sqlx::query_scalar(of_company(ALL_OF_DAYS))
                .bind(self.recording.company())
                .bind(self.recording.id)
                .bind(from)
                .bind(to)
                .fetch(&mut **database);
            while let Some(bitmap) = rows.try_next().await? {
                let bitmap: Vec<u8> = bitmap;
                who.all |= set(&bitmap)?;
            }
        });
        let text = among(WHO_OF_DAYS, "$6", connection);
        let json = Json(ids);
        macro_rules! add {
            ($database:ident, $ids:expr) => {{
                let mut rows = sqlx::query_as(text)
                    .bind(self.recording.company())
                    .bind(self.recording.id)
                    .bind(self.field)
                    .bind(from)
                    .bind(to)
                    .bind($ids)
                    .fetch(&mut **$database);
                while let Some((value, bitmap)) = rows.try_next().await? {
                    let (value, bitmap): (String, Vec<u8>) = (value, bitmap);
                    if let Some(of) = who.of.get_mut(&value) {
                        *of |= set(&bitmap)?;
                    }
                }
            }};
        }
        match connection {
            Connection::Postgres(database) => add!(database, &json.0),
            Connection::Sqlite(database) => add!(database, &json),
        }
        Ok(())
    }

    /// The texts of ids.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn texts(
        &self,
        connection: &mut Connection<'_>,
        values: &[Often],
    ) -> Result<HashMap<String, String>, Error> {
        let ids = values.iter().filter_map(|(id, _)| id.parse().ok());
        let ids: Vec<i64> = ids.collect();
        let text = among(TEXTS_OF, "$3", connection);
        let texts = sqlx_texts(connection, text, self.recording, ids).await?;
        Ok(texts.into_iter().collect())
    }
}

async fn sqlx_texts(
    connection: &mut Connection<'_>,
    text: SqlStr,
    recording: &Recording,
    ids: Vec<i64>,
) -> Result<Vec<(String, String)>, Error> {
    match connection {
        Connection::Postgres(database) => {
            let texts = sqlx::query_as(text).bind(recording.company());
            let texts = texts.bind(recording.id).bind(ids);
            texts.fetch_all(&mut **database).await
        }
        Connection::Sqlite(database) => {
            let texts = sqlx::query_as(text).bind(recording.company());
            let texts = texts.bind(recording.id).bind(Json(ids));
            texts.fetch_all(&mut **database).await
        }
    }
}

/// A statement that ends with ids, which are this parameter.
fn among(text: &str, parameter: &str, connection: &Connection<'_>) -> SqlStr {
    let ids = match connection {
        Connection::Postgres(_) => format!("{text}(SELECT unnest({parameter}))"),
        Connection::Sqlite(_) => format!("{text}(SELECT value FROM json_each({parameter}))"),
    };
    of_company(ids)
}

/// A set as the database has it.
///
/// # Errors
///
/// If it is none.
pub fn set(bytes: &[u8]) -> Result<RoaringTreemap, Error> {
    RoaringTreemap::deserialize_from(bytes).map_err(|error| Error::Decode(error.into()))
}
