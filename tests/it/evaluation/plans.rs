//! Each kind of statement uses an index, on both databases; and in PostgreSQL sees nothing of others by itself.

use footfall::{
    audiences::{
        evaluate::{
            conditions::met,
            counters::Counter,
            rows,
            spans::{Span, Window},
            statement::{Dialect, Statement},
            sums,
        },
        filter::{Condition, Node},
    },
    storage::sql::Connection,
};
use sea_query::Cond;
use serde_json::json;
use sqlx::Row as _;

use super::*;
use crate::support::postgres;

/// Tables with more rows than are read faster than an index is.
pub(super) const TABLES: [&str; 4] = ["visits", "texts", "value_days", "visitor_days"];

/// A condition of each kind on a visit, as the filter has it.
fn conditions() -> Vec<Condition> {
    let tests = [
        json!({ "in": ["/a", "/b"] }),
        json!({ "not_in": ["/a"] }),
        json!({ "contains": "a" }),
        json!({ "starts_with": "a" }),
        json!({ "exists": true }),
        json!({ "missing": true }),
        json!({ "gt": "a" }),
        json!({ "lte": "a" }),
        json!({ "gte": 0.5 }),
        json!({ "lt": 7 }),
    ];
    let subjects = [
        ("visitor", "path"),
        ("visitor", "country"),
        ("visitor_property", "p"),
    ];
    let mut conditions = Vec::new();
    for (kind, name) in subjects {
        for test in &tests {
            let is_number = test.as_object().unwrap().values().any(Value::is_number);
            if kind == "visitor" && (is_number || name == "country") && !test["exists"].is_boolean()
            {
                continue;
            }
            let mut leaf = test.clone();
            leaf[kind] = json!(name);
            match read(&include(json!([leaf]))).tree.include {
                Node::Visitor(condition) => conditions.push(condition),
                other => panic!("{other:?}"),
            }
        }
    }
    conditions
}

/// A statement of each kind about a counter, with what it is.
pub(super) fn statements(counter: &Counter, dialect: Dialect) -> Vec<(String, Statement)> {
    let window = Window {
        from: Some(at("2026-03-02T00:00:00Z")),
        to: Some(at("2026-03-03T00:00:00Z")),
    };
    let mut statements = vec![("days".to_owned(), sums::visitors(counter, 20_000, 21_000))];
    for window in [Window::EVER, window] {
        let span = Span {
            after: 10,
            through: 2000,
            window,
        };
        let page = |condition| rows::page(counter, span, condition, dialect);
        statements.push((format!("{window:?}"), page(Cond::all())));
        for condition in conditions() {
            let meets = met(&condition, counter.recording.id, dialect);
            statements.push((format!("{window:?} {condition:?}"), page(meets)));
        }
    }
    for condition in conditions() {
        if let footfall::audiences::filter::Subject::Field(field) = condition.of {
            let values = sums::values(counter, (20_000, 21_000), field, &condition.test, dialect);
            statements.push((format!("days {condition:?}"), values));
        }
    }
    statements
}

/// A counter among others, of which each has some thousand visits of some days.
async fn fill(place: &Place) -> Counter {
    let start = at("2026-03-01T12:00:00Z");
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let visits: Vec<_> = (0..2500)
            .map(|nth| {
                to(
                    start + nth * 2 * MINUTE,
                    &format!("#{nth}"),
                    &format!("/{}", nth % 300),
                )
            })
            .collect();
        place.visits(name, &visits).await;
    }
    place.sum_up().await;
    counter(place, "c").await
}

pub(super) async fn counter(place: &Place, name: &str) -> Counter {
    let id = place.counter(name);
    let found = place.database().read("counter", move |connection| {
        Box::pin(async move {
            connection.within(id.company.id()).await?;
            Ok(recordings::find(connection, &id).await?)
        })
    });
    let recording = found.await.unwrap().unwrap();
    Counter {
        through: recording.through,
        recording,
    }
}

/// How the database goes about a statement, line by line.
async fn plan(place: &Place, statement: Statement) -> Vec<String> {
    let company = place.company.id();
    let text = statement.text.clone();
    let planned = place.database().read("plan", move |connection| {
        Box::pin(async move {
            connection.within(company).await?;
            Ok(match connection {
                Connection::Postgres(database) => {
                    let (_, values) = statement.for_postgres()?;
                    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN {text}"));
                    let rows = sqlx::query_with(explain, values)
                        .fetch_all(&mut **database)
                        .await?;
                    rows.iter().map(|row| row.get::<String, _>(0)).collect()
                }
                Connection::Sqlite(database) => {
                    let (_, values) = statement.for_sqlite()?;
                    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
                    let rows = sqlx::query_with(explain, values)
                        .fetch_all(&mut **database)
                        .await?;
                    rows.iter().map(|row| row.get::<String, _>(3)).collect()
                }
            })
        })
    });
    planned.await.unwrap()
}

#[tokio::test]
async fn each_kind_of_statement_uses_an_index() {
    let postgres = postgres::Database::migrated();
    let opened = databases::at(&postgres.url(), &[("FOOTFALL_DATABASE_TIMEOUT", "8s")]).await;
    let places = [
        (Place::on(databases::sqlite().await).await, Dialect::Sqlite),
        (Place::on(opened.up().await).await, Dialect::Postgres),
    ];
    for (place, dialect) in places {
        let counter = fill(&place).await;
        if dialect == Dialect::Postgres {
            // As many days as a year has.
            postgres.sql(
                "INSERT INTO visitor_days (company_id, recording_id, day, visits, visitors, slices)
                 SELECT company_id, recording_id, day - 10 * n, visits, visitors, slices
                 FROM visitor_days, generate_series(1, 100) AS n;
                 INSERT INTO visits (company_id, recording_id, number, at, visitor, path)
                 SELECT company_id, id, n, (SELECT min(at) FROM visits), n % 100 + 1, 1
                 FROM recordings, generate_series(10000, 40000) AS n WHERE counter <> 'c';
                 ANALYZE",
            );
        }
        for (what, statement) in statements(&counter, dialect) {
            let text = statement.text.clone();
            let plan = plan(&place, statement).await;
            for line in &plan {
                let whole = match dialect {
                    // Partitions of months without visits are read as they are.
                    Dialect::Postgres => {
                        let is_empty =
                            line.contains("visits_2") && !line.contains("visits_2026_03");
                        line.contains("Seq Scan on") && !is_empty
                    }
                    Dialect::Sqlite => line.starts_with("SCAN ") && !line.contains("page"),
                };
                let known = TABLES.iter().any(|table| line.contains(table));
                assert!(!(whole && known), "{what}: {text}: {plan:#?}");
            }
            let searches = ["Index", "SEARCH"];
            let uses = plan
                .iter()
                .any(|line| searches.iter().any(|how| line.contains(how)));
            assert!(uses, "{what}: {text}: {plan:#?}");
        }
    }
}
