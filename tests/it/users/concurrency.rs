//! The same at the same time, and the same once more: one has it, the others are told.

use futures_util::future::join_all;

use super::*;

const AT_ONCE: usize = 6;

/// How many of them were answered like this.
fn count(replies: &[crate::support::Reply], status: u16, code: &str) -> usize {
    let is_it = |reply: &&crate::support::Reply| {
        reply.status == status && (code.is_empty() || reply.problem() == code)
    };
    replies.iter().filter(is_it).count()
}

#[tokio::test]
async fn of_one_name_there_is_one() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let inviting = (0..AT_ONCE).map(|number| {
            let body = json!({ "email": format!("u{number}@acme.example"), "role": "viewer", "username": "bo" });
            invite(&stage, &anna, body)
        });
        let replies = join_all(inviting).await;
        assert_eq!(count(&replies, 201, ""), 1, "{replies:?}");
        assert_eq!(
            count(&replies, 409, "username_taken"),
            AT_ONCE - 1,
            "{replies:?}"
        );

        let mut operators = Vec::new();
        for _ in 0..AT_ONCE {
            operators.push(stage.operator().await);
        }
        let founding = operators.iter_mut().enumerate().map(|(number, operator)| {
            let body = json!({ "name": "Globex", "email": format!("g{number}@globex.example") });
            async move {
                operator
                    .post_json("/api/companies", &body.to_string())
                    .await
            }
        });
        let replies = join_all(founding).await;
        assert_eq!(count(&replies, 201, ""), 1, "{replies:?}");
        assert_eq!(
            count(&replies, 409, "company_taken"),
            AT_ONCE - 1,
            "{replies:?}"
        );
    }
}

/// Within a company one invitation, sent again; of several each has its own, and nobody has the address
/// before they accept.
#[tokio::test]
async fn of_one_address_there_is_one() {
    for stage in Stage::both().await {
        let anna = stage.person("acme", "anna", Role::Admin).await;
        let zoe = stage.person("other", "zoe", Role::Admin).await;
        let inviting = (0..AT_ONCE).map(|number| {
            let body = json!({ "email": "new@third.example", "role": "viewer" });
            invite(&stage, if number % 2 == 0 { &anna } else { &zoe }, body)
        });
        let replies = join_all(inviting).await;
        assert_eq!(count(&replies, 201, ""), AT_ONCE, "{replies:?}");
        assert_eq!(
            stage
                .number("SELECT count(*) FROM users WHERE email_key = 'new@third.example'")
                .await,
            0
        );
        assert_eq!(
            stage
                .number("SELECT count(*) FROM users WHERE email = 'new@third.example'")
                .await,
            2
        );
    }
}

/// Two admins who remove each other at the same moment: one of them stays.
#[tokio::test]
async fn two_admins_do_not_remove_each_other() {
    for stage in Stage::both().await {
        for round in 0..5 {
            let company = format!("acme{round}");
            let anna = stage.person(&company, "anna", Role::Admin).await;
            let bo = stage.person(&company, "bo", Role::Admin).await;
            let (mut by_anna, mut by_bo) = (stage.client(&anna), stage.client(&bo));
            let (of_bo, of_anna) = (
                format!("/api/users/{}", bo.id),
                format!("/api/users/{}", anna.id),
            );
            let (one, other) = tokio::join!(by_anna.delete(&of_bo), by_bo.delete(&of_anna));
            let removed = [&one, &other]
                .iter()
                .filter(|reply| reply.status == 204)
                .count();
            assert_eq!(removed, 1, "{one:?} {other:?}");
        }
        let admins = "SELECT count(*) FROM users WHERE role = 'admin' AND state = 'active'";
        assert_eq!(stage.number(admins).await, 5);
    }
}

/// nginx repeats what it has no answer to, with the same id.
#[tokio::test]
async fn a_repeat_is_not_done_again() {
    let app = crate::support::TestApp::builder().env("FOOTFALL_PROXY_REQUEST_ID", "on");
    let app = app.start().await;
    let stage = Stage {
        app,
        kind: "sqlite",
        servers: None,
    };
    let anna = stage.person("acme", "anna", Role::Admin).await;
    let operator = stage.app.token().await;
    for (path, token, body) in [
        (
            "/api/users",
            &anna.token,
            json!({ "email": "bo@acme.example", "role": "viewer" }),
        ),
        (
            "/api/companies",
            &operator,
            json!({ "name": "Globex", "email": "g@globex.example" }),
        ),
        (
            "/auth/tokens",
            &anna.token,
            json!({ "name": "x", "scopes": ["visits:write"] }),
        ),
    ] {
        let mut proxy = stage
            .app
            .proxy()
            .with_token(token)
            .with("x-request-id", "0123456789abcdef");
        let before = stage.number("SELECT (SELECT count(*) FROM mails) + (SELECT count(*) FROM links) + (SELECT count(*) FROM api_tokens)").await;
        let first = proxy.post_json(path, &body.to_string()).await;
        let once = stage.number("SELECT (SELECT count(*) FROM mails) + (SELECT count(*) FROM links) + (SELECT count(*) FROM api_tokens)").await;
        let again = proxy.post_json(path, &body.to_string()).await;
        assert_eq!(
            (first.status.as_u16(), again.status.as_u16()),
            (201, 201),
            "{path} {again:?}"
        );
        assert_eq!(first.json()["id"], again.json()["id"], "{path}");
        let twice = stage.number("SELECT (SELECT count(*) FROM mails) + (SELECT count(*) FROM links) + (SELECT count(*) FROM api_tokens)").await;
        assert!(
            once > before && twice == once,
            "{path}: {before} {once} {twice}"
        );
        if path == "/auth/tokens" {
            // The same row, and another secret: the first is none any more.
            let token =
                |reply: &crate::support::Reply| reply.json()["token"].as_str().unwrap().to_owned();
            let count = async |token: &str| {
                stage
                    .app
                    .client()
                    .with_token(token)
                    .get("/api/count")
                    .await
                    .status
            };
            assert_eq!(count(&token(&first)).await, 401);
            assert_eq!(count(&token(&again)).await, 200);
        }
    }
}
