//! Who may read and who may write; and two companies with the same names and filters.

use footfall::{
    auth::role::Scope,
    storage::sql::{Connection, DatabaseError},
};
use uuid::Uuid;

use super::*;

/// What each caller gets of reading and of writing.
async fn outcomes(client: &mut Client, list: List, number: usize) -> [u16; 4] {
    let name = format!("{} {number}", list.one());
    let filter = did(&format!("c{number}"));
    let posted = list.post(client, &name, &filter).await;
    let id = match posted.status.as_u16() {
        201 => posted.json()["id"].as_str().unwrap().to_owned(),
        _ => Uuid::now_v7().to_string(),
    };
    let put = list.put(client, &id, &name, &filter).await;
    let page = client.get(list.path()).await;
    let deleted = list.delete(client, &id).await;
    [posted, put, page, deleted].map(|reply| reply.status.as_u16())
}

#[tokio::test]
async fn viewers_read_and_members_write() {
    let stage = Stage::sqlite().await;
    for list in List::BOTH {
        for (number, role) in [Role::Viewer, Role::Member, Role::Admin]
            .into_iter()
            .enumerate()
        {
            let name = format!("{}.{role}", list.one());
            let person = stage.person("acme", &name, role).await;
            let expected = match role {
                Role::Viewer => [403, 403, 200, 403],
                _ => [201, 200, 200, 204],
            };
            let found = outcomes(&mut stage.client(&person), list, number).await;
            assert_eq!(found, expected, "{name}");
        }
        let found = outcomes(&mut stage.operator().await, list, 9).await;
        assert_eq!(found, [201, 200, 200, 204]);
        let found = outcomes(&mut stage.app.client(), list, 10).await;
        assert_eq!(found, [401; 4]);
    }
    let viewer = stage.person("acme", "viewer", Role::Viewer).await;
    let mut viewer = stage.client(&viewer);
    for path in ["/api/build-filter", "/api/build-audience"] {
        let reply = viewer.post_json(path, &did("a").to_string()).await;
        assert_ne!(reply.status, 403, "{path} {reply:?}");
    }
}

/// An API token reads what was recorded, if that is its scope, and writes nothing.
#[tokio::test]
async fn tokens_read_with_their_scope() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let id = List::Audiences
        .save(&mut stage.client(&anna), "n", &did("a"))
        .await;
    let paths = [
        "/api/audiences".to_owned(),
        format!("/api/audiences/{id}"),
        format!("/api/audiences/{id}/size"),
        format!("/api/audiences/{id}/members"),
        "/api/presets".to_owned(),
    ];
    for scope in Scope::ALL {
        let (_, token) = stage.api_token(&anna, &[scope.as_str()]).await;
        let mut client = stage.app.client().with_token(&token);
        let may = scope == Scope::RecordRead;
        for path in &paths {
            let reply = client.get(path).await;
            assert_eq!(reply.status != 403, may, "{scope:?} {path} {reply:?}");
        }
        for path in ["/api/build-filter", "/api/build-audience"] {
            let reply = client.post_json(path, &did("a").to_string()).await;
            assert_eq!(reply.status != 403, may, "{scope:?} {path} {reply:?}");
        }
        for list in List::BOTH {
            let refused = list.post(&mut client, "token", &did("token")).await;
            assert_eq!(refused.problem(), "forbidden", "{scope:?}");
            let refused = list.put(&mut client, &id, "token", &did("token")).await;
            assert_eq!(refused.problem(), "forbidden", "{scope:?}");
            assert_eq!(list.delete(&mut client, &id).await.problem(), "forbidden");
        }
    }
}

#[tokio::test]
async fn two_companies_have_the_same_and_see_nothing_of_each_other() {
    for stage in Stage::both().await {
        let mut made = Vec::new();
        for company in ["acme", "other"] {
            let person = stage.person(company, "anna", Role::Member).await;
            let mut client = stage.client(&person);
            for list in List::BOTH {
                let id = list.save(&mut client, "the same", &did("the.same")).await;
                made.push((person.clone(), list, id));
            }
        }
        for (person, list, id) in &made {
            let mut client = stage.client(person);
            let page = client.get(list.path()).await.json();
            assert_eq!(ids(*list, &page), std::slice::from_ref(id));
            // Who is in the way is one's own.
            let again = list.post(&mut client, "the same", &did("another")).await;
            list.assert_taken(&again, "name_taken", id, "the same");
            for (other, _, theirs) in made.iter().filter(|(_, of, _)| of == list) {
                if other.company == person.company {
                    continue;
                }
                let path = format!("{}/{theirs}", list.path());
                assert_eq!(client.get(&path).await.problem(), "not_found");
                let put = list.put(&mut client, theirs, "mine", &did("mine")).await;
                assert_eq!(put.problem(), "not_found");
                assert_eq!(
                    list.delete(&mut client, theirs).await.problem(),
                    "not_found"
                );
            }
        }
        // One that changes and deletes does not disturb the other.
        let (anna, list, id) = &made[0];
        assert_eq!(list.delete(&mut stage.client(anna), id).await.status, 204);
        let (zoe, list, id) = &made[2];
        let page = stage.client(zoe).get(list.path()).await.json();
        assert_eq!(ids(*list, &page), std::slice::from_ref(id));
    }
}

async fn insert(
    connection: &mut Connection<'_>,
    statement: &'static str,
    (company, owner, audience): (Uuid, Uuid, Uuid),
) -> Result<(), DatabaseError> {
    Ok(footfall::on_either!(connection, |database| {
        sqlx::query(statement)
            .bind(company)
            .bind(owner)
            .bind(audience)
            .execute(&mut **database)
            .await
            .map(drop)
    })?)
}

/// Both databases refuse a reference across companies, whatever a statement forgets.
#[tokio::test]
async fn no_reference_leads_across_companies() {
    for stage in Stage::both().await {
        let mut ids = Vec::new();
        let mut companies = Vec::new();
        for company in ["acme", "other"] {
            let person = stage.person(company, "anna", Role::Member).await;
            let mut client = stage.client(&person);
            for list in List::BOTH {
                let id = list.save(&mut client, "n", &did("a")).await;
                ids.push(id.parse::<Uuid>().unwrap());
            }
            companies.push(person.company.parse::<Uuid>().unwrap());
        }
        let [audience, preset, theirs, _] = ids[..] else {
            panic!("{ids:?}")
        };
        let database = stage.app.database.as_ref().unwrap();
        let refused = async |statement, company, owner, to| {
            let row = (company, owner, to);
            let done = database.write("across", move |connection| {
                Box::pin(async move {
                    connection.across_companies().await?;
                    insert(connection, statement, row).await
                })
            });
            done.await.is_err()
        };
        for (statement, owner) in [
            (
                "INSERT INTO audience_references (company_id, owner_id, audience_id) VALUES ($1, $2, $3)",
                audience,
            ),
            (
                "INSERT INTO preset_references (company_id, owner_id, audience_id) VALUES ($1, $2, $3)",
                preset,
            ),
        ] {
            for company in &companies {
                assert!(
                    refused(statement, *company, owner, theirs).await,
                    "{statement}"
                );
            }
            assert!(
                !refused(statement, companies[0], owner, audience).await,
                "{statement}"
            );
        }
    }
}
