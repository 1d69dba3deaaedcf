//! Starts while others are in the way: they hang with the lock, or were taken to hang and go on.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::unix;
use crate::support::{
    directories::both,
    eventually,
    footfall::footfall_command,
    process::{PATIENCE, Process},
    slots::{Slots, is_socket},
};

const COMPLAINT: &str = "the path of the socket cannot be kept; it is tried again";

/// Takes the lock of a directory whenever it can be had, so often at most, and gives none back until
/// it is over: one process after the other that hangs. Tells how many did.
fn hang_with_the_lock(directory: &Path, times: usize, over: &AtomicBool) -> usize {
    let mut held = Vec::new();
    let begin = Instant::now();
    while !over.load(Ordering::Relaxed) {
        assert!(begin.elapsed() < PATIENCE, "it is never over");
        if held.len() < times {
            let lock = File::create(directory.join(".footfall.lock")).unwrap();
            held.extend(lock.try_lock().is_ok().then_some(lock));
        }
        thread::sleep(Duration::from_millis(1));
    }
    held.len()
}

#[test]
fn a_start_outlives_several_that_hang_with_the_lock() {
    const HANGING: usize = 3;
    for directory in both() {
        let slots = Slots::of(directory.path());
        let path = directory.path();
        // On a busy machine the service may be faster than the next one that is to hang.
        let outlived = (0..20).any(|_| {
            let over = AtomicBool::new(false);
            let (hung, service) = thread::scope(|scope| {
                let hanging = scope.spawn(|| hang_with_the_lock(path, HANGING, &over));
                let service = slots.replica().start();
                over.store(true, Ordering::Relaxed);
                (hanging.join().unwrap(), service)
            });
            assert_eq!(slots.sockets(), [1]);
            hung == HANGING && service.find(COMPLAINT).is_some()
        });
        assert!(outlived, "there were never {HANGING} that hung");
    }
}

/// Whoever was stopped with the lock for so long that it was taken away does what it was about
/// to do when it goes on; here it clears a hidden socket away.
#[test]
fn a_start_that_is_overtaken_tries_again() {
    for directory in both() {
        let slots = Slots::of(directory.path());
        let overtaken = (0..100).any(|_| {
            let over = AtomicBool::new(false);
            let service = thread::scope(|scope| {
                let sweeping = scope.spawn(|| sweep(directory.path(), 3, &over));
                let service = slots.replica().start();
                over.store(true, Ordering::Relaxed);
                sweeping.join().unwrap();
                service
            });
            assert_eq!(slots.sockets(), [1]);
            let said = service.find(COMPLAINT);
            said.is_some_and(|said| {
                let error = said["error"].as_str().unwrap();
                assert_eq!(
                    error,
                    "another process changed the directory at the same time"
                );
                true
            })
        });
        assert!(overtaken, "no start was ever overtaken");
    }
}

/// Removes so many hidden sockets, as soon as they are there.
fn sweep(directory: &Path, number: usize, over: &AtomicBool) {
    let mut swept = 0;
    while swept < number && !over.load(Ordering::Relaxed) {
        let entries = fs::read_dir(directory).unwrap().flatten();
        let hidden = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(".n"));
        for entry in hidden {
            swept += usize::from(fs::remove_file(entry.path()).is_ok());
        }
    }
}

#[test]
fn a_start_that_waits_can_be_ended() {
    let directory = tempfile::tempdir().unwrap();
    let (path, lock_file) = (
        directory.path().join("f.sock"),
        directory.path().join(".footfall.lock"),
    );
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| hang_with_the_lock(directory.path(), usize::MAX, &over));
        eventually("the lock is held", || lock_file.exists().then_some(()));
        let mut process = Process::spawn(
            footfall_command()
                .current_dir(directory.path())
                .env("FOOTFALL_LISTEN", unix(&path))
                .stdout(Stdio::null()),
        );
        let open = format!("/proc/{}/fd", process.0.id());
        eventually("it waits for the lock", || {
            let open = fs::read_dir(&open).ok()?.flatten();
            let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
            targets.find(|target| *target == lock_file)
        });
        process.signal(Signal::TERM);
        let status = process.wait();
        over.store(true, Ordering::Relaxed);
        assert_eq!(status.code(), Some(0));
    });
    assert!(!is_socket(&path));
}
