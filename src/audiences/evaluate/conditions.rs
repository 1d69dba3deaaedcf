//! Conditions on one visit, as the database is asked for them.

use std::collections::BTreeSet;

use sea_query::{Cond, Expr, ExprTrait, Query, SelectStatement};

use super::{
    names::Name,
    properties,
    statement::{Dialect, nothing, of_same_company, place},
};
use crate::audiences::filter::{Bound, Condition, Field, Scalar, Subject, Test};

/// That a visit of this counter meets it.
pub fn met(condition: &Condition, recording: i64, dialect: Dialect) -> Cond {
    match &condition.of {
        Subject::Field(field) => of_field(*field, &condition.test, recording, dialect),
        Subject::Property(key) => properties::met(key, &condition.test, dialect),
    }
}

/// The column of a field, which has the ids of texts.
pub(super) fn column(field: Field) -> Name {
    match field {
        Field::Path => Name::Path,
        Field::Referrer => Name::Referrer,
        Field::Campaign => Name::Campaign,
        Field::Country => Name::Country,
    }
}

fn of_field(field: Field, test: &Test, recording: i64, dialect: Dialect) -> Cond {
    let column = || Expr::col(column(field));
    match test {
        Test::Exists => column().is_not_null().into(),
        Test::Missing => column().is_null().into(),
        Test::NotIn(values) => {
            let named = texts(recording, is_one_of(values));
            Cond::any()
                .add(column().is_null())
                .add(column().not_in_subquery(named))
        }
        test => {
            let named = texts(recording, meets(test, dialect));
            column().in_subquery(named).into()
        }
    }
}

/// That what a day has of a text, whose id 0 is that of none, meets it.
pub(super) fn met_by_text(test: &Test, recording: i64, dialect: Dialect) -> Expr {
    let text = || Expr::col(Name::Text);
    match test {
        Test::Exists => text().ne(0_i64),
        Test::Missing => text().eq(0_i64),
        Test::NotIn(values) => text().not_in_subquery(texts(recording, is_one_of(values))),
        test => text().in_subquery(texts(recording, meets(test, dialect))),
    }
}

/// The ids of the texts of a counter that meet something.
fn texts(recording: i64, meets: Expr) -> SelectStatement {
    Query::select()
        .column(Name::Id)
        .from(Name::Texts)
        .and_where(of_same_company())
        .and_where(Expr::col(Name::RecordingId).eq(recording))
        .and_where(meets)
        .take()
}

fn is_one_of(values: &BTreeSet<Scalar>) -> Expr {
    let texts = values.iter().filter_map(|value| match value {
        Scalar::Text(text) => Some(text.as_str()),
        // Fields are texts.
        Scalar::Bool(_) | Scalar::Number(_) => None,
    });
    Expr::col(Name::Text).is_in(texts)
}

/// That a text meets what only a text can.
fn meets(test: &Test, dialect: Dialect) -> Expr {
    let text = || Expr::col(Name::Text);
    match test {
        Test::In(values) => is_one_of(values),
        Test::Contains(part) => place(dialect, text(), part).gt(0_i64),
        Test::StartsWith(start) => place(dialect, text(), start).eq(1_i64),
        Test::Above(Scalar::Text(limit), Bound::Included) => text().gte(limit.as_str()),
        Test::Above(Scalar::Text(limit), Bound::Excluded) => text().gt(limit.as_str()),
        Test::Below(Scalar::Text(limit), Bound::Included) => text().lte(limit.as_str()),
        Test::Below(Scalar::Text(limit), Bound::Excluded) => text().lt(limit.as_str()),
        Test::Above(..) | Test::Below(..) | Test::Exists | Test::Missing | Test::NotIn(_) => {
            nothing()
        }
    }
}
