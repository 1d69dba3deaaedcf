//! The schemas of both databases, step by step, under the same names.
//!
//! Listed by hand: the macro that reads the directories builds a second SQLite for itself, which
//! makes every build a good deal longer.

use std::sync::LazyLock;

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

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
    3 "company counters" "0003_company_counters.sql",
    4 "accounts" "0004_accounts.sql",
    5 "revocations" "0005_revocations.sql",
    6 "mail" "0006_mail.sql",
    7 "audit" "0007_audit.sql",
    8 "audit index and invitations" "0008_audit_index_and_invitations.sql",
    9 "record" "0009_record.sql",
    10 "collect" "0010_collect.sql",
    11 "drain" "0011_drain.sql",
    12 "reading" "0012_reading.sql",
    13 "audiences" "0013_audiences.sql",
    14 "slices" "0014_slices.sql",
    15 "record indexes" "0015_record_indexes.sql",
    16 "company once" "0016_company_once.sql",
    17 "property days" "0017_property_days.sql",
    18 "time zones" "0018_time_zones.sql",
];

/// Where the steps of the first release are noted: it starts on no file that has others there.
/// A step that it cannot live with notes itself there as well.
const FIRST_TABLE: &str = "_sqlx_migrations";

/// Where all later steps are noted.
const LATER_TABLE: &str = "footfall_migrations";

/// The tables in which steps are noted.
pub const TABLES: [&str; 2] = [FIRST_TABLE, LATER_TABLE];

/// The last step of the first release.
const LAST_OF_FIRST: i64 = 2;

/// The steps of a database, in their order: those of each table.
type Steps = LazyLock<[Migrator; 2]>;

/// All steps of a SQLite file.
pub static SQLITE: Steps = LazyLock::new(|| steps(|(.., sqlite, _)| *sqlite));

/// All steps of a PostgreSQL.
pub static POSTGRES: Steps = LazyLock::new(|| steps(|(.., postgres)| *postgres));

fn steps(text: fn(&Files) -> &'static str) -> [Migrator; 2] {
    let step = |files: &Files| {
        let (version, description, ..) = *files;
        let (kind, sql) = (MigrationType::Simple, text(files).into_sql_str());
        Migration::new(version, description.into(), kind, sql, false)
    };
    let of_table = |table, first: bool| {
        let files = FILES.iter();
        let files = files.filter(|(version, ..)| first == (*version <= LAST_OF_FIRST));
        let mut migrator = Migrator::with_migrations(files.map(step).collect());
        migrator.dangerous_set_table_name(table);
        // There may be later ones among the first, see above.
        migrator.set_ignore_missing(first);
        migrator
    };
    [of_table(FIRST_TABLE, true), of_table(LATER_TABLE, false)]
}

/// The version of the newest step.
pub fn newest() -> u64 {
    let versions = FILES.iter().map(|(version, ..)| *version);
    versions.max().unwrap_or(0).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What is recorded in a database is a version, a description and a checksum: those of the file.
    #[tokio::test]
    async fn every_file_is_listed_and_both_databases_have_the_same() {
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
        let mut names = Vec::new();
        for (database, listed) in [("sqlite", &*SQLITE), ("postgres", &*POSTGRES)] {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("migrations")
                .join(database);
            let files = Migrator::new(directory.as_path()).await.unwrap();
            assert_eq!(described(listed), described(&[files]), "{database}");
            let found = std::fs::read_dir(directory).unwrap();
            let mut found: Vec<_> = found.map(|file| file.unwrap().file_name()).collect();
            found.sort();
            names.push(found);
        }
        assert_eq!(names[0], names[1]);
    }
}
