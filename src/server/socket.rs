//! The life cycle of a Unix socket's path.
//!
//! A socket is bound under a temporary name, given its mode, and renamed into
//! place: there is no moment at which it can be reached with the wrong mode.
//! A stale socket (a connect is refused) is replaced, a live one is left alone
//! and the process refuses to start; anything that is no socket is never
//! touched. A lock file in the directory makes looking and renaming one step
//! among the processes that share it.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use socket2::{Domain, SockAddr, Socket, Type};

use super::{
    listener::BACKLOG,
    slots::{SLOTS, Slots},
};
use crate::{config::values::SocketTemplate, file_lock};

/// Longest path, in bytes. The kernel allows 107, and the temporary name
/// beside it may be a little longer.
const MAX_PATH_BYTES: usize = 100;

/// The largest process id Linux gives, with seven digits.
const MAX_PID: u32 = 1 << 22;

/// Looking and renaming takes a moment; who holds the lock longer is stopped.
const LOCK_LIMIT: Duration = Duration::from_secs(1);

/// Taken while a path is looked at and changed.
const LOCK_FILE: &str = ".footfall.lock";

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
    /// Anything else.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing.
    Nothing,
    /// A socket nobody listens on.
    Stale,
    /// A socket somebody listens on.
    Live,
    /// No socket.
    Foreign,
}

/// A path that leads to our socket.
#[derive(Debug)]
pub struct PublishedSocket {
    path: PathBuf,
    /// Device and inode: which file at the path is ours.
    identity: (u64, u64),
    mode: u32,
    /// All slots, if the path is one of them.
    slots: Option<Slots>,
}

/// Binds a socket and publishes it under the template's path.
pub fn publish(
    template: &SocketTemplate,
    mode: u32,
) -> Result<(Socket, PublishedSocket), (PathBuf, SocketError)> {
    let hostname = hostname();
    let pid = std::process::id();
    let expand = |slot| PathBuf::from(template.expand(&hostname, pid, slot));
    let first = expand(1);
    let describe = |error| (first.clone(), error);

    within_length(&first).map_err(describe)?;
    // Held until the path is published.
    let _lock = lock(&first, mode).map_err(describe)?;
    let slots = template.has_slot().then(|| Slots::new(expand));
    let path = match &slots {
        Some(slots) => slots.first_free().map_err(describe)?,
        None => match occupant(&first).map_err(|error| describe(error.into()))? {
            Occupant::Nothing | Occupant::Stale => first.clone(),
            Occupant::Live => return Err(describe(SocketError::Live)),
            Occupant::Foreign => return Err(describe(SocketError::Foreign)),
        },
    };
    let socket = bind(&path, mode).map_err(|error| (path.clone(), error))?;
    let publish = || -> io::Result<PublishedSocket> {
        let file = fs::symlink_metadata(&path)?;
        let published = PublishedSocket {
            path: path.clone(),
            identity: (file.dev(), file.ino()),
            mode,
            slots,
        };
        // If this fails, the path is withdrawn again.
        published.slots.as_ref().map_or(Ok(()), Slots::spread)?;
        Ok(published)
    };
    let published = publish();
    Ok((socket, published.map_err(|error| (path, error.into()))?))
}

impl PublishedSocket {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Withdraws the path, if it still leads to our socket: nobody new finds it.
    /// Only to be called while the socket is open: once it is closed, its inode
    /// may be another's.
    pub fn withdraw(&self) {
        if !self.is_ours() {
            return;
        }
        let result = match (lock(&self.path, self.mode), &self.slots) {
            (Ok(_lock), Some(slots)) => slots.leave(&self.path),
            (Ok(_lock), None) => fs::remove_file(&self.path),
            (Err(error), _) => {
                // Shutting down must not depend on the others. But only our own path is ours to
                // change then: a link put elsewhere could replace what a successor puts there.
                // The survivors put the slots in order.
                tracing::warn!(path = %self.path.display(), %error, "the socket's path is withdrawn without the lock");
                fs::remove_file(&self.path)
            }
        };
        if let Err(error) = result {
            tracing::warn!(path = %self.path.display(), %error, "the socket's path could not be withdrawn");
        }
    }

    /// Puts the slots in order that a crashed replica has left.
    pub fn repair(&self) {
        let Some(slots) = self.slots.as_ref().filter(|_| self.is_ours()) else {
            return;
        };
        let repair = || -> Result<(), SocketError> {
            // Not waited for: who holds the lock puts the slots in order, or the next round does.
            if !slots.are_tidy()? {
                let lock = open_lock(&self.path, self.mode)?;
                if lock.try_lock().is_ok() {
                    slots.spread()?;
                }
            }
            Ok(())
        };
        if let Err(error) = repair() {
            tracing::warn!(path = %self.path.display(), %error, "free slots could not be put in order");
        }
    }

    fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.identity)
    }
}

impl Drop for PublishedSocket {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// What is at a path now.
///
/// # Errors
///
/// If it cannot be told.
pub fn occupant(path: &Path) -> io::Result<Occupant> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Occupant::Nothing),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => return Ok(Occupant::Foreign),
        Ok(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A blocking connect would wait for a place in the queue of a busy listener.
    socket.set_nonblocking(true)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(Occupant::Live),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Ok(Occupant::Stale),
            io::ErrorKind::NotFound => Ok(Occupant::Nothing),
            // The queue is full, so somebody is there.
            io::ErrorKind::WouldBlock => Ok(Occupant::Live),
            // Another user's, and so not ours to replace.
            io::ErrorKind::PermissionDenied => Ok(Occupant::Live),
            _ => Err(error),
        },
    }
}

/// Whether every path that a template may give on this machine is short enough.
///
/// # Errors
///
/// [`SocketError::TooLong`]
pub fn check_length(template: &SocketTemplate) -> Result<(), SocketError> {
    within_length(Path::new(&template.expand(&hostname(), MAX_PID, SLOTS)))
}

fn within_length(path: &Path) -> Result<(), SocketError> {
    match path.as_os_str().len() {
        0..=MAX_PATH_BYTES => Ok(()),
        length => Err(SocketError::TooLong(length)),
    }
}

fn bind(path: &Path, mode: u32) -> Result<Socket, SocketError> {
    within_length(path)?;
    // The lock makes the name ours, even among containers that all have process id 1.
    let temporary = directory(path).join(format!(".{:x}", std::process::id()));
    match fs::symlink_metadata(&temporary) {
        // Left by a process with our id that was killed between bind and rename.
        Ok(file) if file.file_type().is_socket() => fs::remove_file(&temporary)?,
        Ok(_) => {
            let in_the_way = format!("{} is in the way", temporary.display());
            return Err(io::Error::other(in_the_way).into());
        }
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&temporary)?)?;
    let publish = || -> io::Result<()> {
        fs::set_permissions(&temporary, Permissions::from_mode(mode))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        fs::rename(&temporary, path)
    };
    match publish() {
        Ok(()) => Ok(socket),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error.into())
        }
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

fn lock(path: &Path, mode: u32) -> Result<File, SocketError> {
    let file = open_lock(path, mode)?;
    file_lock::within(&file, LOCK_LIMIT)?;
    Ok(file)
}

fn open_lock(path: &Path, mode: u32) -> Result<File, SocketError> {
    let directory = directory(path);
    let lock = directory.join(LOCK_FILE);
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .open(&lock);
    let file = open.map_err(|error| SocketError::Directory {
        directory: directory.to_owned(),
        problem: match error.kind() {
            io::ErrorKind::NotFound => {
                "does not exist; create it, writable for this user".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                format!("or its {LOCK_FILE} may not be written by this user")
            }
            io::ErrorKind::ReadOnlyFilesystem => "is on a read-only file system".to_owned(),
            io::ErrorKind::NotADirectory => "is not a directory".to_owned(),
            _ => error.to_string(),
        },
    })?;
    // The umask has cut the mode, and whoever may use the sockets must be able to lock. Only the
    // owner can change it, and need do so once.
    let _ = file.set_permissions(Permissions::from_mode(mode));
    Ok(file)
}

fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}
