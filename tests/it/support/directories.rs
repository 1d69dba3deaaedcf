//! Folders on both kinds of file system that sockets live on. They differ: a disk gives the inode
//! of a file that is gone to the next one at once, memory does not.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::statfs;
use tempfile::TempDir;

use super::process::PATIENCE;

/// `f_type` of tmpfs, see statfs(2).
const TMPFS: u64 = 0x0102_1994;

fn is_in_memory(directory: &Path) -> bool {
    let found =
        statfs(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    u64::try_from(found.f_type).unwrap() == TMPFS
}

/// A folder on a disk.
pub fn on_disk() -> TempDir {
    // Beside what was built, unless that is too deep for the path of a socket.
    let built = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let places = [
        built.to_owned(),
        PathBuf::from("/var/tmp"),
        std::env::temp_dir(),
    ];
    let place = places
        .iter()
        .find(|place| place.as_os_str().len() <= 50 && place.is_dir() && !is_in_memory(place))
        .unwrap_or_else(|| panic!("none of {places:?} is a folder on a disk with a short name"));
    tempfile::tempdir_in(place).unwrap()
}

/// A folder in memory.
pub fn in_memory() -> TempDir {
    let place = Path::new("/dev/shm");
    assert!(
        is_in_memory(place),
        "{} is no tmpfs; mount one there",
        place.display()
    );
    tempfile::tempdir_in(place).unwrap()
}

/// One of each.
pub fn both() -> [TempDir; 2] {
    [on_disk(), in_memory()]
}

/// Takes the lock of a directory whenever it can be had, so often at most, and gives none back until
/// it is over: one process after the other that hangs. Tells how many did.
pub fn hang_with_the_lock(directory: &Path, times: usize, over: &AtomicBool) -> usize {
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
