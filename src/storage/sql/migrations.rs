//! The schema of the embedded database, step by step.
//!
//! Listed by hand: the macro that reads the directory builds a second SQLite for itself, which
//! makes every build a good deal longer.

use std::sync::LazyLock;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Version, description and text of each file of `migrations/`.
const FILES: &[(i64, &str, &str)] = &[
    (
        1,
        "counters",
        include_str!("../../../migrations/0001_counters.sql"),
    ),
    (
        2,
        "counter total",
        include_str!("../../../migrations/0002_counter_total.sql"),
    ),
    (
        3,
        "company counters",
        include_str!("../../../migrations/0003_company_counters.sql"),
    ),
];

/// Where the steps of the first release are noted: it starts on no file that has others there.
/// A step that it cannot live with notes itself there as well.
pub const FIRST_TABLE: &str = "_sqlx_migrations";

/// Where all later steps are noted.
pub const LATER_TABLE: &str = "footfall_migrations";

/// The last step of the first release.
const LAST_OF_FIRST: i64 = 2;

/// All steps, in their order: those of each table.
pub static MIGRATIONS: LazyLock<[Migrator; 2]> = LazyLock::new(|| {
    let steps = |table, first: bool| {
        let files = FILES.iter();
        let files = files.filter(|(version, ..)| first == (*version <= LAST_OF_FIRST));
        let mut migrator = Migrator::with_migrations(files.map(step).collect());
        migrator.dangerous_set_table_name(table);
        // There may be later ones among the first, see above.
        migrator.set_ignore_missing(first);
        migrator
    };
    [steps(FIRST_TABLE, true), steps(LATER_TABLE, false)]
});

fn step(&(version, description, sql): &(i64, &'static str, &'static str)) -> Migration {
    let (kind, sql) = (MigrationType::Simple, sql.into_sql_str());
    Migration::new(version, description.into(), kind, sql, false)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What is recorded in a database is a version, a description and a checksum: those of the file.
    #[tokio::test]
    async fn every_file_is_listed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files = Migrator::new(directory.as_path()).await.unwrap();
        let described = |migrators: &[Migrator]| -> Vec<_> {
            let migrations = migrators.iter().flat_map(Migrator::iter);
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
        assert_eq!(described(&*MIGRATIONS), described(&[files]));
    }
}
