//! Who is invited, and what that tells of others.

use super::*;

const TO_NEW: &str = "SELECT count(*) FROM mails WHERE template ->> 'name' = 'invitation'";
const TO_ZOE: &str = "SELECT count(*) FROM mails WHERE template ->> 'name' = 'invited_elsewhere'";

/// Another company's address looks like any other, in all that can be seen.
#[tokio::test]
async fn an_address_of_another_company_looks_like_success() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let zoe = stage.person("other", "zoe", Role::Admin).await;
        let mut client = stage.client(&anna);
        let fresh = invite(
            &stage,
            &anna,
            json!({ "email": "new@other.example", "role": "member", "username": "a" }),
        )
        .await;
        let known = invite(
            &stage,
            &anna,
            json!({ "email": zoe.email, "role": "member", "username": "b" }),
        )
        .await;
        let shape = |reply: &crate::support::Reply| {
            let mut body = reply.json();
            for field in ["id", "created_at", "email", "username"] {
                assert!(body[field].is_string(), "{body}");
                body[field] = Value::Null;
            }
            (reply.status, body)
        };
        assert_eq!(shape(&fresh), shape(&known));
        let (mut rows, mut mails) = (Vec::new(), Vec::new());
        for invited in [&fresh, &known] {
            let id = invited.json()["id"].as_str().unwrap().to_owned();
            let path = format!("/api/users/{id}");
            assert_eq!(client.get(&path).await.json(), invited.json());
            let again = json!({ "email": invited.json()["email"], "role": "member" });
            assert_eq!(invite(&stage, &anna, again).await.status, 201);
            let changed = client.put_json(&path, r#"{"role":"viewer"}"#).await;
            rows.push(changed.status);
            // As many mails; only that the other's has no link.
            mails.push(match rows.len() {
                1 => stage.number(TO_NEW).await,
                _ => stage.number(TO_ZOE).await,
            });
            assert_eq!(client.delete(&path).await.status, 204);
            rows.push(client.get(&path).await.status);
        }
        assert_eq!(rows[..2], rows[2..]);
        assert_eq!(mails, [2, 2]);
        // Whoever removes the row of an invitation takes nothing from whose address it is.
        assert_eq!(stage.number(TO_ZOE).await, 2);
        assert_eq!(
            stage.app.client().login(&zoe.email, PASSWORD).await.status,
            200
        );
        // Of one's own company it is said.
        let reply = invite(
            &stage,
            &anna,
            json!({ "email": "ANNA@acme.example", "role": "viewer" }),
        )
        .await;
        assert_eq!(refusal(&reply), (409, "email_taken".into(), json!("email")));
    }
}

/// Then accounts are made by `footfall admin` alone.
#[tokio::test]
async fn where_registration_is_closed_nobody_is_invited() {
    let app = crate::support::TestApp::builder().env("FOOTFALL_REGISTRATION", "closed");
    let stage = Stage {
        app: app.start().await,
        kind: "sqlite",
        servers: None,
    };
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let reply = invite(
        &stage,
        &anna,
        json!({ "email": "x@x.example", "role": "viewer" }),
    )
    .await;
    assert_eq!(reply.problem(), "registration_closed");
    let body = json!({ "name": "b", "email": "x@x.example" }).to_string();
    let reply = stage
        .operator()
        .await
        .post_json("/api/companies", &body)
        .await;
    assert_eq!(reply.problem(), "registration_closed");
    assert_eq!(stage.number("SELECT count(*) FROM mails").await, 0);
}
