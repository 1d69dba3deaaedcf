//! The roles of `config/postgres/initdb.d`, made in a real PostgreSQL by a superuser, and by the
//! administrator of a managed one, who is none.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::support::{
    eventually,
    footfall::footfall_command,
    postgres::{Postgres, give_away},
};

/// Each with its file in a folder, and a password that would break what is not quoted.
const PASSWORDS: [(&str, &str, &str); 3] = [
    (
        "footfall_owner",
        "database_owner_password",
        r#"o'w"n\er $(x) %s"#,
    ),
    ("footfall", "database_password", "p'a/s+s=:@"),
    (
        "footfall_monitor",
        "database_monitor_password",
        "mon;itor--",
    ),
];

/// A server on which nobody has made anything yet.
fn fresh() -> Postgres {
    let server = Postgres::start();
    for database in ["migrated", "empty"] {
        server.sql("postgres", &format!("DROP DATABASE {database}"));
    }
    server.sql("postgres", "DROP ROLE footfall; DROP ROLE footfall_owner");
    server
}

/// Runs the commands of docs/postgres.md for an external PostgreSQL, in a folder like a checkout.
fn make_roles(checkout: &Path, administrator: &str) -> Output {
    let docs = fs::read_to_string("docs/postgres.md").unwrap();
    let (_, rest) = docs.split_once("<!-- external -->\n```sh\n").unwrap();
    let (commands, _) = rest.split_once("```").unwrap();
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .env("ADMINISTRATOR", administrator)
        .current_dir(checkout)
        .output()
        .unwrap()
}

fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-r", "--parents", "config/postgres"])
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    for (_, file, password) in PASSWORDS {
        let path = folder.path().join("config/postgres/secrets").join(file);
        let _ = fs::remove_file(&path);
        fs::write(path, password).unwrap();
    }
    folder
}

/// What a role gets, by TCP and with its password.
fn as_role(server: &Postgres, role: &str, statement: &str) -> String {
    let (_, _, password) = PASSWORDS.iter().find(|(name, ..)| *name == role).unwrap();
    let port = server.port.to_string();
    let output = Command::new("psql")
        .args(["-h", "127.0.0.1", "-p", &port, "-U", role, "-d", "footfall"])
        .args(["-XAtqwc", statement])
        .env("PGPASSWORD", password)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said).unwrap().trim().to_owned()
}

/// By the binary, as the service `init-database` does it.
fn migrate(server: &Postgres, checkout: &Path) -> Output {
    let file = checkout.join("config/postgres/secrets/database_owner_password");
    footfall_command()
        .env("REDIS_URL", "redis://127.0.0.1:1")
        .env("FOOTFALL_DATABASE_PASSWORD_FILE", file)
        .env(
            "DATABASE_URL",
            format!(
                "postgres://footfall_owner@127.0.0.1:{}/footfall",
                server.port
            ),
        )
        .arg("migrate")
        .output()
        .unwrap()
}

#[track_caller]
fn assert_may(server: &Postgres, checkout: &Path) {
    let said = migrate(server, checkout);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("the database footfall at"), "{said}");
    for (role, statement, answer) in [
        (
            "footfall_owner",
            "SET client_min_messages = error; DROP TABLE IF EXISTS t; CREATE TABLE t (i bigserial)",
            "",
        ),
        ("footfall", "INSERT INTO t DEFAULT VALUES", ""),
        ("footfall", "UPDATE t SET i = 7", ""),
        ("footfall", "SELECT i FROM t", "7"),
        ("footfall", "DELETE FROM t", ""),
        ("footfall", "SHOW statement_timeout", "5s"),
        (
            "footfall",
            "SHOW idle_in_transaction_session_timeout",
            "10s",
        ),
        (
            "footfall",
            "TRUNCATE t",
            "ERROR:  permission denied for table t",
        ),
        (
            "footfall",
            "ALTER TABLE t ADD j int",
            "ERROR:  must be owner of table t",
        ),
        (
            "footfall",
            "DROP TABLE t",
            "ERROR:  must be owner of table t",
        ),
        (
            "footfall",
            "CREATE TABLE u ()",
            "ERROR:  permission denied for schema public",
        ),
        (
            "footfall",
            "CREATE SCHEMA u",
            "ERROR:  permission denied for database footfall",
        ),
        (
            "footfall",
            "CREATE TEMP TABLE u ()",
            "ERROR:  permission denied to create temporary",
        ),
        (
            "footfall",
            "SET ROLE footfall_owner",
            "ERROR:  permission denied to set role",
        ),
        (
            "footfall_monitor",
            "SELECT * FROM t",
            "ERROR:  permission denied for table t",
        ),
        (
            "footfall_monitor",
            "SELECT count(*) > 0 FROM pg_stat_activity",
            "t",
        ),
    ] {
        let said = as_role(server, role, statement);
        assert!(said.starts_with(answer), "{role}: {statement}: {said}");
        assert_eq!(said.is_empty(), answer.is_empty(), "{statement}: {said}");
    }
}

#[test]
fn a_superuser_makes_the_roles_and_changes_passwords() {
    let (server, checkout) = (fresh(), checkout());
    server.sql("postgres", "CREATE ROLE somebody LOGIN");
    let socket = server.socket_folder().display();
    let superuser = format!(
        "host={socket} port={} user=postgres dbname=postgres",
        server.port
    );
    for _ in 0..2 {
        let output = make_roles(checkout.path(), &superuser);
        assert!(output.status.success(), "{output:?}");
        assert!(
            output.stdout.is_empty() && output.stderr.is_empty(),
            "{output:?}"
        );
        assert_may(&server, checkout.path());
    }
    let ways = "SELECT DISTINCT left(rolpassword, 13) FROM pg_authid WHERE rolpassword IS NOT NULL";
    assert_eq!(server.sql("postgres", ways), "SCRAM-SHA-256");
    let stranger = "SELECT has_database_privilege('somebody', 'footfall', 'CONNECT')";
    assert_eq!(server.sql("postgres", stranger), "f");
    let limits = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'footfall'";
    assert_eq!(server.sql("postgres", limits), "180");

    let changed = checkout
        .path()
        .join("config/postgres/secrets/database_password");
    fs::write(changed, "another").unwrap();
    assert!(make_roles(checkout.path(), &superuser).status.success());
    let said = as_role(&server, "footfall", "SELECT 1");
    assert!(said.contains("password authentication failed"), "{said}");
}

#[test]
fn an_administrator_who_is_no_superuser_makes_them_too() {
    let (server, checkout) = (fresh(), checkout());
    server.sql(
        "postgres",
        "CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'secret';
         GRANT pg_monitor TO admin WITH ADMIN OPTION",
    );
    let port = server.port;
    let administrator =
        format!("host=127.0.0.1 port={port} user=admin password=secret dbname=postgres");
    for _ in 0..2 {
        let output = make_roles(checkout.path(), &administrator);
        assert!(output.status.success(), "{output:?}");
        assert_may(&server, checkout.path());
    }
}

/// With everything logged that can be.
#[test]
fn no_password_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    give_away(folder.path());
    let to = format!("log_directory={}", folder.path().display());
    let server = Postgres::with(&[
        "logging_collector=on",
        "log_filename=all.log",
        "log_statement=all",
        "log_min_duration_statement=0",
        &to,
    ]);
    let checkout = checkout();
    let socket = server.socket_folder().display();
    let superuser = format!(
        "host={socket} port={} user=postgres dbname=postgres",
        server.port
    );
    assert!(make_roles(checkout.path(), &superuser).status.success());
    server.sql("footfall", "SELECT 'the end'");
    // The log is written by a process of its own, in the order of what happened.
    let log = eventually("the end is logged", || {
        let log = fs::read_to_string(folder.path().join("all.log")).unwrap();
        log.contains("the end").then_some(log)
    });
    assert!(!log.contains("ALTER ROLE footfall PASSWORD"), "{log}");
    for (.., password) in PASSWORDS {
        assert!(!log.contains(&password.replace('\'', "''")), "{log}");
    }
}

#[test]
fn without_every_password_nothing_is_made() {
    let (server, checkout) = (fresh(), checkout());
    let socket = server.socket_folder().display();
    let superuser = format!(
        "host={socket} port={} user=postgres dbname=postgres",
        server.port
    );
    for (_, file, password) in PASSWORDS {
        let path = checkout.path().join("config/postgres/secrets").join(file);
        for missing in [true, false] {
            fs::write(&path, "").unwrap();
            if missing {
                fs::remove_file(&path).unwrap();
            }
            let output = make_roles(checkout.path(), &superuser);
            assert!(!output.status.success(), "{output:?}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let why = "a password is empty, or its file cannot be read";
            assert!(said.contains(why), "{said}");
        }
        fs::write(&path, password).unwrap();
    }
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'footfall%'";
    assert_eq!(server.sql("postgres", roles), "0");
}

/// The stack's own settings are understood, by every version: one that is not would keep the
/// server from starting.
#[test]
fn the_settings_of_the_stack_are_understood() {
    let file = fs::canonicalize("config/postgres/postgresql.conf").unwrap();
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(file, copy.path()).unwrap();
    give_away(copy.path());
    let server = Postgres::with(&[&format!("config_file={}", copy.path().display())]);
    // But for what the helper says otherwise.
    let wrong = "SELECT name, setting, error FROM pg_file_settings
        WHERE error IS NOT NULL AND name NOT IN ('listen_addresses', 'shared_buffers')";
    assert_eq!(server.sql("postgres", wrong), "");
    for (setting, value) in [
        ("max_connections", "200"),
        ("synchronous_commit", "on"),
        ("password_encryption", "scram-sha-256"),
        ("log_parameter_max_length", "0"),
    ] {
        assert_eq!(server.sql("postgres", &format!("SHOW {setting}")), value);
    }
    let said = server.sql(
        "postgres",
        "SELECT (SELECT setting::int FROM pg_settings WHERE name = 'max_connections') > 180",
    );
    assert_eq!(said, "t", "the role's limit leaves room for others");
}
