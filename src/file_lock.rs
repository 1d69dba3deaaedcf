//! Locks on files that are never waited for without end.

use std::{
    fs::{File, TryLockError},
    io, thread,
    time::{Duration, Instant},
};

/// Between two tries: the system has no lock with a time limit.
const PAUSE: Duration = Duration::from_millis(5);

/// Locks a file against other processes, for as long as it is open.
///
/// # Errors
///
/// If another process holds the lock all the time.
pub fn within(file: &File, limit: Duration) -> io::Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let message =
                    format!("another process has held the lock for {limit:?}; is it stopped?");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
        }
    }
}
