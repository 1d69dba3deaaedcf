//! What an error of a database means.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::storage::StoreError;

/// Why a database could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// It cannot be reached, or takes no work. Nothing was done.
    #[error("{0}")]
    Away(String),
    /// It did not answer in time. What was asked may or may not have been done.
    #[error("the database did not answer in time")]
    Timeout,
    /// The connection broke. What was asked may or may not have been done.
    #[error("the connection to the database was lost: {0}")]
    ConnectionLost(String),
    /// A row like it is there already. Nothing was done. SQLite does not say which constraint it
    /// was, so a statement has one that can be violated.
    #[error("a row like it is there already")]
    UniqueViolation,
    /// Others are at it: all connections are in use, a lock is held, or it took too long and was
    /// given up. Nothing was done; trying again may help.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// It answered that it did not do it, and would not the next time either.
    #[error("the database refused: {0}")]
    Refused(String),
}

impl DatabaseError {
    /// Whether what was asked may or may not have been done.
    pub fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::Timeout | Self::ConnectionLost(_))
    }

    /// The value of the `outcome` label.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Away(_) => "unavailable",
            Self::Timeout => "timeout",
            Self::ConnectionLost(_) => "connection_lost",
            Self::UniqueViolation => "unique_violation",
            Self::Busy(_) => "busy",
            Self::Refused(_) => "refused",
        }
    }
}

impl From<sqlx::Error> for DatabaseError {
    /// What an error on an open connection means.
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => {
                Self::UniqueViolation
            }
            sqlx::Error::Database(database) => {
                match database.try_downcast_ref::<PgDatabaseError>() {
                    Some(postgres) => {
                        of_postgres(postgres.severity(), postgres.code(), postgres.message())
                    }
                    None => of_sqlite(error),
                }
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                Self::ConnectionLost(error.to_string())
            }
            sqlx::Error::PoolTimedOut => Self::Busy("all its connections are in use".into()),
            sqlx::Error::PoolClosed => Self::Away("it has been closed".into()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// The SQLSTATE codes of
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(severity: PgSeverity, code: &str, message: &str) -> DatabaseError {
    let message = message.to_owned();
    // The session ends with it. It may have been committing: a server that panics since it cannot
    // sync its log, say, recovers what it had written of it.
    if matches!(severity, PgSeverity::Fatal | PgSeverity::Panic) {
        return DatabaseError::ConnectionLost(message);
    }
    match code {
        // The statement took too long; a lock did; a deadlock; two transactions that exclude each other.
        "57014" | "55P03" | "40P01" | "40001" => DatabaseError::Busy(message),
        // A transaction for reading only: a standby, or a server that was told to take no writes.
        "25006" => DatabaseError::Away(format!("it takes no writes: {message}")),
        // The server shuts down, or ended this session, which may have been committing.
        "57P01" | "57P02" | "57P05" | "25P03" | "25P04" => DatabaseError::ConnectionLost(message),
        // Too many connections, a full disk, no memory; a damaged or failing disk; starting up.
        _ if code.starts_with("53") || code.starts_with("58") || code.starts_with("XX") => {
            DatabaseError::Away(message)
        }
        "57P03" => DatabaseError::Away(message),
        _ if code.starts_with("08") => DatabaseError::ConnectionLost(message),
        _ => DatabaseError::Refused(message),
    }
}

fn of_sqlite(error: sqlx::Error) -> DatabaseError {
    match StoreError::from(error) {
        StoreError::Unavailable(reason) => DatabaseError::Away(reason),
        StoreError::Busy => DatabaseError::Busy("all its connections are in use".into()),
        error => DatabaseError::Refused(error.to_string()),
    }
}

impl From<StoreError> for DatabaseError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Away(reason),
            StoreError::Timeout => Self::Timeout,
            StoreError::Busy => Self::Busy("another transaction has it".into()),
            error if error.outcome_is_unknown() => Self::ConnectionLost(error.to_string()),
            error => Self::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_whether_anything_was_done() {
        for (code, outcome) in [
            ("57014", "busy"),
            ("55P03", "busy"),
            ("40P01", "busy"),
            ("40001", "busy"),
            ("25006", "unavailable"),
            ("53100", "unavailable"),
            ("53300", "unavailable"),
            ("58030", "unavailable"),
            ("57P03", "unavailable"),
            ("XX001", "unavailable"),
            ("57P01", "connection_lost"),
            ("57P02", "connection_lost"),
            ("25P03", "connection_lost"),
            ("08006", "connection_lost"),
            ("42501", "refused"),
            ("42P01", "refused"),
            ("23503", "refused"),
            ("22P02", "refused"),
        ] {
            let error = of_postgres(PgSeverity::Error, code, "why");
            for severity in [PgSeverity::Fatal, PgSeverity::Panic] {
                let of_session = of_postgres(severity, code, "why");
                assert!(of_session.outcome_is_unknown(), "{code}");
            }
            assert_eq!(error.outcome(), outcome, "{code}");
            let unknown = error.outcome_is_unknown();
            assert_eq!(unknown, outcome == "connection_lost", "{code}");
            assert!(error.to_string().contains("why"), "{error}");
        }
    }
}
