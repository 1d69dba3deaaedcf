//! Ids in paths: what is one thing has one path.

use hyper::Method;
use uuid::Uuid;

use crate::{
    matrix::{World, operations},
    support::stage::Stage,
};

/// Other spellings of an id that libraries take for the same.
fn spellings(id: &str) -> Vec<String> {
    let id: Uuid = id.parse().unwrap();
    let urn = id.urn().to_string();
    vec![
        id.simple().to_string(),
        id.to_string().to_uppercase(),
        id.to_string().replacen(char::is_alphabetic, "A", 1),
        format!("%7B{id}%7D"),
        format!("%7B{}%7D", id.simple()),
        urn.to_uppercase(),
        urn,
        format!("{id}%20"),
        format!("%20{id}"),
        format!("+{id}"),
        format!("{id}%00"),
    ]
}

/// Each of its own row, so that only the spelling can be what is wrong.
#[tokio::test]
async fn an_id_has_one_spelling() {
    let stage = Stage::sqlite().await;
    let world = World::new(&stage).await;
    let mut zoe = stage.client(&world.other);
    let mut operator = stage.operator().await;
    let mut all = operations();
    all.retain(|operation| operation.contains("{id}"));
    assert!(all.len() >= 8, "{all:?}");
    // What is gone is not found; and without her session she can do nothing more.
    all.sort_by_key(|operation| {
        (
            operation.starts_with("delete"),
            operation.contains("/sessions/"),
        )
    });
    for right in [false, true] {
        for operation in &all {
            let companies = operation.ends_with("/api/companies/{id}");
            let (client, id) = match companies {
                true => (&mut operator, world.other.company.to_string()),
                false => (&mut zoe, world.of_another(operation)),
            };
            let spelled = if right { vec![id] } else { spellings(&id) };
            for id in spelled {
                let (method, path, body) = world.sample(operation, &id);
                if right && method == Method::DELETE && path.starts_with("/api/users/") {
                    continue;
                }
                let json = [("content-type", "application/json")];
                let headers = if body.is_empty() { &json[..0] } else { &json };
                let reply = client.send(method, &path, headers, body).await;
                let found = reply.status != 404;
                assert_eq!(found, right, "{operation} {path}: {}", reply.text());
            }
        }
    }
}
