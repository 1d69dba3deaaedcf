//! A directory of sockets: its lock, and the hidden names that sockets are bound
//! under.
//!
//! The directory may be one that others can write to. So nothing in it is
//! followed if it is a link, nor changed if it is not what was made.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FileType, Mode, OFlags},
    io::Errno,
};
use socket2::{Domain, SockAddr, Socket, Type};
use uuid::Uuid;

use super::{
    held_lock::{HeldLock, LOCK_FILE, directory_of, is_current},
    occupant::{Occupant, occupant},
    offer::BACKLOG,
    socket_error::SocketError,
};
use crate::file_lock;

/// Looking and renaming takes a moment; who holds the lock longer is stopped.
const LOCK_LIMIT: Duration = Duration::from_secs(1);

/// Begins the hidden names; six hexadecimal digits follow. Together they are no
/// longer than what the kernel allows beyond the longest path.
const HIDDEN: &str = ".n";

/// Which file it is. The time of its making is part of it, since a file system
/// may give the inode of a file that is gone to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    made: (i64, i64),
}

impl From<&fs::Metadata> for FileIdentity {
    fn from(file: &fs::Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            made: (file.mtime(), file.mtime_nsec()),
        }
    }
}

/// Locks the directory of a path for as long as the file is open.
///
/// # Errors
///
/// [`SocketError::Locked`] if another process holds the lock all the time; others
/// if there can be none.
pub fn lock(path: &Path, mode: u32) -> Result<File, SocketError> {
    loop {
        let file = open_lock(path, mode)?;
        match file_lock::within(&file, LOCK_LIMIT) {
            Ok(()) if is_current(&file, path) => return Ok(file),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(SocketError::Locked(HeldLock(file)));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Locks the directory of a path, unless another process has it.
///
/// # Errors
///
/// [`SocketError::Locked`] if it has; others if there can be no lock.
pub fn try_lock(path: &Path, mode: u32) -> Result<File, SocketError> {
    let file = open_lock(path, mode)?;
    match file.try_lock().is_ok() && is_current(&file, path) {
        true => Ok(file),
        false => Err(SocketError::Locked(HeldLock(file))),
    }
}

/// Opens the lock of a path's directory, and makes it if it is not there.
///
/// # Errors
///
/// If the directory or the lock cannot be used.
pub fn open_lock(path: &Path, mode: u32) -> Result<File, SocketError> {
    let directory = directory_of(path);
    let trouble = |problem: String| SocketError::Directory {
        directory: directory.to_owned(),
        problem,
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags(flags.bits() as i32)
        .open(directory.join(LOCK_FILE));
    let no_file = || trouble(format!("holds a {LOCK_FILE} that is no file; remove it"));
    let file = open.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            trouble("does not exist; create it, writable for this user".to_owned())
        }
        io::ErrorKind::PermissionDenied => trouble(format!(
            "or its {LOCK_FILE} may not be written by this user"
        )),
        io::ErrorKind::ReadOnlyFilesystem => trouble("is on a read-only file system".to_owned()),
        io::ErrorKind::NotADirectory => trouble("is not a directory".to_owned()),
        io::ErrorKind::IsADirectory => no_file(),
        _ => match Errno::from_io_error(&error) {
            // A link, or a pipe that nobody reads.
            Some(Errno::LOOP | Errno::NXIO) => no_file(),
            _ => trouble(error.to_string()),
        },
    })?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(no_file());
    }
    // The umask has cut the mode, and whoever may use the sockets must be able to lock. Only the
    // owner can change it, and need do so once. A file with a second name is somebody's own.
    if found.mode() & 0o7777 != mode && found.nlink() == 1 {
        let _ = file.set_permissions(Permissions::from_mode(mode));
    }
    Ok(file)
}

/// Binds a socket under a hidden name beside the path, with this mode, and
/// listens. Nobody is to use the directory meanwhile.
///
/// # Errors
///
/// Those of the system.
pub fn bind_hidden(path: &Path, mode: u32) -> io::Result<(Socket, PathBuf, FileIdentity)> {
    loop {
        let name = format!("{HIDDEN}{:06x}", Uuid::now_v7().as_u128() & 0xff_ffff);
        let hidden = directory_of(path).join(name);
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        match socket.bind(&SockAddr::unix(&hidden)?) {
            // Somebody else has this name, or a link is there: it is not followed.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
            bound => bound?,
        }
        let prepared = set_mode(&hidden, mode).and_then(|identity| {
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            Ok(identity)
        });
        return match prepared {
            Ok(identity) => Ok((socket, hidden, identity)),
            Err(error) => {
                let _ = fs::remove_file(&hidden);
                Err(error)
            }
        };
    }
}

/// Gives a socket its mode. What is at the path is opened as itself, never
/// followed, and changed only if it is a socket: in a directory others may write
/// to, somebody may have put a link there since the socket was bound.
fn set_mode(path: &Path, mode: u32) -> io::Result<FileIdentity> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        let message = format!("{} was replaced while it was made", path.display());
        return Err(io::Error::other(message));
    }
    // Such a descriptor takes no fchmod; this is how it is done, see open(2) on O_PATH.
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(&itself, Permissions::from_mode(mode))?;
    Ok(FileIdentity::from(&fs::metadata(&itself)?))
}

/// Removes hidden sockets that nobody listens on any more: their processes were
/// killed before they could publish them. Nobody is to use the directory meanwhile.
pub fn sweep(path: &Path) {
    let Ok(entries) = fs::read_dir(directory_of(path)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let hidden = name.to_str().and_then(|name| name.strip_prefix(HIDDEN));
        let ours = hidden.is_some_and(|rest| {
            rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        let socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        if ours && socket && matches!(occupant(&entry.path()), Ok(Occupant::Stale)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    /// A folder, a path of a socket in it, and a file of somebody's that is mode 0600.
    fn folder() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (socket, precious) = (folder.path().join("1.sock"), folder.path().join("precious"));
        fs::write(&precious, "").unwrap();
        fs::set_permissions(&precious, Permissions::from_mode(0o600)).unwrap();
        (folder, socket, precious)
    }

    #[test]
    fn a_link_in_the_place_of_a_socket_is_not_followed() {
        let (folder, socket, precious) = folder();
        let hidden = folder.path().join(".nabcdef");
        for target in [precious.as_path(), socket.as_path(), Path::new("nowhere")] {
            let _listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            _listener.bind(&SockAddr::unix(&socket).unwrap()).unwrap();
            fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
            symlink(target, &hidden).unwrap();
            set_mode(&hidden, 0o666).unwrap_err();
            assert_eq!((mode_of(&precious), mode_of(&socket)), (0o600, 0o600));
            fs::remove_file(&hidden).unwrap();
            fs::remove_file(&socket).unwrap();
        }
        fs::write(&hidden, "").unwrap();
        set_mode(&hidden, 0o666).unwrap_err();
        assert_eq!(mode_of(&hidden) & 0o002, 0);
    }

    #[test]
    fn a_bound_socket_has_its_mode_whatever_the_umask() {
        let (_folder, socket, _) = folder();
        for mode in [0o600, 0o660, 0o777] {
            let (_socket, hidden, identity) = bind_hidden(&socket, mode).unwrap();
            assert_eq!(mode_of(&hidden), mode);
            let found = fs::symlink_metadata(&hidden).unwrap();
            assert_eq!(FileIdentity::from(&found), identity);
        }
    }

    #[test]
    fn a_lock_that_is_a_link_or_no_file_is_refused() {
        let (folder, socket, precious) = folder();
        let lock_file = folder.path().join(LOCK_FILE);
        let refused = || {
            let error = open_lock(&socket, 0o666).unwrap_err().to_string();
            assert!(error.contains("that is no file; remove it"), "{error}");
        };
        symlink(&precious, &lock_file).unwrap();
        refused();
        fs::remove_file(&lock_file).unwrap();
        fs::create_dir(&lock_file).unwrap();
        refused();
        fs::remove_dir(&lock_file).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &lock_file, Mode::RWXU).unwrap();
        refused();
        fs::remove_file(&lock_file).unwrap();
        fs::hard_link(&precious, &lock_file).unwrap();
        open_lock(&socket, 0o666).unwrap();
        assert_eq!(mode_of(&precious), 0o600);
    }

    #[test]
    fn a_lock_that_was_removed_locks_nobody_out() {
        let (_folder, socket, _) = folder();
        let held = || match try_lock(&socket, 0o660) {
            Err(SocketError::Locked(held)) => held,
            other => panic!("{other:?}"),
        };
        let stopped = lock(&socket, 0o660).unwrap();
        let found = [held(), held()];
        assert!(found[0].is(&found[1]));
        let waiting = open_lock(&socket, 0o660).unwrap();
        found[0].break_it(&socket).unwrap();
        let taken = lock(&socket, 0o660).unwrap();
        drop(stopped);
        // Whoever waited for the old one has it now, and it is worth nothing.
        assert!(waiting.try_lock().is_ok() && !is_current(&waiting, &socket));
        assert!(!held().is(&found[0]));
        // Another one who found the old lock held does not take the new one away.
        found[1].break_it(&socket).unwrap();
        assert!(is_current(&taken, &socket));
        drop(taken);
        assert!(try_lock(&socket, 0o660).is_ok());
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_else() {
        let (folder, socket, precious) = folder();
        let (listening, live, _) = bind_hidden(&socket, 0o660).unwrap();
        let (dead, stale, _) = bind_hidden(&socket, 0o660).unwrap();
        drop(dead);
        let foreign = folder.path().join(".n-other");
        drop(std::os::unix::net::UnixListener::bind(&foreign).unwrap());
        sweep(&socket);
        assert!(!stale.exists());
        assert!(live.exists() && foreign.exists() && precious.exists());
        drop(listening);
    }
}
