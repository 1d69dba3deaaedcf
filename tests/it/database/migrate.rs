//! `footfall migrate` and `footfall doctor`, as the owner of the schema and as the service.

use std::process::{Command, Output};

use crate::support::{
    Redis,
    footfall::footfall_command,
    postgres::{Database, Postgres},
    process::{Process, free_port, run},
};

pub fn command(redis: &Redis, url: &str, arguments: &[&str]) -> Command {
    let mut command = footfall_command();
    command
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", url)
        .args(arguments);
    command
}

fn text(output: &Output) -> String {
    let both = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8(both).unwrap()
}

fn noted(redis: &Redis) -> bool {
    redis.command("EXISTS footfall:layout").starts_with(":1")
}

#[test]
fn as_the_owner_and_again() {
    let (redis, database) = (Redis::start(), Database::empty());
    let migrate = || {
        let ran = run(&mut command(&redis, &database.owner_url(), &["migrate"]));
        assert!(ran.status.success(), "{}", text(&ran));
        text(&ran)
    };
    let said = migrate();
    assert!(said.contains("the redis store is ready"), "{said}");
    assert!(said.contains("is ready: migrations 1 to "), "{said}");
    let rows = "SELECT count(*), max(version) FROM _sqlx_migrations";
    let before = database.sql(rows);
    let said = migrate();
    assert!(
        said.contains("is ready: it had every migration up to"),
        "{said}"
    );
    assert_eq!(database.sql(rows), before);
    assert!(noted(&redis));
}

#[test]
fn many_at_once() {
    let (redis, database) = (Redis::start(), Database::empty());
    let running: Vec<_> = (0..6)
        .map(|_| Process::spawn(&mut command(&redis, &database.owner_url(), &["migrate"])))
        .collect();
    for mut process in running {
        assert!(process.wait().success());
    }
    let every = "SELECT count(*) = max(version) FROM _sqlx_migrations WHERE success";
    assert_eq!(database.sql(every), "t");
    assert_eq!(database.sql("SELECT count(*) FROM footfall_layout"), "1");
}

#[test]
fn after_one_that_was_interrupted_before_its_first_step() {
    let (redis, database) = (Redis::start(), Database::empty());
    // All that such a one leaves behind.
    database.sql(
        "SET ROLE footfall_owner;
         CREATE TABLE _sqlx_migrations (
             version BIGINT PRIMARY KEY, description TEXT NOT NULL,
             installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL,
             checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)",
    );
    let ran = run(&mut command(&redis, &database.owner_url(), &["migrate"]));
    assert!(ran.status.success(), "{}", text(&ran));
}

#[test]
fn as_the_service_it_is_refused_and_the_store_is_prepared() {
    let (redis, database) = (Redis::start(), Database::empty());
    let ran = run(&mut command(&redis, &database.url(), &["migrate"]));
    let said = text(&ran);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("the redis store is ready"), "{said}");
    assert!(
        said.contains("permission denied for schema public"),
        "{said}"
    );
    assert!(
        said.contains("user footfall may not change the schema"),
        "{said}"
    );
    assert!(noted(&redis));
}

#[test]
fn a_newer_schema_is_left_alone() {
    let (redis, database) = (Redis::start(), Database::migrated());
    database.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'new', true, '', 0)",
    );
    let ran = run(&mut command(&redis, &database.owner_url(), &["migrate"]));
    assert!(ran.status.success(), "{}", text(&ran));
    assert!(text(&ran).contains("of a newer version of Footfall, and this one can use it"));
    database.sql("UPDATE footfall_layout SET readable_from = 9999");
    let ran = run(&mut command(&redis, &database.owner_url(), &["migrate"]));
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran));
    assert!(text(&ran).contains("upgrade"), "{}", text(&ran));
}

#[test]
fn a_changed_migration_is_an_error() {
    let (redis, database) = (Redis::start(), Database::migrated());
    database.sql("UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 1");
    let ran = run(&mut command(&redis, &database.owner_url(), &["migrate"]));
    assert_eq!(ran.status.code(), Some(1), "{}", text(&ran));
    assert!(text(&ran).contains("migration 1"), "{}", text(&ran));
}

#[test]
fn a_server_that_is_away_is_said_after_the_rest_and_waited_for() {
    let redis = Redis::start();
    let url = format!("postgres://me:secret@127.0.0.1:{}/db", free_port());
    for arguments in [&["migrate"][..], &["migrate", "--wait", "1s"]] {
        let ran = run(&mut command(&redis, &url, arguments));
        let said = text(&ran);
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains("the redis store is ready"), "{said}");
        assert!(
            said.contains("is not migrated: nothing listens at"),
            "{said}"
        );
        assert!(noted(&redis));
    }
    let mut postgres = Postgres::start();
    let url = postgres.owner_url("empty");
    postgres.stop();
    let mut migrate = Process::spawn(&mut command(&redis, &url, &["migrate", "--wait", "60s"]));
    postgres.restart();
    assert!(migrate.wait().success());
}

#[test]
fn doctor_as_the_service() {
    let (redis, database) = (Redis::start(), Database::migrated());
    let doctor = |url: &str| {
        let said = text(&run(&mut command(&redis, url, &["doctor"])));
        assert!(!said.contains("pa:ss") && !said.contains("pa%3A"), "{said}");
        said
    };
    let says = |url: &str, expected: &[&str]| {
        let said = doctor(url);
        for expected in expected {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    };
    says(
        &database.url(),
        &[
            "ok    PostgreSQL 1",
            "ok    its schema has layout",
            "ok    the database's clock agrees",
            "the connection stays on this machine",
            "ok    its user footfall may not do more than it needs",
        ],
    );
    let superuser = database
        .url()
        .replace("footfall:pa%3Ass%40of%2Fthe%20service", "postgres");
    says(&superuser, &["warn  its user postgres is a superuser"]);
    says(
        &database.owner_url(),
        &["warn  its user footfall_owner may change the schema"],
    );
    let nobody = database.url().replace(&database.name, "nowhere");
    says(
        &nobody,
        &[
            "FAIL  the database cannot be used",
            "create it (CREATE DATABASE)",
        ],
    );
    for table in ["_sqlx_migrations", "footfall_migrations", "footfall_layout"] {
        database.sql(&format!("REVOKE ALL ON {table} FROM footfall"));
        says(
            &database.url(),
            &[
                &format!("FAIL  this user may not read {table}"),
                &format!("GRANT SELECT ON {table} TO \"footfall\""),
            ],
        );
        database.sql(&format!("GRANT SELECT ON {table} TO footfall"));
    }
    says(
        &Database::empty().url(),
        &[
            "FAIL  the database cannot be used",
            "run `footfall migrate`",
        ],
    );
    database.sql(&format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        database.name
    ));
    says(&database.url(), &["FAIL  127.0.0.1:", "takes no writes"]);
}
