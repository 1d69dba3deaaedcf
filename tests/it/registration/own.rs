//! One's own account.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Reply,
    people::{OTHER, PASSWORD, Place, both, post, refusal, send, sqlite},
};
use footfall::auth::revocation::Pass;

async fn ask(place: &Place, pass: &Pass, (method, path): (Method, &str), body: &Value) -> Reply {
    let mut client = place.logged_in(0, pass);
    send(&mut client, method, path, body).await
}

const PUT: (Method, &str) = (Method::PUT, "/auth/me");
const DELETE: (Method, &str) = (Method::DELETE, "/auth/me");
const PASSWORD_ROUTE: (Method, &str) = (Method::POST, "/auth/password");

#[tokio::test]
async fn one_sees_ones_own_account() {
    for place in both(&[]).await {
        let pass = place.founder("anna@a.example").await;
        let reply = place.logged_in(1, &pass).get("/auth/me").await;
        let body = reply.json();
        assert_eq!(reply.status, 200);
        assert_eq!(
            (
                &body["username"],
                &body["email"],
                &body["role"],
                &body["company"]["name"]
            ),
            (
                &json!("anna"),
                &json!("anna@a.example"),
                &json!("admin"),
                &json!("Acme")
            )
        );
        assert_eq!(
            (&body["managed_by_settings"], &body["last_login_at"]),
            (&json!(false), &json!(null))
        );
        assert_eq!(body["id"], pass.user.to_string());
        assert_eq!(place.client().get("/auth/me").await.status, 401);
        // Who is disabled is nobody.
        place
            .change("UPDATE users SET state = 'disabled' WHERE email_key = 'anna@a.example'")
            .await;
        let reply = place.logged_in(1, &pass).get("/auth/me").await;
        assert_eq!(refusal(&reply).1, "invalid_token");
    }
}

#[tokio::test]
async fn the_account_of_the_settings_is_managed_there() {
    for place in both(&[]).await {
        let mut client = place.client().logged_in().await;
        let body = client.get("/auth/me").await.json();
        assert_eq!(
            (
                &body["username"],
                &body["email"],
                &body["role"],
                &body["managed_by_settings"]
            ),
            (
                &json!("admin"),
                &json!(null),
                &json!("operator"),
                &json!(true)
            )
        );
        for ((method, path), body) in [
            (PUT, json!({ "username": "root" })),
            (
                PUT,
                json!({ "email": "a@a.example", "password": "password" }),
            ),
            (DELETE, json!({ "password": "password" })),
            (
                PASSWORD_ROUTE,
                json!({ "password": "password", "new_password": OTHER }),
            ),
        ] {
            let reply = send(&mut client, method, path, &body).await;
            assert_eq!(
                refusal(&reply),
                (409, "managed_by_settings".to_owned(), None),
                "{body}"
            );
        }
    }
}

#[tokio::test]
async fn a_name_is_changed_at_once_and_an_address_when_it_is_confirmed() {
    for place in both(&[]).await {
        let pass = place.founder("anna@a.example").await;
        let reply = ask(&place, &pass, PUT, &json!({ "username": "Beth" })).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["username"]),
            (200, &json!("Beth"))
        );
        let new = json!({ "email": "Beth@B.example", "password": PASSWORD });
        let reply = ask(&place, &pass, PUT, &new).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.json()["email"]),
            (200, &json!("anna@a.example"))
        );
        place
            .letter("anna@a.example", "Your e-mail address is to be changed")
            .await;
        let letter = place
            .letter("Beth@b.example", "Confirm your new e-mail address")
            .await;
        assert!(letter.link().contains("/console/email?token="));
        for (password, status) in [(OTHER, 401), (PASSWORD, 204), (PASSWORD, 410)] {
            let body = json!({ "token": letter.token(), "password": password });
            let reply = post(&mut place.client(), "/auth/confirm", &body).await;
            assert_eq!(reply.status, status);
        }
        place
            .letter("anna@a.example", "Your e-mail address was changed")
            .await;
        let reply = place.logged_in(0, &pass).get("/auth/me").await;
        assert_eq!(reply.json()["email"], "Beth@b.example");
        // What is as it was needs no password, and sends nothing.
        let same = json!({ "email": "Beth@b.example", "username": "Beth" });
        let sent = place.letters_sent("Beth@b.example").await;
        assert_eq!(ask(&place, &pass, PUT, &same).await.status, 200);
        assert_eq!(ask(&place, &pass, PUT, &json!({})).await.status, 200);
        assert_eq!(place.letters_sent("Beth@b.example").await, sent);
    }
}

/// Somebody else was faster: the address is theirs.
#[tokio::test]
async fn an_address_that_was_taken_meanwhile_is_not_confirmed() {
    for place in both(&[]).await {
        let pass = place.founder("anna@a.example").await;
        let new = json!({ "email": "beth@b.example", "password": PASSWORD });
        assert_eq!(ask(&place, &pass, PUT, &new).await.status, 200);
        let letter = place
            .letter("beth@b.example", "Confirm your new e-mail address")
            .await;
        place.founder("beth@b.example").await;
        let body = json!({ "token": letter.token(), "password": PASSWORD });
        let reply = post(&mut place.client(), "/auth/confirm", &body).await;
        assert_eq!(refusal(&reply), (410, "link_invalid".to_owned(), None));
    }
}

#[tokio::test]
async fn what_is_wrong_with_ones_own_account_is_named() {
    for place in both(&[]).await {
        let pass = place.founder("anna@a.example").await;
        let second = format!(
            "INSERT INTO users (id, company_id, username, username_key, role, state, generation, created_at, updated_at)
             SELECT c.id, c.id, 'beth', 'beth', 'viewer', 'active', 1, 1, 1 FROM companies c WHERE c.name = '{}'",
            "Acme"
        );
        place.change(&second).await;
        let before = place.rows().await;
        for (route, body, status, code, field) in [
            (
                PUT,
                json!({ "username": 1 }),
                422,
                "invalid_body",
                "username",
            ),
            (
                PUT,
                json!({ "username": "" }),
                422,
                "invalid_body",
                "username",
            ),
            (
                PUT,
                json!({ "username": "a b" }),
                422,
                "invalid_body",
                "username",
            ),
            (
                PUT,
                json!({ "username": "BETH" }),
                409,
                "username_taken",
                "username",
            ),
            (
                PUT,
                json!({ "email": "nobody" }),
                422,
                "invalid_email",
                "email",
            ),
            (PUT, json!({ "email": ["a"] }), 422, "invalid_body", "email"),
            (
                PUT,
                json!({ "email": "b@b.example" }),
                422,
                "invalid_body",
                "password",
            ),
            (
                PUT,
                json!({ "email": "b@b.example", "password": 1 }),
                422,
                "invalid_body",
                "password",
            ),
            (
                PUT,
                json!({ "email": "b@b.example", "password": OTHER }),
                401,
                "invalid_credentials",
                "password",
            ),
            (DELETE, json!({}), 422, "invalid_body", "password"),
            (
                DELETE,
                json!({ "password": OTHER }),
                401,
                "invalid_credentials",
                "password",
            ),
            (
                PASSWORD_ROUTE,
                json!({ "password": PASSWORD }),
                422,
                "invalid_body",
                "new_password",
            ),
            (
                PASSWORD_ROUTE,
                json!({ "new_password": OTHER }),
                422,
                "invalid_body",
                "password",
            ),
            (
                PASSWORD_ROUTE,
                json!({ "password": OTHER, "new_password": OTHER }),
                401,
                "invalid_credentials",
                "password",
            ),
            (
                PASSWORD_ROUTE,
                json!({ "password": PASSWORD, "new_password": "anna anna anna anna" }),
                422,
                "weak_password",
                "new_password",
            ),
        ] {
            let reply = ask(&place, &pass, route, &body).await;
            let expected = (status, code.to_owned(), Some(field.to_owned()));
            assert_eq!(refusal(&reply), expected, "{body}");
        }
        let unchanged = |rows: Vec<(&'static str, i64)>| -> Vec<_> {
            rows.into_iter()
                .filter(|row| row.0 != "audit_entries")
                .collect()
        };
        assert_eq!(unchanged(place.rows().await), unchanged(before));
    }
}

#[tokio::test]
async fn another_password_ends_all_sessions_but_this_one() {
    for place in both(&[]).await {
        let pass = place.founder("anna@a.example").await;
        let other = Pass {
            session: uuid::Uuid::now_v7(),
            ..pass
        };
        let body = json!({ "password": PASSWORD, "new_password": OTHER });
        let reply = ask(&place, &pass, PASSWORD_ROUTE, &body).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0));
        for (session, status) in [(&pass, 200), (&other, 401)] {
            let reply = place.logged_in(1, session).get("/api/count").await;
            assert_eq!(reply.status, status, "{}", place.kind);
        }
        place
            .letter("anna@a.example", "Your password was changed")
            .await;
        // The old one is none any more, the new one is.
        for (password, status) in [(PASSWORD, 401), (OTHER, 409)] {
            let reply = ask(&place, &pass, DELETE, &json!({ "password": password })).await;
            assert_eq!(reply.status, status);
        }
    }
}

/// Nothing is left of who it was; the last admin stays.
#[tokio::test]
async fn an_account_is_deleted_and_leaves_nothing_of_who_it_was() {
    for place in both(&[]).await {
        let pass = place.founder("anna@a.example").await;
        let body = json!({ "password": PASSWORD });
        let reply = ask(&place, &pass, DELETE, &body).await;
        assert_eq!(refusal(&reply), (409, "last_admin".to_owned(), None));
        let of_company = |rest: &str| {
            format!(
                "INSERT INTO {rest} FROM companies c WHERE c.id = (SELECT company_id FROM users WHERE email_key = 'anna@a.example')"
            )
        };
        let user = "users (id, company_id, username, username_key, role, state, generation, created_at, updated_at)
             SELECT c.id, c.id, 'beth', 'beth', 'admin', 'active', 1, 1, 1";
        place.change(&of_company(user)).await;
        let session = format!(
            "INSERT INTO sessions (id, company_id, user_id, counter, kind, user_agent, address, created_at, rotated_at, expires_at)
             SELECT id, company_id, id, 0, 'bearer', 'anna on her phone', '192.0.2.1', 1, 1, 1 FROM users WHERE email_key = '{}'",
            "anna@a.example"
        );
        place.change(&session).await;
        let token = "INSERT INTO api_tokens (id, company_id, user_id, name, scopes, secret_hash, created_at)
             SELECT id, company_id, id, 'of anna', '', HASH, 1 FROM users WHERE email_key = 'anna@a.example'";
        let hash = match place.kind {
            "sqlite" => "zeroblob(32)",
            _ => r"decode(repeat('00', 32), 'hex')",
        };
        place.change(&token.replace("HASH", hash)).await;
        let forgot = json!({ "email": "anna@a.example" });
        post(&mut place.client(), "/auth/password/forgot", &forgot).await;
        place.letters_sent("anna@a.example").await;
        let reply = ask(&place, &pass, DELETE, &body).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0));
        let reply = place.logged_in(1, &pass).get("/api/count").await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, "invalid_token")
        );
        for (rows, left) in [
            (
                "users WHERE email LIKE '%anna%' OR username LIKE '%anna%' OR username_key LIKE '%anna%'",
                0,
            ),
            (
                "users WHERE state = 'deleted' AND password_hash IS NULL AND last_login_at IS NULL",
                1,
            ),
            ("registrations", 0),
            (
                "mails WHERE recipient LIKE '%anna%' AND state = 'waiting'",
                0,
            ),
            (
                "sessions WHERE ended_at IS NULL OR user_agent IS NOT NULL OR address IS NOT NULL",
                0,
            ),
            (
                "links WHERE user_id NOT IN (SELECT id FROM users WHERE role = 'operator')",
                0,
            ),
            ("api_tokens WHERE ended_at IS NULL OR name <> ''", 0),
            ("mails WHERE recipient LIKE '%anna%'", 0),
        ] {
            let found = place.number(&format!("SELECT count(*) FROM {rows}")).await;
            assert_eq!(found, left, "{rows}");
        }
        // The address is free again.
        place.founder("anna@a.example").await;
    }
}

/// Each would leave the other as the last one.
#[tokio::test]
async fn two_admins_who_leave_at_once_do_not_both() {
    for place in both(&[]).await {
        let anna = place.founder("anna@a.example").await;
        let beth = place.founder("beth@a.example").await;
        place
            .change(&format!(
                "UPDATE users SET company_id = (SELECT company_id FROM users WHERE email_key = 'anna@a.example') WHERE id = {}",
                match place.kind {
                    "sqlite" => format!("x'{}'", beth.user.simple()),
                    _ => format!("'{}'", beth.user),
                }
            ))
            .await;
        let beth = place.pass("beth@a.example").await;
        let body = json!({ "password": PASSWORD });
        let both = [
            ask(&place, &anna, DELETE, &body),
            ask(&place, &beth, DELETE, &body),
        ];
        let mut said: Vec<_> = futures_util::future::join_all(both)
            .await
            .iter()
            .map(|reply| reply.status.as_u16())
            .collect();
        said.sort_unstable();
        assert_eq!(said, [204, 409], "{}", place.kind);
    }
}

/// A stolen token is no place to guess the password.
#[tokio::test]
async fn guesses_at_ones_own_password_are_limited() {
    let place = sqlite(&[]).await;
    let pass = place.founder("anna@a.example").await;
    let mut client = place
        .logged_in(0, &pass)
        .with("x-forwarded-for", "192.0.2.77");
    let body = json!({ "password": OTHER, "new_password": OTHER });
    for _ in 0..10 {
        let reply = post(&mut client, "/auth/password", &body).await;
        assert_eq!(reply.status, 401);
    }
    let reply = post(&mut client, "/auth/password", &body).await;
    assert_eq!(refusal(&reply).1, "too_many_logins");
}
