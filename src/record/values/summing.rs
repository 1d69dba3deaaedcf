//! Making the sums of days that are over: once, in the background, from rows that are all there.
//!
//! A day is whole once a visit after it is recorded, since times never fall as numbers rise.

use std::collections::HashMap;

use roaring::RoaringTreemap;
use sqlx::Error;

use super::{
    days::{Progress, forget, progress, remove},
    field::TEXTS,
    property::{OfValue, Properties},
    slices::Again,
};
use crate::{
    record::{
        history::numbers,
        table::{recordings::Recording, settings},
    },
    storage::sql::{Connection, Database, DatabaseError, of_company, on_either},
};

/// Visits that are read at a time.
const ROWS: i64 = 5000;

/// Rows that are written in one transaction: visits that are counted in the same file wait for it.
const BATCH: usize = 200;

const PUBLISH: &str = "UPDATE recordings SET summed = $3 WHERE company_id = $1 AND id = $2";

const ROWS_OF: &str = "SELECT number, visitor, path, referrer, campaign, country, CAST(properties AS TEXT) FROM visits
     WHERE company_id = $1 AND recording_id = $2 AND number > $3 AND number <= $4 ORDER BY number LIMIT $5";

const NEXT: &str =
    "SELECT at FROM visits WHERE company_id = $1 AND recording_id = $2 AND number > $3
     ORDER BY number LIMIT 1";

const ADD_VALUE: &str =
    "INSERT INTO value_days (company_id, recording_id, day, field, text, visits, visitors)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

const ADD_VISITORS: &str =
    "INSERT INTO visitor_days (company_id, recording_id, day, visits, visitors, slices, left_out)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

const ADD_PROPERTY: &str =
    "INSERT INTO property_days (company_id, recording_id, day, key, value, visits, visitors)
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

const UNMADE: &str = "SELECT min(day) FROM visitor_days
     WHERE company_id = $1 AND recording_id = $2 AND (slices IS NULL OR left_out IS NULL)";

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// Milliseconds of a day.
const DAY_MILLIS: i64 = DAY * 60_000;

/// What is known of one day, by field and text.
#[derive(Debug, Default)]
struct Sums {
    values: HashMap<(usize, i64), (i64, RoaringTreemap)>,
    visits: i64,
    visitors: RoaringTreemap,
    again: Again,
    properties: Properties,
}

/// A visit: its number, its visitor, its four texts and its properties.
type Row = (
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
);

impl Sums {
    fn add(&mut self, row: Row) -> Result<(), Error> {
        let (_, visitor, path, referrer, campaign, country, properties) = row;
        self.visits += 1;
        let visitor = visitor.map(i64::unsigned_abs);
        self.properties
            .add(visitor, properties.as_deref(), &self.visitors)?;
        if let Some(visitor) = visitor
            && !self.visitors.insert(visitor)
        {
            self.again.note(visitor);
        }
        for (field, text) in [path, referrer, campaign, country].into_iter().enumerate() {
            let (visits, visitors) = self.values.entry((field, text.unwrap_or(0))).or_default();
            *visits += 1;
            visitors.extend(visitor);
        }
        Ok(())
    }
}

/// What was found to be next.
enum Next {
    /// All days that are over are summed up.
    Nothing,
    /// No visit carries anything until this day.
    Empty(Progress, i64),
    /// This day has these numbers: after one, up to another.
    Day(Progress, i64, (u64, u64)),
}

/// Sums up what is over of a counter.
///
/// # Errors
///
/// Those of the database.
pub async fn sum_up(database: &Database, recording: &Recording) -> Result<(), DatabaseError> {
    make_again(database, recording).await?;
    loop {
        let of = recording.clone();
        let next = database.read("values_next", move |connection| {
            Box::pin(async move {
                connection.within(of.company()).await?;
                Ok(next(connection, &of).await?)
            })
        });
        match next.await? {
            Next::Nothing => return Ok(()),
            Next::Empty(seen, day) => {
                let rows = vec![Sum::Nothing(seen.summed, day)];
                if !write(database, recording, seen, rows, Some(day)).await? {
                    return Ok(());
                }
            }
            Next::Day(seen, day, numbers) => {
                let sums = sums(database, recording, numbers).await?;
                if !write_day(database, recording, seen, day, sums).await? {
                    return Ok(());
                }
            }
        }
    }
}

/// Forgets the days from the first on of which an older version did not keep all that is kept.
async fn make_again(database: &Database, recording: &Recording) -> Result<(), DatabaseError> {
    let of = recording.clone();
    let unmade = database.read("values_unmade", move |connection| {
        Box::pin(async move {
            connection.within(of.company()).await?;
            Ok(unmade(connection, &of).await?)
        })
    });
    let Some(day) = unmade.await? else {
        return Ok(());
    };
    let of = recording.clone();
    let forgotten = database.write("values_forget", move |connection| {
        Box::pin(async move {
            connection.within(of.company()).await?;
            settings::hold(connection, &of.counter, of.began, of.through_at).await?;
            Ok(forget(connection, of.company(), of.id, day).await?)
        })
    });
    forgotten.await
}

async fn unmade(
    connection: &mut Connection<'_>,
    recording: &Recording,
) -> Result<Option<i64>, Error> {
    on_either!(connection, |database| {
        sqlx::query_scalar(of_company(UNMADE))
            .bind(recording.company())
            .bind(recording.id)
            .fetch_one(&mut **database)
            .await
    })
}

async fn next(connection: &mut Connection<'_>, recording: &Recording) -> Result<Next, Error> {
    let seen = progress(connection, recording).await?;
    // The day of the last visit is not over.
    let end = recording.through_at.div_euclid(DAY_MILLIS);
    if seen.summed >= end {
        return Ok(Next::Nothing);
    }
    let minutes = [seen.summed * DAY];
    let before = numbers::before(connection, recording, &minutes).await?;
    let at: Option<i64> = on_either!(&mut *connection, |database| {
        sqlx::query_scalar(of_company(NEXT))
            .bind(recording.company())
            .bind(recording.id)
            .bind(before[0] as i64)
            .fetch_optional(&mut **database)
            .await
    })?;
    let day = at.map_or(end, |at| at.div_euclid(DAY_MILLIS));
    if day >= end {
        return Ok(Next::Empty(seen, end));
    }
    let minutes = [day * DAY, (day + 1) * DAY];
    let numbers = numbers::before(connection, recording, &minutes).await?;
    Ok(Next::Day(seen, day, (numbers[0], numbers[1])))
}

async fn sums(
    database: &Database,
    recording: &Recording,
    (mut after, through): (u64, u64),
) -> Result<Sums, DatabaseError> {
    let mut sums = Sums::default();
    loop {
        let of = recording.clone();
        let rows = database.read("values_rows", move |connection| {
            Box::pin(async move {
                connection.within(of.company()).await?;
                Ok(rows(connection, &of, after, through).await?)
            })
        });
        let rows = rows.await?;
        let Some((last, ..)) = rows.last() else {
            return Ok(sums);
        };
        after = last.unsigned_abs();
        for row in rows {
            sums.add(row)?;
        }
    }
}

async fn rows(
    connection: &mut Connection<'_>,
    recording: &Recording,
    after: u64,
    through: u64,
) -> Result<Vec<Row>, Error> {
    on_either!(connection, |database| {
        sqlx::query_as(of_company(ROWS_OF))
            .bind(recording.company())
            .bind(recording.id)
            .bind(after as i64)
            .bind(through as i64)
            .bind(ROWS)
            .fetch_all(&mut **database)
            .await
    })
}

/// A row that is to be written.
enum Sum {
    /// What there is from this day on, before that one: from somebody who did not get to the end, or did not know of all
    /// that there is.
    Nothing(i64, i64),
    Value(i64, usize, i64, i64, Vec<u8>),
    Property(i64, OfValue),
    Visitors(i64, i64, Vec<u8>, Vec<u8>, String),
}

async fn write_day(
    database: &Database,
    recording: &Recording,
    seen: Progress,
    day: i64,
    sums: Sums,
) -> Result<bool, DatabaseError> {
    let mut rows = vec![Sum::Nothing(seen.summed, day + 1)];
    let (visitors, slices) = (packed(&sums.visitors), sums.again.packed());
    let (properties, left_out) = sums.properties.done();
    rows.push(Sum::Visitors(day, sums.visits, visitors, slices, left_out));
    let properties = properties.into_iter();
    rows.extend(properties.map(|value| Sum::Property(day, value)));
    let values = sums.values.into_iter();
    rows.extend(values.map(|((field, text), (visits, visitors))| {
        Sum::Value(day, field, text, visits, packed(&visitors))
    }));
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(BATCH));
        let done = rest.is_empty().then_some(day + 1);
        if !write(database, recording, seen, rows, done).await? {
            return Ok(false);
        }
        rows = rest;
    }
    Ok(true)
}

/// One transaction. False, and nothing is done, if somebody else was at it meanwhile, or something was erased.
async fn write(
    database: &Database,
    recording: &Recording,
    seen: Progress,
    rows: Vec<Sum>,
    done: Option<i64>,
) -> Result<bool, DatabaseError> {
    let of = recording.clone();
    let written = database.write("values_write", move |connection| {
        Box::pin(async move {
            connection.within(of.company()).await?;
            settings::hold(connection, &of.counter, of.began, of.through_at).await?;
            if progress(connection, &of).await? != seen {
                return Ok(false);
            }
            for row in rows {
                write_row(connection, &of, row).await?;
            }
            if let Some(day) = done {
                publish(connection, &of, day).await?;
            }
            Ok(true)
        })
    });
    written.await
}

async fn publish(
    connection: &mut Connection<'_>,
    recording: &Recording,
    day: i64,
) -> Result<(), Error> {
    on_either!(connection, |database| {
        sqlx::query(of_company(PUBLISH))
            .bind(recording.company())
            .bind(recording.id)
            .bind(day)
            .execute(&mut **database)
            .await
            .map(drop)
    })
}

async fn write_row(
    connection: &mut Connection<'_>,
    recording: &Recording,
    row: Sum,
) -> Result<(), Error> {
    if let Sum::Nothing(from, to) = row {
        return remove(connection, recording, from, to).await;
    }
    let (company, id) = (recording.company(), recording.id);
    on_either!(connection, |database| {
        match row {
            Sum::Nothing(..) => {}
            Sum::Value(day, field, text, visits, visitors) => {
                let add = sqlx::query(ADD_VALUE).bind(company).bind(id).bind(day);
                let add = add
                    .bind(TEXTS[field])
                    .bind(text)
                    .bind(visits)
                    .bind(visitors);
                add.execute(&mut **database).await?;
            }
            Sum::Property(day, of) => {
                let add = sqlx::query(ADD_PROPERTY).bind(company).bind(id);
                let add = add.bind(day).bind(&*of.key).bind(&*of.value);
                let add = add.bind(of.visits).bind(packed(&of.visitors));
                add.execute(&mut **database).await?;
            }
            Sum::Visitors(day, visits, visitors, slices, left_out) => {
                let add = sqlx::query(ADD_VISITORS).bind(company).bind(id).bind(day);
                add.bind(visits)
                    .bind(visitors)
                    .bind(slices)
                    .bind(left_out)
                    .execute(&mut **database)
                    .await?;
            }
        }
    });
    Ok(())
}

fn packed(set: &RoaringTreemap) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(set.serialized_size());
    // Into memory: it cannot fail.
    let _ = set.serialize_into(&mut bytes);
    bytes
}
