//! What a client sees when the database fails.

use crate::{
    edge::{Code, Problem},
    storage::sql::DatabaseError,
};

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        let code = match error {
            // What a client may violate is looked at where it is written; this is a bug.
            DatabaseError::UniqueViolation => Code::Internal,
            DatabaseError::Refused(_) => Code::Internal,
            _ => Code::DatabaseUnavailable,
        };
        Self::from(code).with_cause(error)
    }
}
