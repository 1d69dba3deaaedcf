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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_is_waited_for_up_to_the_limit() {
        let path = std::env::temp_dir().join(format!("footfall-lock-{}", std::process::id()));
        let (first, second) = (File::create(&path).unwrap(), File::create(&path).unwrap());
        within(&first, Duration::ZERO).unwrap();
        let started = Instant::now();
        let error = within(&second, Duration::from_millis(20)).unwrap_err();
        assert!(started.elapsed() >= Duration::from_millis(20));
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(first);
        within(&second, Duration::ZERO).unwrap();
        std::fs::remove_file(path).unwrap();
    }
}
