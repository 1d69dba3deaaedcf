//! What is kept of days that are over.

use super::{
    conditions::{column, met_by_text},
    counters::Counter,
    names::Name,
    statement::{Dialect, Statement, of},
};
use crate::audiences::filter::{Field, Test};
use sea_query::{Expr, ExprTrait, Query};

/// A day, who came, and how often they came again, if that is known.
pub(super) type VisitorDay = (i64, Vec<u8>, Option<Vec<u8>>);

/// Asks for who came on days, from one on and up to another.
pub fn visitors(counter: &Counter, from: i64, to: i64) -> Statement {
    let visitors = Query::select()
        .columns([Name::Day, Name::Visitors, Name::Slices])
        .from(Name::VisitorDays)
        .and_where(of(counter.recording.company()))
        .and_where(Expr::col(Name::RecordingId).eq(counter.recording.id))
        .and_where(Expr::col(Name::Day).gte(from))
        .and_where(Expr::col(Name::Day).lte(to))
        .take();
    Statement::new(&visitors)
}

/// Asks for whose visits of days said something in a field that meets a test.
pub fn values(
    counter: &Counter,
    (from, to): (i64, i64),
    field: Field,
    test: &Test,
    dialect: Dialect,
) -> Statement {
    let name = sea_query::Iden::quoted(&column(field));
    let values = Query::select()
        .column(Name::Visitors)
        .from(Name::ValueDays)
        .and_where(of(counter.recording.company()))
        .and_where(Expr::col(Name::RecordingId).eq(counter.recording.id))
        .and_where(Expr::col(Name::Day).gte(from))
        .and_where(Expr::col(Name::Day).lte(to))
        .and_where(Expr::col(Name::Field).eq(&*name))
        .and_where(Expr::col(Name::Visitors).is_not_null())
        .and_where(met_by_text(test, counter.recording.id, dialect))
        .take();
    Statement::new(&values)
}
