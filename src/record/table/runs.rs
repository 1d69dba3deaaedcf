//! What is recorded of which numbers.

use sqlx::Error;

use super::recordings::Recording;
use crate::{
    record::plan::{Content, Plan, Position, Run, Tail},
    storage::sql::{Connection, of_company, on_either},
};

const TAIL: &str =
    "SELECT length(times) FROM runs WHERE company_id = $1 AND recording_id = $2 AND first = $3";

/// With an end to be found again: a run that ends elsewhere is not the one that is gone on with.
macro_rules! extend {
    ($times:literal) => {
        concat!(
            "UPDATE runs SET last = $4, last_at = $5, times = ",
            $times,
            " WHERE company_id = $1 AND recording_id = $2 AND first = $3 AND last = $7"
        )
    };
}

const INSERT: &str =
    "INSERT INTO runs (company_id, recording_id, first, last, reason, first_at, last_at, times)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// The last run, if times may be added to it.
pub(in crate::record) async fn tail(
    connection: &mut Connection<'_>,
    recording: &Recording,
) -> Result<Option<Tail>, Error> {
    let Some(first) = recording.tail else {
        return Ok(None);
    };
    let bytes: i64 = match connection {
        Connection::Postgres(database) => {
            let bytes = sqlx::query_scalar(of_company(TAIL));
            let bytes = bytes.bind(recording.company()).bind(recording.id);
            let bytes: i32 = bytes.bind(first as i64).fetch_one(&mut **database).await?;
            i64::from(bytes)
        }
        Connection::Sqlite(database) => {
            let bytes = sqlx::query_scalar(of_company(TAIL));
            let bytes = bytes.bind(recording.company()).bind(recording.id);
            bytes.bind(first as i64).fetch_one(&mut **database).await?
        }
    };
    let bytes = usize::try_from(bytes).unwrap_or(0);
    Ok(Some(Tail { first, bytes }))
}

/// Adds to the last run, and begins those that follow.
pub(in crate::record) async fn write(
    connection: &mut Connection<'_>,
    recording: &Recording,
    plan: &Plan<'_>,
) -> Result<(), Error> {
    if let Some(tail) = plan.from.tail
        && !plan.extension.is_empty()
    {
        extend(connection, recording, tail, plan).await?;
    }
    for run in &plan.runs {
        insert(connection, recording, run).await?;
    }
    Ok(())
}

async fn extend(
    connection: &mut Connection<'_>,
    recording: &Recording,
    tail: Tail,
    plan: &Plan<'_>,
) -> Result<(), Error> {
    let text = match connection {
        Connection::Postgres(_) => extend!("times || $6"),
        // What is put together is text there, byte for byte.
        Connection::Sqlite(_) => extend!("CAST(times || $6 AS BLOB)"),
    };
    let (last, last_at) = plan.extended_to;
    let extended = on_either!(connection, |database| {
        sqlx::query(of_company(text))
            .bind(recording.company())
            .bind(recording.id)
            .bind(tail.first as i64)
            .bind(last as i64)
            .bind(last_at)
            .bind(&plan.extension)
            .bind(plan.from.through as i64)
            .execute(&mut **database)
            .await
            .map(|done| done.rows_affected())
    })?;
    match extended {
        1 => Ok(()),
        _ => Err(does_not_join(recording, &plan.from)),
    }
}

/// The last run is not where the row of the counter says.
pub(in crate::record) fn does_not_join(recording: &Recording, position: &Position) -> Error {
    let first = position.tail.map_or(0, |tail| tail.first);
    Error::InvalidArgument(format!(
        "the last run of {} should begin with {first} and end with {}, and does not; restore a backup",
        recording.counter, position.through
    ))
}

async fn insert(
    connection: &mut Connection<'_>,
    recording: &Recording,
    run: &Run,
) -> Result<(), Error> {
    let (reason, times) = match &run.content {
        Content::Times(times) => (None, Some(times.as_slice())),
        Content::Nothing(reason) => (Some(reason.text()), None),
    };
    on_either!(connection, |database| {
        sqlx::query(INSERT)
            .bind(recording.company())
            .bind(recording.id)
            .bind(run.first as i64)
            .bind(run.last as i64)
            .bind(reason)
            .bind(run.first_at)
            .bind(run.last_at)
            .bind(times)
            .execute(&mut **database)
            .await
            .map(drop)
    })
}

/// A run as it is read.
#[derive(Debug)]
pub(in crate::record) struct Read {
    /// Its first number.
    pub first: u64,
    /// Its last.
    pub last: u64,
    /// When the first of them was counted.
    pub first_at: i64,
    /// When the last of them was, or the visit after those of which nothing is recorded.
    pub last_at: i64,
    /// When each was counted; `None` if nothing is recorded of them.
    pub times: Option<Vec<u8>>,
}

/// The columns of [`BETWEEN`].
type Row = (i64, i64, i64, i64, Option<Vec<u8>>);

const BETWEEN: &str = "SELECT first, last, first_at, last_at, times FROM runs
     WHERE company_id = $1 AND recording_id = $2 AND first <= $4
       AND first >= coalesce((SELECT max(first) FROM runs WHERE company_id = $1 AND recording_id = $2 AND first <= $3), 0)
     ORDER BY first";

/// The runs that have these numbers, in their order.
pub(in crate::record) async fn between(
    connection: &mut Connection<'_>,
    recording: &Recording,
    first: u64,
    last: u64,
) -> Result<Vec<Read>, Error> {
    let rows: Vec<Row> = on_either!(connection, |database| {
        sqlx::query_as(of_company(BETWEEN))
            .bind(recording.company())
            .bind(recording.id)
            .bind(first as i64)
            .bind(last as i64)
            .fetch_all(&mut **database)
            .await
    })?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(first, last, first_at, last_at, times)| Read {
            first: first.unsigned_abs(),
            last: last.unsigned_abs(),
            first_at,
            last_at,
            times,
        })
        .collect())
}
