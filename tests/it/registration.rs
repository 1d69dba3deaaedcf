//! Registering, links, forgotten passwords: the whole life of an account, and what of it a stranger
//! can see.

mod charges;
mod enumeration;
mod fields;
mod invited;
mod killed;
mod own;
mod repeated;
mod statements;

use serde_json::json;

use crate::support::{
    people::{OTHER, PASSWORD, Place, both, post, refusal, registration, sqlite},
    reader::{Reader, assert_is_page},
};

async fn confirm(place: &Place, token: &str, password: &str) -> u16 {
    let body = json!({ "token": token, "password": password });
    let reply = post(&mut place.client(), "/auth/confirm", &body).await;
    reply.status.as_u16()
}

async fn reset(place: &Place, token: &str, password: &str) -> u16 {
    let body = json!({ "token": token, "password": password });
    let reply = post(&mut place.client(), "/auth/password/reset", &body).await;
    reply.status.as_u16()
}

async fn ask(place: &Place, path: &str, email: &str) {
    let reply = post(&mut place.client(), path, &json!({ "email": email })).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0));
}

#[tokio::test]
async fn who_registers_and_confirms_has_a_company() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        assert_eq!(place.register(email).await.status, 202);
        let letter = place.letter(email, "Confirm your e-mail address").await;
        assert!(
            letter.link().contains("/console/confirm?token="),
            "{letter:?}"
        );
        assert_eq!(
            place
                .number("SELECT count(*) FROM users WHERE email IS NOT NULL")
                .await,
            0
        );
        // The wrong password does not use it up, and the right one does.
        assert_eq!(confirm(&place, letter.token(), OTHER).await, 401);
        assert_eq!(confirm(&place, letter.token(), PASSWORD).await, 204);
        assert_eq!(confirm(&place, letter.token(), PASSWORD).await, 410);
        let found = "SELECT count(*) FROM users u JOIN companies c ON c.id = u.company_id
             WHERE u.role = 'admin' AND u.state = 'active' AND u.username = 'anna' AND c.name = 'Acme'";
        assert_eq!(place.number(found).await, 1);
        assert_eq!(place.number("SELECT count(*) FROM registrations").await, 0);
        let welcome = place.letter(email, "Welcome to Footfall").await;
        assert!(welcome.text.contains("Acme"), "{welcome:?}");
        // A company of the same name, whatever its case, gets a number.
        let body = registration("ACME", "other@a.example", "other");
        assert_eq!(
            post(&mut place.client(), "/auth/register", &body)
                .await
                .status,
            202
        );
        let letter = place
            .letter("other@a.example", "Confirm your e-mail address")
            .await;
        assert_eq!(confirm(&place, letter.token(), PASSWORD).await, 204);
        let numbered = "SELECT count(*) FROM companies WHERE name = 'ACME 2'";
        assert_eq!(place.number(numbered).await, 1);
        let app = &place.replicas[0];
        for (step, times) in [("asked", 2.0), ("done", 2.0)] {
            let series = format!("footfall_registrations_total{{step=\"{step}\"}}");
            assert_eq!(app.metric(&series).await, Some(times), "{series}");
        }
    }
}

#[tokio::test]
async fn a_link_is_good_for_one_thing_for_a_while() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        place.register(email).await;
        let letter = place.letter(email, "Confirm your e-mail address").await;
        assert_eq!(reset(&place, letter.token(), OTHER).await, 410);
        place
            .change("UPDATE links SET expires_at = created_at")
            .await;
        assert_eq!(confirm(&place, letter.token(), PASSWORD).await, 410);
        ask(&place, "/auth/confirm/resend", email).await;
        let second = place.letters_sent(email).await;
        assert_eq!(second, 2);
        let again = place.letter(email, "Confirm your e-mail address").await;
        assert_ne!(again.token(), letter.token());
        for broken in ["", "x", &again.token()[1..], &format!("{}A", again.token())] {
            assert_eq!(confirm(&place, broken, PASSWORD).await, 410, "{broken}");
        }
        assert_eq!(confirm(&place, again.token(), PASSWORD).await, 204);
        ask(&place, "/auth/password/forgot", email).await;
        let letter = place.letter(email, "Reset your password").await;
        assert!(
            letter.link().contains("/console/reset?token="),
            "{letter:?}"
        );
        assert_eq!(confirm(&place, letter.token(), PASSWORD).await, 410);
        // Half an hour, not a day.
        let lifetime =
            "SELECT (expires_at - created_at) / 60000 FROM links WHERE purpose = 'reset'";
        assert_eq!(place.number(lifetime).await, 30);
        assert_eq!(reset(&place, letter.token(), "password").await, 422);
        assert_eq!(reset(&place, letter.token(), OTHER).await, 204);
        assert_eq!(reset(&place, letter.token(), OTHER).await, 410);
        place.letter(email, "Your password was changed").await;
    }
}

/// Everything that was issued before ends with a new password.
#[tokio::test]
async fn a_new_password_ends_all_sessions() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        let pass = place.founder(email).await;
        let now = "INSERT INTO sessions (id, company_id, user_id, counter, kind, created_at, rotated_at, expires_at)
             SELECT id, company_id, id, 0, 'bearer', 1, 1, 1 FROM users WHERE email IS NOT NULL";
        place.change(now).await;
        let mut client = place.logged_in(1, &pass);
        assert_eq!(client.get("/auth/me").await.status, 200);
        ask(&place, "/auth/password/forgot", email).await;
        ask(&place, "/auth/password/forgot", email).await;
        assert_eq!(place.letters_sent(email).await, 4);
        let letters = place.letters(email);
        let resets: Vec<_> = letters
            .iter()
            .filter(|letter| letter.subject == "Reset your password")
            .collect();
        assert_eq!(reset(&place, resets[0].token(), OTHER).await, 204);
        let ended = "SELECT count(*) FROM sessions WHERE end_reason = 'password_reset'";
        assert_eq!(place.number(ended).await, 1);
        assert_eq!(client.get("/api/count").await.status, 401, "{}", place.kind);
        // The other link is of the old password.
        assert_eq!(reset(&place, resets[1].token(), PASSWORD).await, 410);
    }
}

/// The first who confirms has the address; what else waited for it is over.
#[tokio::test]
async fn of_two_registrations_of_one_address_one_is_confirmed() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        place.register(email).await;
        place.register(email).await;
        assert_eq!(place.letters_sent(email).await, 2);
        let tokens: Vec<_> = place
            .letters(email)
            .iter()
            .map(|letter| letter.token().to_owned())
            .collect();
        assert_ne!(tokens[0], tokens[1]);
        // Each of them twice, at the same moment.
        let all = [&tokens[0], &tokens[1], &tokens[0], &tokens[1]];
        let confirming = all.map(|token| confirm(&place, token, PASSWORD));
        let mut said = futures_util::future::join_all(confirming).await;
        said.sort_unstable();
        assert_eq!(said, [204, 410, 410, 410], "{}", place.kind);
        let users = "SELECT count(*) FROM users WHERE email IS NOT NULL";
        assert_eq!(place.number(users).await, 1);
        assert_eq!(place.number("SELECT count(*) FROM companies").await, 2);
    }
}

/// A link is no place to guess passwords.
#[tokio::test]
async fn wrong_passwords_at_a_link_are_limited_as_at_a_login() {
    for place in both(&[]).await {
        let email = "anna@a.example";
        place.register(email).await;
        let letter = place.letter(email, "Confirm your e-mail address").await;
        let body = json!({ "token": letter.token(), "password": OTHER });
        let mut client = place.client();
        for _ in 0..10 {
            let reply = post(&mut client, "/auth/confirm", &body).await;
            let expected = (
                401,
                "invalid_credentials".to_owned(),
                Some("password".to_owned()),
            );
            assert_eq!(refusal(&reply), expected);
        }
        let reply = post(&mut client, "/auth/confirm", &body).await;
        assert_eq!(refusal(&reply), (429, "too_many_logins".to_owned(), None));
        assert!(reply.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn registering_is_limited_by_address_and_by_email() {
    for place in both(&[]).await {
        let mut client = place.client();
        for number in 0..5 {
            let body = registration("Acme", &format!("a{number}@a.example"), "anna");
            assert_eq!(post(&mut client, "/auth/register", &body).await.status, 202);
        }
        let body = registration("Acme", "more@a.example", "anna");
        let reply = post(&mut client, "/auth/register", &body).await;
        assert_eq!(refusal(&reply), (429, "too_many_requests".to_owned(), None));
        assert!(reply.header("retry-after").is_some());
        // From anywhere, for one e-mail: the answer is that of any other, and no mail is sent.
        for path in ["/auth/confirm/resend", "/auth/password/forgot"] {
            let email = format!("{}@b.example", path.len());
            for _ in 0..4 {
                ask(&place, path, &email).await;
            }
            assert_eq!(place.letters_sent(&email).await, 3, "{path}");
        }
    }
}

/// To judge a password takes a third of a second at the worst: so that counts, too, and comes after.
#[tokio::test]
async fn a_password_is_judged_only_for_who_may_register() {
    for place in both(&[]).await {
        let mut client = place.client();
        let mut body = registration("Acme", "anna@a.example", "anna");
        body["password"] = json!("aaaaaaaaaaaaaaaaaaaa");
        for _ in 0..5 {
            let reply = post(&mut client, "/auth/register", &body).await;
            assert_eq!(refusal(&reply).1, "weak_password");
        }
        let reply = post(&mut client, "/auth/register", &body).await;
        assert_eq!(refusal(&reply), (429, "too_many_requests".to_owned(), None));
        // Who found a good one at last gets the mail.
        place.register("anna@a.example").await;
        assert_eq!(place.letters_sent("anna@a.example").await, 1);
    }
}

#[tokio::test]
async fn who_may_register_is_set() {
    for registration_is in ["invite", "closed"] {
        let place = sqlite(&[("FOOTFALL_REGISTRATION", registration_is)]).await;
        for body in [registration("Acme", "a@a.example", "a"), json!({})] {
            let reply = post(&mut place.client(), "/auth/register", &body).await;
            let expected = (403, "registration_closed".to_owned(), None);
            assert_eq!(refusal(&reply), expected);
        }
        let page = place.client().get("/console/register").await;
        assert_eq!(page.status, 403);
        assert_eq!(place.letters_sent("a@a.example").await, 0);
    }
}

/// What a request says of its host is in no link.
#[tokio::test]
async fn links_lead_where_the_settings_say() {
    let public = "http://footfall.localhost:8080/visits";
    let place = sqlite(&[("FOOTFALL_PUBLIC_URL", public)]).await;
    let body = registration("Acme", "anna@a.example", "anna").to_string();
    let mut client = place.client();
    let headers = [
        ("content-type", "application/json"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil.example"),
        ("x-original-host", "evil.example"),
        ("origin", "https://evil.example"),
        ("referer", "https://evil.example/"),
    ];
    let reply = client.send(
        hyper::Method::POST,
        "http://evil.example/auth/register",
        &headers,
        body,
    );
    let status = reply.await.status;
    if status != 202 {
        // A target with another host than `Host` may be refused; it must not be believed.
        place.register("anna@a.example").await;
    }
    let letter = place
        .letter("anna@a.example", "Confirm your e-mail address")
        .await;
    assert!(
        letter
            .link()
            .starts_with(&format!("{public}/console/confirm?token="))
    );
    assert!(!letter.text.contains("evil.example"), "{letter:?}");
}

/// Without a database there is the account of the settings, and nothing else.
#[tokio::test]
async fn without_a_database_there_are_no_accounts() {
    let redis = crate::support::Redis::start();
    let app = crate::support::TestApp::builder().env("REDIS_URL", redis.url());
    let app = app.start().await;
    app.ready().await;
    for path in [
        "/auth/register",
        "/auth/confirm",
        "/auth/confirm/resend",
        "/auth/password/forgot",
        "/auth/password/reset",
    ] {
        let body = json!({ "token": "a", "password": "b", "email": "a@a.example", "company": "a", "username": "a" });
        let reply = post(&mut app.client(), path, &body).await;
        assert_eq!(
            refusal(&reply),
            (501, "no_database".to_owned(), None),
            "{path}"
        );
    }
    let mut client = app.client().logged_in().await;
    assert_eq!(client.get("/auth/me").await.status, 501);
    let mut reader = Reader::new(app.client());
    assert_is_page(&reader.get("/console/confirm?token=a").await, 501);
}
