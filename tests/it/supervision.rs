//! A panic in each part of the process, and in each piece of its work, and what becomes of the
//! process; a hang of each of its threads. The binary of the tests breaks where a file of a folder
//! says so (`src/supervision/faults.rs`).

use std::{fs, path::Path};

use footfall::supervision::{Part, Piece};
use serde_json::Value;

use crate::support::{
    Footfall, eventually, footfall::Builder, process::PATIENCE, slots::is_socket,
};

mod pieces;

/// With two workers, as the tests have them.
const THREADS: [&str; 4] = ["main", "worker-0", "worker-1", "keeper"];

/// What is to break, by files in a folder.
struct Faults(tempfile::TempDir);

impl Faults {
    fn none() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A service that these break.
    fn builder(&self) -> Builder {
        Footfall::builder().env("TEST_FAULTS", self.0.path().display())
    }

    fn add(&self, name: &str, how: &str) {
        fs::write(self.0.path().join(format!("{name}.{how}")), "").unwrap();
    }

    fn remove(&self, name: &str, how: &str) {
        fs::remove_file(self.0.path().join(format!("{name}.{how}"))).unwrap();
    }

    /// Waits until what was to panic has done so.
    #[track_caller]
    fn have_struck(&self) {
        eventually("it panics", || {
            let mut left = fs::read_dir(self.0.path()).unwrap();
            left.next().is_none().then_some(())
        });
    }
}

/// The names of all parts of this kind.
fn names(part: Part) -> Vec<String> {
    match part {
        Part::Thread | Part::Heartbeat => THREADS.map(|thread| part.of(thread)).into(),
        Part::Accepting
        | Part::InternalListener
        | Part::Queue
        | Part::Monitor
        | Part::Audit
        | Part::MailSender
        | Part::Cleanup
        | Part::WriteKeys
        | Part::VisitorSalts
        | Part::LiveNumbers
        | Part::Upkeep
        | Part::Revocations => {
            vec![part.name().to_owned()]
        }
        // Only where there is a PostgreSQL: `pieces::the_monitor_of_the_database` and `pieces::the_drain`.
        Part::DatabaseMonitor | Part::Drain => Vec::new(),
    }
}

/// Whether this is the part that takes the process along when `broken` panics.
fn is_named(ended: &str, broken: &str) -> bool {
    match broken == Part::Accepting.name() {
        true => ended == Part::InternalListener.name() || ended.starts_with(Part::Thread.name()),
        false => ended == broken,
    }
}

/// The process has ended as one whose part panicked, and nobody is led to it any more.
#[track_caller]
fn has_ended(mut footfall: Footfall, name: &str, socket: &Path) {
    assert_eq!(footfall.process.wait().code(), Some(1), "{name}");
    let ended = footfall.logged("a part of the process has ended; so all of it ends");
    let part = ended["part"].as_str().unwrap();
    assert!(is_named(part, name), "{part}, and not {name}");
    assert_eq!(ended["panicked"], Value::Bool(true), "{name}");
    assert_eq!(ended["level"], "ERROR");
    let panic = footfall.logged("panic");
    assert_eq!(panic["panic"], format!("{name} is to panic"));
    assert!(!is_socket(socket), "{name}: its path is left behind");
}

#[tokio::test]
async fn a_panic_in_a_part_ends_the_process() {
    for name in Part::ALL.iter().flat_map(|part| names(*part)) {
        let (faults, folder) = (Faults::none(), tempfile::tempdir().unwrap());
        let socket = folder.path().join("footfall.sock");
        let footfall = faults.builder().socket(&socket).start();
        let token = footfall.token().await;
        let mut client = footfall.client().with_token(&token);
        assert_eq!(client.get("/api/count").await.visits(), 1);
        assert!(is_socket(&socket));
        faults.add(&name, "panic");
        has_ended(footfall, &name, &socket);
    }
}

#[test]
fn a_panic_in_a_part_at_its_start_ends_the_process() {
    for name in Part::ALL.iter().flat_map(|part| names(*part)) {
        let (faults, folder) = (Faults::none(), tempfile::tempdir().unwrap());
        let socket = folder.path().join("footfall.sock");
        faults.add(&name, "panic");
        let footfall = faults.builder().socket(&socket).launch();
        has_ended(footfall, &name, &socket);
    }
}

/// Also when it is about to end anyway: what is in flight is not waited for by half a process.
#[tokio::test]
async fn a_panic_while_it_drains_ends_the_process() {
    let parts = [Part::Monitor, Part::InternalListener];
    let of_threads = ["keeper", "worker-1"].map(|thread| Part::Thread.of(thread));
    for name in parts.iter().flat_map(|part| names(*part)).chain(of_threads) {
        let (faults, folder) = (Faults::none(), tempfile::tempdir().unwrap());
        let socket = folder.path().join("footfall.sock");
        let footfall = faults.builder().socket(&socket).start();
        // A request that is never complete, so that the drain waits for it.
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        let head = b"POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
        std::io::Write::write_all(&mut stream, head).unwrap();
        footfall
            .metric_becomes("http_requests_in_flight", 1.0)
            .await;
        footfall.process.signal(rustix::process::Signal::TERM);
        eventually("its path is withdrawn", || {
            (!is_socket(&socket)).then_some(())
        });
        faults.add(&name, "panic");
        has_ended(footfall, &name, &socket);
    }
}

/// A thread that hangs does not end, but it shows.
#[tokio::test]
async fn a_hang_of_any_thread_makes_the_replica_stuck() {
    for thread in THREADS {
        let faults = Faults::none();
        let footfall = faults.builder().start();
        footfall.ready().await;
        let name = Part::Thread.of(thread);
        faults.add(&name, "hang");
        // The main thread has the internal listener.
        let address = match thread {
            "main" => footfall.public(),
            _ => footfall.ops(),
        };
        let becomes = async |expected: u16| {
            let ask = async || {
                let mut client = crate::support::Client::tcp(&address);
                client.get("/healthz").await
            };
            let waiting = async {
                loop {
                    let reply = ask().await;
                    if reply.status == expected {
                        return reply;
                    }
                }
            };
            let reply = tokio::time::timeout(PATIENCE, waiting).await;
            reply.unwrap_or_else(|_| panic!("{name}: it is never {expected}"))
        };
        assert_eq!(becomes(503).await.problem(), "replica_stuck", "{thread}");
        faults.remove(&name, "hang");
        becomes(200).await;
        footfall.ready().await;
    }
}
