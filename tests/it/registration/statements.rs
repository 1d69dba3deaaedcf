//! Known and unknown addresses cost the database the same work: a real PostgreSQL logs every statement.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::enumeration::everybody;
use crate::support::{
    people::{self, PASSWORD, Place, post, registration},
    postgres::Postgres,
};

/// Before each statement of the log: the transaction that it is of.
const PREFIX: &str = "log_line_prefix=@%p %v@";

/// What only requests ask; the sender of mails, the trail and the monitor have transactions of their own.
const OF_REQUESTS: [&str; 5] = [
    "request_ids",
    "registrations",
    "links",
    "users u",
    "sessions",
];

/// The log of a server, from a place on.
struct Log<'a> {
    server: &'a Postgres,
    from: usize,
}

impl<'a> Log<'a> {
    fn read(server: &Postgres) -> Vec<u8> {
        fs::read(server.socket_folder().join("log")).unwrap()
    }

    /// From now on.
    fn begin(server: &'a Postgres) -> Self {
        let from = Self::read(server).len();
        Self { server, from }
    }

    /// The statements of each transaction of a request, in their order.
    fn transactions(&self) -> Vec<Vec<String>> {
        let log = Self::read(self.server);
        let log = String::from_utf8_lossy(&log[self.from..]);
        let mut order = Vec::new();
        let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for entry in log.trim_start_matches('@').split("\n@") {
            let Some((transaction, said)) = entry.split_once('@') else {
                continue;
            };
            let Some((_, statement)) = said.split_once("execute ") else {
                continue;
            };
            let (_, statement) = statement.split_once(": ").unwrap();
            let words: Vec<_> = statement.split_whitespace().collect();
            if !all.contains_key(transaction) {
                order.push(transaction);
            }
            all.entry(transaction).or_default().push(words.join(" "));
        }
        let mut of_requests = Vec::new();
        for transaction in order {
            let statements = all.remove(transaction).unwrap();
            let is_of_request =
                |statement: &String| OF_REQUESTS.iter().any(|of| statement.contains(of));
            if statements.iter().any(is_of_request) {
                of_requests.push(statements);
            }
        }
        of_requests
    }
}

/// What a request has the database do.
async fn work(place: &Place, server: &Postgres, path: &str, body: &Value) -> Vec<Vec<String>> {
    // What goes on by itself, mails above all, is over before.
    place.letters_sent("nobody@nowhere.example").await;
    let log = Log::begin(server);
    let reply = post(&mut place.client(), path, body).await;
    let expected = if path == "/auth/login" { 401 } else { 202 };
    assert_eq!(reply.status, expected, "{}", reply.text());
    let transactions = log.transactions();
    assert!(transactions.concat().len() >= 3, "{transactions:?}");
    transactions
}

#[tokio::test]
async fn known_and_unknown_cost_the_same_statements() {
    let server = Postgres::with(&["log_statement=all", "log_parameter_max_length=0", PREFIX]);
    let place = people::on(&server, &[]).await;
    let known = everybody(&place).await;
    for path in [
        // First: later the addresses have registrations, and passwords of those.
        "/auth/login",
        "/auth/register",
        "/auth/confirm/resend",
        "/auth/password/forgot",
    ] {
        let body = |email: &str, password: &str| match path {
            "/auth/register" => registration("Acme", email, "anna"),
            "/auth/login" => json!({ "username": email, "password": password }),
            _ => json!({ "email": email }),
        };
        let unknown = format!("nobody-{}@a.example", path.len());
        let expected = work(&place, &server, path, &body(&unknown, "wrong")).await;
        for email in &known {
            let done = work(&place, &server, path, &body(email, "wrong")).await;
            assert_eq!(done, expected, "{path} {email}");
        }
        // Nor do their right passwords let in who may not.
        if path == "/auth/login" {
            for email in ["disabled@a.example", "suspended@a.example"] {
                let done = work(&place, &server, path, &body(email, PASSWORD)).await;
                assert_eq!(done, expected, "{email}");
            }
        }
    }
    let login = |name: &str| json!({ "username": name, "password": "wrong" });
    let expected = work(&place, &server, "/auth/login", &login("Nobody/nobody")).await;
    for name in ["Acme/active", "Acme/nobody", "nobody", "acme/ACTIVE"] {
        let done = work(&place, &server, "/auth/login", &login(name)).await;
        assert_eq!(done, expected, "{name}");
    }
}
