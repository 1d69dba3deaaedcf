//! `/api/users`, `/auth/admins`, `/api/company` and `/api/companies`, on both databases.

use footfall::auth::role::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::stage::{PASSWORD, Person, Stage, refusal};

mod companies;
mod concurrency;
mod enabled;
mod input;
mod invitations;
mod zones;

async fn invite(stage: &Stage, by: &Person, body: Value) -> crate::support::Reply {
    stage
        .client(by)
        .post_json("/api/users", &body.to_string())
        .await
}

#[tokio::test]
async fn somebody_is_invited_changed_and_removed() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let mut client = stage.client(&anna);
        let reply = invite(
            &stage,
            &anna,
            json!({ "email": "Bo.Li@acme.example", "role": "member" }),
        )
        .await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let bo = reply.json();
        assert_eq!(
            (&bo["username"], &bo["state"], &bo["role"]),
            (&json!("Bo.Li"), &json!("invited"), &json!("member"))
        );
        let path = format!("/api/users/{}", bo["id"].as_str().unwrap());
        assert_eq!(client.get(&path).await.json(), bo);
        // Relative to `/api/users`, wherever a proxy publishes that (RFC 3986, 5.2).
        let location = reply.header("location").unwrap();
        assert_eq!(format!("/api/{location}"), path);
        // The link is in the transaction, and so is the mail.
        assert_eq!(
            stage
                .number(
                    "SELECT count(*) FROM links WHERE purpose = 'invitation' AND used_at IS NULL"
                )
                .await,
            1
        );
        assert_eq!(stage.number("SELECT count(*) FROM mails").await, 1);
        // Sent again, with another link in place of the first.
        let again = invite(
            &stage,
            &anna,
            json!({ "email": "bo.li@ACME.example", "role": "viewer" }),
        )
        .await;
        assert_eq!((again.status.as_u16(), again.json()), (201, bo.clone()));
        assert_eq!(
            stage
                .number(
                    "SELECT count(*) FROM links WHERE purpose = 'invitation' AND used_at IS NULL"
                )
                .await,
            1
        );
        assert_eq!(stage.number("SELECT count(*) FROM mails").await, 2);

        let changed = client
            .put_json(&path, r#"{"username":"bo","role":"viewer"}"#)
            .await
            .json();
        assert_eq!(
            (&changed["username"], &changed["role"], &changed["state"]),
            (&json!("bo"), &json!("viewer"), &json!("invited"))
        );
        let disabled = client
            .put_json(&path, r#"{"state":"disabled"}"#)
            .await
            .json();
        assert_eq!(disabled["state"], "disabled");
        assert_eq!(
            stage
                .number(
                    "SELECT count(*) FROM links WHERE purpose = 'invitation' AND used_at IS NULL"
                )
                .await,
            0
        );
        // Who has no password is not active by being let in again.
        let enabled = client.put_json(&path, r#"{"state":"active"}"#).await.json();
        assert_eq!(enabled["state"], "invited");

        assert_eq!(client.delete(&path).await.status, 204);
        assert_eq!(client.delete(&path).await.status, 204, "it can be repeated");
        assert_eq!(client.get(&path).await.status, 404);
        assert_eq!(client.put_json(&path, "{}").await.status, 404);
        let left = "SELECT count(*) FROM users WHERE state = 'deleted' AND email IS NULL AND email_key IS NULL AND username IS NULL AND password_hash IS NULL";
        assert_eq!(stage.number(left).await, 1);
        let audited = "SELECT count(*) FROM audit_entries WHERE action IN ('account.invite', 'account.update', 'account.role', 'account.disable', 'account.enable', 'account.delete')";
        assert_eq!(stage.number(audited).await, 7, "{}", stage.kind);
    }
}

#[tokio::test]
async fn lists_are_pages_of_ones_own_company() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        stage.person("other", "zoe", Role::Admin).await;
        for number in 0..4 {
            let body = json!({ "email": format!("u{number}@acme.example"), "role": "viewer" });
            assert_eq!(invite(&stage, &anna, body).await.status, 201);
        }
        let mut client = stage.client(&anna);
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = client
                .get(&format!("/api/users?limit=2&cursor={cursor}"))
                .await
                .json();
            let users = page["users"].as_array().unwrap().clone();
            names.extend(
                users
                    .iter()
                    .map(|user| user["username"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(names, ["anna", "u0", "u1", "u2", "u3"]);
        for (query, count) in [
            ("state=invited", 4),
            ("role=admin", 1),
            ("state=active&role=viewer", 0),
            ("state=&role=", 5),
        ] {
            let page = client.get(&format!("/api/users?{query}")).await.json();
            assert_eq!(page["users"].as_array().unwrap().len(), count, "{query}");
        }
        for bad in [
            "limit=0",
            "limit=1001",
            "cursor=x",
            "state=deleted",
            "role=owner",
            "other=1",
        ] {
            let reply = client.get(&format!("/api/users?{bad}")).await;
            assert_eq!(reply.problem(), "invalid_query", "{bad}");
        }
    }
}

#[tokio::test]
async fn nobody_raises_above_their_own_role() {
    let stage = Stage::sqlite().await;
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let bo = stage.person("acme", "bo", Role::Member).await;
    let (admin, chief) = (
        stage.person("default", "dora", Role::Admin).await,
        stage.person("default", "chief", Role::Operator).await,
    );
    let path = format!("/api/users/{}", bo.id);
    for (by, path) in [
        (&anna, path),
        (&admin, format!("/api/users/{}", admin.id)),
        (&chief, format!("/api/users/{}", admin.id)),
    ] {
        let reply = stage
            .client(by)
            .put_json(&path, r#"{"role":"operator"}"#)
            .await;
        assert_eq!(
            refusal(&reply),
            (403, "forbidden".into(), json!("role")),
            "{path}"
        );
        let reply = invite(
            &stage,
            by,
            json!({ "email": "x@x.example", "role": "operator" }),
        )
        .await;
        assert_eq!(refusal(&reply), (403, "forbidden".into(), json!("role")));
    }
    let path = format!("/api/users/{}", chief.id);
    let mut client = stage.client(&admin);
    for reply in [
        client.put_json(&path, r#"{"state":"disabled"}"#).await,
        client.delete(&path).await,
    ] {
        assert_eq!(refusal(&reply), (403, "forbidden".into(), json!("role")));
    }
    assert_eq!(
        stage
            .client(&chief)
            .put_json(&path, r#"{"role":"admin"}"#)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_last_admin_stays() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let path = format!("/api/users/{}", anna.id);
        let mut client = stage.client(&anna);
        for body in [r#"{"role":"member"}"#, r#"{"state":"disabled"}"#] {
            assert_eq!(client.put_json(&path, body).await.problem(), "last_admin");
        }
        assert_eq!(client.delete(&path).await.problem(), "last_admin");
        let bo = stage.person("acme", "bo", Role::Admin).await;
        assert_eq!(
            client.put_json(&path, r#"{"role":"member"}"#).await.status,
            200
        );
        // With a token that says the old role nothing is done any more.
        assert_eq!(client.get("/api/users").await.status, 401);
        assert_eq!(stage.client(&bo).delete(&path).await.status, 204);
    }
}

#[tokio::test]
async fn the_settings_account_is_listed_and_managed_there() {
    let stage = Stage::sqlite().await;
    let mut operator = stage.operator().await;
    let listed = operator.get("/api/users").await.json();
    assert_eq!(listed["users"][0]["username"], "admin");
    let path = format!("/api/users/{}", listed["users"][0]["id"].as_str().unwrap());
    assert_eq!(operator.get(&path).await.json()["role"], "operator");
    for reply in [
        operator.put_json(&path, r#"{"role":"viewer"}"#).await,
        operator.delete(&path).await,
    ] {
        assert_eq!(reply.problem(), "managed_by_settings");
    }
    // Its name is nobody else's, nor one that looks like it.
    for name in ["admin", "ADMIN"] {
        let body = json!({ "email": "x@default.example", "role": "viewer", "username": name });
        let reply = operator.post_json("/api/users", &body.to_string()).await;
        assert_eq!(
            refusal(&reply),
            (409, "username_taken".into(), json!("username"))
        );
    }
}

/// What a role, a disabling or a removal ends, ends at once: for visits, too.
#[tokio::test]
async fn what_is_ended_counts_no_more() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        for (name, change) in [
            ("b", r#"{"role":"viewer"}"#),
            ("c", r#"{"role":"admin"}"#),
            ("d", r#"{"state":"disabled"}"#),
            ("e", ""),
        ] {
            let user = stage.person("acme", name, Role::Member).await;
            let (_, machine) = stage.api_token(&user, &["visits:write"]).await;
            let mut clients = [stage.client(&user), stage.app.client().with_token(&machine)];
            for client in &mut clients {
                client.get("/api/count").await.visits();
            }
            let path = format!("/api/users/{}", user.id);
            let mut admin = stage.client(&anna);
            let status = match change {
                "" => admin.delete(&path).await.status,
                change => admin.put_json(&path, change).await.status,
            };
            assert!(status.is_success(), "{change}: {status}");
            let [person, machine] = &mut clients;
            assert_eq!(
                person.get("/api/count").await.problem(),
                "invalid_token",
                "{change}"
            );
            let reply = machine.get("/api/count").await;
            let expected = match name {
                "b" => 403,
                "c" => 200,
                _ => 401,
            };
            assert_eq!(reply.status, expected, "{change} {reply:?}");
        }
    }
}

#[tokio::test]
async fn everybody_may_know_the_admins_and_the_company() {
    for stage in Stage::both().await {
        stage.person("acme", "anna", Role::Admin).await;
        let vic = stage.person("acme", "vic", Role::Viewer).await;
        let mut client = stage.client(&vic);
        assert_eq!(
            client.get("/auth/admins").await.json(),
            json!({ "admins": [{ "username": "anna" }] })
        );
        assert_eq!(client.get("/api/company").await.json()["name"], "acme");
        assert_eq!(
            client
                .put_json("/api/company", r#"{"name":"b"}"#)
                .await
                .problem(),
            "forbidden"
        );
        let mut operator = stage.operator().await;
        assert_eq!(
            operator.get("/auth/admins").await.json(),
            json!({ "admins": [{ "username": "admin" }] })
        );
    }
}
