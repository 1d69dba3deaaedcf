//! Who reads the database or the log of production can open no account with it.

use super::*;
use crate::support::{Footfall, Redis, footfall::Builder, postgres, smtp::Smtp};

const LINKS: [&str; 4] = [
    r#"{"name":"confirm","link":"01890000-0000-7000-8000-000000000001","company":"Acme","username":"me"}"#,
    r#"{"name":"invitation","link":"01890000-0000-7000-8000-000000000002","company":"Acme","by":"you"}"#,
    r#"{"name":"reset","link":"01890000-0000-7000-8000-000000000003"}"#,
    r#"{"name":"confirm_email","link":"01890000-0000-7000-8000-000000000004"}"#,
];

const LATER: &str = "450 4.2.1 <RECIPIENT>: later";

/// Everything is logged that can be.
fn in_production(builder: Builder, smtp: &Smtp) -> Footfall {
    let builder = builder
        .env("FOOTFALL_ENV", "production")
        .env("FOOTFALL_LOG", "trace");
    let builder = builder.env("FOOTFALL_ADMIN_PASSWORD", "another password");
    let builder = builder
        .env("FOOTFALL_SMTP_URL", smtp.url())
        .env("FOOTFALL_MAIL_FROM", FROM);
    builder.env("FOOTFALL_PUBLIC_URL", SITE).start()
}

async fn holds_no_link(footfall: &Footfall, smtp: &Smtp, sql: impl Fn(&str) -> String, all: &str) {
    let dump = || sql(all);
    // What servers answer mostly names the recipient.
    let deferred = "footfall_mail_tries_failed_total{reason=\"deferred\"}";
    footfall.metric_becomes(deferred, LINKS.len() as f64).await;
    let waiting = dump();
    smtp.heal("rcpt");
    sql(DUE);
    let taken = smtp.has_taken(LINKS.len()).await;
    footfall
        .metric_becomes("footfall_mails_sent_total", 4.0)
        .await;
    let (sent, log) = (dump(), footfall.log().join("\n"));
    assert!(waiting.contains("waiting") && waiting.contains("somebody@b.example"));
    assert!(sent.contains("email_changed") || sent.contains("confirm_email"));
    for message in taken {
        let text = message.text();
        let token = text
            .split("?token=")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        assert_eq!(token.len(), 64, "{token}");
        // The id of the link is no secret, the signature that follows it is.
        let (_, secret) = token.split_at(24);
        for (what, held) in [("waiting", &waiting), ("sent", &sent), ("log", &log)] {
            assert!(!held.contains(secret), "{what} holds {secret}");
        }
    }
    for hidden in ["somebody@b.example", "token="] {
        assert!(!log.contains(hidden), "{hidden} is in the log");
    }
    // When it is sent, nobody needs to know who it was for any more.
    assert!(!sent.contains("somebody@b.example") && !sent.contains("Acme"));
}

#[tokio::test]
async fn of_sqlite() {
    let (folder, smtp) = (tempfile::tempdir().unwrap(), Smtp::start());
    smtp.fault("rcpt", LATER);
    let footfall = in_production(Footfall::builder().directory(folder.path()), &smtp);
    let outbox = File::of(folder.path());
    LINKS
        .iter()
        .for_each(|link| outbox.post("somebody@b.example", link));
    holds_no_link(&footfall, &smtp, |text| outbox.sql(text), ".dump").await;
}

#[tokio::test]
async fn of_postgres() {
    let (redis, database, smtp) = (
        Redis::start(),
        postgres::Database::migrated(),
        Smtp::start(),
    );
    smtp.fault("rcpt", LATER);
    let builder = Footfall::builder().env("REDIS_URL", redis.url());
    let footfall = in_production(builder.env("DATABASE_URL", database.url()), &smtp);
    for link in LINKS {
        database.sql(&format!(
            "INSERT INTO mails (id, recipient, template, state, tries, created_at, due_at)
             VALUES (gen_random_uuid(), 'somebody@b.example', '{link}', 'waiting', 0, (extract(epoch FROM now()) * 1000)::bigint, 0)"
        ));
    }
    holds_no_link(
        &footfall,
        &smtp,
        |text| database.sql(text),
        "SELECT * FROM mails",
    )
    .await;
}

/// And whoever reads the trail sees that one never came.
#[tokio::test]
async fn what_is_given_up_is_in_the_audit_trail() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = Smtp::start();
    smtp.fault("rcpt", "550 5.1.1 <RECIPIENT>: nobody of this name");
    let builder = Footfall::builder().directory(folder.path());
    let footfall = builder.env("FOOTFALL_SMTP_URL", smtp.url()).start();
    let outbox = File::of(folder.path());
    outbox.post("somebody@b.example", LINKS[2]);
    let given_up = "footfall_mails_failed_total{reason=\"refused\"}";
    footfall.metric_becomes(given_up, 1.0).await;
    let token = footfall.token().await;
    let mut client = footfall.client().with_token(&token);
    let path = "/api/audit?action=mail.failed";
    let trail = until("it is recorded", async || {
        let text = client.get(path).await.text();
        text.contains("\"mail.failed\"").then_some(text)
    })
    .await;
    assert!(
        trail.contains("\"refused\"") && !trail.contains("somebody@"),
        "{trail}"
    );
}
