//! What can happen to the embedded database while it is in use.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{ChildStdout, Command, Stdio},
};

use super::scenario::{Effect, Fault, start, under_load};
use crate::support::{Footfall, process::Process};

/// A file that leaves no room for others.
struct Ballast(PathBuf);

#[tokio::test(flavor = "multi_thread")]
async fn its_disk_full() {
    let footfall = start(Footfall::builder().on_small_disk("8m"));
    // The file system is the process' own, and this is the way into it.
    let ballast = Ballast(format!("/proc/{}/cwd/ballast", footfall.process.0.id()).into());
    let fault = Fault {
        inject: |ballast: &mut Ballast| {
            let mut file = File::create(&ballast.0).unwrap();
            while file.write_all(&[0; 4096]).is_ok() {}
        },
        mend: |ballast| fs::remove_file(&ballast.0).unwrap(),
        // A checkpoint that needs no room for itself makes some in the write-ahead log, and then
        // visits are counted again until that is full.
        effect: Effect::Outages,
    };
    under_load(fault, ballast, footfall).await;
}

/// Another process with the same database open.
struct Shell {
    process: Process,
    answers: BufReader<ChildStdout>,
}

impl Shell {
    fn open(database: PathBuf) -> Self {
        let mut process = Process::spawn(
            Command::new("sqlite3")
                .args(["-cmd", ".timeout 20000"])
                .arg(database)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        );
        let answers = BufReader::new(process.0.stdout.take().unwrap());
        Self { process, answers }
    }

    /// Runs a statement to its end.
    fn run(&mut self, statement: &str) {
        let input = self.process.0.stdin.as_mut().unwrap();
        writeln!(input, "{statement}; SELECT 'done';").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locked_by_another_process() {
    let directory = tempfile::tempdir().unwrap();
    let footfall = start(Footfall::builder().directory(directory.path()));
    let shell = Shell::open(directory.path().join("data/footfall.db"));
    let fault = Fault {
        inject: |shell: &mut Shell| shell.run("BEGIN IMMEDIATE"),
        mend: |shell| shell.run("ROLLBACK"),
        effect: Effect::Outage,
    };
    under_load(fault, shell, footfall).await;
}
