//! A property of visits, as the databases know it.

use sea_query::Expr;

use super::statement::Dialect;

/// A property of visits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Property<'a> {
    key: &'a str,
    dialect: Dialect,
}

impl<'a> Property<'a> {
    /// The one with this key.
    pub(super) fn of(key: &'a str, dialect: Dialect) -> Self {
        Self { key, dialect }
    }

    /// Of which database.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// By what the databases know it: PostgreSQL by its key, SQLite by its path.
    fn place(&self) -> Expr {
        match self.dialect {
            Dialect::Postgres => Expr::val(self.key),
            // Quoted as it is in what is kept.
            Dialect::Sqlite => Expr::val(format!("$.{}", quoted(self.key))),
        }
    }

    /// Its value as JSON; NULL if there is none.
    pub(super) fn json(&self) -> Expr {
        Expr::cust_with_exprs("(properties -> $1)", [self.place()])
    }

    /// Its value as text, if it is one.
    pub(super) fn text(&self) -> Expr {
        Expr::cust_with_exprs("(properties ->> $1)", [self.place()])
    }

    /// The type of its value, as the database names it.
    pub(super) fn kind(&self) -> Expr {
        match self.dialect {
            Dialect::Postgres => Expr::cust_with_exprs("jsonb_typeof($1)", [self.json()]),
            Dialect::Sqlite => Expr::cust_with_exprs("json_type(properties, $1)", [self.place()]),
        }
    }
}

/// A text as JSON has it, and as it is kept.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
