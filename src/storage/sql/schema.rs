//! What a database says of itself: its schema, its clock.

use sqlx::{AssertSqlSafe, Error, PgConnection, migrate::MigrateError};

use super::{
    Connection,
    migrations::{self, newest},
    on_either,
};
use crate::storage::Layout;

/// The layout of a database: its version is its newest migration, and the oldest it can be read
/// from is where the migrations put it: in SQLite's `user_version`, in PostgreSQL's
/// `footfall_layout`. 0, which is what a file has from the start, says nothing: then it can be
/// read by who knows its newest migration. `None` if no migration was ever run.
///
/// # Errors
///
/// If it cannot be read, or is no layout.
pub async fn layout(connection: &mut Connection<'_>) -> Result<Option<Layout>, Error> {
    let mut newest = None;
    for table in migrations::TABLES {
        newest = newest.max(newest_in(table, connection).await?);
    }
    // Another process may be about to run the first one, or was interrupted before.
    let Some(version) = newest else {
        return Ok(None);
    };
    let (noted, readable_from) = match connection {
        Connection::Postgres(_) => (
            "readable_from in footfall_layout",
            "SELECT readable_from FROM footfall_layout",
        ),
        Connection::Sqlite(_) => ("PRAGMA user_version", "PRAGMA user_version"),
    };
    let readable_from: i64 = on_either!(connection, |database| {
        sqlx::query_scalar(readable_from)
            .fetch_one(&mut **database)
            .await
    })
    .map_err(|error| naming(noted, error))?;
    Ok(Some(Layout {
        version,
        readable_from: match number(noted, readable_from)? {
            0 => version,
            readable_from => readable_from,
        },
    }))
}

/// The newest migration that is noted in a table; `None` if none is.
async fn newest_in(
    table: &'static str,
    connection: &mut Connection<'_>,
) -> Result<Option<u64>, Error> {
    let tables = match connection {
        Connection::Postgres(_) => "SELECT count(to_regclass($1))",
        Connection::Sqlite(_) => "SELECT count(*) FROM sqlite_master WHERE name = $1",
    };
    let tables: i64 = on_either!(connection, |database| {
        let tables = sqlx::query_scalar(tables).bind(table);
        tables.fetch_one(&mut **database).await
    })?;
    if tables == 0 {
        return Ok(None);
    }
    let newest = format!("SELECT max(version) FROM {table}");
    let version: Option<i64> = on_either!(connection, |database| {
        let newest = sqlx::query_scalar(AssertSqlSafe(newest.clone()));
        newest.fetch_one(&mut **database).await
    })
    .map_err(|error| naming(&newest, error))?;
    let what = format!("the newest migration in {table}");
    version.map(|version| number(&what, version)).transpose()
}

fn number(what: &str, number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| {
        let hint = "which is no layout; look who wrote it, and correct it";
        Error::Decode(format!("{what} is {number}, {hint}").into())
    })
}

/// Says what a value that is none was read from.
fn naming(what: &str, error: Error) -> Error {
    match error {
        Error::ColumnDecode { source, .. } => Error::Decode(format!("{what}: {source}").into()),
        Error::RowNotFound => Error::Decode(format!("{what}: there is none").into()),
        error => error,
    }
}

/// The database's clock, as it keeps times: in Unix milliseconds.
///
/// # Errors
///
/// If it does not answer.
pub async fn now(connection: &mut Connection<'_>) -> Result<i64, Error> {
    let now = match connection {
        Connection::Postgres(_) => "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
        Connection::Sqlite(_) => "SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
    };
    on_either!(connection, |database| {
        sqlx::query_scalar(now).fetch_one(&mut **database).await
    })
}

/// Whether a process of this version can work with a schema of this layout.
///
/// # Errors
///
/// A sentence for people, with what to do.
pub fn judge(layout: Option<Layout>) -> Result<Layout, String> {
    let Some(layout) = layout else {
        return Err(
            "it has no schema of Footfall that this user can see; run `footfall migrate` as its owner"
                .into(),
        );
    };
    if layout.version < newest() {
        return Err(format!(
            "its schema is that of migration {}, and this version of Footfall needs migration {}; run `footfall migrate` as its owner",
            layout.version,
            newest()
        ));
    }
    layout.admits(newest()).map(|()| layout)
}

/// Runs the migrations that a PostgreSQL lacks, one process after the other, and says what its
/// layout was before. One that a newer version has brought further lacks none, and is left as it is.
///
/// # Errors
///
/// If one fails, which then has done nothing, or if the schema is one that this version must not
/// touch.
pub async fn migrate(connection: &mut PgConnection) -> Result<Option<Layout>, MigrateError> {
    let found = layout(&mut Connection::Postgres(connection)).await?;
    match found {
        Some(layout) if layout.version > newest() => {
            let usable = layout.admits(newest());
            usable.map_err(|error| MigrateError::Source(error.into()))?;
        }
        _ => {
            for steps in migrations::POSTGRES.iter() {
                steps.run_direct(None, connection, false).await?;
            }
        }
    }
    Ok(found)
}
