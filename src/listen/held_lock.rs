//! A directory's lock that another process holds.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Taken while a path is looked at and changed.
pub const LOCK_FILE: &str = ".footfall.lock";

/// The directory of a path.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// A lock that another process was found to hold. Open, so that its inode is not
/// given to the next one.
#[derive(Debug)]
pub struct HeldLock(pub File);

impl HeldLock {
    /// Whether both are the same lock.
    pub fn is(&self, other: &Self) -> bool {
        are_one(self.0.metadata(), other.0.metadata())
    }

    /// Has everyone take another lock from now on: whoever holds this one is
    /// stopped, and may be for ever. Not the one that replaced it, if somebody
    /// else has done so.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    pub fn break_it(&self, path: &Path) -> io::Result<()> {
        match is_current(&self.0, path) {
            true => fs::remove_file(directory_of(path).join(LOCK_FILE)),
            false => Ok(()),
        }
    }
}

/// Whether others find the same lock: somebody may have removed the file.
pub fn is_current(lock: &File, path: &Path) -> bool {
    are_one(
        fs::symlink_metadata(directory_of(path).join(LOCK_FILE)),
        lock.metadata(),
    )
}

fn are_one(a: io::Result<fs::Metadata>, b: io::Result<fs::Metadata>) -> bool {
    matches!((a, b), (Ok(a), Ok(b)) if (a.dev(), a.ino()) == (b.dev(), b.ino()))
}
