//! Starts while others are in the way: they hang with the lock, or were taken to hang and go on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rustix::process::Signal;

use super::unix;
use crate::support::{
    directories::{both, hang_with_the_lock},
    eventually,
    footfall::footfall_command,
    process::Process,
    slots::{Slots, is_socket},
};

const COMPLAINT: &str = "the path of the socket cannot be kept; it is tried again";

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

/// A debugger holds the keeper in a system call between two steps of a start, with the lock.
/// Another one takes it to hang, replaces the lock and clears its hidden socket away, on which nobody
/// listens yet.
#[test]
fn a_start_that_stood_still_with_the_lock_gets_its_slot_all_the_same() {
    for directory in both() {
        let slots = Slots::of(directory.path());
        let over = AtomicBool::new(false);
        let (mut slow, mut debugger) = thread::scope(|scope| {
            scope.spawn(|| hang_with_the_lock(directory.path(), usize::MAX, &over));
            let slow = start(directory.path(), &slots.template());
            let debugger = hold_at_listen(&slow);
            over.store(true, Ordering::Relaxed);
            (slow, debugger)
        });
        eventually("its socket is bound", || {
            hidden_sockets(directory.path()).pop()
        });
        let _other = slots.replica().start();
        assert_eq!(slots.sockets(), [1]);
        assert!(hidden_sockets(directory.path()).is_empty());
        debugger.signal(Signal::TERM);
        debugger.wait();
        slots.become_sockets(&[1, 2]);
        slow.signal(Signal::TERM);
        assert_eq!(slow.wait().code(), Some(0));
    }
}

/// A service that waits for the lock.
fn start(directory: &Path, path: &Path) -> Process {
    let process = Process::spawn(
        footfall_command()
            .current_dir(directory)
            .env("FOOTFALL_LISTEN", unix(path))
            .env("FOOTFALL_OPS_LISTEN", "")
            .stdout(Stdio::null()),
    );
    let lock_file = directory.join(".footfall.lock");
    let open = format!("/proc/{}/fd", process.0.id());
    eventually("it waits for the lock", || {
        let open = fs::read_dir(&open).ok()?.flatten();
        let mut targets = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.find(|target| *target == lock_file)
    });
    process
}

/// Has the keeper of this process stand still as soon as it is about to listen, until the debugger
/// ends.
fn hold_at_listen(process: &Process) -> Process {
    let threads = fs::read_dir(format!("/proc/{}/task", process.0.id())).unwrap();
    let mut threads = threads.map(|thread| thread.unwrap().path());
    let name = |thread: &PathBuf| fs::read_to_string(thread.join("comm")).unwrap();
    let keeper = threads.find(|thread| name(thread).trim() == "keeper");
    let keeper = keeper.expect("there is a keeper");
    let debugger = Process::spawn(
        Command::new("strace")
            .args(["-e", "trace=listen"])
            .args(["-e", "inject=listen:delay_enter=600000000"])
            .arg("-p")
            .arg(keeper.file_name().unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    eventually("the debugger is there", || {
        let status = fs::read_to_string(keeper.join("status")).unwrap();
        (!status.contains("TracerPid:\t0\n")).then_some(())
    });
    debugger
}

/// Sockets that are bound and not published.
fn hidden_sockets(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let hidden = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(".n"));
    hidden.map(|entry| entry.path()).collect()
}

#[test]
fn a_start_that_waits_can_be_ended() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.sock");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| hang_with_the_lock(directory.path(), usize::MAX, &over));
        let mut process = start(directory.path(), &path);
        process.signal(Signal::TERM);
        let status = process.wait();
        over.store(true, Ordering::Relaxed);
        assert_eq!(status.code(), Some(0));
    });
    assert!(!is_socket(&path));
}
