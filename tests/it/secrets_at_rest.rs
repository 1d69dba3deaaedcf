//! After all that accounts can do, a copy of the database or of the log opens nothing. The service is
//! one of production that logs all it can.

use std::{fs, path::Path, process::Command};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Client, Footfall, Redis, Reply, footfall::Builder, postgres::Database, process::run, smtp::Smtp,
};

const OPERATOR: &str = "the operator keeps seven keys";
const FIRST: &str = "stapling nine damp envelopes";
const SECOND: &str = "seven quiet otters juggling";
const THIRD: &str = "no two umbrellas agree today";
const GUEST: &str = "eleven pears on a tin roof";
const WRONG: &str = "a guess that is not so bad";

/// What must be nowhere, and what it is.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    /// The text itself, as hexadecimal too, since that is how a database shows bytes.
    fn keep(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() > 10, "{what}: {secret}");
        self.0.push((what, secret.to_owned()));
        self.0.push((what, hex(secret.as_bytes())));
    }

    /// A token that ends with a MAC of 32 bytes: what stands before is an id, and no secret.
    fn keep_mac(&mut self, what: &'static str, token: &str) {
        let token = token.strip_prefix("ffr_").unwrap_or(token);
        let token = token.rsplit('.').next().unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(token);
        let bytes = bytes.unwrap_or_else(|error| panic!("{what}: {error}: {token}"));
        let mac = &bytes[bytes.len() - 32..];
        self.0.push((what, token.to_owned()));
        self.0.push((what, hex(mac)));
    }

    #[track_caller]
    fn are_not_in(&self, place: &str, text: &str) {
        for (what, secret) in &self.0 {
            let found = text
                .find(secret)
                .or_else(|| text.to_lowercase().find(secret));
            if let Some(at) = found {
                let around = text.get(at.saturating_sub(200)..(at + 100).min(text.len()));
                panic!("{what} is in {place}: {around:?}");
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn post(client: &mut Client, path: &str, body: &Value, status: u16) -> Reply {
    let headers = [
        ("content-type", "application/json"),
        ("sec-fetch-site", "same-origin"),
    ];
    let reply = client
        .send(Method::POST, path, &headers, body.to_string())
        .await;
    assert_eq!(reply.status, status, "{path}: {}", reply.text());
    reply
}

/// The token of the link in the newest mail to an address, once there are so many mails.
async fn link(smtp: &Smtp, secrets: &mut Secrets, mails: usize) -> String {
    let taken = smtp.has_taken(mails).await;
    let text = taken.last().unwrap().text();
    let (_, rest) = text
        .split_once("?token=")
        .unwrap_or_else(|| panic!("{text}"));
    let token = rest.split_whitespace().next().unwrap();
    let token = token.trim_end_matches(['"', '<', '>']).to_owned();
    secrets.keep_mac("a link", &token);
    token
}

/// What a login by cookies sets.
fn cookies(reply: &Reply, secrets: &mut Secrets) {
    let names = ["access", "refresh", "csrf", "device"];
    let mut found = 0;
    for line in reply.headers.get_all("set-cookie") {
        let (pair, _) = line.to_str().unwrap().split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        if names
            .iter()
            .any(|kind| name == format!("__Host-footfall-{kind}"))
        {
            secrets.keep("a cookie", value);
            found += 1;
        }
    }
    assert!(found >= 3, "{:?}", reply.headers);
}

/// Registers, confirms, logs in in each way, refreshes, invites, forgets, resets, changes, fails and
/// logs out.
async fn everything(footfall: &Footfall, smtp: &Smtp) -> Secrets {
    let mut secrets = Secrets::default();
    for password in [OPERATOR, FIRST, SECOND, THIRD, GUEST, WRONG] {
        secrets.keep("a password", password);
    }
    let mut client = footfall.client();
    let (anna, guest) = ("anna@a.example", "guest@a.example");
    let body = json!({ "company": "Acme", "email": anna, "username": "anna", "password": FIRST });
    post(&mut client, "/auth/register", &body, 202).await;
    let token = link(smtp, &mut secrets, 1).await;
    let body = json!({ "token": token, "password": FIRST });
    post(&mut client, "/auth/confirm", &body, 204).await;
    smtp.has_taken(2).await;
    let login = |password: &str| json!({ "username": anna, "password": password });
    post(&mut client, "/auth/login", &login(WRONG), 401).await;
    let operator = json!({ "username": "admin", "password": OPERATOR });
    let reply = post(&mut client, "/auth/login", &operator, 200).await;
    secrets.keep_mac("an access token", reply.json()["token"].as_str().unwrap());
    let reply = post(&mut client, "/auth/login?mode=cookie", &login(FIRST), 200).await;
    cookies(&reply, &mut secrets);

    let mut tokens = post(&mut client, "/auth/login", &login(FIRST), 200)
        .await
        .json();
    for _ in 0..2 {
        secrets.keep_mac("an access token", tokens["token"].as_str().unwrap());
        let refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
        secrets.keep_mac("a refresh token", &refresh);
        let body = json!({ "refresh_token": refresh });
        tokens = post(&mut client, "/auth/refresh", &body, 200).await.json();
    }
    let mut own = footfall
        .client()
        .with_token(tokens["token"].as_str().unwrap());
    assert_eq!(own.get("/api/count").await.visits(), 1);
    let body = json!({ "name": "shop", "scopes": ["visits:write"] });
    let made = post(&mut own, "/auth/tokens", &body, 201).await.json();
    let key = made["token"].as_str().unwrap();
    secrets.keep("an API token", key);
    assert_eq!(
        footfall
            .client()
            .with_token(key)
            .get("/api/count")
            .await
            .visits(),
        2
    );

    let body = json!({ "email": guest, "username": "guest", "role": "member" });
    let headers = [("content-type", "application/json")];
    let invited = own
        .send(Method::POST, "/api/users", &headers, body.to_string())
        .await;
    assert!(invited.status.is_success(), "{}", invited.text());
    let token = link(smtp, &mut secrets, 3).await;
    let body = json!({ "token": token, "password": GUEST });
    post(&mut client, "/auth/confirm", &body, 204).await;

    let mails = smtp.taken().len();
    let body = json!({ "email": anna });
    post(&mut client, "/auth/password/forgot", &body, 202).await;
    let token = link(smtp, &mut secrets, mails + 1).await;
    let body = json!({ "token": token, "password": SECOND });
    post(&mut client, "/auth/password/reset", &body, 204).await;
    let tokens = post(&mut client, "/auth/login", &login(SECOND), 200)
        .await
        .json();
    let mut own = footfall
        .client()
        .with_token(tokens["token"].as_str().unwrap());
    let body = json!({ "password": SECOND, "new_password": THIRD });
    post(&mut own, "/auth/password", &body, 204).await;
    post(&mut own, "/auth/logout", &json!({}), 204).await;
    footfall.metric_becomes("footfall_mails_queued", 0.0).await;
    secrets
}

fn in_production(builder: Builder, smtp: &Smtp) -> Footfall {
    let builder = builder
        .env("FOOTFALL_ENV", "production")
        .env("FOOTFALL_LOG", "trace")
        .env("FOOTFALL_REGISTRATION", "open")
        .env("FOOTFALL_ADMIN_PASSWORD", OPERATOR);
    let builder = builder
        .env("FOOTFALL_SMTP_URL", smtp.url())
        .env("FOOTFALL_MAIL_FROM", "Visits <visits@a.example>");
    builder
        .env("FOOTFALL_PUBLIC_URL", "https://visits.example")
        .start()
}

fn check(secrets: &Secrets, dump: &str, footfall: &Footfall, smtp: &Smtp) {
    // It is the whole database: what may be in it is.
    assert!(
        dump.contains("anna@a.example") && dump.contains("argon2id"),
        "{dump}"
    );
    secrets.are_not_in("the database", dump);
    let log = footfall.log().join("\n");
    assert!(
        log.contains("/auth/login") || log.contains("request"),
        "{log}"
    );
    secrets.are_not_in("the log", &log);
    for mail in smtp.taken() {
        let text = mail.text();
        for (what, secret) in &secrets.0 {
            assert!(
                *what == "a link" || !text.contains(secret),
                "{what} is in a mail: {text}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_file() {
    let (folder, smtp) = (tempfile::tempdir().unwrap(), Smtp::start());
    let footfall = in_production(Footfall::builder().directory(folder.path()), &smtp);
    let secrets = everything(&footfall, &smtp).await;
    let file = folder.path().join("data/footfall.db");
    let dump = run(Command::new("sqlite3").arg(&file).arg(".dump"));
    // Bytes that are free but were not wiped, and the log of changes, are in the files alone.
    let raw = |name: &str| {
        let bytes = fs::read(Path::new(&folder.path().join("data")).join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned() + &hex(&bytes)
    };
    let dump =
        String::from_utf8(dump.stdout).unwrap() + &raw("footfall.db") + &raw("footfall.db-wal");
    check(&secrets, &dump, &footfall, &smtp);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_postgresql() {
    let (redis, database, smtp) = (Redis::start(), Database::migrated(), Smtp::start());
    let builder = Footfall::builder()
        .env("REDIS_URL", redis.url())
        .env("DATABASE_URL", database.url());
    let footfall = in_production(builder, &smtp);
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    let secrets = everything(&footfall, &smtp).await;
    let tables = database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
    let dump: String = tables
        .lines()
        .map(|table| database.sql(&format!("SELECT * FROM {table}")))
        .collect();
    // What Redis keeps of sessions and limits is no more than names.
    let keys = redis.command("KEYS *");
    check(&secrets, &(dump + &keys), &footfall, &smtp);
}
