//! Why the path of a socket cannot be used.

use std::{io, path::PathBuf};

use super::held_lock::HeldLock;
use crate::config::values::SLOTS;

/// Longest path, in bytes. The kernel allows 107, and the hidden name beside it
/// may be a little longer.
pub const MAX_PATH_BYTES: usize = 100;

/// Why a path cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process serves it.
    #[error("another process is listening there; stop it, or choose another path")]
    Live,
    /// It is a file, a directory or a link.
    #[error(
        "something that is no socket is there, and it is left alone; move it away, or choose another path"
    )]
    Foreign,
    /// Every slot is taken.
    #[error("all {SLOTS} slots are taken; stop a replica first")]
    NoFreeSlot,
    /// The path is longer than the kernel allows.
    #[error("the path is {0} bytes long; the limit is {MAX_PATH_BYTES}")]
    TooLong(usize),
    /// The directory is missing or may not be written.
    #[error("the directory {} {problem}", .directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process holds the lock of the directory.
    #[error("another process holds the lock of the directory; is it stopped?")]
    Locked(HeldLock),
    /// Nobody answers on a socket that all of us should accept from.
    #[error("no worker answers on the socket")]
    NoAnswer,
    /// What was made in the directory was gone when it was to be used: another process had
    /// taken the lock away from us, and both changed the directory at once.
    #[error("{0}; does another process change the directory at the same time?")]
    Overtaken(io::Error),
    /// Anything else.
    #[error("{0}")]
    Io(io::Error),
}

impl SocketError {
    /// Whether others were in the way, and the same may well succeed next time.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Locked(_) | Self::Overtaken(_))
    }
}

impl From<io::Error> for SocketError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A name that was there a moment ago, or one that was not. That the directory itself
            // is missing is found when its lock is opened.
            io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists => Self::Overtaken(error),
            _ => Self::Io(error),
        }
    }
}
