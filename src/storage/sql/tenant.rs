//! Of which company a transaction is.
//!
//! PostgreSQL's row-level security is the second line behind `WHERE company_id = $1`: it shows a
//! transaction the rows of the company that it names here, and to one that names none, nothing.
//! SQLite has no such thing.

use uuid::Uuid;

use super::{Connection, DatabaseError};

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
