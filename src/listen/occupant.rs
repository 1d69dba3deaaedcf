//! What is at the path of a socket.

use std::{fs, io, os::unix::fs::FileTypeExt, path::Path};

use socket2::{Domain, SockAddr, Socket, Type};

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
