//! What is asked of the database: put together by sea-query, in the one text that both databases understand.

use futures_util::TryStreamExt;
use sea_query::{Expr, PostgresQueryBuilder, SelectStatement, Value, Values};
use sqlx::{
    Arguments, Error, FromRow, SqlStr, postgres::PgArguments, postgres::PgRow,
    sqlite::SqliteArguments, sqlite::SqliteRow,
};
use uuid::Uuid;

use crate::storage::sql::{Connection, of_company};

/// Which of the two databases it is, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Dialect {
    /// That of a connection.
    pub fn of(connection: &Connection<'_>) -> Self {
        match connection {
            Connection::Postgres(_) => Self::Postgres,
            Connection::Sqlite(_) => Self::Sqlite,
        }
    }
}

/// A statement about the rows of one company.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its text.
    pub text: String,
    values: Vec<Value>,
}

/// The first condition of a statement: of this company, which is its first parameter.
pub(super) fn of(company: Uuid) -> Expr {
    Expr::cust_with_values("company_id = $1", [company])
}

/// The same of what is within a statement.
pub(super) fn of_same_company() -> Expr {
    Expr::cust("company_id = $1")
}

/// What no visit meets.
pub(super) fn nothing() -> Expr {
    Expr::cust("1 = 0")
}

/// Where in a text another one is, from 1 on; 0 if nowhere. No character of it is a pattern.
pub(super) fn place(dialect: Dialect, text: Expr, part: &str) -> Expr {
    let template = match dialect {
        Dialect::Postgres => "strpos($1, $2)",
        Dialect::Sqlite => "instr($1, $2)",
    };
    Expr::cust_with_exprs(template, [text, Expr::val(part)])
}

impl Statement {
    /// That of a query whose first parameter is the company. Its text is for PostgreSQL; SQLite understands
    /// as much of that as is used here.
    pub fn new(query: &SelectStatement) -> Self {
        let (text, Values(values)) = query.build(PostgresQueryBuilder);
        debug_assert!(
            matches!(values.first(), Some(Value::Uuid(Some(_)))),
            "{text}"
        );
        Self { text, values }
    }

    /// Takes its rows, one after the other.
    ///
    /// # Errors
    ///
    /// Those of the database, and of who takes them.
    pub async fn each<R>(
        self,
        connection: &mut Connection<'_>,
        mut take: impl FnMut(R) -> Result<(), Error> + Send,
    ) -> Result<(), Error>
    where
        R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        match connection {
            Connection::Postgres(database) => {
                let (text, values) = self.for_postgres()?;
                let mut rows = sqlx::query_as_with(text, values).fetch(&mut **database);
                while let Some(row) = rows.try_next().await? {
                    take(row)?;
                }
            }
            Connection::Sqlite(database) => {
                let (text, values) = self.for_sqlite()?;
                let mut rows = sqlx::query_as_with(text, values).fetch(&mut **database);
                while let Some(row) = rows.try_next().await? {
                    take(row)?;
                }
            }
        }
        Ok(())
    }

    /// As PostgreSQL is given it.
    ///
    /// # Errors
    ///
    /// If it has a value of a kind that no statement here has.
    pub fn for_postgres(self) -> Result<(SqlStr, PgArguments), Error> {
        let mut arguments = PgArguments::default();
        for value in self.values {
            match value {
                Value::BigInt(Some(number)) => arguments.add(number),
                // That of IN without values.
                Value::Int(Some(number)) => arguments.add(i64::from(number)),
                Value::Double(Some(number)) => arguments.add(number),
                Value::String(Some(text)) => arguments.add(text),
                Value::Uuid(Some(id)) => arguments.add(id),
                other => return Err(unknown(&other)),
            }
            .map_err(Error::Encode)?;
        }
        Ok((of_company(self.text), arguments))
    }

    /// As SQLite is given it.
    ///
    /// # Errors
    ///
    /// If it has a value of a kind that no statement here has.
    pub fn for_sqlite(self) -> Result<(SqlStr, SqliteArguments), Error> {
        let mut arguments = SqliteArguments::default();
        for value in self.values {
            match value {
                Value::BigInt(Some(number)) => arguments.add(number),
                // That of IN without values.
                Value::Int(Some(number)) => arguments.add(i64::from(number)),
                Value::Double(Some(number)) => arguments.add(number),
                Value::String(Some(text)) => arguments.add(text),
                Value::Uuid(Some(id)) => arguments.add(id),
                other => return Err(unknown(&other)),
            }
            .map_err(Error::Encode)?;
        }
        Ok((of_company(self.text), arguments))
    }
}

fn unknown(value: &Value) -> Error {
    Error::InvalidArgument(format!("nothing binds a value like {value:?}"))
}
