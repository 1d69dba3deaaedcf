//! The schemas of both databases, step by step.
//!
//! Listed by hand: the macro that reads the directory builds a second SQLite for itself, which
//! makes every build a good deal longer.

use std::sync::LazyLock;

use sqlx::{
    PgConnection, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{Connection, schema};
use crate::storage::Layout;

/// Version, description, and the texts in `migrations/sqlite/` and `migrations/postgres/`.
type Files = (i64, &'static str, &'static str, &'static str);

/// The text of a file for each database.
macro_rules! files {
    ($($version:literal $description:literal $file:literal,)*) => {
        &[$((
            $version,
            $description,
            include_str!(concat!("../../../migrations/sqlite/", $file)),
            include_str!(concat!("../../../migrations/postgres/", $file)),
        ),)*]
    };
}

const FILES: &[Files] = files![
    1 "counters" "0001_counters.sql",
    2 "counter total" "0002_counter_total.sql",
];

/// All steps of a SQLite file, in their order.
pub static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(|(.., sqlite, _)| *sqlite));

/// All steps of a PostgreSQL, in their order.
pub static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(|(.., postgres)| *postgres));

fn migrator(text: fn(&Files) -> &'static str) -> Migrator {
    let migrations = FILES.iter().map(|files| {
        let (version, description, ..) = *files;
        let sql = text(files).into_sql_str();
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

/// Runs the migrations that a PostgreSQL lacks, one process after the other, and says what its
/// layout was before. One that a newer version has brought further lacks none, and is left as it is.
///
/// # Errors
///
/// If one fails, which then has done nothing, or if the schema is one that this version must not
/// touch.
pub async fn run(connection: &mut PgConnection) -> Result<Option<Layout>, MigrateError> {
    let layout = schema::layout(&mut Connection::Postgres(connection)).await?;
    match layout {
        Some(layout) if layout.version > schema::newest() => {
            let usable = layout.admits(schema::newest());
            usable.map_err(|error| MigrateError::Source(error.into()))?;
        }
        _ => POSTGRES.run_direct(None, connection, false).await?,
    }
    Ok(layout)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What is recorded in a database is a version, a description and a checksum: those of the file.
    #[tokio::test]
    async fn every_file_is_listed_and_both_databases_have_the_same() {
        let described = |migrator: &Migrator| -> Vec<_> {
            let migrations = migrator.iter();
            migrations
                .map(|migration| {
                    let description = migration.description.clone();
                    (
                        migration.version,
                        description,
                        migration.checksum.clone(),
                        migration.no_tx,
                    )
                })
                .collect()
        };
        let mut names = Vec::new();
        for (database, listed) in [("sqlite", &*SQLITE), ("postgres", &*POSTGRES)] {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("migrations")
                .join(database);
            let files = Migrator::new(directory.as_path()).await.unwrap();
            assert_eq!(described(listed), described(&files), "{database}");
            let found = std::fs::read_dir(directory).unwrap();
            let mut found: Vec<_> = found.map(|file| file.unwrap().file_name()).collect();
            found.sort();
            names.push(found);
        }
        assert_eq!(names[0], names[1]);
    }
}
