//! What the rooms to come keep, in one SQL text for both databases: ids that are UUIDv7, times in
//! Unix milliseconds, JSON, rows of one company, pages by keyset; and that what differs is known.

use footfall::storage::sql::{Connection, DatabaseError, on_either};
use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use crate::support::{
    databases::{Opened, at, both},
    postgres,
};

/// The same table. Names of types are what differs between the two.
async fn create(opened: &Opened) {
    let (uuid, json, end) = match opened.kind {
        "sqlite" => ("BLOB", "TEXT", "STRICT, WITHOUT ROWID"),
        _ => ("UUID", "JSONB", ""),
    };
    let integer = if end.is_empty() { "BIGINT" } else { "INTEGER" };
    let table = format!(
        "CREATE TABLE people (
            company_id {uuid} NOT NULL, id {uuid} NOT NULL, email TEXT NOT NULL,
            created_at {integer} NOT NULL, seen {integer} NOT NULL DEFAULT 0, extra {json},
            PRIMARY KEY (company_id, id), UNIQUE (email)
        ) {end}"
    );
    let created = opened.database.write("create", |connection| {
        Box::pin(async move {
            on_either!(connection, |database| {
                sqlx::raw_sql(sqlx::AssertSqlSafe(table))
                    .execute(&mut **database)
                    .await
                    .map(drop)
            })?;
            Ok(())
        })
    });
    created.await.unwrap();
}

#[derive(Debug, Clone, PartialEq)]
struct Person {
    company: Uuid,
    id: Uuid,
    email: String,
    created_at: i64,
    extra: Option<Value>,
}

async fn insert(connection: &mut Connection<'_>, person: &Person) -> Result<(), DatabaseError> {
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO people (company_id, id, email, created_at, extra) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(person.company)
        .bind(person.id)
        .bind(&person.email)
        .bind(person.created_at)
        .bind(person.extra.as_ref().map(Json))
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

async fn page(
    connection: &mut Connection<'_>,
    company: Uuid,
    after: (i64, Uuid),
    limit: i64,
) -> Result<Vec<Person>, DatabaseError> {
    type Row = (Uuid, Uuid, String, i64, Option<Json<Value>>);
    let rows: Vec<Row> = on_either!(connection, |database| {
        sqlx::query_as(
            "SELECT company_id, id, email, created_at, extra FROM people
             WHERE company_id = $1 AND (created_at, id) > ($2, $3)
             ORDER BY created_at, id LIMIT $4",
        )
        .bind(company)
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(&mut **database)
        .await
    })?;
    let person = |(company, id, email, created_at, extra): Row| Person {
        company,
        id,
        email,
        created_at,
        extra: extra.map(|extra| extra.0),
    };
    Ok(rows.into_iter().map(person).collect())
}

/// Notes that somebody was seen, and how often by now.
async fn see(connection: &mut Connection<'_>, person: Person) -> Result<i64, DatabaseError> {
    Ok(on_either!(connection, |database| {
        sqlx::query_scalar(
            "INSERT INTO people (company_id, id, email, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (company_id, id) DO UPDATE SET seen = people.seen + 1 RETURNING seen",
        )
        .bind(person.company)
        .bind(person.id)
        .bind(person.email)
        .bind(person.created_at)
        .fetch_one(&mut **database)
        .await
    })?)
}

fn people(company: Uuid, count: i64) -> Vec<Person> {
    (0..count)
        .map(|number| Person {
            company,
            id: Uuid::now_v7(),
            email: format!("{number}@{company}"),
            // Several at one moment.
            created_at: 1_700_000_000_000 + number / 3,
            extra: (number % 2 == 0).then(|| json!({ "number": number, "ä": ["€", null, 1.5] })),
        })
        .collect()
}

/// As the service, where the test made the table as the owner.
async fn opened_with_tables() -> [Opened; 2] {
    let [sqlite, postgres] = both().await;
    drop(postgres);
    let database = postgres::Database::migrated();
    let owner = at(&database.owner_url(), &[]).await.up().await;
    create(&owner).await;
    create(&sqlite).await;
    [sqlite, at(&database.url(), &[]).await.up().await]
}

#[tokio::test]
async fn what_is_kept_is_what_is_read_page_by_page() {
    for opened in opened_with_tables().await {
        let (ours, others) = (people(Uuid::now_v7(), 25), people(Uuid::now_v7(), 5));
        let company = ours[0].company;
        let all: Vec<_> = ours.iter().chain(&others).cloned().collect();
        let kept = opened.database.write("insert", |connection| {
            Box::pin(async move {
                for person in &all {
                    insert(connection, person).await?;
                }
                Ok(())
            })
        });
        kept.await.unwrap();
        let (mut read, mut after) = (Vec::new(), (i64::MIN, Uuid::nil()));
        loop {
            let next = opened.database.read("page", move |connection| {
                Box::pin(async move { page(connection, company, after, 4).await })
            });
            let next = next.await.unwrap();
            let Some(last) = next.last() else { break };
            after = (last.created_at, last.id);
            read.extend(next);
        }
        assert_eq!(read, ours, "{}", opened.kind);
    }
}

#[tokio::test]
async fn a_row_that_is_there_is_changed_or_refused_and_a_failure_leaves_nothing() {
    for opened in opened_with_tables().await {
        let person = people(Uuid::now_v7(), 1).remove(0);
        for seen in 0..3 {
            let person = person.clone();
            let noted = opened
                .database
                .write("see", |connection| Box::pin(see(connection, person)));
            assert_eq!(noted.await.unwrap(), seen, "{}", opened.kind);
        }
        let [first, mut second] = [people(person.company, 1).remove(0), person.clone()];
        let first = Person {
            email: "another".into(),
            ..first
        };
        second.id = Uuid::now_v7();
        let refused = opened.database.write("insert", |connection| {
            Box::pin(async move {
                insert(connection, &first).await?;
                insert(connection, &second).await
            })
        });
        let error = refused.await.unwrap_err();
        assert_eq!(error, DatabaseError::UniqueViolation, "{}", opened.kind);
        let company = person.company;
        let left = opened.database.read("page", move |connection| {
            Box::pin(async move { page(connection, company, (0, Uuid::nil()), 9).await })
        });
        assert_eq!(left.await.unwrap().len(), 1, "{}", opened.kind);
    }
}

#[tokio::test]
async fn the_clocks_are_this_machines() {
    for opened in both().await {
        let told = opened.database.read("now", |connection| {
            Box::pin(async move { Ok(footfall::storage::sql::schema::now(connection).await?) })
        });
        let told = told.await.unwrap();
        let ours = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let difference = i64::try_from(ours).unwrap() - told;
        assert!(
            (-1000..30_000).contains(&difference),
            "{}: {difference}",
            opened.kind
        );
    }
}

#[tokio::test]
async fn both_know_their_schema() {
    use footfall::storage::sql::{migrations, schema};
    for opened in both().await {
        let layout = opened.database.read("layout", |connection| {
            Box::pin(async move { Ok(schema::layout(connection).await?) })
        });
        let layout = layout.await.unwrap();
        assert_eq!(
            layout.unwrap().version,
            migrations::newest(),
            "{}",
            opened.kind
        );
        schema::judge(layout).unwrap();
    }
}

/// The second line behind every `WHERE company_id = $1`: whose rows are seen is set for the
/// transaction, with a bound parameter, and ends with it.
#[tokio::test]
async fn postgresql_shows_the_rows_of_one_company_only() {
    let [_, opened] = opened_with_tables().await;
    let companies = [people(Uuid::now_v7(), 3), people(Uuid::now_v7(), 2)];
    let all: Vec<_> = companies.iter().flatten().cloned().collect();
    let kept = opened.database.write("insert", |connection| {
        Box::pin(async move {
            for person in &all {
                insert(connection, person).await?;
            }
            Ok(())
        })
    });
    kept.await.unwrap();
    let name = opened.database.read("name", |connection| {
        Box::pin(async move {
            Ok(on_either!(connection, |database| {
                sqlx::query_scalar::<_, String>("SELECT current_database()::text")
                    .fetch_one(&mut **database)
                    .await
            })?)
        })
    });
    let name = name.await.unwrap();
    postgres::shared().sql(
        &name,
        "ALTER TABLE people ENABLE ROW LEVEL SECURITY;
         CREATE POLICY company ON people USING
            (company_id = nullif(current_setting('footfall.company_id', true), '')::uuid)",
    );
    for (company, expected) in [
        (Some(companies[0][0].company), 3),
        (Some(companies[1][0].company), 2),
        (None, 0),
    ] {
        let seen = opened.database.read("count", move |connection| {
            Box::pin(async move {
                if let Some(company) = company {
                    on_either!(connection, |database| {
                        sqlx::query("SELECT set_config('footfall.company_id', $1, true)")
                            .bind(company.to_string())
                            .execute(&mut **database)
                            .await
                            .map(drop)
                    })?;
                }
                Ok(on_either!(connection, |database| {
                    sqlx::query_scalar::<_, i64>("SELECT count(*) FROM people")
                        .fetch_one(&mut **database)
                        .await
                })?)
            })
        });
        assert_eq!(seen.await.unwrap(), expected);
    }
}
