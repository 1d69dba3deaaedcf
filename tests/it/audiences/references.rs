//! Filters that refer to audiences: those that are there, in no circle, three deep and no deeper; and nobody
//! deletes what others refer to.

use uuid::Uuid;

use super::*;

const LIST: List = List::Audiences;

/// What is wrong is one reference, in this place, for this reason.
#[track_caller]
fn assert_wrong(reply: &Reply, pointer: &str, reason: &str) {
    let wrong = wrong_at(reply);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(wrong[0].0, pointer);
    assert!(wrong[0].1.contains(reason), "{wrong:?} {reason}");
}

#[tokio::test]
async fn of_an_audience_that_is_there() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        let zoe = stage.person("other", "zoe", Role::Admin).await;
        let theirs = LIST.save(&mut stage.client(&zoe), "n", &did("a")).await;
        let ours = LIST.save(&mut client, "n", &did("a")).await;
        for unknown in [theirs, Uuid::now_v7().to_string(), Uuid::nil().to_string()] {
            let filter = json!({ "version": 1,
                "include": { "any": [{ "audience": ours }, { "all": [{ "audience": unknown }] }] },
                "exclude": { "audience": unknown } });
            for list in List::BOTH {
                let reply = list.post(&mut client, "m", &filter).await;
                let wrong = wrong_at(&reply);
                let pointer = |rest: &str| format!("/{}{rest}", list.filter());
                let places: Vec<_> = wrong.iter().map(|(place, _)| place.clone()).collect();
                let expected = ["/include/any/1/all/0/audience", "/exclude/audience"];
                assert_eq!(places, expected.map(pointer));
                assert!(wrong.iter().all(|(_, why)| why.contains("there is none")));
                assert_eq!(reply.json()["field"], list.filter());
                let id = list.save(&mut client, "own", &did("own")).await;
                let reply = list.put(&mut client, &id, "own", &filter).await;
                assert_eq!(wrong_at(&reply).len(), 2);
                assert_eq!(list.delete(&mut client, &id).await.status, 204);
            }
        }
        // An id is one however it is written.
        let upper = in_all(&[&ours.to_uppercase(), &ours]);
        LIST.save(&mut client, "m", &upper).await;
        let same = LIST.post(&mut client, "k", &in_all(&[&ours])).await;
        assert_eq!(same.problem(), "audience_filter_exists");
    }
}

#[tokio::test]
async fn three_deep_and_no_deeper_from_above_and_below() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        let mut chain = vec![LIST.save(&mut client, "0", &did("a")).await];
        for number in 1..=3 {
            let filter = in_all(&[&chain[number - 1]]);
            chain.push(LIST.save(&mut client, &number.to_string(), &filter).await);
        }
        // 3 → 2 → 1 → 0 is as deep as it gets.
        for list in List::BOTH {
            let reply = list.post(&mut client, "4", &in_all(&[&chain[3]])).await;
            let pointer = format!("/{}/include/all/0/audience", list.filter());
            assert_wrong(&reply, &pointer, "there would be 4");
        }
        let preset = List::Presets
            .save(&mut client, "of 2", &in_all(&[&chain[2]]))
            .await;
        // What others refer to must not become deeper for them.
        let leaf = LIST.save(&mut client, "leaf", &did("leaf")).await;
        let reply = LIST
            .put(&mut client, &chain[0], "0", &in_all(&[&leaf]))
            .await;
        assert_wrong(
            &reply,
            "/filter/include/all/0/audience",
            "refer to this audience",
        );
        assert_eq!(
            client
                .get(&format!("{}/{}", LIST.path(), chain[0]))
                .await
                .json()["filter"],
            json!({ "version": 1, "include": { "all": [{ "did": { "counter": "a" } }] } })
        );
        // Without 3 above it there would be room, but for the preset, which is as deep.
        assert_eq!(LIST.delete(&mut client, &chain[3]).await.status, 204);
        let reply = LIST
            .put(&mut client, &chain[0], "0", &in_all(&[&leaf]))
            .await;
        assert_wrong(
            &reply,
            "/filter/include/all/0/audience",
            "refer to this audience",
        );
        assert_eq!(List::Presets.delete(&mut client, &preset).await.status, 204);
        let reply = LIST
            .put(&mut client, &chain[0], "0", &in_all(&[&leaf]))
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let reply = LIST.post(&mut client, "3", &in_all(&[&chain[2]])).await;
        assert_wrong(&reply, "/filter/include/all/0/audience", "there would be 4");
    }
}

#[tokio::test]
async fn never_in_a_circle() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        let first = LIST.save(&mut client, "first", &did("a")).await;
        let second = LIST.save(&mut client, "second", &in_all(&[&first])).await;
        let third = LIST.save(&mut client, "third", &in_all(&[&second])).await;
        for (id, name, to) in [
            (&first, "first", &first),
            (&first, "first", &second),
            (&first, "first", &third),
            (&second, "second", &third),
        ] {
            let included = json!({ "version": 1, "include": { "any": [{ "did": { "counter": "b" } }, { "audience": to }] } });
            let reply = LIST.put(&mut client, id, name, &included).await;
            assert_wrong(&reply, "/filter/include/any/1/audience", "circle");
            let excluded = json!({ "version": 1, "include": { "did": { "counter": "b" } }, "exclude": { "audience": to } });
            let reply = LIST.put(&mut client, id, name, &excluded).await;
            assert_wrong(&reply, "/filter/exclude/audience", "circle");
        }
        // Turned round it is none.
        let turned = LIST.put(&mut client, &third, "third", &did("c")).await;
        assert_eq!(turned.status, 200);
        let turned = LIST
            .put(&mut client, &first, "first", &in_all(&[&third]))
            .await;
        assert_eq!(turned.status, 200, "{turned:?}");
    }
}

#[tokio::test]
async fn what_others_refer_to_is_not_deleted() {
    for (stage, anna) in both().await {
        let mut client = stage.client(&anna);
        let inner = LIST.save(&mut client, "inner", &did("a")).await;
        let mut users = Vec::new();
        for list in List::BOTH {
            let excluding = json!({ "version": 1, "include": { "did": { "counter": "b" } }, "exclude": { "audience": inner } });
            for (name, filter) in [("one", in_all(&[&inner])), ("two", excluding)] {
                let id = list.save(&mut client, name, &filter).await;
                users.push((list, name, id));
            }
        }
        for left in (1..=users.len()).rev() {
            let reply = LIST.delete(&mut client, &inner).await;
            assert_eq!(
                (reply.status.as_u16(), reply.problem()),
                (409, "audience_in_use".into())
            );
            let problem = reply.json();
            let named = users[users.len() - left..].iter();
            let named =
                named.map(|(list, name, id)| json!({ "kind": list.one(), "id": id, "name": name }));
            assert_eq!(problem["used_by"], Value::Array(named.collect()));
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains("inner") && detail.contains("`two`"),
                "{detail}"
            );
            let (list, name, id) = &users[users.len() - left];
            // By turns changed and deleted.
            match left % 2 {
                0 => {
                    let changed = list.put(&mut client, id, name, &did(name)).await;
                    assert_eq!(changed.status, 200, "{changed:?}");
                }
                _ => assert_eq!(list.delete(&mut client, id).await.status, 204),
            }
        }
        assert_eq!(LIST.delete(&mut client, &inner).await.status, 204);
        let left = "SELECT (SELECT count(*) FROM audience_references) + (SELECT count(*) FROM preset_references)";
        assert_eq!(stage.number(left).await, 0);
    }
}

/// Of many not all are named.
#[tokio::test]
async fn of_many_that_refer_to_it_some_are_named() {
    let (stage, anna) = with_member(Stage::sqlite().await).await;
    let mut client = stage.client(&anna);
    let inner = LIST.save(&mut client, "inner", &did("a")).await;
    for number in 0..23 {
        let filter = json!({ "version": 1, "include": { "all": [{ "audience": inner }, { "did": { "counter": format!("c{number}") } }] } });
        LIST.save(&mut client, &format!("user {number:02}"), &filter)
            .await;
    }
    let problem = LIST.delete(&mut client, &inner).await.json();
    assert_eq!(problem["used_by"].as_array().unwrap().len(), 20);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`user 19`, 3 more"), "{detail}");
}

/// What is looked up is told where it was sent as well.
#[tokio::test]
async fn what_is_built_is_wrong_where_it_was_sent() {
    for (stage, _) in both().await {
        let admin = stage.person("acme", "admin", Role::Admin).await;
        let mut client = stage.client(&admin);
        let daily = r#"{"visitor":"daily"}"#;
        let daily = client.put_json("/api/counters/of.a.day/recording", daily);
        assert_eq!(daily.await.status, 200);
        let unknown = json!({ "audience": Uuid::now_v7() });
        let too_long = json!({ "did": { "counter": "of.a.day", "within": { "days": 2 } } });
        let path = json!({ "visitor": "path", "exists": true });
        for (filter, code, places) in [
            (
                json!({ "include": unknown }),
                "invalid_filter",
                vec!["/include/audience"],
            ),
            (
                json!({ "include": { "all": [path, { "any": [path, unknown] }] } }),
                "invalid_filter",
                vec!["/include/all/1/any/1/audience"],
            ),
            (
                json!({ "include": path, "exclude": { "any": [path, unknown] } }),
                "invalid_filter",
                vec!["/exclude/any/1/audience"],
            ),
            (
                json!({ "include": { "any": [path, too_long, { "all": [too_long] }] }, "exclude": too_long }),
                "visitors_of_a_day",
                vec![
                    "/include/any/1/did/within",
                    "/include/any/2/all/0/did/within",
                    "/exclude/did/within",
                ],
            ),
        ] {
            let reply = client
                .post_json("/api/build-audience", &filter.to_string())
                .await;
            assert_eq!(
                (reply.status.as_u16(), &*reply.problem()),
                (422, code),
                "{reply:?}"
            );
            let problem = reply.json();
            let errors = problem["errors"].as_array().unwrap().iter();
            let told: Vec<_> = errors
                .map(|error| error["pointer"].as_str().unwrap())
                .collect();
            assert_eq!(told, places, "{} {filter}", stage.kind);
            if code == "invalid_filter" {
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.starts_with(places[0]), "{detail}");
            }
        }
    }
}
