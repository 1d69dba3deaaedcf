//! Each field that is wrong is named, and nothing is done.

use serde_json::{Value, json};

use crate::support::people::{PASSWORD, Place, both, post, refusal, registration, sqlite};

const RULES: [(&str, &[&str]); 5] = [
    (
        "/auth/register",
        &["company", "email", "username", "password"],
    ),
    ("/auth/confirm", &["token", "password"]),
    ("/auth/confirm/resend", &["email"]),
    ("/auth/password/forgot", &["email"]),
    ("/auth/password/reset", &["token", "password"]),
];

fn good() -> Value {
    let mut body = registration("Acme", "anna@a.example", "anna");
    body["token"] = "A".repeat(64).into();
    body
}

async fn refused(place: &Place, path: &str, body: &Value) -> (u16, String, Option<String>) {
    let reply = post(&mut place.client(), path, body).await;
    assert!(!reply.text().contains(PASSWORD));
    refusal(&reply)
}

#[tokio::test]
async fn a_field_of_another_type_is_named() {
    for place in both(&[]).await {
        let before = place.rows().await;
        for (path, fields) in RULES {
            for field in fields {
                let wrong = [
                    json!(null),
                    json!(1),
                    json!(true),
                    json!(1e300),
                    json!(["a"]),
                    json!({ "a": "b" }),
                ];
                for wrong in wrong.map(Some).into_iter().chain([None]) {
                    let mut body = good();
                    match &wrong {
                        Some(wrong) => body[field] = wrong.clone(),
                        None => drop(body.as_object_mut().unwrap().remove(*field)),
                    }
                    let expected = (422, "invalid_body".to_owned(), Some((*field).to_owned()));
                    assert_eq!(
                        refused(&place, path, &body).await,
                        expected,
                        "{path} {wrong:?}"
                    );
                }
            }
        }
        assert_eq!(place.rows().await, before);
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let place = sqlite(&[]).await;
    for (path, _) in RULES {
        for (body, status) in [
            ("", 400),
            ("{", 400),
            ("{\"email\":\"a@a.example\"", 400),
            ("null", 422),
            ("[]", 422),
            ("\"a\"", 422),
            ("1", 422),
            ("{\"email\":\"\\ud800\",\"token\":\"\\ud800\"}", 400),
            ("{\"email\":\"a@a.example\",\"email\":\"b@a.example\"}", 422),
            ("{}{}", 400),
        ] {
            let reply = place.client().post_json(path, body).await;
            assert_eq!(reply.status, status, "{path} {body} {}", reply.text());
        }
        let large = format!("{{\"email\":\"{}\"}}", "a".repeat(17 * 1024));
        assert_eq!(place.client().post_json(path, &large).await.status, 413);
        let reply = place
            .client()
            .send(
                hyper::Method::POST,
                path,
                &[("content-type", "text/plain")],
                "{}",
            )
            .await;
        assert_eq!(reply.status, 415);
    }
}

#[tokio::test]
async fn what_is_no_name_address_or_password_is_named() {
    for place in both(&[]).await {
        let before = place.rows().await;
        let long = "a".repeat(65);
        for (field, wrong, code) in [
            ("company", "", "invalid_body"),
            ("company", " Acme", "invalid_body"),
            ("company", "Ac/me", "invalid_body"),
            ("company", "Ac\0me", "invalid_body"),
            ("company", "Ac\u{202e}me", "invalid_body"),
            ("company", "Acme 😀", "invalid_body"),
            ("company", "Асme", "invalid_body"),
            ("company", &long, "invalid_body"),
            ("username", "", "invalid_body"),
            ("username", "an na", "invalid_body"),
            ("username", "an@na", "invalid_body"),
            ("username", "an/na", "invalid_body"),
            ("username", "an\0na", "invalid_body"),
            ("username", "😀", "invalid_body"),
            ("username", "аnna", "invalid_body"),
            ("username", &long, "invalid_body"),
            ("email", "", "invalid_email"),
            ("email", "anna", "invalid_email"),
            ("email", "@a.example", "invalid_email"),
            ("email", "a@b", "invalid_email"),
            ("email", "a@a.example\0", "invalid_email"),
            ("email", "a@a.example\r\nBcc: b@a.example", "invalid_email"),
            ("email", "a@a.example, b@a.example", "invalid_email"),
            ("email", "\"a b\"@a.example", "invalid_email"),
            ("email", "😀@a.example", "invalid_email"),
            ("email", &format!("{long}@a.example"), "invalid_email"),
            ("password", "", "weak_password"),
            ("password", "short", "weak_password"),
            ("password", "aaaaaaaaaaaaaaaaaaaa", "weak_password"),
            ("password", "anna@a.example Acme", "weak_password"),
            ("password", &"a1 B".repeat(33), "weak_password"),
        ] {
            let mut body = good();
            body[field] = wrong.into();
            let expected = (422, code.to_owned(), Some(field.to_owned()));
            assert_eq!(
                refused(&place, "/auth/register", &body).await,
                expected,
                "{wrong:?}"
            );
        }
        assert_eq!(place.rows().await, before);
    }
}

/// What is good is taken as it is: names of any script, passwords of any character.
#[tokio::test]
async fn names_and_passwords_of_all_kinds_are_taken() {
    for place in both(&[]).await {
        for (number, (company, username, password)) in [
            ("株式会社", "山田", "😀 пароль mit Ümlaut \0 & <tag>"),
            (
                "Müller & Söhne, Ltd",
                "jörg.müller-2",
                " stapling nine damp envelopes ",
            ),
            ("О'Нил", "анна", "\u{202e}seven quiet otters\ttab"),
        ]
        .into_iter()
        .enumerate()
        {
            let email = format!("a{number}@a.example");
            let mut body = registration(company, &email, username);
            body["password"] = password.into();
            body["unknown"] = json!({ "field": 1 });
            let reply = post(&mut place.client(), "/auth/register", &body).await;
            assert_eq!(reply.status, 202, "{}", reply.text());
            let letter = place.letter(&email, "Confirm your e-mail address").await;
            for (password, status) in [(password.trim(), 401), (password, 204)] {
                if password == body["password"] && status == 401 {
                    continue;
                }
                let confirmed = json!({ "token": letter.token(), "password": password });
                let reply = post(&mut place.client(), "/auth/confirm", &confirmed).await;
                assert_eq!(reply.status, status, "{}", reply.text());
            }
        }
    }
}
