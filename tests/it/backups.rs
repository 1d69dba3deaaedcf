//! The backup and the restore of docs/postgres.md, as somebody who pastes them into a shell has them:
//! it goes on after a command that fails. `docker` runs what it is told to on this machine.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use crate::support::postgres::Postgres;

/// `docker exec`; `$CUT` bytes of a dump come through, and the command ends as `$ENDS` says.
const DOCKER: &str = r#"#!/bin/bash
[ "$1" != ps ] || { echo postgres; exit; }
shift
[ "$1" != -i ] || shift
shift
case "$1" in
    pg_dump) [ -z "${CUT-}" ] || { "$@" | head -c "$CUT"; exit "$ENDS"; } ;;
esac
exec "${@/\/docker-entrypoint-initdb.d/$ROOT/config/postgres/initdb.d}"
"#;

struct Operator {
    server: Postgres,
    folder: tempfile::TempDir,
}

impl Operator {
    /// With a database that has more than fits into the head of a dump.
    fn new() -> Self {
        let (server, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
        let docker = folder.path().join("docker");
        fs::write(&docker, DOCKER).unwrap();
        fs::set_permissions(docker, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("password"), "secret").unwrap();
        server.sql("postgres", "CREATE DATABASE footfall OWNER footfall_owner");
        server.sql(
            "footfall",
            "SET ROLE footfall_owner;
             CREATE TABLE kept AS SELECT md5(i::text) AS name FROM generate_series(1, 10000) i",
        );
        Self { server, folder }
    }

    fn pastes(&self, mark: &str, cut: &str, ends: &str) -> Output {
        let docs = fs::read_to_string("docs/postgres.md").unwrap();
        let (_, rest) = docs
            .split_once(&format!("<!-- {mark} -->\n```sh\n"))
            .unwrap();
        let (commands, _) = rest.split_once("```").unwrap();
        let here = self.folder.path();
        let path = std::env::var("PATH").unwrap();
        Command::new("bash")
            .args(["-c", commands])
            .current_dir(here)
            .env("PATH", format!("{}:{path}", here.display()))
            .env("ROOT", env!("CARGO_MANIFEST_DIR"))
            .env("PGHOST", self.server.socket_folder())
            .env("PGPORT", self.server.port.to_string())
            .envs(
                [
                    "OWNER_PASSWORD_FILE",
                    "PASSWORD_FILE",
                    "MONITOR_PASSWORD_FILE",
                ]
                .map(|name| (name, here.join("password"))),
            )
            .env("CUT", cut)
            .env("ENDS", ends)
            .output()
            .unwrap()
    }

    fn dump(&self) -> Vec<u8> {
        fs::read(self.file()).unwrap()
    }

    fn file(&self) -> std::path::PathBuf {
        Path::join(self.folder.path(), "database.dump")
    }

    fn rows(&self) -> String {
        self.server.sql("footfall", "SELECT count(*) FROM kept")
    }
}

#[test]
fn a_dump_that_is_cut_short_does_not_replace_the_one_before() {
    let operator = Operator::new();
    let output = operator.pastes("backup", "", "");
    assert!(output.status.success(), "{output:?}");
    let whole = operator.dump();
    // With the list of its contents and without, and whether or not somebody noticed.
    for cut in [1, 3000, whole.len() / 2] {
        for ends in ["0", "1"] {
            let output = operator.pastes("backup", &cut.to_string(), ends);
            assert!(!output.status.success(), "{cut} {ends}: {output:?}");
            assert!(operator.dump() == whole, "{cut} {ends}");
        }
    }
}

#[test]
fn a_broken_dump_changes_nothing_however_often_it_is_tried() {
    let operator = Operator::new();
    assert!(operator.pastes("backup", "", "").status.success());
    let whole = operator.dump();
    fs::write(operator.file(), &whole[..whole.len() / 2]).unwrap();
    for _ in 0..3 {
        let output = operator.pastes("restore", "", "");
        assert!(!output.status.success(), "{output:?}");
        assert_eq!(operator.rows(), "10000");
    }
    fs::write(operator.file(), whole).unwrap();
    operator.server.sql("footfall", "DELETE FROM kept");
    let output = operator.pastes("restore", "", "");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(operator.rows(), "10000");
}
