//! Paths that somebody takes away from under a running service.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::support::{
    Client, Footfall,
    client::pings,
    directories::both,
    eventually,
    footfall::footfall_command,
    process::run,
    slots::{Slots, is_socket},
};

/// Waits until a service answers at the path.
async fn answers_at(path: &Path) {
    eventually("the path is back", || is_socket(path).then_some(()));
    assert!(pings(path).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_removed_comes_back() {
    for directory in both() {
        let path = directory.path().join("f.sock");
        let mut footfall = Footfall::builder().socket(&path).start();
        let mut client = Client::unix(&path);
        for _ in 0..2 {
            assert_eq!(client.get("/api/ping").await.status, 200);
            fs::remove_file(&path).unwrap();
            answers_at(&path).await;
        }
        // What was there is not left behind; connections to it end well.
        eventually("the old sockets are closed", || {
            let listening = fs::read_to_string("/proc/net/unix").unwrap();
            let path = path.to_str().unwrap();
            (listening
                .lines()
                .filter(|line| line.ends_with(path))
                .count()
                <= 1)
                .then_some(())
        });
        assert_eq!(footfall.stop().code(), Some(0));
        assert!(!path.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_are_removed_come_back() {
    for directory in both() {
        let slots = Slots::of(directory.path());
        let _replicas = [(); 3].map(|()| slots.replica().start());
        for slot in 1..=3 {
            fs::remove_file(slots.slot(slot)).unwrap();
        }
        slots.become_sockets(&[1, 2, 3]);
        eventually("every other slot leads to one of them", || {
            (slots.spread().values().sum::<usize>() == 29).then_some(())
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_removed_and_made_again_is_filled_again() {
    for directory in both() {
        let below = directory.path().join("run");
        fs::create_dir(&below).unwrap();
        let slots = Slots::of(&below);
        let mut replicas = [(); 2].map(|()| slots.replica().start());
        fs::remove_dir_all(&below).unwrap();
        for replica in &replicas {
            replica.logged("the path of the socket cannot be kept; it is tried again");
        }
        fs::create_dir(&below).unwrap();
        slots.become_sockets(&[1, 2]);
        assert!(pings(&slots.slot(1)).await && pings(&slots.slot(2)).await);
        for replica in &mut replicas {
            assert_eq!(replica.stop().code(), Some(0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_internal_path_comes_back_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ops.sock");
    let _footfall = Footfall::builder()
        .env("FOOTFALL_OPS_LISTEN", format!("unix:{}", path.display()))
        .start();
    fs::remove_file(&path).unwrap();
    eventually("the path is back", || is_socket(&path).then_some(()));
    assert_eq!(Client::unix(&path).get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_removed_is_made_again() {
    for directory in both() {
        let slots = Slots::of(directory.path());
        let _first = slots.replica().start();
        fs::remove_file(directory.path().join(".footfall.lock")).unwrap();
        let mut second = slots.replica().start();
        assert_eq!(slots.sockets(), [1, 2]);
        assert_eq!(second.stop().code(), Some(0));
        slots.become_sockets(&[1]);
    }
}

/// A process that is stopped while it holds the lock, and never goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_never_given_back_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let replicas = [slots.replica().start(), slots.replica().start()];
    let held = fs::File::create(directory.path().join(".footfall.lock")).unwrap();
    held.lock().unwrap();
    replicas[1].process.signal(Signal::STOP);
    slots.become_sockets(&[1]);
    replicas[1].process.signal(Signal::CONT);
    slots.become_sockets(&[1, 2]);
    let inode = directory.path().join(".footfall.lock");
    assert_ne!(
        inode.metadata().unwrap().ino(),
        held.metadata().unwrap().ino()
    );
}

/// One that is started again and again on a port that is taken.
#[test]
fn whoever_cannot_start_has_not_touched_the_slots() {
    let directory = tempfile::tempdir().unwrap();
    let slots = Slots::of(directory.path());
    let _replica = slots.replica().start();
    let changed = || {
        let found = directory.path().metadata().unwrap();
        (found.mtime(), found.mtime_nsec())
    };
    let before = changed();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own = tempfile::tempdir().unwrap();
    let output = run(footfall_command()
        .current_dir(own.path())
        .env(
            "FOOTFALL_LISTEN",
            format!("unix:{}", slots.template().display()),
        )
        .env(
            "FOOTFALL_OPS_LISTEN",
            format!("tcp:{}", taken.local_addr().unwrap()),
        ));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(changed(), before, "something was made or removed there");
}

/// However many descriptors are left when its path is lost: it tries until it has it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_descriptors_goes_on_and_gets_its_path_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.sock");
    let mut footfall = Footfall::builder().socket(&path).start();
    let id = footfall.process.0.id();
    let pid = Pid::from_raw(id as i32).unwrap();
    let ours = getrlimit(Resource::Nofile);
    let limit = |current| prlimit(Some(pid), Resource::Nofile, Rlimit { current, ..ours }).unwrap();
    for left in 0..=6 {
        let open: Vec<u64> = fs::read_dir(format!("/proc/{id}/fd"))
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect();
        // New descriptors get the lowest free number.
        let mut free = (0..).filter(|number| !open.contains(number));
        limit(free.nth(left));
        fs::remove_file(&path).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(1) && !is_socket(&path) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(footfall.process.0.try_wait().unwrap().is_none(), "{left}");
        limit(ours.current);
        answers_at(&path).await;
    }
    assert_eq!(footfall.stop().code(), Some(0));
}
