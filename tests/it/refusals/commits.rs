//! A disk that fails when a commit is synced: what SQLite gives up may come back.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{metric, noticed, recovered};
use crate::support::{Footfall, eventually, footfall::Builder, process::Process};

/// Fails every sync of a process with an I/O error, for as long as it lives.
struct FailingDisk(Process);

impl FailingDisk {
    fn of(footfall: &Footfall) -> Self {
        let id = footfall.process.0.id();
        let tracer = Process::spawn(
            Command::new("strace")
                .args([
                    "-f",
                    "-qq",
                    "-o",
                    "/dev/null",
                    "-e",
                    "trace=fsync,fdatasync",
                ])
                .args([
                    "-e",
                    "inject=fsync,fdatasync:error=EIO",
                    "-p",
                    &id.to_string(),
                ])
                .stdin(Stdio::null()),
        );
        eventually("every thread is traced", || {
            let mut threads = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
            let traced = threads.all(|thread| {
                let status = thread.unwrap().path().join("status");
                let status = std::fs::read_to_string(status).unwrap_or_default();
                !status.contains("TracerPid:\t0\n")
            });
            traced.then_some(())
        });
        Self(tracer)
    }

    fn mend(mut self) {
        self.0.signal(Signal::TERM);
        self.0.wait();
    }
}

fn service(directory: &std::path::Path) -> Builder {
    Footfall::builder().directory(directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn its_outcome_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let footfall = service(directory.path()).start();
    let mut client = footfall
        .client()
        .logged_in()
        .await
        .with("idempotency-key", "the-visit");
    assert_eq!(client.post("/api/counters/before").await.visits(), 1);
    let disk = FailingDisk::of(&footfall);
    assert_eq!(client.get("/api/count").await.problem(), "outcome_unknown");
    let said = noticed(&footfall).await;
    assert!(said.contains("disk I/O error"), "{said}");
    assert_eq!(
        metric(&footfall, "footfall_visits_uncertain_total").await,
        1.0
    );
    // It is away now, so nothing more is begun.
    assert_eq!(
        client.get("/api/count").await.problem(),
        "store_unavailable"
    );
    disk.mend();
    recovered(&footfall).await;
    let reply = client.get("/api/count").await;
    assert_eq!((reply.visits(), reply.replayed()), (1, false));
    let reply = client.get("/api/count").await;
    assert_eq!((reply.visits(), reply.replayed()), (1, true));
}

/// The process dies, and whoever opens the file next may find the commit in the log, or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_after_that_is_the_same_visit() {
    let directory = tempfile::tempdir().unwrap();
    let mut footfall = service(directory.path()).start();
    let client = footfall.client().logged_in().await;
    let mut client = client.with("idempotency-key", "the-visit");
    assert_eq!(client.post("/api/counters/before").await.visits(), 1);
    let disk = FailingDisk::of(&footfall);
    assert_eq!(client.get("/api/count").await.problem(), "outcome_unknown");
    footfall.process.kill();
    disk.mend();
    let footfall = service(directory.path()).start();
    let client = footfall.client().logged_in().await;
    let mut client = client.with("idempotency-key", "the-visit");
    let reply = client.get("/api/count").await;
    assert_eq!(reply.visits(), 1);
    assert!(client.get("/api/count").await.replayed());
}
