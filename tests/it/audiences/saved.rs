//! Made, read, changed, deleted; one name and one filter each.

use super::*;

#[tokio::test]
async fn made_read_changed_and_deleted() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        for list in List::BOTH {
            let reply = list.post(&mut client, "Visitors of a", &did("a")).await;
            assert_eq!(reply.status, 201, "{reply:?}");
            let made = reply.json();
            let id = made["id"].as_str().unwrap();
            let location = format!("{}/{id}", list.entries());
            assert_eq!(reply.header("location"), Some(&*location));
            assert_eq!(made[list.name()], "Visitors of a");
            let canonical =
                json!({ "version": 1, "include": { "all": [{ "did": { "counter": "a" } }] } });
            assert_eq!(made[list.filter()], canonical);
            assert_eq!(made["hash"].as_str().unwrap().len(), 64);
            let sentence = made["sentence"].as_str().unwrap();
            assert!(
                sentence.contains('a') && sentence.ends_with('.'),
                "{sentence}"
            );
            assert_eq!(made["created_at"], made["updated_at"]);
            let path = format!("{}/{id}", list.path());
            assert_eq!(client.get(&path).await.json(), made);

            let reply = list.put(&mut client, id, "Visitors of b", &did("b")).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let changed = reply.json();
            assert_eq!(changed["id"], made["id"]);
            assert_eq!(changed[list.name()], "Visitors of b");
            assert_ne!(changed["hash"], made["hash"]);
            assert_eq!(changed["created_at"], made["created_at"]);
            assert_eq!(client.get(&path).await.json(), changed);
            // The same once more is no change.
            let again = list.put(&mut client, id, "Visitors of b", &did("b")).await;
            assert_eq!(again.json(), changed);
            // What is its own is not in its way, and another way to write a name is a change.
            let reply = list.put(&mut client, id, "VISITORS of b", &did("b")).await;
            assert_eq!(reply.json()[list.name()], "VISITORS of b");
            // The name and the filter from before are free again.
            let other = list.save(&mut client, "Visitors of a", &did("a")).await;

            assert_eq!(list.delete(&mut client, id).await.status, 204);
            for gone in [
                client.get(&path).await,
                list.put(&mut client, id, "x", &did("x")).await,
                list.delete(&mut client, id).await,
            ] {
                assert_eq!(gone.problem(), "not_found");
            }
            let page = client.get(list.path()).await.json();
            assert_eq!(ids(list, &page), [other]);
            assert_eq!(page["next"], Value::Null);
        }
        let audited = async |action: &str| {
            let admin = stage
                .person("acme", &action.replace('_', "."), Role::Admin)
                .await;
            let path = format!("/api/audit?action={action}.*");
            let page = stage.client(&admin).get(&path).await.json();
            let entries = page["entries"].as_array().unwrap().iter();
            let said = entries.map(|entry| {
                assert_eq!(entry["object"]["kind"], action);
                let action = entry["action"].as_str().unwrap();
                (action.to_owned(), entry["details"]["fields"].clone())
            });
            said.collect::<Vec<_>>()
        };
        for list in List::BOTH {
            let one = list.one();
            let expected = [
                (format!("{one}.delete"), Value::Null),
                (format!("{one}.create"), Value::Null),
                (format!("{one}.update"), json!([list.name()])),
                (format!("{one}.update"), json!([list.name(), list.filter()])),
                (format!("{one}.create"), Value::Null),
            ];
            assert_eq!(audited(one).await, expected, "{}", stage.kind);
        }
    }
}

#[tokio::test]
async fn one_name_and_one_filter_each() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        for list in List::BOTH {
            let first = list.save(&mut client, "Pro users", &did("a")).await;
            let second = list.save(&mut client, "Others", &did("b")).await;
            for name in ["Pro users", "PRO USERS", "Рro users", "Pro u\u{17f}ers"] {
                let reply = list.post(&mut client, name, &did("c")).await;
                list.assert_taken(&reply, "name_taken", &first, "Pro users");
                let reply = list.put(&mut client, &second, name, &did("b")).await;
                list.assert_taken(&reply, "name_taken", &first, "Pro users");
            }
            let same = json!({ "include": { "any": [{ "all": [{ "did": { "counter": "a", "times": { "at_least": 1 } } }] }] }, "version": 1 });
            for filter in [did("a"), same] {
                let reply = list.post(&mut client, "New", &filter).await;
                list.assert_taken(&reply, "filter_exists", &first, "Pro users");
                let reply = list.put(&mut client, &second, "Others", &filter).await;
                list.assert_taken(&reply, "filter_exists", &first, "Pro users");
            }
            // With both, the name is what is said.
            let reply = list.post(&mut client, "Pro users", &did("b")).await;
            list.assert_taken(&reply, "name_taken", &first, "Pro users");
            // Nothing of it was done.
            let page = client.get(list.path()).await.json();
            assert_eq!(ids(list, &page), [first.clone(), second.clone()]);
            assert_eq!(page[list.entries()][1][list.name()], "Others");
            // Not even that it was begun.
            let begun = stage.number("SELECT count(*) FROM request_ids").await;
            assert_eq!(begun, 0);
        }
    }
}

#[tokio::test]
async fn lists_have_pages() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        for list in List::BOTH {
            let mut all = Vec::new();
            for number in 0..5 {
                let counter = format!("c{number}");
                all.push(list.save(&mut client, &counter, &did(&counter)).await);
            }
            let (mut found, mut query) = (Vec::new(), "?limit=2".to_owned());
            loop {
                let page = client.get(&format!("{}{query}", list.path())).await.json();
                found.extend(ids(list, &page));
                match page["next"].as_str() {
                    Some(next) => query = format!("?limit=2&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(found, all);
            for query in ["limit=0", "limit=1001", "cursor=x", "name=a"] {
                let reply = client.get(&format!("{}?{query}", list.path())).await;
                assert_eq!(reply.problem(), "invalid_query", "{query}");
            }
        }
    }
}

/// The name that an audience has now stands in the sentences of those that refer to it.
#[tokio::test]
async fn sentences_name_audiences_as_they_are_called_now() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        let inner = List::Audiences
            .save(&mut client, "Inner circle", &did("a"))
            .await;
        for list in List::BOTH {
            let outer = list.save(&mut client, "Outer", &in_all(&[&inner])).await;
            let sentence = async |client: &mut Client| {
                let page = client.get(list.path()).await.json();
                let entries = page[list.entries()].as_array().unwrap();
                let entry = entries.iter().find(|entry| entry["id"] == *outer);
                entry.unwrap()["sentence"].as_str().unwrap().to_owned()
            };
            assert!(sentence(&mut client).await.contains("Inner circle"));
            let renamed = List::Audiences
                .put(&mut client, &inner, "Renamed", &did("a"))
                .await;
            assert_eq!(renamed.status, 200);
            assert!(sentence(&mut client).await.contains("Renamed"));
            let renamed = List::Audiences
                .put(&mut client, &inner, "Inner circle", &did("a"))
                .await;
            assert_eq!(renamed.status, 200);
        }
        // Nothing is looked up to build a filter.
        let built = client
            .post_json("/api/build-filter", &in_all(&[&inner]).to_string())
            .await
            .json();
        assert!(built["sentence"].as_str().unwrap().contains(&inner));
    }
}

/// A proxy that repeats a request has what it had done.
#[tokio::test]
async fn a_repeated_request_does_nothing_twice() {
    let stage = crate::collect::stage_with(&[("FOOTFALL_PROXY_REQUEST_ID", "on")]).await;
    let anna = stage.person("acme", "anna", Role::Member).await;
    let token = format!("Bearer {}", anna.token);
    for (number, list) in List::BOTH.into_iter().enumerate() {
        let send = async |id: &str, method: Method, path: &str, body: String| {
            let id = format!("{id}-{number}");
            let headers = [
                ("authorization", token.as_str()),
                ("content-type", "application/json"),
                ("x-request-id", id.as_str()),
            ];
            let headers = if body.is_empty() {
                [headers[0], headers[0], headers[2]]
            } else {
                headers
            };
            let headers = if body.is_empty() {
                &headers[1..]
            } else {
                &headers[..]
            };
            stage.app.proxy().send(method, path, headers, body).await
        };
        let body = list.body("a", &did("a"));
        let first = send("one", Method::POST, list.path(), body.clone()).await;
        assert_eq!(first.status, 201, "{first:?}");
        let again = send("one", Method::POST, list.path(), body.clone()).await;
        assert_eq!((again.status, again.json()), (first.status, first.json()));
        let other = send("two", Method::POST, list.path(), body.clone()).await;
        assert_eq!(other.status, 409, "another request");
        // What was refused is asked anew.
        let path = format!("{}/{}", list.path(), first.json()["id"].as_str().unwrap());
        for _ in 0..2 {
            let deleted = send("three", Method::DELETE, &path, String::new()).await;
            assert_eq!(deleted.status, 204, "{deleted:?}");
        }
        let deleted = send("four", Method::DELETE, &path, String::new()).await;
        assert_eq!(deleted.status, 404);
        let other = send("two", Method::POST, list.path(), body).await;
        assert_eq!(other.status, 201, "{other:?}");
    }
}

#[tokio::test]
async fn a_thousand_of_each_and_no_more() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        for list in List::BOTH {
            let first = list.save(&mut client, "first", &did("a")).await;
            fill(&stage, list).await;
            let full = list.post(&mut client, "one more", &did("more")).await;
            let code = format!("{}s_full", list.one());
            assert_eq!((full.status.as_u16(), full.problem()), (409, code));
            // Those that are there can be changed, and one that goes makes room.
            let put = list.put(&mut client, &first, "changed", &did("b")).await;
            assert_eq!(put.status, 200, "{put:?}");
            let path = format!("{}?limit=1000", list.path());
            let page = client.get(&path).await.json();
            assert_eq!(ids(list, &page).len(), 1000);
            assert_eq!(page["next"], Value::Null);
            assert_eq!(list.delete(&mut client, &first).await.status, 204);
            list.save(&mut client, "one more", &did("more")).await;
        }
    }
}

/// Brings a list with one to a thousand.
async fn fill(stage: &Stage, list: List) {
    let table = list.entries();
    // The same text for both: numbers by themselves, and ids that are made of them.
    let (numbers, id) = match stage.kind {
        "postgres" => (
            "SELECT number FROM generate_series(2, 1000) AS number",
            "('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid",
        ),
        _ => (
            "WITH RECURSIVE numbers (number) AS (SELECT 2 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1000)
             SELECT number FROM numbers",
            "randomblob(16)",
        ),
    };
    let filters = match list {
        List::Audiences => Some(format!(
            "INSERT INTO audience_filters (company_id, hash, filter)
             SELECT company_id, '{table}' || number, filter FROM {table}, ({numbers}) AS numbers"
        )),
        List::Presets => None,
    };
    let rows = format!(
        "INSERT INTO {table} (id, company_id, name, name_key, filter, hash, created_at, updated_at)
         SELECT {id}, company_id, '{table}' || number, '{table}' || number, filter, '{table}' || number, 1, 1
         FROM {table}, ({numbers}) AS numbers"
    );
    for statement in filters.into_iter().chain([rows]) {
        execute(stage, statement).await;
    }
}

pub async fn execute(stage: &Stage, statement: String) {
    let database = stage.app.database.as_ref().unwrap();
    let done = database.write("test", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            Ok(footfall::on_either!(connection, |database| {
                sqlx::query(sqlx::AssertSqlSafe(statement))
                    .execute(&mut **database)
                    .await
                    .map(drop)
            })?)
        })
    });
    done.await.unwrap();
}

/// A filter that no audience has any more is kept for a month, and one that an audience has again for good.
#[tokio::test]
async fn old_filters_are_tidied_away() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        let id = List::Audiences.save(&mut client, "n", &did("a")).await;
        let other = List::Audiences.save(&mut client, "other", &did("o")).await;
        for counter in ["b", "c", "b"] {
            let put = List::Audiences
                .put(&mut client, &id, "n", &did(counter))
                .await;
            assert_eq!(put.status, 200);
        }
        assert_eq!(
            List::Audiences.delete(&mut client, &other).await.status,
            204
        );
        let tidied = async || {
            let database = stage.app.database.as_ref().unwrap();
            footfall::accounts::cleanup::tidy(database).await.unwrap();
            stage.number("SELECT count(*) FROM audience_filters").await
        };
        assert_eq!(tidied().await, 4);
        let old = "SELECT count(*) FROM audience_filters WHERE replaced_at IS NOT NULL";
        assert_eq!(stage.number(old).await, 3);
        for (days, left) in [(29_i64, 4), (1, 1)] {
            let earlier = days * 86_400_000 + 1000;
            execute(
                &stage,
                format!("UPDATE audience_filters SET replaced_at = replaced_at - {earlier}"),
            )
            .await;
            assert_eq!(tidied().await, left, "{days}");
        }
    }
}
