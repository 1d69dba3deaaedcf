//! What is to be recorded of a counter, as its admins want it.

use sqlx::Error;

use super::recordings::{self, Recording};
use crate::{
    counting::{Company, CounterId, CounterName, carried::VisitorMode},
    record::{Entry, Reason, append},
    storage::sql::{Connection, DatabaseError, of_company, on_either, schema},
};

/// What may be changed of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether visits are recorded.
    pub recorded: bool,
    /// For how many days.
    pub retention_days: u16,
    /// How visitors are stored.
    pub visitor: VisitorMode,
}

impl From<&Recording> for Settings {
    fn from(recording: &Recording) -> Self {
        Self {
            recorded: recording.recorded,
            retention_days: recording.retention_days,
            visitor: recording.visitor,
        }
    }
}

const SET: &str =
    "UPDATE recordings SET recorded = $3, retention_days = $4, visitor = $5, version = version + 1
     WHERE company_id = $1 AND id = $2";

const TOLD: &str =
    "UPDATE recordings SET told = $3 WHERE company_id = $1 AND id = $2 AND told < $3";

const UNTOLD: &str =
    "SELECT company_id, counter FROM recordings WHERE told < version ORDER BY id LIMIT $1";

const HOLD: &str = "UPDATE recordings SET told = told WHERE company_id = $1 AND counter = $2";

const NUMBER: &str = "SELECT count(*) FROM recordings WHERE company_id = $1";

/// In SQLite, whose writer is alone: how far the counter is.
const COUNT: [&str; 2] = [
    "SELECT visits FROM counters WHERE name = $2 AND $1 IS NOT NULL",
    "SELECT visits FROM company_counters WHERE company = $1 AND name = $2",
];

/// Locks the row of a counter until the transaction ends, once whoever has it lets it go. One that was
/// never recorded gets a row first: before, so many visits were counted. `None` if its company is not
/// there.
///
/// # Errors
///
/// Those of the database.
pub async fn hold(
    connection: &mut Connection<'_>,
    counter: &CounterId,
    began: u64,
    at: i64,
) -> Result<Option<Recording>, Error> {
    // Somebody else may have it, and then it is there.
    recordings::take(connection, counter, began, at).await?;
    on_either!(connection, |database| {
        sqlx::query(of_company(HOLD))
            .bind(counter.company.id())
            .bind(counter.name.as_str())
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    recordings::find(connection, counter).await
}

/// Changes what is recorded from the next visit on, which raises the version. The row must be
/// [held](hold).
///
/// # Errors
///
/// Those of the database.
pub async fn set(
    connection: &mut Connection<'_>,
    recording: &mut Recording,
    settings: Settings,
) -> Result<(), DatabaseError> {
    if let Connection::Sqlite(_) = connection
        && settings.recorded
        && !recording.recorded
    {
        close_gap(connection, recording).await?;
    }
    on_either!(connection, |database| {
        sqlx::query(of_company(SET))
            .bind(recording.company())
            .bind(recording.id)
            .bind(settings.recorded)
            .bind(i32::from(settings.retention_days))
            .bind(recordings::visitor_text(settings.visitor))
            .execute(&mut **database)
            .await
            .map(drop)
    })?;
    recording.recorded = settings.recorded;
    recording.retention_days = settings.retention_days;
    recording.visitor = settings.visitor;
    recording.version += 1;
    Ok(())
}

/// What was counted while recording was off is said to be so, as Redis says it by itself.
async fn close_gap(
    connection: &mut Connection<'_>,
    recording: &mut Recording,
) -> Result<(), DatabaseError> {
    let counter = recording.counter.clone();
    let entry: Entry = Entry {
        last: counted(connection, &counter).await?,
        at: schema::now(connection).await?,
        before: recording.through,
        reason: Some(Reason::Off),
        ..Entry::default()
    };
    append(connection, recording, &[entry]).await.map(drop)
}

/// How far a counter is that is counted in this SQLite file.
///
/// # Errors
///
/// Those of the database.
pub async fn counted(connection: &mut Connection<'_>, counter: &CounterId) -> Result<u64, Error> {
    let (text, company) = match counter.company {
        Company::Default => (COUNT[0], counter.company.id()),
        Company::Id(id) => (COUNT[1], id),
    };
    let visits: Option<i64> = on_either!(connection, |database| {
        sqlx::query_scalar(text)
            .bind(company)
            .bind(counter.name.as_str())
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(visits.unwrap_or(0).unsigned_abs())
}

/// How many counters of its company have a row.
///
/// # Errors
///
/// Those of the database.
pub async fn number(connection: &mut Connection<'_>, company: Company) -> Result<u64, Error> {
    let number: i64 = on_either!(connection, |database| {
        sqlx::query_scalar(of_company(NUMBER))
            .bind(company.id())
            .fetch_one(&mut **database)
            .await
    })?;
    Ok(number.unsigned_abs())
}

/// Notes that the store of counts knows what this version says.
///
/// # Errors
///
/// Those of the database.
pub async fn told(connection: &mut Connection<'_>, recording: &Recording) -> Result<(), Error> {
    on_either!(connection, |database| {
        sqlx::query(of_company(TOLD))
            .bind(recording.company())
            .bind(recording.id)
            .bind(recording.version)
            .execute(&mut **database)
            .await
            .map(drop)
    })
}

/// Counters, of all companies, of which the store of counts was not told everything.
///
/// # Errors
///
/// Those of the database.
pub async fn untold(
    connection: &mut Connection<'_>,
    most: i64,
) -> Result<Vec<Recording>, DatabaseError> {
    let counters: Vec<(uuid::Uuid, String)> = on_either!(connection, |database| {
        sqlx::query_as(UNTOLD)
            .bind(most)
            .fetch_all(&mut **database)
            .await
    })?;
    let mut untold = Vec::new();
    for (company, name) in counters {
        let Ok(name) = name.parse::<CounterName>() else {
            continue;
        };
        let company = Company::from(company);
        untold.extend(recordings::find(connection, &CounterId { company, name }).await?);
    }
    Ok(untold)
}
