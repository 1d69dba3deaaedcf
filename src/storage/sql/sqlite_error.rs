//! What errors of SQLite mean for the store.

use crate::storage::StoreError;

impl StoreError {
    /// What an error of COMMIT means.
    ///
    /// The frames of a commit are in the log before it is synced. When that
    /// fails (IOERR), SQLite forgets them; but if the process dies before
    /// others are written in their place, whoever opens the file next recovers
    /// them (<https://www.sqlite.org/walformat.html>). Only a commit whose last
    /// frame was never written is not there for certain: BUSY began nothing,
    /// and at FULL a frame found no room.
    pub fn of_commit(error: sqlx::Error) -> Self {
        match error.as_database_error().map(primary_code) {
            Some(Some(BUSY | FULL)) => Self::from(error),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Another process has it locked.
pub const BUSY: u32 = 5;

/// The disk is full.
const FULL: u32 = 13;

impl From<sqlx::Error> for StoreError {
    /// What an error means before COMMIT: nothing was done.
    fn from(error: sqlx::Error) -> Self {
        let message = error.to_string();
        match error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
                Self::Unavailable(message)
            }
            sqlx::Error::Database(error) => match primary_code(error.as_ref()) {
                // BUSY, LOCKED: another process wrote for longer than the timeout.
                // READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB: no write would succeed.
                Some(BUSY | 6 | 8 | 10 | 11 | FULL | 14 | 26) => Self::Unavailable(message),
                _ => Self::Refused(message),
            },
            _ => Self::Refused(message),
        }
    }
}

/// The primary result code (<https://www.sqlite.org/rescode.html>); sqlx gives the extended one.
pub fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    let extended: u32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}
