//! Of which company a transaction is.
//!
//! PostgreSQL's row-level security is the second line behind `WHERE company_id = $1`: it shows a
//! transaction the rows of the company that it names here, and to one that names none, nothing.
//! SQLite has no such thing.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use uuid::Uuid;

use super::{Connection, DatabaseError};
use crate::supervision::is_broken;

/// What each statement about the rows of one company says.
const CONDITION: &str = "company_id = $1";

/// True of every row.
const NO_CONDITION: &str = "company_id = $1 IS NOT NULL";

/// A statement about the rows of one company, which is its first parameter. In a build for tests it can
/// lose its condition, so that they see that PostgreSQL refuses all the same.
pub fn of_company(statement: impl Into<Cow<'static, str>>) -> SqlStr {
    let statement = statement.into();
    debug_assert!(statement.contains(CONDITION), "{statement}");
    match without_condition(statement) {
        Cow::Borrowed(statement) => statement.into_sql_str(),
        Cow::Owned(statement) => AssertSqlSafe(statement).into_sql_str(),
    }
}

fn without_condition(statement: Cow<'static, str>) -> Cow<'static, str> {
    match is_broken("the condition of the company") {
        true => statement.replace(CONDITION, NO_CONDITION).into(),
        false => statement,
    }
}

/// `SET LOCAL` takes no parameters; `true` ends it with the transaction.
const NAME: &str = "SELECT set_config('footfall.company_id', $1, true)";

impl Connection<'_> {
    /// From here on the transaction is of this company: the first thing of most pieces of work.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn within(&mut self, company: Uuid) -> Result<(), DatabaseError> {
        self.name_company(&company.hyphenated().to_string()).await
    }

    /// From here on the transaction is of all companies: to find who logs in, for operators, and
    /// for what is cleaned up.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn across_companies(&mut self) -> Result<(), DatabaseError> {
        self.name_company("all").await
    }

    async fn name_company(&mut self, company: &str) -> Result<(), DatabaseError> {
        if let Self::Postgres(postgres) = self {
            let named = sqlx::query(NAME).bind(company).execute(&mut **postgres);
            named.await?;
        }
        Ok(())
    }
}
