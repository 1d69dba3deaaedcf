//! Visits one by one: whose they are.

use sea_query::{Cond, Expr, ExprTrait, Query, SelectStatement};
use sqlx::Error;

use super::{
    counters::Counter,
    names::Name,
    spans::Span,
    statement::{Dialect, Statement, of},
};
use crate::storage::sql::Connection;

/// Numbers whose visitors come at a time, in one row: a million rows would take a second by themselves.
pub(super) const PAGE: u64 = 1 << 16;

/// The same where few visits are meant.
pub(super) const WIDEST: u64 = 1 << 21;

/// Asks for the visitors of visits that meet a condition, all in one row. By numbers and not by how many there are:
/// there is nothing to sort, and nothing to read before the page is known to be full.
pub fn page(counter: &Counter, span: Span, condition: Cond, dialect: Dialect) -> Statement {
    let visits = visits(counter, span, condition);
    let all = match dialect {
        Dialect::Postgres => "array_agg(visitor)",
        Dialect::Sqlite => "group_concat(visitor, ',')",
    };
    let mut page = Query::select();
    page.expr(Expr::cust(all)).from_subquery(visits, Name::Page);
    Statement::new(&page)
}

fn visits(counter: &Counter, span: Span, condition: Cond) -> SelectStatement {
    let at = || Expr::col(Name::At);
    let number = || Expr::col(Name::Number);
    let window = span.window;
    Query::select()
        .column(Name::Visitor)
        .from(Name::Visits)
        .and_where(of(counter.recording.company()))
        .and_where(Expr::col(Name::RecordingId).eq(counter.recording.id))
        .and_where(number().gt(span.after as i64))
        .and_where(number().lte(span.through as i64))
        .and_where_option(window.from.map(|from| at().gte(from)))
        .and_where_option(window.to.map(|to| at().lt(to)))
        .and_where(Expr::col(Name::Visitor).is_not_null())
        .cond_where(condition)
        .take()
}

/// The visitors of a page, one for each visit.
pub(super) async fn read(
    connection: &mut Connection<'_>,
    page: Statement,
) -> Result<Vec<u64>, Error> {
    match connection {
        Connection::Postgres(database) => {
            let (text, values) = page.for_postgres()?;
            let page = sqlx::query_scalar_with(text, values);
            let visitors: Option<Vec<i64>> = page.fetch_one(&mut **database).await?;
            let visitors = visitors.unwrap_or_default().into_iter();
            Ok(visitors.map(i64::unsigned_abs).collect())
        }
        Connection::Sqlite(database) => {
            let (text, values) = page.for_sqlite()?;
            let page = sqlx::query_scalar_with(text, values);
            let visitors: Option<String> = page.fetch_one(&mut **database).await?;
            numbers(&visitors.unwrap_or_default())
        }
    }
}

fn numbers(text: &str) -> Result<Vec<u64>, Error> {
    let numbers = text.split(',').filter(|number| !number.is_empty());
    let numbers: Result<Vec<u64>, _> = numbers.map(str::parse).collect();
    numbers.map_err(|error| Error::Decode(error.into()))
}
