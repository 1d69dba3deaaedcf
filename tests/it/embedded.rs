//! Embedded databases that cannot be used: a clear word, and nothing is lost.

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Write},
    os::unix::{fs::FileExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use crate::support::{
    Footfall, eventually,
    footfall::{AWAY, footfall_command, unprivileged_footfall_command},
    process::{Process, run},
};

/// A database with some visits, and nobody who uses it.
struct Database {
    directory: tempfile::TempDir,
}

const VISITS: u64 = 3;

impl Database {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut footfall = Footfall::builder().directory(directory.path()).start();
        let mut client = footfall.client().logged_in().await;
        for number in 1..=VISITS {
            assert_eq!(client.get("/api/count").await.visits(), number);
        }
        assert_eq!(footfall.stop().code(), Some(0));
        Self { directory }
    }

    fn folder(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn file(&self) -> PathBuf {
        self.folder().join("footfall.db")
    }

    /// What the sqlite3 shell says.
    fn sql(&self, statement: &str) -> String {
        let output = Command::new("sqlite3")
            .arg(self.file())
            .arg(statement)
            .output()
            .expect("sqlite3 is there; ./test.sh installs it");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn start(&self) -> Footfall {
        Footfall::builder().directory(self.directory.path()).start()
    }

    /// A start that is refused: one line that names the file.
    fn refused(&self, command: Command) -> String {
        let output = self.run(command, "serve");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(message.contains("data/footfall.db"), "{message}");
        message
    }

    /// What `footfall doctor` says about it, which is nothing good.
    fn diagnosis(&self, command: Command) -> String {
        let output = self.run(command, "doctor");
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{found}");
        found
    }

    fn run(&self, mut command: Command, what: &str) -> Output {
        let directory = self.directory.path();
        run(command.current_dir(directory).arg(what))
    }

    /// Whoever starts next counts on.
    async fn nothing_is_lost(&self) {
        let footfall = self.start();
        let mut client = footfall.client().logged_in().await;
        assert_eq!(client.get("/api/count").await.visits(), VISITS + 1);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_folder_that_may_not_be_written() {
    let database = Database::new().await;
    set_mode(&database.folder(), 0o555);
    let message = database.refused(unprivileged_footfall_command());
    assert!(message.contains("readonly"), "{message}");
    let found = database.diagnosis(unprivileged_footfall_command());
    assert!(
        found.contains("data may not be written by this user"),
        "{found}"
    );
    set_mode(&database.folder(), 0o755);
    database.nothing_is_lost().await;
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_and_has_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database { directory };
    fs::create_dir(database.folder()).unwrap();
    set_mode(&database.folder(), 0o555);
    let message = database.refused(unprivileged_footfall_command());
    assert!(message.contains("Permission denied"), "{message}");
    let found = database.diagnosis(unprivileged_footfall_command());
    assert!(found.contains("footfall.db cannot be created"), "{found}");
    assert_eq!(fs::read_dir(database.folder()).unwrap().count(), 0);
}

/// It can be read, so the service starts, and says that it cannot count.
#[tokio::test]
async fn a_file_that_may_not_be_written() {
    let database = Database::new().await;
    set_mode(&database.file(), 0o444);
    let found = database.diagnosis(unprivileged_footfall_command());
    assert!(
        found.contains("footfall.db may not be written by this user"),
        "{found}"
    );
    let footfall = Footfall::builder()
        .directory(database.directory.path())
        .unprivileged()
        .start();
    cannot_count(&footfall, "readonly").await;
    let mut client = footfall.client().logged_in().await;
    let reading = client.get("/api/counters/visits").await;
    assert_eq!(reading.visits(), VISITS, "reading goes on");
    drop(footfall);
    set_mode(&database.file(), 0o644);
    database.nothing_is_lost().await;
}

/// Up, unready, and all of it says why.
async fn cannot_count(footfall: &Footfall, why: &str) {
    let away = footfall.logged(AWAY);
    assert!(away["error"].as_str().unwrap().contains(why), "{away}");
    let ready = footfall.ops_client().get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains(why), "{}", ready.text());
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/ping").await.status, 200);
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
}

/// The first page of a table.
const PAGE: usize = 4096;

#[tokio::test]
async fn a_table_that_is_damaged() {
    for table in ["counters", "identities"] {
        let database = Database::new().await;
        let page: u64 = database
            .sql(&format!(
                "SELECT rootpage FROM sqlite_master WHERE name = '{table}'"
            ))
            .parse()
            .unwrap();
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(database.file())
            .unwrap();
        let (place, mut good) = ((page - 1) * PAGE as u64, vec![0; PAGE]);
        file.read_exact_at(&mut good, place).unwrap();
        file.write_all_at(&[0xa5; PAGE], place).unwrap();
        let mut footfall = database.start();
        cannot_count(&footfall, "malformed").await;
        assert_eq!(footfall.stop().code(), Some(0));
        // A login writes elsewhere in the file.
        let mut left = [0; PAGE];
        file.read_exact_at(&mut left, place).unwrap();
        assert!(
            left == [0xa5; PAGE],
            "what may still be rescued is not touched"
        );
        file.write_all_at(&good, place).unwrap();
        database.nothing_is_lost().await;
    }
}

#[tokio::test]
async fn a_file_that_was_cut() {
    let database = Database::new().await;
    let whole = fs::read(database.file()).unwrap();
    fs::write(database.file(), &whole[..whole.len() / 2]).unwrap();
    let message = database.refused(footfall_command());
    assert!(message.contains("malformed"), "{message}");
    assert!(database.diagnosis(footfall_command()).contains("malformed"));
    assert!(fs::read(database.file()).unwrap() == whole[..whole.len() / 2]);
    fs::write(database.file(), whole).unwrap();
    database.nothing_is_lost().await;
}

/// The first schema did not know how many counters there are.
#[tokio::test]
async fn a_database_of_an_older_version_is_brought_up_to_date() {
    let database = Database::new().await;
    database.sql("DROP TRIGGER counter_created; DROP TRIGGER counter_removed");
    // What the first migration made, and what SQLite keeps for itself.
    let later = database.sql(
        "SELECT group_concat('DROP TABLE ' || name, '; ') FROM sqlite_master WHERE type = 'table' AND name NOT IN
         ('counters', 'identities', 'identity_totals', 'login_failures', '_sqlx_migrations', 'sqlite_sequence')",
    );
    database.sql(&format!(
        "{later}; DELETE FROM _sqlx_migrations WHERE version = 2"
    ));
    let found = database.run(footfall_command(), "doctor");
    let found = String::from_utf8(found.stdout).unwrap();
    assert!(found.contains("will be brought up to date"), "{found}");
    let footfall = Footfall::builder()
        .directory(database.directory.path())
        .env("FOOTFALL_COUNTER_LIMIT", 2)
        .start();
    let mut client = footfall.client().logged_in().await;
    assert_eq!(client.get("/api/count").await.visits(), VISITS + 1);
    assert_eq!(client.post("/api/counters/second").await.visits(), 1);
    assert_eq!(client.post("/api/counters/third").await.status, 507);
    database.sql("DELETE FROM counters WHERE name = 'second'");
    assert_eq!(client.post("/api/counters/third").await.visits(), 1);
}

/// A start waits for another one that has not finished, as long as that may take.
#[tokio::test]
async fn a_database_of_something_else_is_left_alone() {
    let database = Database::new().await;
    fs::remove_file(database.file()).unwrap();
    database.sql("CREATE TABLE people (name TEXT)");
    let expected = "it is not Footfall's: it has a table people";
    let refused = [
        database.refused(footfall_command()),
        database.diagnosis(footfall_command()),
    ];
    for said in refused {
        assert!(said.contains(expected), "{said}");
    }
    assert_eq!(database.sql("SELECT count(*) FROM sqlite_master"), "1");
}

#[tokio::test]
async fn a_start_waits_for_another_one() {
    let database = Database::new().await;
    let lock = database.folder().join("footfall.db.lock");
    let other = fs::File::create(&lock).unwrap();
    other.lock().unwrap();
    let mut waiting = Process::spawn(
        footfall_command()
            .current_dir(database.directory.path())
            .arg("migrate")
            .stdout(Stdio::null()),
    );
    let descriptors = format!("/proc/{}/fd", waiting.0.id());
    eventually("it looks at the lock", || {
        let open = fs::read_dir(&descriptors).unwrap();
        let mut links = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        links.any(|link| link == lock).then_some(())
    });
    assert!(waiting.0.try_wait().unwrap().is_none(), "it waits");
    drop(other);
    assert_eq!(waiting.wait().code(), Some(0));
    database.nothing_is_lost().await;
}

/// Who has the file may keep it for longer than a visit may wait.
#[tokio::test]
async fn a_start_waits_for_whoever_has_the_file() {
    let database = Database::new().await;
    database.sql("PRAGMA journal_mode = DELETE");
    let mut owner = Process::spawn(
        Command::new("sqlite3")
            .arg(database.file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped()),
    );
    let mut statements = owner.0.stdin.take().unwrap();
    writeln!(statements, "BEGIN EXCLUSIVE; SELECT 'locked';").unwrap();
    let mut answer = String::new();
    BufReader::new(owner.0.stdout.as_mut().unwrap())
        .read_line(&mut answer)
        .unwrap();
    assert_eq!(answer, "locked\n");
    let limit = Duration::from_millis(200);
    let mut waiting = Process::spawn(
        footfall_command()
            .current_dir(database.directory.path())
            .env("FOOTFALL_STORE_TIMEOUT", "200ms")
            .arg("migrate")
            .stdout(Stdio::null()),
    );
    // The subject is time itself.
    std::thread::sleep(5 * limit);
    assert!(waiting.0.try_wait().unwrap().is_none(), "it waits");
    drop(statements);
    assert_eq!(waiting.wait().code(), Some(0));
    database.nothing_is_lost().await;
}
