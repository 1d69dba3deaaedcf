//! Conditions on what a visit says in a property. Values are compared as JSON has them, so that no type becomes
//! another: in PostgreSQL as `jsonb`, in SQLite as the texts in which they are kept.

use sea_query::{Cond, Expr, ExprTrait};

use super::{
    exact::all_written,
    numbers,
    property::{Property, quoted},
    statement::{Dialect, nothing, place},
};
use crate::audiences::filter::{Bound, Exact, Scalar, Test};

/// That a visit meets it in the property with this key.
pub(super) fn met(key: &str, test: &Test, dialect: Dialect) -> Cond {
    let property = Property::of(key, dialect);
    match test {
        Test::Exists => property.json().is_not_null().into(),
        Test::Missing => property.json().is_null().into(),
        Test::In(values) => property.is_in(values.iter()).into(),
        Test::NotIn(values) => Cond::any()
            .add(property.json().is_null())
            .add(property.is_in(values.iter()).not()),
        Test::Contains(part) => property.is_text(place(dialect, property.text(), part).gt(0_i64)),
        Test::StartsWith(start) => {
            property.is_text(place(dialect, property.text(), start).eq(1_i64))
        }
        Test::Above(Scalar::Text(limit), bound) => property.is_text(match bound {
            Bound::Included => property.ordered().gte(limit.as_str()),
            Bound::Excluded => property.ordered().gt(limit.as_str()),
        }),
        Test::Below(Scalar::Text(limit), bound) => property.is_text(match bound {
            Bound::Included => property.ordered().lte(limit.as_str()),
            Bound::Excluded => property.ordered().lt(limit.as_str()),
        }),
        Test::Above(Scalar::Number(limit), bound) => property.is_above(limit, *bound),
        Test::Below(Scalar::Number(limit), bound) => property.is_below(limit, *bound),
        Test::Above(Scalar::Bool(_), _) | Test::Below(Scalar::Bool(_), _) => nothing().into(),
    }
}

impl Property<'_> {
    /// Its value as a text whose order is that of its bytes.
    fn ordered(&self) -> Expr {
        match self.dialect() {
            Dialect::Postgres => Expr::cust_with_exprs("($1 COLLATE \"C\")", [self.text()]),
            Dialect::Sqlite => self.text(),
        }
    }

    fn is_text(&self, meets: Expr) -> Cond {
        let name = match self.dialect() {
            Dialect::Postgres => "string",
            Dialect::Sqlite => "text",
        };
        Cond::all().add(self.kind().eq(name)).add(meets)
    }

    fn is_in<'v>(&self, values: impl Iterator<Item = &'v Scalar>) -> Expr {
        let literals = values.flat_map(|value| match value {
            Scalar::Bool(value) => vec![value.to_string()],
            Scalar::Text(text) => vec![quoted(text)],
            // Numbers that are equal are so in `jsonb`.
            Scalar::Number(Exact(number)) if self.dialect() == Dialect::Postgres => {
                vec![number.clone()]
            }
            Scalar::Number(Exact(number)) => all_written(number),
        });
        match self.dialect() {
            Dialect::Postgres => self.json().is_in(literals.map(as_jsonb)),
            Dialect::Sqlite => self.json().is_in(literals),
        }
    }

    fn is_above(&self, Exact(limit): &Exact, bound: Bound) -> Cond {
        match self.dialect() {
            Dialect::Postgres => self.is_number(match bound {
                Bound::Included => self.json().gte(as_jsonb(limit)),
                Bound::Excluded => self.json().gt(as_jsonb(limit)),
            }),
            Dialect::Sqlite => numbers::is_above(self, limit, bound),
        }
    }

    fn is_below(&self, Exact(limit): &Exact, bound: Bound) -> Cond {
        match self.dialect() {
            Dialect::Postgres => self.is_number(match bound {
                Bound::Included => self.json().lte(as_jsonb(limit)),
                Bound::Excluded => self.json().lt(as_jsonb(limit)),
            }),
            Dialect::Sqlite => numbers::is_below(self, limit, bound),
        }
    }

    /// In PostgreSQL `jsonb` of all types is ordered; those of numbers as numbers are.
    fn is_number(&self, meets: Expr) -> Cond {
        Cond::all().add(self.kind().eq("number")).add(meets)
    }
}

fn as_jsonb(literal: impl Into<String>) -> Expr {
    Expr::cust_with_values("CAST($1 AS jsonb)", [literal.into()])
}
