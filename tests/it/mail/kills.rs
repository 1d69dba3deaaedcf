//! Processes that are killed, or asked to end, in the middle of a mail.

use rustix::process::Signal;

use super::*;
use crate::support::{Footfall, Redis, footfall::Builder, postgres, smtp::Smtp};

/// Where a process dies, and how many mails there are in the end: SMTP has no way to ask whether a
/// message was taken whose answer was never read.
const STEPS: [(&str, usize); 6] = [
    ("connect", 1),
    ("ehlo", 1),
    ("mail", 1),
    ("rcpt", 1),
    ("data", 1),
    ("taken", 2),
];

const POST: &str = "INSERT INTO mails (id, recipient, template, state, tries, created_at, due_at)
    VALUES (gen_random_uuid(), 'somebody@b.example', '{\"name\":\"email_changed\"}', 'waiting', 0,
            (extract(epoch FROM now()) * 1000)::bigint, 0)";

/// Kills one at each step, and has the next one send.
async fn killed_at_each_step(
    replica: impl Fn() -> Builder,
    post: impl Fn(),
    sql: impl Fn(&str) -> String,
) {
    for (step, mails) in STEPS {
        let smtp = Smtp::start();
        let start = || replica().env("FOOTFALL_SMTP_URL", smtp.url()).start();
        let mut first = start();
        smtp.fault(step, "hang");
        post();
        smtp.reaches(step, 1).await;
        first.process.kill();
        let second = start();
        smtp.heal(step);
        assert_eq!(
            sql("SELECT tries FROM mails WHERE state = 'waiting'"),
            "1",
            "{step}"
        );
        sql(DUE);
        second
            .metric_becomes("footfall_mails_sent_total", 1.0)
            .await;
        let taken = smtp.has_taken(mails).await;
        assert_eq!(taken.len(), mails, "{step}");
        let first_id = taken[0].header("Message-ID");
        assert!(
            taken
                .iter()
                .all(|message| message.header("Message-ID") == first_id),
            "{step}"
        );
        assert_eq!(
            sql("SELECT count(*) FROM mails WHERE state <> 'sent'"),
            "0",
            "{step}"
        );
    }
}

#[tokio::test]
async fn killed_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = File::of(folder.path());
    let replica = || Footfall::builder().directory(folder.path());
    let post = || outbox.post("somebody@b.example", r#"{"name":"email_changed"}"#);
    killed_at_each_step(replica, post, |text| outbox.sql(text)).await;
}

#[tokio::test]
async fn killed_on_postgres() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let replica = || {
        let builder = Footfall::builder().env("REDIS_URL", redis.url());
        builder.env("DATABASE_URL", database.url())
    };
    killed_at_each_step(
        replica,
        || drop(database.sql(POST)),
        |text| database.sql(text),
    )
    .await;
}

/// Three processes, and one of them is killed while they are at it.
#[tokio::test]
async fn three_processes_send_each_mail_once() {
    let (redis, database, smtp) = (
        Redis::start(),
        postgres::Database::migrated(),
        Smtp::start(),
    );
    let replica = || {
        let builder = Footfall::builder().env("REDIS_URL", redis.url());
        let builder = builder.env("DATABASE_URL", database.url());
        builder.env("FOOTFALL_SMTP_URL", smtp.url()).start()
    };
    let _replicas = [replica(), replica(), replica()];
    let many = format!("{POST}; ").repeat(30);
    database.sql(&many);
    until("all are sent", async || {
        (database.sql("SELECT count(*) FROM mails WHERE state = 'sent'") == "30").then_some(())
    })
    .await;
    assert_eq!(smtp.taken().len(), 30);
    assert_eq!(
        database.sql("SELECT count(*) FROM mails WHERE tries <> 1"),
        "0"
    );
}

/// It does not wait for a server that hangs, and the next one need not wait either.
#[tokio::test]
async fn a_process_that_drains_gives_its_mail_back() {
    let (folder, smtp) = (tempfile::tempdir().unwrap(), Smtp::start());
    let outbox = File::of(folder.path());
    let start = || {
        let builder = Footfall::builder().directory(folder.path());
        builder.env("FOOTFALL_SMTP_URL", smtp.url()).start()
    };
    let mut footfall = start();
    smtp.fault("rcpt", "hang");
    outbox.post("somebody@b.example", r#"{"name":"email_changed"}"#);
    smtp.reaches("rcpt", 1).await;
    assert!(footfall.stop().success());
    assert_eq!(outbox.states(), "waiting|0");
    smtp.heal("rcpt");
    let _next = start();
    smtp.has_taken(1).await;
}

#[tokio::test]
async fn a_process_that_drains_waits_for_the_answer_to_its_mail() {
    let (folder, smtp) = (tempfile::tempdir().unwrap(), Smtp::start());
    let outbox = File::of(folder.path());
    let builder = Footfall::builder().directory(folder.path());
    let mut footfall = builder.env("FOOTFALL_SMTP_URL", smtp.url()).start();
    smtp.fault("taken", "hang");
    outbox.post("somebody@b.example", r#"{"name":"email_changed"}"#);
    smtp.reaches("taken", 1).await;
    footfall.process.signal(Signal::TERM);
    footfall.logged("draining");
    // All else is over, and it is still there.
    footfall
        .metric_becomes("http_requests_in_flight", 0.0)
        .await;
    smtp.heal("taken");
    assert!(footfall.process.wait().success());
    assert_eq!(outbox.states(), "sent|1");
    assert_eq!(smtp.taken().len(), 1);
}
