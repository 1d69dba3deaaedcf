//! Two companies never see or disturb each other.

use footfall::audiences::evaluate::statement::Dialect;
use serde_json::json;

use super::*;

#[tokio::test]
async fn companies_with_equal_names_and_filters_are_two() {
    for ours in Place::both().await {
        let theirs = ours.another().await;
        let time = at("2026-03-01T12:00:00Z");
        for (place, who) in [(&ours, "#ours"), (&theirs, "#theirs")] {
            let visits = [
                with(time, who, json!({ "p": 1 })),
                to(time + 1, who, "/same"),
                to(time + 2 * DAY, who, "/same"),
            ];
            place.visits("a", &visits).await;
        }
        theirs.visits("b", &[to(time, "#theirs", "/same")]).await;
        for summed in [false, true] {
            if summed {
                ours.sum_up().await;
            }
            for leaf in [
                json!({ "did": { "counter": "a" } }),
                json!({ "did": { "counter": "a", "times": { "at_least": 2 } } }),
                json!({ "did": { "counter": "a", "where": [{ "field": "path", "in": ["/same"] }] } }),
                json!({ "did": { "counter": "a", "where": [{ "property": "p", "lte": 1 }] } }),
                json!({ "visitor": "path", "in": ["/same"] }),
                json!({ "visitor": "path", "not_in": ["/other"] }),
                json!({ "visitor_property": "p", "in": [1] }),
            ] {
                let filter = include(json!([leaf]));
                assert_eq!(
                    ours.who(&filter).await,
                    names("#ours"),
                    "{} {filter}",
                    ours.kind()
                );
                assert_eq!(
                    theirs.who(&filter).await,
                    names("#theirs"),
                    "{} {filter}",
                    ours.kind()
                );
            }
            let only = include(json!([{ "did": { "counter": "b" } }]));
            assert_eq!(ours.who(&only).await, names(""));
            assert_eq!(theirs.who(&only).await, names("#theirs"));
        }
    }
}

/// What each statement would see of others in PostgreSQL if it did not say whose rows it is about: nothing.
#[tokio::test]
async fn row_level_security_is_a_second_wall() {
    let [_, ours] = Place::both().await;
    let theirs = ours.another().await;
    let time = at("2026-03-02T12:00:00Z");
    for place in [&ours, &theirs] {
        let visits: Vec<_> = (0..40)
            .map(|nth| with(time + nth, "#a", json!({ "p": "a" })))
            .collect();
        place.visits("c", &visits).await;
        place
            .visits(
                "c",
                &[to(time + DAY, "#a", "/a"), to(time + 3 * DAY, "#a", "/a")],
            )
            .await;
    }
    ours.sum_up().await;
    let counter = super::plans::counter(&theirs, "c").await;
    let mut seen = 0;
    for (what, statement) in super::plans::statements(&counter, Dialect::Postgres) {
        for (place, is_theirs) in [(&ours, false), (&theirs, true)] {
            let company = place.company.id();
            let mut statement = statement.clone();
            statement.text = statement
                .text
                .replace("company_id = $1", "company_id = $1 IS NOT NULL");
            let rows = place.database().read("test", move |connection| {
                Box::pin(async move {
                    connection.within(company).await?;
                    let footfall::storage::sql::Connection::Postgres(database) = connection else {
                        unreachable!()
                    };
                    let (_, values) = statement.clone().for_postgres()?;
                    let text = sqlx::AssertSqlSafe(format!(
                        "SELECT to_jsonb(found)::text FROM ({}) AS found",
                        statement.text
                    ));
                    Ok(sqlx::query_scalar_with(text, values)
                        .fetch_all(&mut **database)
                        .await?)
                })
            });
            let rows: Vec<String> = rows.await.unwrap();
            let rows = rows
                .iter()
                .filter(|row| !row.contains("\"array_agg\": null"))
                .count();
            assert!(is_theirs || rows == 0, "{what}");
            seen += usize::from(is_theirs && rows > 0);
        }
    }
    assert!(seen > 5, "{seen}");
}
