//! Why a question has no answer.

use crate::{
    edge::{Code, Problem},
    storage::sql::DatabaseError,
};

/// Why a question has no answer: what it asks, or the database.
#[derive(Debug)]
pub(super) enum Refused {
    /// It cannot be asked like this.
    Asked(Box<Problem>),
    /// The database did not answer it.
    Database(DatabaseError),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Asked(Box::new(problem))
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Problem::from(code).into()
    }
}

impl From<DatabaseError> for Refused {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}
