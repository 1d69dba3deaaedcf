//! What is older than its retention goes, by whole days (UTC): runs, and what visits carried. Marks stay, and so
//! does the history; so do the runs of which nothing is recorded, which say so in it.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Error, types::Json};

use crate::{
    record::{
        history::numbers,
        table::{identities::IDENTITIES_KEPT, recordings::Recording, settings},
        values::days,
    },
    storage::sql::{Connection, Database, DatabaseError, of_company, on_either},
};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Minutes of a day.
const DAY_MINUTES: i64 = 24 * 60;

/// Rows that one transaction removes at most: visits that are counted in the same file wait for it.
const MOST: i64 = 1000;

const OLDEST: &str = "SELECT first_at FROM runs
     WHERE company_id = $1 AND recording_id = $2 AND first > $3 AND reason IS NULL ORDER BY first LIMIT 1";

/// Who goes on with a run that is gone begins another.
const RAISE: &str =
    "UPDATE recordings SET base = $3, erased = erased + 1, tail = CASE WHEN tail <= $3 THEN NULL ELSE tail END
     WHERE company_id = $1 AND id = $2 AND base < $3 AND through >= $3";

const RUNS: &str = "DELETE FROM runs WHERE company_id = $1 AND recording_id = $2 AND reason IS NULL AND first IN
     (SELECT first FROM runs WHERE company_id = $1 AND recording_id = $2 AND last <= $3 AND reason IS NULL
      ORDER BY first LIMIT $4)";

const VISITS: &str = "SELECT number, visitor, path, referrer, campaign, country FROM visits
     WHERE company_id = $1 AND recording_id = $2 AND number <= $3 ORDER BY number LIMIT $4";

const REMOVE: &str =
    "DELETE FROM visits WHERE company_id = $1 AND recording_id = $2 AND number <= $3";

const UNUSE: &str =
    "UPDATE texts SET uses = uses - $4 WHERE company_id = $1 AND recording_id = $2 AND id = $3";

const UNUSED: &str =
    "DELETE FROM texts WHERE company_id = $1 AND recording_id = $2 AND id = $3 AND uses = 0";

/// Nothing is kept aside in SQLite.
const REPEATED: &str =
    "DELETE FROM repeated_visits WHERE company_id = $1 AND recording_id = $2 AND at < $3";

/// While nothing is written for any counter of the company: what is being written may be of one of them.
const ALONE: &str = "UPDATE recordings SET told = told WHERE company_id = $1";

const VISITORS: &str = "DELETE FROM visitors WHERE company_id = $1
     AND NOT EXISTS (SELECT 1 FROM visits WHERE visits.visitor = visitors.id) AND id IN ";

const IDENTITIES: &str = "DELETE FROM recorded_identities WHERE (recording_id, kind, last) IN
     (SELECT recording_id, kind, last FROM recorded_identities WHERE kind = $1 AND at < $2 LIMIT $3)";

/// A visit: its number, its visitor and its four texts.
type Row = (
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// Removes what is too old of a counter.
///
/// # Errors
///
/// Those of the database. What was done by then stays done, and the rest is found the next time.
pub async fn retain(
    database: &Database,
    recording: &Recording,
    now: i64,
) -> Result<(), DatabaseError> {
    let kept = now.div_euclid(DAY) - i64::from(recording.retention_days);
    let mut step = Step::Raised;
    while let Step::Raised = step {
        step = at(database, recording, move |connection, recording| {
            Box::pin(raise(connection, recording, kept))
        })
        .await?;
        while remove(database, recording).await? {}
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Raised,
    Done,
}

type Work<'c, T> = futures_util::future::BoxFuture<'c, Result<T, DatabaseError>>;

/// One transaction that has the row of the counter.
async fn at<T, W>(database: &Database, recording: &Recording, work: W) -> Result<T, DatabaseError>
where
    T: Send + 'static,
    W: for<'a> FnOnce(&'a mut Connection<'_>, Recording) -> Work<'a, T> + Send + 'static,
{
    let of = recording.clone();
    let done = database.write("record_retention", move |connection| {
        Box::pin(async move {
            connection.within(of.company()).await?;
            let held = settings::hold(connection, &of.counter, of.began, of.through_at).await?;
            work(connection, held.unwrap_or(of)).await
        })
    });
    done.await
}

/// Raises `base` over the oldest day that is left, if it is too old. Its sums go with it.
async fn raise(
    connection: &mut Connection<'_>,
    recording: Recording,
    kept: i64,
) -> Result<Step, DatabaseError> {
    let (company, id) = (recording.company(), recording.id);
    let oldest: Option<i64> = on_either!(&mut *connection, |database| {
        let oldest = sqlx::query_scalar(of_company(OLDEST))
            .bind(company)
            .bind(id);
        let oldest = oldest.bind(recording.base as i64);
        oldest.fetch_optional(&mut **database).await
    })?;
    let Some(day) = oldest
        .map(|at| at.div_euclid(DAY))
        .filter(|day| *day < kept)
    else {
        return Ok(Step::Done);
    };
    days::remove(connection, &recording, i64::MIN, day + 1).await?;
    if let Connection::Postgres(database) = connection {
        let repeated = sqlx::query(of_company(REPEATED)).bind(company).bind(id);
        let repeated = repeated.bind((day + 1) * DAY);
        repeated.execute(&mut **database).await?;
    }
    let minutes = [(day + 1) * DAY_MINUTES];
    let base = numbers::before(connection, &recording, &minutes).await?[0];
    let raised = on_either!(&mut *connection, |database| {
        let raise = sqlx::query(of_company(RAISE)).bind(company).bind(id);
        let raised = raise.bind(base as i64).execute(&mut **database).await;
        raised.map(|done| done.rows_affected())
    })?;
    Ok(match raised {
        1 => Step::Raised,
        _ => Step::Done,
    })
}

/// Removes some of what is up to `base`; whether there may be more.
async fn remove(database: &Database, recording: &Recording) -> Result<bool, DatabaseError> {
    let (rows, visitors) = at(database, recording, |connection, recording| {
        Box::pin(async move { Ok(remove_some(connection, &recording).await?) })
    })
    .await?;
    if !visitors.is_empty() {
        let company = recording.company();
        let removed = database.write("record_visitors", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                Ok(remove_visitors(connection, company, visitors).await?)
            })
        });
        removed.await?;
    }
    Ok(rows)
}

/// Whether there may be more, and whose visits were removed.
async fn remove_some(
    connection: &mut Connection<'_>,
    recording: &Recording,
) -> Result<(bool, Vec<i64>), Error> {
    let (company, id) = (recording.company(), recording.id);
    let base = recording.base as i64;
    let runs = on_either!(&mut *connection, |database| {
        let runs = sqlx::query(of_company(RUNS)).bind(company).bind(id);
        let runs = runs.bind(base).bind(MOST).execute(&mut **database).await;
        runs.map(|done| done.rows_affected())
    })?;
    let rows: Vec<Row> = on_either!(&mut *connection, |database| {
        let rows = sqlx::query_as(of_company(VISITS)).bind(company).bind(id);
        rows.bind(base).bind(MOST).fetch_all(&mut **database).await
    })?;
    let is_more = runs == MOST.unsigned_abs() || rows.len() as i64 == MOST;
    let Some((last, ..)) = rows.last() else {
        return Ok((is_more, Vec::new()));
    };
    let (mut uses, mut visitors) = (HashMap::new(), BTreeSet::new());
    for (_, visitor, path, referrer, campaign, country) in &rows {
        visitors.extend(visitor);
        for text in [path, referrer, campaign, country].into_iter().flatten() {
            *uses.entry(*text).or_insert(0_i64) += 1;
        }
    }
    on_either!(&mut *connection, |database| {
        let remove = sqlx::query(of_company(REMOVE)).bind(company).bind(id);
        remove.bind(last).execute(&mut **database).await?;
        for (text, uses) in uses {
            let unuse = sqlx::query(of_company(UNUSE)).bind(company).bind(id);
            unuse.bind(text).bind(uses).execute(&mut **database).await?;
            let unused = sqlx::query(of_company(UNUSED)).bind(company).bind(id);
            unused.bind(text).execute(&mut **database).await?;
        }
    });
    Ok((is_more, visitors.into_iter().collect()))
}

/// Removes those of whom no visit is left.
async fn remove_visitors(
    connection: &mut Connection<'_>,
    company: uuid::Uuid,
    visitors: Vec<i64>,
) -> Result<(), Error> {
    on_either!(&mut *connection, |database| {
        sqlx::query(of_company(ALONE))
            .bind(company)
            .execute(&mut **database)
            .await
    }
    .map(drop))?;
    match connection {
        Connection::Postgres(database) => {
            let text = of_company(format!("{VISITORS}(SELECT unnest($2))"));
            let remove = sqlx::query(text).bind(company).bind(visitors);
            remove.execute(&mut **database).await.map(drop)
        }
        Connection::Sqlite(database) => {
            let text = of_company(format!("{VISITORS}(SELECT value FROM json_each($2))"));
            let remove = sqlx::query(text).bind(company).bind(Json(visitors));
            remove.execute(&mut **database).await.map(drop)
        }
    }
}

/// Removes the identities of visits that no store of counts remembers any more.
///
/// # Errors
///
/// Those of the database.
pub async fn forget_identities(database: &Database, now: i64) -> Result<(), DatabaseError> {
    for kind in ["request", "key"] {
        loop {
            let removed = database.write("record_identities", move |connection| {
                Box::pin(async move {
                    connection.across_companies().await?;
                    Ok(on_either!(connection, |database| {
                        let remove = sqlx::query(IDENTITIES).bind(kind);
                        let remove = remove.bind(now - IDENTITIES_KEPT).bind(MOST);
                        let removed = remove.execute(&mut **database).await;
                        removed.map(|done| done.rows_affected())
                    })?)
                })
            });
            if removed.await? < MOST.unsigned_abs() {
                break;
            }
        }
    }
    Ok(())
}
