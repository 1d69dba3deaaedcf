//! What a client sees when the database fails, or something was done too often.

use super::throttle::Refusal;
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

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooMany(wait) => Self::from(Code::TooManyRequests).retry_after(wait),
            Refusal::Unavailable => Self::from(Code::StoreUnavailable)
                .with_detail("The store cannot be reached, and without it nobody knows how often this was done. Nothing was done; try again."),
        }
    }
}
