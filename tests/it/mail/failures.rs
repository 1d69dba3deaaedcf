//! A mail server that is absent, refuses, hangs or breaks off.

use std::{sync::Mutex, time::Instant};

use footfall::{
    mail::Undelivered,
    storage::sql::{Connection, DatabaseError},
};
use futures_util::future::BoxFuture;

use super::*;
use crate::support::{
    databases,
    postgres::Postgres,
    process::{PATIENCE, free_port},
    smtp::Smtp,
};

/// Keeps what it is told.
#[derive(Default)]
struct Records(Mutex<Vec<Undelivered>>);

impl OnFailure for Records {
    fn record<'c>(
        &'c self,
        connection: &'c mut Connection<'_>,
        mail: &'c Undelivered,
    ) -> BoxFuture<'c, Result<(), DatabaseError>> {
        Box::pin(async move {
            // In the transaction that gives the mail up.
            let failed: i64 = on_either!(connection, |database| {
                sqlx::query_scalar("SELECT count(*) FROM mails WHERE state = 'failed'")
                    .fetch_one(&mut **database)
                    .await
            })?;
            assert_eq!(failed, 1);
            self.0.lock().unwrap().push(mail.clone());
            Ok(())
        })
    }
}

/// Where it goes wrong, how, and the reason that is counted.
const LATER: [(&str, &str, &str); 9] = [
    ("connect", "554 5.7.1 go away", "unwelcome"),
    ("connect", "421 4.3.2 busy", "deferred"),
    ("mail", "550 5.7.1 not you", "unwelcome"),
    ("mail", "451 4.3.0 later", "deferred"),
    ("rcpt", "450 4.2.1 <RECIPIENT> later", "deferred"),
    ("rcpt", "530 5.7.0 Authentication required", "credentials"),
    ("data", "451 4.3.0 later", "deferred"),
    ("rcpt", "drop", "unreachable"),
    ("data", "drop", "unreachable"),
];

#[tokio::test]
async fn what_may_pass_is_tried_again_later_and_sent_once() {
    for opened in databases::both().await {
        for (step, what, reason) in LATER {
            let smtp = Smtp::start();
            smtp.fault(step, what);
            post(&opened, one()).await;
            let replica = Replica::start(&opened.database, &smtp.url());
            replica.has_failed(reason).await;
            // In five seconds, and not at once.
            let pause = "SELECT max(due_at) - max(created_at) FROM mails WHERE state = 'waiting'";
            until("it waits", async || {
                (4000..35_000)
                    .contains(&sending_number(&opened, pause).await)
                    .then_some(())
            })
            .await;
            assert_eq!(smtp.taken().len(), 0, "{step}: {what}");
            smtp.heal(step);
            sql(&opened.database, DUE).await;
            replica.mailer.wake();
            becomes(&opened.database, "sent").await;
            assert_eq!(smtp.taken().len(), 1, "{step}: {what}");
            sql(&opened.database, "DELETE FROM mails").await;
        }
    }
}

async fn sending_number(opened: &Opened, text: &'static str) -> i64 {
    let read = opened.database.read("number", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            let number: Option<i64> = on_either!(connection, |database| {
                sqlx::query_scalar(text).fetch_one(&mut **database).await
            })?;
            Ok(number.unwrap_or_default())
        })
    });
    read.await.unwrap()
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_and_told() {
    for opened in databases::both().await {
        for (step, what) in [
            ("rcpt", "550 5.1.1 <RECIPIENT>: nobody of this name"),
            ("rcpt", "553 5.1.3 <RECIPIENT>"),
            ("data", "554 5.6.0 spam"),
            ("data", "552 5.3.4 too big"),
        ] {
            let (smtp, records) = (Smtp::start(), Arc::new(Records::default()));
            smtp.fault(step, what);
            post(&opened, one()).await;
            let replica = Replica::recording(&opened.database, &smtp.url(), Some(records.clone()));
            becomes(&opened.database, "failed").await;
            replica
                .metric_becomes("footfall_mails_failed_total{reason=\"refused\"}", 1.0)
                .await;
            let expected: Row = ("failed".into(), Some("refused".into()), 1, String::new());
            assert_eq!(rows(&opened.database).await, [expected]);
            let told = records.0.lock().unwrap().clone();
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(
                (told[0].template.as_str(), told[0].reason),
                ("email_changed", "refused")
            );
            sql(&opened.database, "DELETE FROM mails").await;
        }
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_given_up() {
    for opened in databases::both().await {
        let (smtp, records) = (Smtp::start(), Arc::new(Records::default()));
        post(
            &opened,
            vec![to(
                "nobody\r\nRCPT TO:<a@b.example>",
                Template::EmailChanged,
            )],
        )
        .await;
        let _replica = Replica::recording(&opened.database, &smtp.url(), Some(records.clone()));
        becomes(&opened.database, "failed").await;
        assert_eq!(records.0.lock().unwrap()[0].reason, "invalid");
        assert_eq!(smtp.steps("connect"), 0);
    }
}

#[tokio::test]
async fn after_a_day_it_is_given_up() {
    for opened in databases::both().await {
        let records = Arc::new(Records::default());
        let url = format!("smtp://127.0.0.1:{}", free_port());
        post(&opened, one()).await;
        // The next try would be in five seconds.
        sql(
            &opened.database,
            "UPDATE mails SET created_at = created_at - 86400000 + 60000",
        )
        .await;
        let replica = Replica::recording(&opened.database, &url, Some(records.clone()));
        replica.has_failed("unreachable").await;
        replica.metric_becomes("footfall_mails_queued", 1.0).await;
        assert!(replica.metric("footfall_mails_oldest_seconds") > 86_000.0);
        until("it is left", async || {
            (rows(&opened.database).await[0].2 == 1).then_some(())
        })
        .await;
        assert!(records.0.lock().unwrap().is_empty());
        sql(
            &opened.database,
            "UPDATE mails SET created_at = created_at - 56000, due_at = 0",
        )
        .await;
        replica.mailer.wake();
        becomes(&opened.database, "failed").await;
        replica
            .metric_becomes("footfall_mails_failed_total{reason=\"expired\"}", 1.0)
            .await;
        assert_eq!(records.0.lock().unwrap()[0].reason, "expired");
    }
}

#[tokio::test]
async fn a_server_that_was_absent_gets_it_when_it_is_there() {
    for opened in databases::both().await {
        let mut smtp = Smtp::start();
        smtp.kill();
        post(&opened, one()).await;
        let replica = Replica::start(&opened.database, &smtp.url());
        replica.has_failed("unreachable").await;
        smtp.restart();
        sql(&opened.database, DUE).await;
        smtp.has_taken(1).await;
        becomes(&opened.database, "sent").await;
    }
}

/// The answer to what it has taken is lost, so nobody can know: it gets the mail again, and can tell.
#[tokio::test]
async fn what_may_have_been_taken_is_sent_again_under_the_same_id() {
    for opened in databases::both().await {
        let smtp = Smtp::start();
        smtp.fault("taken", "drop");
        post(&opened, one()).await;
        let replica = Replica::start(&opened.database, &smtp.url());
        replica.has_failed("unreachable").await;
        smtp.heal("taken");
        sql(&opened.database, DUE).await;
        becomes(&opened.database, "sent").await;
        let taken = smtp.taken();
        assert_eq!(taken.len(), 2, "{}", opened.kind);
        assert_eq!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
    }
}

/// All at once, since each takes these 20 seconds.
#[tokio::test]
async fn a_server_that_hangs_is_left_after_twenty_seconds() {
    let hung = ["connect", "ehlo", "mail", "rcpt", "data", "taken"].map(|step| async move {
        let (opened, smtp) = (databases::sqlite().await, Smtp::start());
        smtp.fault(step, "hang");
        post(&opened, one()).await;
        let begin = Instant::now();
        let replica = Replica::start(&opened.database, &smtp.url());
        replica.has_failed("timeout").await;
        assert!(
            (20..PATIENCE.as_secs()).contains(&begin.elapsed().as_secs()),
            "{step}"
        );
        // Nobody else has had it in this time.
        assert_eq!(smtp.steps("connect"), 1, "{step}");
        until("it waits", async || {
            (rows(&opened.database).await[0].0 == "waiting").then_some(())
        })
        .await;
    });
    futures_util::future::join_all(hung).await;
}

/// The one who knows that a mail was sent says so as soon as it can, however long that takes.
#[tokio::test]
async fn a_database_that_dies_before_it_is_noted() {
    let (mut postgres, smtp) = (Postgres::start(), Smtp::start());
    let opened = databases::at(&postgres.url("migrated"), &[])
        .await
        .up()
        .await;
    smtp.fault("taken", "hang");
    post(&opened, one()).await;
    let replica = Replica::start(&opened.database, &smtp.url());
    smtp.reaches("taken", 1).await;
    postgres.kill();
    smtp.heal("taken");
    postgres.restart();
    replica
        .metric_becomes("footfall_mails_sent_total", 1.0)
        .await;
    becomes(&opened.database, "sent").await;
    assert_eq!(smtp.taken().len(), 1);
}

/// A message that the server has yet to get is given back, for one that it has its answer is
/// waited for.
#[tokio::test]
async fn a_sender_that_is_to_stop() {
    for opened in databases::both().await {
        let smtp = Smtp::start();
        for step in ["connect", "mail", "rcpt"] {
            let replica = Replica::start(&opened.database, &smtp.url());
            smtp.fault(step, "hang");
            post(&opened, one()).await;
            replica.mailer.wake();
            let steps = smtp.steps(step);
            smtp.reaches(step, steps + 1).await;
            let begin = Instant::now();
            replica.mailer.stop(PATIENCE).await;
            assert!(
                begin.elapsed().as_secs() < 15,
                "{step}: it is not waited for"
            );
            let expected: Row = ("waiting".into(), None, 0, "somebody@b.example".into());
            assert_eq!(rows(&opened.database).await, [expected], "{step}");
            smtp.heal(step);
            sql(&opened.database, "DELETE FROM mails").await;
        }
        let replica = Replica::start(&opened.database, &smtp.url());
        smtp.fault("data", "hang");
        post(&opened, one()).await;
        smtp.reaches("data", 1).await;
        let stopping = tokio::spawn({
            let mailer = replica.mailer.clone();
            async move { mailer.stop(PATIENCE).await }
        });
        tokio::task::yield_now().await;
        assert!(!stopping.is_finished());
        smtp.heal("data");
        stopping.await.unwrap();
        assert_eq!(rows(&opened.database).await[0].0, "sent");
        // And takes no other.
        post(&opened, one()).await;
        replica.mailer.wake();
        assert_eq!(smtp.taken().len(), 1);
    }
}

/// A database that stays away does not keep a process from ending in time.
#[tokio::test]
async fn a_database_that_is_away_holds_up_no_end() {
    let (mut postgres, smtp) = (Postgres::start(), Smtp::start());
    let opened = databases::at(&postgres.url("migrated"), &[])
        .await
        .up()
        .await;
    smtp.fault("taken", "hang");
    post(&opened, one()).await;
    let replica = Replica::start(&opened.database, &smtp.url());
    smtp.reaches("taken", 1).await;
    postgres.kill();
    smtp.heal("taken");
    // It has half of this time, and one note may take as long as the database's timeout.
    let stopping = replica.mailer.stop(std::time::Duration::from_secs(2));
    let stopped = tokio::time::timeout(PATIENCE, stopping).await;
    assert!(stopped.is_ok(), "it notes what nobody takes");
}
