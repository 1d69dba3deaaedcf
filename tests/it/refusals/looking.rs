//! `footfall audit` and `footfall doctor` change nothing of an embedded database.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::target;
use crate::support::{Footfall, footfall::footfall_command, load::Insistent, process::run};

/// A folder with a database in it, and what is said of it.
struct Database {
    directory: tempfile::TempDir,
}

impl Database {
    /// Of a service that has ended, and merged its log.
    async fn closed() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut footfall = Footfall::builder().directory(directory.path()).start();
        footfall
            .client()
            .logged_in()
            .await
            .get("/api/count")
            .await
            .visits();
        assert_eq!(footfall.stop().code(), Some(0));
        Self { directory }
    }

    /// Of a service that was killed, and left all there is.
    async fn killed() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut footfall = Footfall::builder().directory(directory.path()).start();
        footfall
            .client()
            .logged_in()
            .await
            .get("/api/count")
            .await
            .visits();
        footfall.process.kill();
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("data/footfall.db")
    }

    fn sql(&self, statement: &str) -> String {
        let output = run(Command::new("sqlite3").arg(self.path()).arg(statement));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Every file and what is in it.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(self.directory.path())
    }

    /// All that a command says; nothing may be changed by it.
    fn says(&self, command: &[&str]) -> (Option<i32>, String) {
        let before = self.files();
        let output = run(footfall_command()
            .current_dir(self.directory.path())
            .args(command));
        let after = self.files();
        assert_eq!(
            before.keys().collect::<Vec<_>>(),
            after.keys().collect::<Vec<_>>(),
            "{command:?} creates and removes nothing"
        );
        assert!(before == after, "{command:?} changes nothing");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    all
}

/// Nobody has to be asked before the file is looked at.
const AUDIT: &[&str] = &["audit", "--replica", "http://127.0.0.1:1"];

/// The first schema did not know how many counters there are.
const OLDER: &str =
    "DROP TABLE company_counters; DROP TABLE company_totals; DROP TABLE footfall_migrations;
     DROP TRIGGER counter_created; DROP TRIGGER counter_removed; DROP TABLE counter_total;
     DELETE FROM _sqlx_migrations WHERE version > 1";

const NEWER: &str = "INSERT INTO _sqlx_migrations VALUES (9999, 'from the future', CURRENT_TIMESTAMP, 1, x'00', 0); PRAGMA user_version = 9999";

#[tokio::test]
async fn a_file_of_an_older_version() {
    let database = Database::closed().await;
    database.sql(OLDER);
    let schema = database.sql(".schema");
    let (code, said) = database.says(AUDIT);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("footfall.db: the file is of an older version of Footfall"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let (code, said) = database.says(&["doctor"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("will be brought up to date"), "{said}");
    assert_eq!(database.sql(".schema"), schema);
}

#[tokio::test]
async fn a_file_of_a_newer_version() {
    let database = Database::closed().await;
    database.sql(NEWER);
    for command in [AUDIT, &["doctor"]] {
        let (code, said) = database.says(command);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("layout 9999") && said.to_lowercase().contains("upgrade"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn no_file_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database { directory };
    let (code, said) = database.says(AUDIT);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there is no such database"), "{said}");
    assert_eq!(database.says(&["doctor"]).0, Some(0));
    assert!(database.files().is_empty());
}

/// With its log, which only the next start recovers.
#[tokio::test]
async fn a_file_of_a_process_that_was_killed() {
    let database = Database::killed().await;
    assert!(database.files().len() > 2, "the log is there");
    let (code, said) = database.says(&["doctor"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is up to date"), "{said}");
    let (_, said) = database.says(AUDIT);
    assert!(
        said.contains("127.0.0.1:1"),
        "the file is good, the replica is not there: {said}"
    );
    assert_eq!(database.sql("SELECT visits FROM counters"), "1");
}

#[tokio::test]
async fn a_copy_without_the_index_of_its_log() {
    let database = Database::killed().await;
    fs::remove_file(database.path().with_file_name("footfall.db-shm")).unwrap();
    for command in [AUDIT, &["doctor"]] {
        let (code, said) = database.says(command);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("the next start, or `footfall migrate`, recovers it"),
            "{said}"
        );
    }
    assert_eq!(database.sql("SELECT visits FROM counters"), "1");
}

/// In use, it adds up exactly.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_counted_in() {
    let directory = tempfile::tempdir().unwrap();
    let footfall = Footfall::builder().directory(directory.path()).start();
    let token = footfall.token().await;
    let load = Insistent::start(
        &[target(&footfall)],
        &token,
        4,
        &["a".to_owned(), "b".to_owned()],
    );
    load.count(50).await;
    let (path, replica) = (
        directory.path().to_owned(),
        format!("http://{}", footfall.ops()),
    );
    let looking = tokio::task::spawn_blocking(move || {
        let footfall =
            |arguments: &[&str]| run(footfall_command().current_dir(&path).args(arguments));
        let audit = footfall(&["audit", "--for", "2s", "--replica", &replica]);
        (audit, footfall(&["doctor"]))
    });
    while !looking.is_finished() {
        load.count(20).await;
    }
    let (audit, doctor) = looking.await.unwrap();
    let said = String::from_utf8([audit.stdout, audit.stderr].concat()).unwrap();
    assert!(said.contains("ok: the store counted"), "{said}");
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("footfall.db is up to date"), "{said}");
    assert!(load.refused().is_empty(), "{:?}", load.refused());
    load.stop().await;
}
