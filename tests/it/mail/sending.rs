//! What is in the outbox is sent, once.

use std::collections::BTreeSet;

use footfall::storage::sql::DatabaseError;
use uuid::Uuid;

use super::*;
use crate::support::{databases, smtp::Smtp};

/// One of each.
fn all() -> Vec<Template> {
    let (link, name) = (Uuid::now_v7(), || "Acme".to_owned());
    vec![
        Template::Confirm {
            link,
            company: name(),
            username: name(),
        },
        Template::Invitation {
            link,
            company: name(),
            by: name(),
        },
        Template::AlreadyRegistered,
        Template::Reset { link },
        Template::ConfirmEmail { link },
        Template::EmailChanged,
        Template::PasswordChanged,
        Template::RefreshReused,
        Template::InvitedElsewhere { company: name() },
    ]
}

#[tokio::test]
async fn every_mail_is_sent_and_then_forgotten() {
    for opened in databases::both().await {
        let smtp = Smtp::start();
        let replica = Replica::start(&opened.database, &smtp.url());
        let templates = all();
        let mails = templates
            .iter()
            .map(|template| to("Somebody@b.example", template.clone()));
        post(&opened, mails.collect()).await;
        replica.mailer.wake();
        let taken = smtp.has_taken(templates.len()).await;
        replica
            .metric_becomes("footfall_mails_sent_total", 9.0)
            .await;
        replica.metric_becomes("footfall_mails_queued", 0.0).await;
        assert_eq!(replica.metric("footfall_mails_oldest_seconds"), 0.0);
        assert_eq!(
            replica.metric("footfall_mail_try_duration_seconds_count"),
            9.0
        );
        for (message, template) in taken.iter().zip(&templates) {
            assert_eq!(message.envelope["from"], "visits@a.example");
            assert_eq!(message.envelope["to"][0], "Somebody@b.example");
            assert_eq!(message.envelope["helo"], "visits.example");
            assert_eq!(message.header("Auto-Submitted"), "auto-generated");
            let link = template.link().map(|(page, id)| {
                format!(
                    "{SITE}/console/{}?token=TOKEN-{}-{id}",
                    page.name(),
                    page.name()
                )
            });
            let text = message.text();
            assert!(link.is_none_or(|link| text.contains(&link)), "{text}");
        }
        for row in rows(&opened.database).await {
            assert_eq!(
                row,
                ("sent".into(), None, 1, String::new()),
                "{}",
                opened.kind
            );
        }
        let kept = "SELECT count(*) FROM mails WHERE CAST(template AS TEXT) LIKE '%Acme%'";
        assert_eq!(number(&opened.database, kept).await, 0, "{}", opened.kind);
    }
}

async fn number(database: &Database, text: &'static str) -> i64 {
    let read = database.read("number", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            Ok(on_either!(connection, |database| {
                sqlx::query_scalar(text).fetch_one(&mut **database).await
            })?)
        })
    });
    read.await.unwrap()
}

/// Each takes what the others have not.
#[tokio::test]
async fn three_replicas_send_each_mail_once() {
    for opened in databases::both().await {
        let smtp = Smtp::start();
        let replicas: Vec<_> = (0..3)
            .map(|_| Replica::start(&opened.database, &smtp.url()))
            .collect();
        for round in 1..=10 {
            let mails = (0..3).map(|number| {
                to(
                    &format!("{round}.{number}@b.example"),
                    Template::EmailChanged,
                )
            });
            post(&opened, mails.collect()).await;
            replicas.iter().for_each(|replica| replica.mailer.wake());
            becomes(&opened.database, "sent").await;
        }
        let taken = smtp.taken();
        let ids: BTreeSet<_> = taken
            .iter()
            .map(|message| message.header("Message-ID"))
            .collect();
        let recipients: BTreeSet<_> = taken
            .iter()
            .map(|message| message.envelope["to"].to_string())
            .collect();
        assert_eq!(
            (taken.len(), ids.len(), recipients.len()),
            (30, 30, 30),
            "{}",
            opened.kind
        );
        // A mail is noted in the database first.
        until("all of them count what they have sent", async || {
            let sent = replicas.iter();
            let sent = sent.map(|replica| replica.metric("footfall_mails_sent_total"));
            (sent.sum::<f64>() == 30.0).then_some(())
        })
        .await;
    }
}

/// The mails of a replica that was killed, or that cannot reach the mail server.
#[tokio::test]
async fn a_mail_that_nobody_tells_of_is_found() {
    for opened in databases::both().await {
        let smtp = Smtp::start();
        let _replica = Replica::start(&opened.database, &smtp.url());
        post(&opened, one()).await;
        smtp.has_taken(1).await;
        becomes(&opened.database, "sent").await;
    }
}

#[tokio::test]
async fn there_is_no_mail_without_its_cause() {
    for opened in databases::both().await {
        let undone = opened.database.write("undone", |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                enqueue(connection, &one()[0]).await?;
                Err(DatabaseError::UniqueViolation)
            })
        });
        let undone: Result<(), _> = undone.await;
        assert!(undone.is_err());
        assert!(rows(&opened.database).await.is_empty(), "{}", opened.kind);
    }
}

/// Row-level security, where there is such a thing.
#[tokio::test]
async fn a_company_sees_its_own_mails_alone() {
    let [_, opened] = databases::both().await;
    let count = async |company: Option<Uuid>| {
        let counted = opened.database.read("count", move |connection| {
            Box::pin(async move {
                match company {
                    Some(company) => connection.within(company).await?,
                    None => connection.across_companies().await?,
                }
                let count: i64 = on_either!(connection, |database| {
                    sqlx::query_scalar("SELECT count(*) FROM mails")
                        .fetch_one(&mut **database)
                        .await
                })?;
                Ok(count)
            })
        });
        counted.await.unwrap()
    };
    let post_within = async |within: Uuid, of: Option<Uuid>| {
        let mail = Mail {
            company: of,
            ..one().remove(0)
        };
        let posted = opened.database.write("post", move |connection| {
            Box::pin(async move {
                connection.within(within).await?;
                enqueue(connection, &mail).await
            })
        });
        posted.await
    };
    let (own, other) = (footfall::company::DEFAULT_ID, Uuid::now_v7());
    post_within(own, Some(own)).await.unwrap();
    post_within(other, None).await.unwrap();
    assert!(post_within(other, Some(own)).await.is_err());
    assert_eq!(
        (
            count(Some(own)).await,
            count(Some(other)).await,
            count(None).await
        ),
        (1, 0, 2)
    );
}

#[tokio::test]
async fn what_is_over_goes_after_a_week() {
    for opened in databases::both().await {
        let smtp = Smtp::start();
        let replica = Replica::start(&opened.database, &smtp.url());
        post(&opened, [one(), one()].concat()).await;
        replica.mailer.wake();
        becomes(&opened.database, "sent").await;
        drop(replica);
        let oldest = "UPDATE mails SET finished_at = finished_at - 7 * 86400000 - 1 WHERE id = (SELECT id FROM mails ORDER BY id LIMIT 1)";
        sql(&opened.database, oldest).await;
        let _replica = Replica::start(&opened.database, &smtp.url());
        until("the older one is gone", async || {
            (rows(&opened.database).await.len() == 1).then_some(())
        })
        .await;
    }
}

/// As one of the next version, to a replica of this one during a rolling update.
#[tokio::test]
async fn a_mail_of_a_later_version_is_left_for_it() {
    for opened in databases::both().await {
        let smtp = Smtp::start();
        post(&opened, one()).await;
        sql(
            &opened.database,
            "UPDATE mails SET template = '{\"name\": \"birthday\", \"cake\": true}'",
        )
        .await;
        let replica = Replica::start(&opened.database, &smtp.url());
        replica.has_failed("invalid").await;
        becomes(&opened.database, "waiting").await;
        sql(
            &opened.database,
            "UPDATE mails SET due_at = 0, template = '{\"name\": \"email_changed\"}'",
        )
        .await;
        replica.mailer.wake();
        smtp.has_taken(1).await;
    }
}
