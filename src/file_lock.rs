//! Locks on files that are never waited for without end.
//!
//! Who has waited in vain takes the holder to be stopped. So only time counts in which the one
//! who waits turned itself: a machine that stood still for a second stopped both, and the holder
//! has had no more of it than the one who judges.

use std::{
    fs::{File, TryLockError},
    io, thread,
    time::{Duration, Instant},
};

/// Between two tries: the system has no lock with a time limit.
const PAUSE: Duration = Duration::from_millis(5);

/// The most that one pause counts for, however long it was. A busy machine makes it some ten
/// milliseconds long.
const COUNTED: Duration = Duration::from_millis(50);

/// Locks a file against other processes, for as long as it is open.
///
/// # Errors
///
/// If another process holds the lock all the time.
pub fn within(file: &File, limit: Duration) -> io::Result<()> {
    try_within(file, limit, || {
        let begin = Instant::now();
        thread::sleep(PAUSE);
        begin.elapsed()
    })
}

/// The same, with a pause that tells how long it was.
fn try_within(file: &File, limit: Duration, mut pause: impl FnMut() -> Duration) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if waited < limit => waited += pause().min(COUNTED),
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

    #[test]
    fn time_in_which_the_one_who_waits_stood_still_counts_little() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (holder, waiting) = (File::create(&path).unwrap(), File::create(&path).unwrap());
        let limit = Duration::from_secs(1);
        within(&holder, limit).unwrap();
        let mut held = Some(holder);
        let mut pauses = 0;
        let standstill = || {
            pauses += 1;
            if pauses == 3 {
                held = None;
            }
            Duration::from_secs(60)
        };
        try_within(&waiting, limit, standstill).unwrap();
        assert_eq!(pauses, 3);
        // It ends all the same.
        let other = File::create(&path).unwrap();
        let error = try_within(&other, limit, || Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
