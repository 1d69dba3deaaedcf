//! A schema that is newer, older, missing or spoilt: what is said of it, and that visits are
//! counted.

use super::{away, service, up};
use crate::support::{Redis, postgres::Database};

async fn counts_with(change: &str, reason: Option<&str>, repair: &str) {
    let (redis, database) = (Redis::start(), Database::migrated());
    database.sql(change);
    let footfall = service(&redis, &database.url()).start();
    match reason {
        Some(reason) => away(&footfall, reason).await,
        None => up(&footfall).await,
    }
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), 1);
    // In the running service, too, and it recovers by itself.
    database.sql(repair);
    up(&footfall).await;
    database.sql(change);
    if let Some(reason) = reason {
        away(&footfall, reason).await;
    }
    assert_eq!(client.get("/api/count").await.visits(), 2);
}

const NEWER: &str = "INSERT INTO _sqlx_migrations
    (version, description, success, checksum, execution_time) VALUES (9999, 'new', true, '', 0);";
const NOT_NEWER: &str = "DELETE FROM _sqlx_migrations WHERE version = 9999;";

#[tokio::test]
async fn a_newer_one_that_can_be_read() {
    counts_with(NEWER, None, NOT_NEWER).await;
}

#[tokio::test]
async fn a_newer_one_that_cannot() {
    counts_with(
        &format!("{NEWER} UPDATE footfall_layout SET readable_from = 9999"),
        Some("layout 9999, readable from layout 9999, and this version of Footfall knows"),
        &format!("{NOT_NEWER} UPDATE footfall_layout SET readable_from = 1"),
    )
    .await;
}

#[tokio::test]
async fn an_older_one() {
    counts_with(
        "CREATE TABLE kept AS SELECT * FROM footfall_migrations; DELETE FROM footfall_migrations",
        Some("its schema is that of migration 2, and this version of Footfall needs migration"),
        "INSERT INTO footfall_migrations SELECT * FROM kept; DROP TABLE kept",
    )
    .await;
}

#[tokio::test]
async fn none() {
    counts_with(
        "ALTER TABLE _sqlx_migrations RENAME TO elsewhere;
         ALTER TABLE footfall_migrations RENAME TO elsewhere_too",
        Some("run `footfall migrate` as its owner"),
        "ALTER TABLE elsewhere RENAME TO _sqlx_migrations;
         ALTER TABLE elsewhere_too RENAME TO footfall_migrations",
    )
    .await;
}

#[tokio::test]
async fn one_that_may_not_be_read() {
    for table in ["_sqlx_migrations", "footfall_migrations", "footfall_layout"] {
        counts_with(
            &format!("REVOKE ALL ON {table} FROM footfall"),
            Some(&format!("permission denied for table {table}")),
            &format!("GRANT SELECT ON {table} TO footfall"),
        )
        .await;
    }
}

#[tokio::test]
async fn one_that_is_spoilt() {
    for (change, reason, repair) in [
        (
            "DELETE FROM footfall_layout",
            "readable_from in footfall_layout: there is none",
            "INSERT INTO footfall_layout (readable_from) VALUES (1)",
        ),
        (
            "ALTER TABLE footfall_layout RENAME TO elsewhere",
            "relation \"footfall_layout\" does not exist",
            "ALTER TABLE elsewhere RENAME TO footfall_layout",
        ),
        (
            "ALTER TABLE footfall_layout DROP CONSTRAINT IF EXISTS footfall_layout_readable_from_check;
             ALTER TABLE footfall_layout ALTER readable_from TYPE text",
            "readable_from in footfall_layout",
            "ALTER TABLE footfall_layout ALTER readable_from TYPE bigint USING readable_from::bigint",
        ),
        (
            "UPDATE _sqlx_migrations SET version = -version",
            "the newest migration in _sqlx_migrations is -1",
            "UPDATE _sqlx_migrations SET version = -version",
        ),
    ] {
        counts_with(change, Some(reason), repair).await;
    }
}
