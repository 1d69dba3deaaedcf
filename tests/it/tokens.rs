//! Tokens and the keys that sign them.

mod jws;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use hyper::Method;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};
use uuid::Uuid;

use crate::support::{Client, TestApp, footfall::SECRET_KEY, process::PATIENCE};

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
}

fn claims() -> Value {
    json!({ "iss": "footfall", "sub": "admin", "iat": now(), "exp": now() + 60, "jti": "1", "role": "admin" })
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// A token as anyone may make one: by hand, and with the HMAC of what its header says, or with
/// that of HS256 under any other name.
pub fn sign(algorithm: &str, kid: Option<&str>, claims: &Value, key: &str) -> String {
    let mut header = json!({ "typ": "JWT", "alg": algorithm });
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = match algorithm {
        "HS384" => mac::<Hmac<Sha384>>(key, &message),
        "HS512" => mac::<Hmac<Sha512>>(key, &message),
        _ => mac::<Hmac<Sha256>>(key, &message),
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn mac<M: Mac + KeyInit>(key: &str, message: &str) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(key.as_bytes()).unwrap();
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

pub fn kid_of(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

async fn authorize(client: &mut Client, value: &str) -> crate::support::Reply {
    client
        .send(Method::GET, "/api/count", &[("authorization", value)], "")
        .await
}

/// Roles can be added while replicas of two versions are at work: one that is not known is the
/// weakest, which reads and does not count.
#[tokio::test]
async fn a_role_that_is_not_known_is_the_weakest() {
    let app = TestApp::start().await;
    let mut client = app.client();
    let kid = kid_of(&client.token().await);
    let mut theirs = claims();
    let ids = ["uid", "cid"].map(|name| (name.to_owned(), json!(Uuid::now_v7())));
    let members = theirs.as_object_mut().unwrap();
    members.extend(ids);
    for (role, status) in [("member", 200), ("viewer", 403), ("auditor", 403)] {
        theirs["role"] = json!(role);
        let token = sign("HS256", Some(&kid), &theirs, SECRET_KEY);
        let reply = authorize(&mut client, &format!("Bearer {token}")).await;
        assert_eq!(reply.status.as_u16(), status, "{role}");
        let mut client = app.client().with_token(&token);
        assert_eq!(
            client.get("/api/counters").await.status.as_u16(),
            200,
            "{role}"
        );
    }
}

#[tokio::test]
async fn the_token_table() {
    let app = TestApp::start().await;
    let mut client = app.client();
    let issued = client.token().await;
    let kid = kid_of(&issued);
    let hs256 =
        |claims: &Value| format!("Bearer {}", sign("HS256", Some(&kid), claims, SECRET_KEY));
    let with_kid = |kid| format!("Bearer {}", sign("HS256", kid, &claims(), SECRET_KEY));

    let good = [
        format!("Bearer {issued}"),
        format!("bearer {issued}"),
        format!("BEARER   {issued}"),
        hs256(&claims()),
        hs256(&changed("exp", json!(now() + 5))),
    ];
    for (number, value) in good.iter().enumerate() {
        assert_eq!(
            authorize(&mut client, value).await.visits(),
            number as u64 + 1
        );
    }

    let parts: Vec<&str> = issued.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let other = |algorithm| {
        format!(
            "Bearer {}",
            sign(algorithm, Some(&kid), &claims(), SECRET_KEY)
        )
    };
    let invalid = [
        (
            "alg none, no signature",
            format!("Bearer {none}.{}.", parts[1]),
        ),
        (
            "alg none, our signature",
            format!("Bearer {none}.{}.{}", parts[1], parts[2]),
        ),
        ("HS384", other("HS384")),
        ("HS512", other("HS512")),
        ("HS256 in small letters", other("hs256")),
        ("RS256 with our key as the public one", other("RS256")),
        ("ES256 with our signature", other("ES256")),
        ("EdDSA with our signature", other("EdDSA")),
        ("alg None", other("None")),
        ("no alg", other("")),
        (
            "another key",
            format!(
                "Bearer {}",
                sign("HS256", Some(&kid), &claims(), "another-key")
            ),
        ),
        ("no kid", with_kid(None)),
        ("empty kid", with_kid(Some(""))),
        ("unknown kid", with_kid(Some("0000000000000000"))),
        ("a path as kid", with_kid(Some("../../dev/null"))),
        ("SQL as kid", with_kid(Some("' OR 1=1 --"))),
        ("no signature", format!("Bearer {}.{}", parts[0], parts[1])),
        (
            "an empty signature",
            format!("Bearer {}.{}.", parts[0], parts[1]),
        ),
        (
            "half a signature",
            format!("Bearer {}.{}.{}", parts[0], parts[1], &parts[2][..20]),
        ),
        ("a signature and more", format!("Bearer {issued}AAAA")),
        (
            "a changed payload",
            format!("Bearer {}.{}x.{}", parts[0], parts[1], parts[2]),
        ),
        (
            "a changed signature",
            format!(
                "Bearer {}.{}.{}",
                parts[0],
                parts[1],
                parts[2].chars().rev().collect::<String>()
            ),
        ),
        ("wrong issuer", hs256(&changed("iss", json!("someone")))),
        (
            "issuer in a list with others",
            hs256(&changed("iss", json!(["footfall", "someone"]))),
        ),
        ("a number as role", hs256(&changed("role", json!(1)))),
        (
            "a session that is no id",
            hs256(&changed("sid", json!("1"))),
        ),
        ("not valid yet", hs256(&changed("nbf", json!(now() + 60)))),
        ("expiry as text", hs256(&changed("exp", json!("tomorrow")))),
        ("negative expiry", hs256(&changed("exp", json!(-1)))),
        ("no exp", hs256(&without("exp"))),
        ("no iss", hs256(&without("iss"))),
        ("no sub", hs256(&without("sub"))),
        ("no iat", hs256(&without("iat"))),
        ("no jti", hs256(&without("jti"))),
        ("no role", hs256(&without("role"))),
        ("rubbish", "Bearer rubbish".to_owned()),
        ("no token", "Bearer".to_owned()),
        ("an empty token", "Bearer ".to_owned()),
        ("two tokens", format!("Bearer {issued} {issued}")),
    ];
    for (what, value) in &invalid {
        let reply = authorize(&mut client, value).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, "invalid_token"),
            "{what}"
        );
        assert!(
            reply
                .header("www-authenticate")
                .unwrap()
                .contains("error=\"invalid_token\""),
            "{what}"
        );
    }

    for exp in [now(), now() - 1] {
        let reply = authorize(&mut client, &hs256(&changed("exp", json!(exp)))).await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, "expired_token")
        );
        assert!(
            reply
                .header("www-authenticate")
                .unwrap()
                .contains("error=\"invalid_token\"")
        );
    }

    for value in ["Basic YWRtaW46cGFzc3dvcmQ=", &issued, ""] {
        assert_eq!(
            authorize(&mut client, value).await.problem(),
            "missing_token",
            "{value}"
        );
    }
    let reply = client.get("/api/count").await;
    // RFC 6750, section 3.1: without a token there is no error to name.
    assert_eq!(
        reply.header("www-authenticate"),
        Some("Bearer realm=\"footfall\"")
    );
    let twice = [
        ("authorization", good[0].as_str()),
        ("authorization", good[0].as_str()),
    ];
    assert_eq!(
        client
            .send(Method::GET, "/api/count", &twice, "")
            .await
            .problem(),
        "invalid_token"
    );

    let total = app
        .client()
        .with_token(&issued)
        .get("/api/counters/visits")
        .await
        .visits();
    assert_eq!(total, good.len() as u64, "nothing refused was counted");
}

#[tokio::test]
async fn every_route_that_counts_or_reads_wants_a_token() {
    let app = TestApp::start().await;
    let mut client = app.client();
    for (method, path) in [
        (Method::GET, "/api/count"),
        (Method::HEAD, "/api/count"),
        (Method::GET, "/api/counters"),
        (Method::GET, "/api/counters/visits"),
        (Method::POST, "/api/counters/visits"),
    ] {
        assert_eq!(
            client.send(method, path, &[], "").await.status,
            401,
            "{path}"
        );
    }
}

#[tokio::test]
async fn leeway_is_zero_unless_set() {
    let app = TestApp::builder()
        .env("FOOTFALL_TOKEN_LEEWAY", "30s")
        .start()
        .await;
    let mut client = app.client();
    let kid = kid_of(&client.token().await);
    for (exp, status) in [(now() - 10, 200), (now() - 31, 401)] {
        let token = sign("HS256", Some(&kid), &changed("exp", json!(exp)), SECRET_KEY);
        assert_eq!(
            authorize(&mut client, &format!("Bearer {token}"))
                .await
                .status,
            status
        );
    }
}

/// A token that was found valid before is remembered; its end is not forgotten.
#[tokio::test]
async fn a_token_in_use_expires() {
    let app = TestApp::builder()
        .env("FOOTFALL_TOKEN_TTL", "2s")
        .start()
        .await;
    let mut client = app.client().logged_in().await;
    let (started, mut served) = (Instant::now(), 0);
    let refusal = loop {
        assert!(started.elapsed() < PATIENCE, "it never expires");
        let reply = client.get("/api/counters").await;
        if reply.status != 200 {
            break reply;
        }
        served += 1;
    };
    assert!(served > 1, "it was remembered");
    assert_eq!(refusal.problem(), "expired_token");
    assert_eq!(client.get("/api/count").await.problem(), "expired_token");
}

#[tokio::test]
async fn keys_rotate_without_a_forced_logout() {
    const NEW_KEY: &str = "a-new-secret-key-for-tests-of-many-characters";
    let directory = tempfile::tempdir().unwrap();
    let start = |key: &str, previous: &str| {
        TestApp::builder()
            .directory(directory.path())
            .env("SECRET_KEY", key)
            .env("FOOTFALL_SECRET_KEY_PREVIOUS", previous)
            .start()
    };
    let before = start(SECRET_KEY, "").await;
    let old = before.token().await;
    let during = start(NEW_KEY, SECRET_KEY).await;
    let new = during.token().await;
    assert_ne!(kid_of(&old), kid_of(&new));
    let after = start(NEW_KEY, "").await;
    for (app, token, status) in [
        (&before, &new, 401),
        (&during, &old, 200),
        (&during, &new, 200),
        (&after, &old, 401),
        (&after, &new, 200),
    ] {
        assert_eq!(
            app.client()
                .with_token(token)
                .get("/api/count")
                .await
                .status,
            status
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_said() {
    let app = TestApp::start().await;
    let token = app.token().await;
    for (value, code, word) in [
        (format!("Bearer Bearer {token}"), "invalid_token", "twice"),
        (format!("Bearer \"{token}\""), "invalid_token", "quotation"),
        (format!("Bearer {token} {token}"), "invalid_token", "blank"),
        (
            format!("Bearer {{\"token\":\"{token}\"}}"),
            "invalid_token",
            "braces",
        ),
        (
            format!("Bearer {}", &token[..40]),
            "invalid_token",
            "three parts",
        ),
        ("Bearer $TOKEN".to_owned(), "invalid_token", "variable"),
        ("Bearer null".to_owned(), "invalid_token", "word"),
        ("Bearer".to_owned(), "invalid_token", "Nothing"),
        (format!("Bearer %22{token}%22"), "invalid_token", "escape"),
        ("Bearer [object Object]".to_owned(), "invalid_token", "word"),
        ("Bearer None".to_owned(), "invalid_token", "word"),
        (format!("\"Bearer {token}\""), "missing_token", "quotation"),
        (format!("'Bearer {token}'"), "missing_token", "quotation"),
        (
            format!("Authorization: Bearer {token}"),
            "missing_token",
            "the name",
        ),
        (token.clone(), "missing_token", "scheme"),
        (
            "Basic YWRtaW46cGFzc3dvcmQ=".to_owned(),
            "missing_token",
            "Basic",
        ),
        (format!("Bearer: {token}"), "missing_token", "colon"),
    ] {
        let mut client = app.client().with("authorization", &value);
        let reply = client.get("/api/count").await;
        assert_eq!(
            (reply.status.as_u16(), reply.problem().as_str()),
            (401, code),
            "{value}"
        );
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{value}: {detail}");
        assert!(!reply.text().contains(&token[..40]), "{value}");
        let challenge = reply.header("www-authenticate").unwrap();
        let names_error = challenge.contains("error=\"invalid_token\"");
        assert_eq!(names_error, code == "invalid_token", "{value}: {challenge}");
    }
    let mut twice = app.client().with_token(&token).with_token(&token);
    let reply = twice.get("/api/count").await;
    assert!(
        reply
            .header("www-authenticate")
            .unwrap()
            .contains("error=\"invalid_request\"")
    );
    let mut lower = app
        .client()
        .with("authorization", &format!("bearer {token}"));
    assert_eq!(lower.get("/api/count").await.visits(), 1);
}
