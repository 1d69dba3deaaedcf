//! nginx repeats a request whose first replica died: under one request id there is one effect.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Client,
    people::{OTHER, PASSWORD, Place, both, registration, send},
};

/// At that replica, under this id; what the first replica answered is lost.
async fn at(client: Client, id: &str, (method, path): (Method, &str), body: &Value) -> u16 {
    let reply = send(&mut client.with("x-request-id", id), method, path, body).await;
    reply.status.as_u16()
}

/// The same request at both replicas: first one after the other, then at the same moment.
async fn twice(place: &Place, path: &str, body: &Value) -> [u16; 2] {
    let id = uuid::Uuid::now_v7().to_string();
    let from = |replica: usize| {
        let proxy = place.replicas[replica].proxy();
        proxy.with("x-forwarded-for", &format!("192.0.2.{}", path.len()))
    };
    let first = at(from(0), &id, (Method::POST, path), body);
    let second = at(from(1), &id, (Method::POST, path), body);
    <[u16; 2]>::from(futures_util::future::join(first, second).await)
}

#[tokio::test]
async fn a_request_that_is_repeated_has_one_effect() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        let body = registration("Acme", email, "anna");
        assert_eq!(twice(&place, "/auth/register", &body).await, [202, 202]);
        assert_eq!(place.number("SELECT count(*) FROM registrations").await, 1);
        assert_eq!(place.letters_sent(email).await, 1);
        let again = json!({ "email": email });
        assert_eq!(
            twice(&place, "/auth/confirm/resend", &again).await,
            [202, 202]
        );
        assert_eq!(place.letters_sent(email).await, 2);
        let letter = place.letter(email, "Confirm your e-mail address").await;
        let body = json!({ "token": letter.token(), "password": PASSWORD });
        assert_eq!(
            twice(&place, "/auth/confirm", &body).await,
            [204, 204],
            "{}",
            place.kind
        );
        assert_eq!(place.number("SELECT count(*) FROM companies").await, 2);
        assert_eq!(
            twice(&place, "/auth/password/forgot", &again).await,
            [202, 202]
        );
        let letter = place.letter(email, "Reset your password").await;
        let body = json!({ "token": letter.token(), "password": OTHER });
        assert_eq!(
            twice(&place, "/auth/password/reset", &body).await,
            [204, 204]
        );
        // Confirmation twice, welcome, reset, changed.
        assert_eq!(place.letters_sent(email).await, 5);
    }
}

/// The password has changed by the time the repeat comes, and is not asked for again.
#[tokio::test]
async fn a_change_of_ones_own_account_can_be_repeated() {
    for place in both(&[]).await {
        let pass = place.founder("anna@a.example").await;
        let sent = place.letters_sent("anna@a.example").await;
        let password = json!({ "password": PASSWORD, "new_password": OTHER });
        let names = json!({ "username": "beth", "email": "beth@a.example", "password": OTHER });
        for (method, path, body, status) in [
            (Method::POST, "/auth/password", &password, 204),
            (Method::PUT, "/auth/me", &names, 200),
        ] {
            for replica in [0, 1] {
                let client = place.logged_in(replica, &pass);
                let answered = at(client, path, (method.clone(), path), body).await;
                assert_eq!(answered, status, "{path} {replica} {}", place.kind);
            }
        }
        // Changed, and is to be changed.
        assert_eq!(place.letters_sent("anna@a.example").await, sent + 2);
        assert_eq!(place.letters_sent("beth@a.example").await, 1);
    }
}

/// What was refused is tried again: only what was done is remembered.
#[tokio::test]
async fn a_refusal_is_not_remembered() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        place.founder(email).await;
        let forgot = json!({ "email": email });
        assert_eq!(
            twice(&place, "/auth/password/forgot", &forgot).await,
            [202, 202]
        );
        let letter = place.letter(email, "Reset your password").await;
        for (id, password, status) in [
            ("one", "too short", 422),
            ("one", OTHER, 204),
            ("one", OTHER, 204),
            ("two", OTHER, 410),
            ("two", OTHER, 410),
        ] {
            let body = json!({ "token": letter.token(), "password": password });
            let path = (Method::POST, "/auth/password/reset");
            assert_eq!(at(place.client(), id, path, &body).await, status, "{id}");
        }
    }
}
