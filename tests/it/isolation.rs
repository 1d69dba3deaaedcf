//! A caller only ever sees its own company: another's is as one that is not there. Behind the
//! statements, which all say whose rows they are about, PostgreSQL's row-level security refuses the same, and
//! foreign keys of both columns refuse rows across companies on both databases.

mod forgotten;
mod rows;

use footfall::{
    auth::role::Role,
    storage::sql::{Connection, DatabaseError, on_either},
};
use uuid::Uuid;

use crate::{
    matrix::{World, operations},
    support::{Reply, stage::Stage},
};

/// All but what each answer has of its own.
fn bytes(reply: &Reply) -> (u16, String) {
    let id = reply.header("x-request-id").unwrap_or_default();
    (reply.status.as_u16(), reply.text().replace(id, ""))
}

/// Every operation of the document that has an id in its path.
#[tokio::test]
async fn anothers_ids_are_as_unknown_ones() {
    for stage in Stage::both().await {
        let world = World::new(&stage).await;
        let mut tried = 0;
        for operation in operations()
            .into_iter()
            .filter(|operation| operation.contains("{id}"))
        {
            // Of all companies, for operators: they are nobody's own.
            if operation.contains("/api/companies/") {
                continue;
            }
            let theirs = world.of_another(&operation);
            let mut client = stage.client(&world.admin);
            let mut replies = Vec::new();
            for id in [theirs, Uuid::now_v7().to_string(), "x".to_owned()] {
                let (method, path, body) = world.sample(&operation, &id);
                let headers = [("content-type", "application/json")];
                let headers = if body.is_empty() {
                    &headers[..0]
                } else {
                    &headers
                };
                replies.push(client.send(method, &path, headers, body).await);
            }
            assert_eq!(replies[0].problem(), "not_found", "{operation}");
            for reply in &replies[1..] {
                assert_eq!(
                    bytes(reply),
                    bytes(&replies[0]),
                    "{operation} {}",
                    stage.kind
                );
            }
            tried += 1;
        }
        assert!(tried >= 4, "{tried}");
    }
}

/// Lists and counters are one's own, too.
#[tokio::test]
async fn lists_show_nothing_of_others() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let zoe = stage.person("other", "zoe", Role::Admin).await;
        let (token, _) = stage.api_token(&zoe, &["visits:write"]).await;
        stage.client(&zoe).post("/api/counters/theirs").await;
        let filter = r#"{"version":1,"include":{"did":{"counter":"theirs"}}}"#;
        for (path, body) in [
            (
                "/api/audiences",
                format!(r#"{{"name":"theirs","filter":{filter}}}"#),
            ),
            (
                "/api/presets",
                format!(r#"{{"preset_name":"theirs","preset_filter_json":{filter}}}"#),
            ),
        ] {
            let reply = stage.client(&zoe).post_json(path, &body).await;
            assert_eq!(reply.status, 201, "{reply:?}");
        }
        let mut client = stage.client(&anna);
        for path in [
            "/api/users",
            "/auth/tokens",
            "/auth/sessions",
            "/auth/admins",
            "/api/counters",
            "/api/company",
            "/api/audit",
            "/api/write-keys",
            "/api/audiences",
            "/api/presets",
        ] {
            let text = client.get(path).await.text();
            for theirs in [
                &zoe.id,
                &zoe.company,
                &zoe.email,
                &token,
                &"theirs".to_owned(),
                &"zoe".to_owned(),
            ] {
                assert!(!text.contains(theirs.as_str()), "{path}: {text}");
            }
        }
        assert_eq!(
            client.get("/api/counters/theirs").await.problem(),
            "counter_not_found"
        );
    }
}

async fn insert(
    connection: &mut Connection<'_>,
    statement: &'static str,
    company: Uuid,
    user: Uuid,
) -> Result<(), DatabaseError> {
    Ok(on_either!(connection, |database| {
        sqlx::query(statement)
            .bind(Uuid::now_v7())
            .bind(company)
            .bind(user)
            .bind(vec![7_u8; 32])
            .execute(&mut **database)
            .await
            .map(drop)
    })?)
}

/// Rows that refer to a user of another company.
const ACROSS: [&str; 3] = [
    "INSERT INTO sessions (id, company_id, user_id, counter, kind, created_at, rotated_at, expires_at)
     SELECT $1, $2, $3, 0, 'bearer', 1, 1, length($4)",
    "INSERT INTO api_tokens (id, company_id, user_id, name, scopes, secret_hash, created_at) SELECT $1, $2, $3, 'n', 's', $4, 1",
    "INSERT INTO links (id, purpose, company_id, user_id, created_at, expires_at) SELECT $1, 'reset', $2, $3, 1, length($4)",
];

#[tokio::test]
async fn no_row_refers_across_companies() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let zoe = stage.person("other", "zoe", Role::Admin).await;
        let [company, own, other]: [Uuid; 3] =
            [&anna.company, &anna.id, &zoe.id].map(|id| id.parse().unwrap());
        let database = stage.app.database.as_ref().unwrap();
        for statement in ACROSS {
            let write = async |user| {
                let done = database.write("across", move |connection| {
                    Box::pin(async move {
                        connection.across_companies().await?;
                        insert(connection, statement, company, user).await
                    })
                });
                done.await
            };
            assert!(
                matches!(write(other).await, Err(DatabaseError::Refused(_))),
                "{statement}"
            );
            write(own).await.unwrap();
        }
    }
}

/// Where a transaction is of a company, PostgreSQL takes no row of another.
#[tokio::test]
async fn postgres_takes_no_row_of_another_company() {
    let stage = Stage::postgres().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let zoe = stage.person("other", "zoe", Role::Admin).await;
    let [own, company, user]: [Uuid; 3] =
        [&anna.company, &zoe.company, &zoe.id].map(|id| id.parse().unwrap());
    let database = stage.app.database.as_ref().unwrap();
    for statement in ACROSS {
        for within in [own, company] {
            let done = database.write("across", move |connection| {
                Box::pin(async move {
                    connection.within(within).await?;
                    insert(connection, statement, company, user).await
                })
            });
            assert_eq!(done.await.is_ok(), within == company, "{statement}");
        }
    }
}
