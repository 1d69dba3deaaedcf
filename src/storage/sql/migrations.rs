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
];

/// All steps, in their order.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let migrations = FILES.iter().map(|&(version, description, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
});

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What is recorded in a database is a version, a description and a checksum: those of the file.
    #[tokio::test]
    async fn every_file_is_listed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files = Migrator::new(directory.as_path()).await.unwrap();
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
        assert_eq!(described(&MIGRATIONS), described(&files));
    }
}
