//! How often each value was carried in a field, and by whom: from sums of days that are over, and from rows.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use roaring::RoaringTreemap;
use sqlx::{Error, SqlStr, types::Json};

use super::field::Field;
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

/// Where there is what of a field: in sums of days, and in rows.
struct Source {
    /// The table of sums.
    table: &'static str,
    /// Its column that names the field.
    named: &'static str,
    /// Its column of values.
    value: &'static str,
    /// What stands there for no value.
    none: &'static str,
    /// The value of a row of `visits`, or NULL.
    of_row: &'static str,
    /// Values that are a parameter, as texts and as they are in that column.
    texts: fn(u8) -> String,
    values: fn(u8) -> String,
}

fn texts_in_postgres(parameter: u8) -> String {
    format!("SELECT unnest(${parameter})")
}

fn ids_in_postgres(parameter: u8) -> String {
    format!("SELECT CAST(unnest(${parameter}) AS BIGINT)")
}

fn texts_in_sqlite(parameter: u8) -> String {
    format!("SELECT value FROM json_each(${parameter})")
}

fn ids_in_sqlite(parameter: u8) -> String {
    format!("SELECT CAST(value AS INTEGER) FROM json_each(${parameter})")
}

impl Source {
    /// That of a field, which is a parameter of the statements: $3.
    fn of(field: &Field, connection: &Connection<'_>) -> Self {
        let is_postgres = matches!(connection, Connection::Postgres(_));
        let texts = if is_postgres {
            texts_in_postgres
        } else {
            texts_in_sqlite
        };
        let ids = if is_postgres {
            ids_in_postgres
        } else {
            ids_in_sqlite
        };
        let of_row = match field {
            Field::Text("path") => "CAST(path AS TEXT)",
            Field::Text("referrer") => "CAST(referrer AS TEXT)",
            Field::Text("campaign") => "CAST(campaign AS TEXT)",
            Field::Text(_) => "CAST(country AS TEXT)",
            Field::Property(_) if is_postgres => "CAST(properties -> $3 AS TEXT) COLLATE \"C\"",
            // Quoted as it is in what is kept.
            Field::Property(_) => "properties -> ('$.' || json_quote($3))",
        };
        match field {
            Field::Text(_) => Self {
                table: "value_days",
                named: "field",
                value: "text",
                none: "0",
                of_row,
                texts,
                values: ids,
            },
            Field::Property(_) => Self {
                table: "property_days",
                named: "key",
                value: "value",
                none: "''",
                of_row,
                texts,
                values: texts,
            },
        }
    }

    /// The values of both ranges, and by whom.
    fn rows(&self) -> String {
        let range = |after: &str, through: &str| {
            format!(
                "SELECT {} AS value, visitor FROM visits WHERE company_id = $1 AND recording_id = $2
                   AND number > {after} AND number <= {through}",
                self.of_row
            )
        };
        format!("{} UNION ALL {}", range("$6", "$7"), range("$8", "$9"))
    }

    /// The sums.
    fn days(&self) -> String {
        let (table, named) = (self.table, self.named);
        format!(
            "FROM {table} WHERE company_id = $1 AND recording_id = $2 AND {named} = $3 AND day >= $4 AND day < $5"
        )
    }

    /// The most frequent values, each with how many visits carry it, and how many carry any.
    fn often(&self) -> String {
        let (value, none) = (self.value, self.none);
        let (days, rows) = (self.days(), self.rows());
        format!(
            "SELECT value, total, CAST(sum(total) OVER () AS BIGINT) FROM (
               SELECT value, CAST(sum(visits) AS BIGINT) AS total FROM (
                 SELECT CAST({value} AS TEXT) AS value, visits {days} AND {value} <> {none}
                 UNION ALL SELECT value, 1 FROM ({rows}) AS visited WHERE value IS NOT NULL
               ) AS parts WHERE {ALL} GROUP BY value
             ) AS totals ORDER BY total DESC, value LIMIT $10"
        )
    }

    /// Who carried these values, and none (an empty text), and any other (NULL).
    fn who_of_rows(&self) -> String {
        let (rows, texts) = (self.rows(), (self.texts)(10));
        format!(
            "SELECT DISTINCT CASE WHEN value IS NULL THEN '' WHEN value IN ({texts}) THEN value END, visitor
             FROM ({rows}) AS visited WHERE visitor IS NOT NULL AND {ALL}"
        )
    }

    /// The sets of those who carried these values.
    fn who_of_days(&self) -> String {
        let (value, days, values) = (self.value, self.days(), (self.values)(6));
        format!(
            "SELECT CAST({value} AS TEXT), visitors {days} AND visitors IS NOT NULL AND {value} IN ({values})"
        )
    }

    /// No value, as a text.
    fn nothing(&self) -> &'static str {
        self.none.trim_matches('\'')
    }
}

/// Names all parameters, since both databases want to know each.
const ALL: &str = "$3 <> '' AND $4 + $5 IS NOT NULL";

/// With whether nobody carried this property ($5, empty for a text) on a day: then it has no sums.
const ALL_OF_DAYS: &str = "SELECT visitors, $5 <> '' AND NOT EXISTS (SELECT 1 FROM property_days
       WHERE company_id = $1 AND recording_id = $2 AND property_days.day = visitor_days.day AND key = $5)
     FROM visitor_days WHERE company_id = $1 AND recording_id = $2 AND day >= $3 AND day < $4";

const TEXTS_OF: &str = "SELECT CAST(id AS TEXT), text FROM texts WHERE company_id = $1 AND recording_id = $2 AND id IN ";

/// What is looked at: everything a statement binds, but for what only one of them does.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The counter.
    pub recording: &'a Recording,
    /// The field.
    pub field: &'a Field,
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
            .bind(look.field.name())
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
        let text = Source::of(self.field, connection).often();
        let rows: Vec<(String, i64, i64)> = on_either!(connection, |database| {
            bound!(sqlx::query_as(of_company(text)), self)
                .bind(most as i64)
                .fetch_all(&mut **database)
                .await
        })?;
        let carrying = rows.first().map_or(0, |(.., all)| all.unsigned_abs());
        let rows = rows.into_iter();
        let rows = rows.map(|(value, visits, _)| (value, visits.unsigned_abs()));
        Ok((rows.collect(), carrying))
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
        let values: Vec<_> = values.iter().map(|(value, _)| value.as_str()).collect();
        for value in values.iter().chain(&[""]) {
            who.of.insert((*value).to_owned(), RoaringTreemap::new());
        }
        let text = of_company(Source::of(self.field, connection).who_of_rows());
        macro_rules! add {
            ($database:ident, $values:expr) => {{
                let rows = bound!(sqlx::query_as(text), self).bind($values);
                let mut rows = rows.fetch(&mut **$database);
                while let Some((value, visitor)) = rows.try_next().await? {
                    let (value, visitor): (Option<String>, i64) = (value, visitor);
                    let visitor = visitor.unsigned_abs();
                    who.all.insert(visitor);
                    if let Some(of) = value.and_then(|value| who.of.get_mut(&value)) {
                        of.insert(visitor);
                    }
                }
            }};
        }
        match &mut *connection {
            Connection::Postgres(database) => add!(database, &values),
            Connection::Sqlite(database) => add!(database, Json(&values)),
        }
        if self.parts.days.0 < self.parts.days.1 {
            self.all_of_days(connection, &mut who).await?;
            self.who_of_days(connection, &mut who, values).await?;
        }
        Ok(who)
    }

    async fn all_of_days(
        &self,
        connection: &mut Connection<'_>,
        who: &mut Who,
    ) -> Result<(), Error> {
        let (from, to) = self.parts.days;
        let property = match self.field {
            Field::Text(_) => "",
            Field::Property(key) => key,
        };
        on_either!(connection, |database| {
            let mut rows = sqlx::query_as(of_company(ALL_OF_DAYS))
                .bind(self.recording.company())
                .bind(self.recording.id)
                .bind(from)
                .bind(to)
                .bind(property)
                .fetch(&mut **database);
            while let Some((bitmap, has_none)) = rows.try_next().await? {
                let (bitmap, has_none): (Vec<u8>, bool) = (bitmap, has_none);
                let visitors = set(&bitmap)?;
                if has_none {
                    *who.of.entry(String::new()).or_default() |= &visitors;
                }
                who.all |= visitors;
            }
        });
        Ok(())
    }

    async fn who_of_days(
        &self,
        connection: &mut Connection<'_>,
        who: &mut Who,
        mut values: Vec<&str>,
    ) -> Result<(), Error> {
        let (from, to) = self.parts.days;
        let source = Source::of(self.field, connection);
        values.push(source.nothing());
        let text = of_company(source.who_of_days());
        macro_rules! add {
            ($database:ident, $values:expr) => {{
                let mut rows = sqlx::query_as(text)
                    .bind(self.recording.company())
                    .bind(self.recording.id)
                    .bind(self.field.name())
                    .bind(from)
                    .bind(to)
                    .bind($values)
                    .fetch(&mut **$database);
                while let Some((value, bitmap)) = rows.try_next().await? {
                    let (value, bitmap): (String, Vec<u8>) = (value, bitmap);
                    let value = match value == source.nothing() {
                        true => "",
                        false => &value,
                    };
                    if let Some(of) = who.of.get_mut(value) {
                        *of |= set(&bitmap)?;
                    }
                }
            }};
        }
        match connection {
            Connection::Postgres(database) => add!(database, &values),
            Connection::Sqlite(database) => add!(database, Json(&values)),
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
