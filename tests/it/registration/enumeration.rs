//! Known and unknown addresses are equal in all that can be observed.

use serde_json::{Value, json};

use crate::support::{
    Reply,
    people::{OTHER, PASSWORD, Place, both, post, registration, send},
};

/// What can be observed of a request, by the client and by who looks at the database or the mail queue.
#[derive(Debug, PartialEq, Eq)]
struct Observed {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    hashes: i64,
    rows: Vec<(&'static str, i64)>,
}

impl Observed {
    /// But for what is written: failures come to be in the audit trail a little later.
    fn looks_like(&self, other: &Self) -> bool {
        let seen = |of: &Self| {
            let mut body: Value = serde_json::from_slice(&of.body).unwrap();
            body["request_id"] = json!("its own");
            (of.status, of.headers.clone(), body, of.hashes)
        };
        seen(self) == seen(other)
    }
}

fn headers(reply: &Reply) -> Vec<(String, String)> {
    let headers = reply.headers.iter().map(|(name, value)| {
        let value = match name.as_str() {
            "x-request-id" => "its own",
            _ => value.to_str().unwrap(),
        };
        (name.to_string(), value.to_owned())
    });
    headers.collect()
}

async fn hashes(place: &Place) -> i64 {
    let hashes = place.replicas[0].metric("footfall_password_hashes_total");
    hashes.await.unwrap() as i64
}

async fn observe(place: &Place, path: &str, body: &Value) -> Observed {
    let (hashes_before, before) = (hashes(place).await, place.rows().await);
    let reply = post(&mut place.client(), path, body).await;
    let after = place.rows().await;
    Observed {
        status: reply.status.as_u16(),
        headers: headers(&reply),
        body: reply.body.to_vec(),
        hashes: hashes(place).await - hashes_before,
        rows: before
            .into_iter()
            .zip(after)
            .map(|((table, before), (_, after))| (table, after - before))
            .collect(),
    }
}

/// One account in each state that an address can be in.
pub async fn everybody(place: &Place) -> Vec<&'static str> {
    let known = [
        "active@a.example",
        "disabled@a.example",
        "invited@a.example",
        "suspended@a.example",
    ];
    for email in known {
        place.founder(email).await;
    }
    place.register("waiting@a.example").await;
    place
        .change("UPDATE users SET state = 'disabled' WHERE email_key = 'disabled@a.example'")
        .await;
    // As an invitation leaves it: the address is not theirs yet.
    let company = match place.kind {
        "sqlite" => "lower(hex(company_id))",
        _ => "replace(company_id::text, '-', '')",
    };
    let invited = format!(
        "UPDATE users SET state = 'invited', password_hash = NULL, email_key = {company} || ' ' || email_key WHERE email_key = 'invited@a.example'"
    );
    place.change(&invited).await;
    place
        .change("UPDATE companies SET state = 'suspended' WHERE id = (SELECT company_id FROM users WHERE email_key = 'suspended@a.example')")
        .await;
    known
        .into_iter()
        .chain(["waiting@a.example", "ACTIVE@A.example"])
        .collect()
}

#[tokio::test]
async fn nobody_learns_whether_an_address_has_an_account() {
    for place in both(&[]).await {
        let known = everybody(&place).await;
        for path in [
            "/auth/register",
            "/auth/confirm/resend",
            "/auth/password/forgot",
        ] {
            let body = |email: &str| match path {
                "/auth/register" => registration("Acme", email, "anna"),
                _ => json!({ "email": email }),
            };
            let unknown = format!("nobody-{}@a.example", path.len());
            let expected = observe(&place, path, &body(&unknown)).await;
            assert_eq!(expected.status, 202);
            assert_eq!(expected.hashes, i64::from(path == "/auth/register"));
            let written = |table| expected.rows.iter().find(|row| row.0 == table).unwrap().1;
            assert_eq!(
                (written("links"), written("mails"), written("audit_entries")),
                (1, 1, 1)
            );
            for email in &known {
                let observed = observe(&place, path, &body(email)).await;
                assert_eq!(observed, expected, "{path} {email} {}", place.kind);
            }
        }
    }
}

/// Anybody may register any address, and then knows the password of what waits for it.
#[tokio::test]
async fn nobody_learns_it_by_logging_in() {
    for place in both(&[]).await {
        let known = everybody(&place).await;
        let login =
            |email: &str, password: &str| json!({ "username": email, "password": password });
        let failed = observe(&place, "/auth/login", &login("nobody@a.example", "wrong")).await;
        assert_eq!((failed.status, failed.hashes), (401, 2));
        let mut registered = registration("Acme", "nobody@a.example", "anna");
        registered["password"] = json!(OTHER);
        post(&mut place.client(), "/auth/register", &registered).await;
        let unconfirmed = observe(&place, "/auth/login", &login("nobody@a.example", OTHER)).await;
        assert_eq!((unconfirmed.status, unconfirmed.hashes), (403, 2));
        for email in &known {
            let observed = observe(&place, "/auth/login", &login(email, "wrong")).await;
            assert!(observed.looks_like(&failed), "{email} {observed:?}");
            registered["email"] = json!(email);
            post(&mut place.client(), "/auth/register", &registered).await;
            for (password, expected) in [("wrong", &failed), (OTHER, &unconfirmed)] {
                let observed = observe(&place, "/auth/login", &login(email, password)).await;
                assert!(observed.looks_like(expected), "{email} {observed:?}");
            }
        }
        // Who has the account gets in by their own.
        let reply = place.client().login("active@a.example", PASSWORD).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

/// What the mails say is for their readers alone.
#[tokio::test]
async fn the_mail_says_what_there_is() {
    for place in both(&[]).await {
        everybody(&place).await;
        for (path, email, subject) in [
            (
                "/auth/confirm/resend",
                "active@a.example",
                "You have an account already",
            ),
            (
                "/auth/confirm/resend",
                "invited@a.example",
                "You are invited to Footfall",
            ),
            (
                "/auth/confirm/resend",
                "waiting@a.example",
                "Confirm your e-mail address",
            ),
            (
                "/auth/confirm/resend",
                "disabled@a.example",
                "There is no account with this address",
            ),
            (
                "/auth/password/forgot",
                "active@a.example",
                "Reset your password",
            ),
            (
                "/auth/password/forgot",
                "invited@a.example",
                "You are invited to Footfall",
            ),
            (
                "/auth/password/forgot",
                "waiting@a.example",
                "Confirm your e-mail address",
            ),
            (
                "/auth/password/forgot",
                "suspended@a.example",
                "There is no account with this address",
            ),
            (
                "/auth/password/forgot",
                "nobody@a.example",
                "There is no account with this address",
            ),
        ] {
            let before = place.letters_sent(email).await;
            let reply = post(&mut place.client(), path, &json!({ "email": email })).await;
            assert_eq!(reply.status, 202);
            assert_eq!(place.letters_sent(email).await, before + 1);
            let newest = place.letters(email).pop().unwrap();
            assert_eq!(newest.subject, subject, "{path} {email}");
        }
        // An invitation's link lets them choose a password.
        let letter = place
            .letter("invited@a.example", "You are invited to Footfall")
            .await;
        for (password, status) in [("invited@a.example", 422), (PASSWORD, 204), (PASSWORD, 410)] {
            let body = json!({ "token": letter.token(), "password": password });
            let reply = post(&mut place.client(), "/auth/confirm", &body).await;
            assert_eq!(reply.status, status, "{}", reply.text());
        }
        let active =
            "SELECT count(*) FROM users WHERE email_key = 'invited@a.example' AND state = 'active'";
        assert_eq!(place.number(active).await, 1);
    }
}

/// Nor does who changes their own address.
#[tokio::test]
async fn another_address_says_nothing_of_who_has_it() {
    for place in both(&[]).await {
        place.founder("taken@a.example").await;
        let mut observed = Vec::new();
        for (who, new) in [
            ("anna@a.example", "taken@a.example"),
            ("beth@a.example", "free@a.example"),
        ] {
            let pass = place.founder(who).await;
            let before = place.rows().await;
            let hashed = hashes(&place).await;
            let body = json!({ "email": new, "password": PASSWORD });
            let reply = send(
                &mut place.logged_in(0, &pass),
                hyper::Method::PUT,
                "/auth/me",
                &body,
            )
            .await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(reply.json()["email"], who);
            let after = place.rows().await.into_iter().zip(before);
            let written: Vec<_> = after.map(|(after, before)| after.1 - before.1).collect();
            observed.push((
                headers(&reply).len(),
                hashes(&place).await - hashed,
                written,
            ));
        }
        assert_eq!(observed[0], observed[1]);
        place
            .letter("taken@a.example", "You have an account already")
            .await;
        place
            .letter("free@a.example", "Confirm your new e-mail address")
            .await;
    }
}
