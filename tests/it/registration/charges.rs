//! What nothing came of, since the database failed, does not count for those that are too many.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Client, Reply,
    people::{PASSWORD, Place, both, post, registration, send},
};

/// Something that is limited, and more than may be done of it.
struct Limited {
    name: &'static str,
    limit: usize,
    /// Who gets a mail by it.
    addressee: Option<&'static str>,
    method: Method,
    path: &'static str,
    body: Value,
}

fn limited(name: &'static str, limit: usize, path: &'static str, body: Value) -> Limited {
    let (method, addressee) = (Method::POST, None);
    Limited {
        name,
        limit,
        addressee,
        method,
        path,
        body,
    }
}

impl Limited {
    fn to(mut self, addressee: &'static str) -> Self {
        self.addressee = Some(addressee);
        self
    }

    async fn ask(&self, client: &mut Client) -> Reply {
        send(client, self.method.clone(), self.path, &self.body).await
    }
}

/// All that is done for an address, a user, a company or an e-mail so many times at most, but refreshing.
fn all() -> Vec<Limited> {
    let invitation = json!({ "email": "bob@a.example", "role": "member" });
    let company = json!({ "name": "Other", "email": "chief@o.example", "username": "chief" });
    let token = json!({ "name": "shop", "scopes": ["visits:write"] });
    let again = json!({ "email": "anna@a.example" });
    let address = json!({ "email": "ann@a.example", "password": PASSWORD });
    let new = registration("New", "nina@n.example", "nina");
    vec![
        limited("token", 100, "/auth/tokens", token),
        limited("invite", 3, "/api/users", invitation).to("bob@a.example"),
        limited("found", 3, "/api/companies", company).to("chief@o.example"),
        limited("register", 5, "/auth/register", new).to("nina@n.example"),
        limited("forgot", 5, "/auth/password/forgot", again.clone()).to("anna@a.example"),
        limited("resend", 5, "/auth/confirm/resend", again).to("anna@a.example"),
        Limited {
            method: Method::PUT,
            ..limited("e-mail", 5, "/auth/me", address).to("ann@a.example")
        },
    ]
}

/// A client of each replica. Nobody has asked for anything from their address before.
async fn clients(place: &Place, name: &str) -> [Client; 2] {
    let address = format!("192.0.2.{}", name.len());
    let login = json!({ "username": "anna@a.example", "password": PASSWORD });
    let granted = post(&mut place.client(), "/auth/login", &login)
        .await
        .json();
    let token = granted["token"].as_str().unwrap();
    [0, 1].map(|replica| {
        let client = place.replicas[replica].proxy().with_token(token);
        client.with("x-forwarded-for", &address)
    })
}

#[tokio::test]
async fn what_the_database_refused_is_not_counted() {
    for place in both(&[]).await {
        place.founder("anna@a.example").await;
        let role = "UPDATE users SET role = 'operator' WHERE email_key = 'anna@a.example'";
        place.change(role).await;
        for limited in all() {
            let name = format!("{} on {}", limited.name, place.kind);
            let mut clients = clients(&place, limited.name).await;
            let letters = async || match limited.addressee {
                Some(addressee) => place.letters_sent(addressee).await,
                None => 0,
            };
            let before = letters().await;
            place
                .as_owner("ALTER TABLE audit_entries RENAME TO away")
                .await;
            for turn in 0..=limited.limit {
                let reply = limited.ask(&mut clients[turn % 2]).await;
                assert!(reply.status.is_server_error(), "{name}: {}", reply.text());
            }
            place
                .as_owner("ALTER TABLE away RENAME TO audit_entries")
                .await;
            let reply = limited.ask(&mut clients[0]).await;
            assert!(reply.status.is_success(), "{name}: {}", reply.text());
            let sent = usize::from(limited.addressee.is_some());
            assert_eq!(letters().await, before + sent, "{name}");
        }
    }
}

#[tokio::test]
async fn a_refresh_that_the_database_refused_is_not_counted() {
    for place in both(&[]).await {
        place.founder("anna@a.example").await;
        let mut client = place.client();
        let login = json!({ "username": "anna@a.example", "password": PASSWORD });
        let granted = post(&mut client, "/auth/login", &login).await.json();
        let body = json!({ "refresh_token": granted["refresh_token"] });
        place.as_owner("ALTER TABLE sessions RENAME TO away").await;
        for _ in 0..=30 {
            let reply = post(&mut client, "/auth/refresh", &body).await;
            assert!(reply.status.is_server_error(), "{}", reply.text());
        }
        place.as_owner("ALTER TABLE away RENAME TO sessions").await;
        let reply = post(&mut client, "/auth/refresh", &body).await;
        assert_eq!(reply.status, 200, "{}: {}", place.kind, reply.text());
    }
}

/// What is in the request is: nobody guesses without end, or asks for what cannot be.
#[tokio::test]
async fn what_is_refused_for_what_was_asked_is_counted() {
    for place in both(&[]).await {
        let mut client = place.client_at("192.0.2.1");
        let mut weak = registration("Acme", "anna@a.example", "anna");
        weak["password"] = json!("aaaaaaaaaaaaaaaaaaaa");
        for _ in 0..5 {
            let reply = post(&mut client, "/auth/register", &weak).await;
            assert_eq!(reply.problem(), "weak_password");
        }
        let reply = post(&mut client, "/auth/register", &weak).await;
        assert_eq!(reply.problem(), "too_many_requests", "{}", place.kind);
    }
}
