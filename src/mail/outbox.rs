//! The mails that are to be sent, in the database.
//!
//! A mail is `waiting` until it is `sent` or `failed`. Who takes one to send it sets `due_at` to
//! when its lease ends: until then nobody else takes it, and if its process dies, somebody does
//! afterwards. All times are those of the database's clock.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::types::Json;
use uuid::Uuid;

use super::{metrics::Reason, template::Template};
use crate::{
    storage::sql::{Connection, DatabaseError, on_either, schema},
    telemetry::metrics::Label,
};

/// For so long a mail is tried to be sent.
const DAY: Duration = Duration::from_hours(24);

/// For so long it can be seen that there was one.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// Rows that are removed at once: visits that are counted in the same file wait for it.
const MOST: u64 = 1000;

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The address. It is checked when the mail is sent, and should have been before.
    pub to: String,
    /// The company it is about; `None` where there is none yet.
    pub company: Option<Uuid>,
    /// What it says.
    pub template: Template,
}

/// Writes a mail to the outbox, in the transaction of what causes it. After its commit
/// [`Mailer::wake`](super::Mailer::wake) has it sent at once, and not two seconds later.
///
/// # Errors
///
/// Those of the database.
pub async fn enqueue(connection: &mut Connection<'_>, mail: &Mail) -> Result<(), DatabaseError> {
    let now = schema::now(connection).await?;
    on_either!(connection, |database| {
        sqlx::query(
            "INSERT INTO mails (id, company_id, recipient, template, state, tries, created_at, due_at)
             VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $5)",
        )
        .bind(Uuid::now_v7())
        .bind(mail.company)
        .bind(&mail.to)
        .bind(Json(&mail.template))
        .bind(now)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// What is still to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// How many mails.
    pub waiting: i64,
    /// The age of the oldest.
    pub oldest: Duration,
}

/// Whether one may be tried now.
pub async fn is_due(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    connection.across_companies().await?;
    let now = schema::now(connection).await?;
    let due: Option<i32> = on_either!(connection, |database| {
        sqlx::query_scalar("SELECT 1 FROM mails WHERE state = 'waiting' AND due_at <= $1 LIMIT 1")
            .bind(now)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(due.is_some())
}

/// Looks at all that is still to be sent: the more there is the longer it takes, so not for each mail.
pub async fn look(connection: &mut Connection<'_>) -> Result<Queue, DatabaseError> {
    connection.across_companies().await?;
    let now = schema::now(connection).await?;
    let (waiting, oldest): (i64, Option<i64>) = on_either!(connection, |database| {
        sqlx::query_as("SELECT count(*), min(created_at) FROM mails WHERE state = 'waiting'")
            .fetch_one(&mut **database)
            .await
    })?;
    let age = oldest.map_or(0, |oldest| (now - oldest).max(0));
    Ok(Queue {
        waiting,
        oldest: Duration::from_millis(age.unsigned_abs()),
    })
}

/// A mail that this process, and no other, may send until its lease ends.
#[derive(Debug)]
pub struct Claimed {
    /// Its id, of which the message's is made.
    pub id: Uuid,
    /// The company it is about.
    pub company: Option<Uuid>,
    /// The address.
    pub to: String,
    /// What it says, as it is kept.
    pub template: Value,
    /// Which try this is, from 1.
    pub tries: i32,
    /// Says that the lease is ours.
    claim: Uuid,
}

impl Claimed {
    /// The name of its template, also of one that this version does not know.
    pub fn template_name(&self) -> &str {
        self.template["name"].as_str().unwrap_or("?")
    }
}

/// Takes the mail that has been due for longest, if any, for as long as `lease`.
pub async fn claim(
    connection: &mut Connection<'_>,
    lease: Duration,
) -> Result<Option<Claimed>, DatabaseError> {
    type Row = (Uuid, Option<Uuid>, String, Json<Value>, i32);
    connection.across_companies().await?;
    let now = schema::now(connection).await?;
    let claim = Uuid::now_v7();
    // In SQLite whoever writes is alone.
    let text = match connection {
        Connection::Postgres(_) => {
            "UPDATE mails SET claim = $1, due_at = $2, tries = tries + 1 WHERE id = (
                 SELECT id FROM mails WHERE state = 'waiting' AND due_at <= $3
                 ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
             ) RETURNING id, company_id, recipient, template, tries"
        }
        Connection::Sqlite(_) => {
            "UPDATE mails SET claim = $1, due_at = $2, tries = tries + 1 WHERE id = (
                 SELECT id FROM mails WHERE state = 'waiting' AND due_at <= $3
                 ORDER BY due_at, id LIMIT 1
             ) RETURNING id, company_id, recipient, template, tries"
        }
    };
    let row: Option<Row> = on_either!(connection, |database| {
        sqlx::query_as(text)
            .bind(claim)
            .bind(now + millis(lease))
            .bind(now)
            .fetch_optional(&mut **database)
            .await
    })?;
    Ok(row.map(|(id, company, to, template, tries)| Claimed {
        id,
        company,
        to,
        template: template.0,
        tries,
        claim,
    }))
}

/// Notes that a mail is sent, whoever has it now: there is no taking it back.
pub async fn sent(connection: &mut Connection<'_>, mail: &Claimed) -> Result<(), DatabaseError> {
    finish(connection, mail, "sent", None).await.map(drop)
}

/// Notes that a mail is never sent. `false` if it is no longer ours to say so.
pub async fn failed(
    connection: &mut Connection<'_>,
    mail: &Claimed,
    reason: Reason,
) -> Result<bool, DatabaseError> {
    finish(connection, mail, "failed", Some(reason.value())).await
}

async fn finish(
    connection: &mut Connection<'_>,
    mail: &Claimed,
    state: &str,
    reason: Option<&str>,
) -> Result<bool, DatabaseError> {
    connection.across_companies().await?;
    let now = schema::now(connection).await?;
    let is_over: u64 = on_either!(connection, |database| {
        sqlx::query(
            "UPDATE mails SET state = $1, reason = $2, finished_at = $3, recipient = '', template = $4
             WHERE id = $5 AND state = 'waiting' AND (claim = $6 OR $1 = 'sent')",
        )
        .bind(state)
        .bind(reason)
        .bind(now)
        .bind(Json(json!({ "name": mail.template_name() })))
        .bind(mail.id)
        .bind(mail.claim)
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(is_over > 0)
}

/// Leaves a mail for another try after `pause`. `false` if it is no longer ours, or would then be
/// older than a day, and so is to be given up.
pub async fn later(
    connection: &mut Connection<'_>,
    mail: &Claimed,
    pause: Duration,
) -> Result<bool, DatabaseError> {
    connection.across_companies().await?;
    let now = schema::now(connection).await?;
    let due = now + millis(pause);
    let is_left: u64 = on_either!(connection, |database| {
        sqlx::query(
            "UPDATE mails SET due_at = $1, claim = NULL
             WHERE id = $2 AND claim = $3 AND state = 'waiting' AND created_at > $4",
        )
        .bind(due)
        .bind(mail.id)
        .bind(mail.claim)
        .bind(due - millis(DAY))
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(is_left > 0)
}

/// Gives a mail back as if it had not been taken.
pub async fn give_back(
    connection: &mut Connection<'_>,
    mail: &Claimed,
) -> Result<(), DatabaseError> {
    connection.across_companies().await?;
    let now = schema::now(connection).await?;
    on_either!(connection, |database| {
        sqlx::query(
            "UPDATE mails SET due_at = $1, claim = NULL, tries = tries - 1
             WHERE id = $2 AND claim = $3 AND state = 'waiting'",
        )
        .bind(now)
        .bind(mail.id)
        .bind(mail.claim)
        .execute(&mut **database)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Removes some of what has been over for a week; whether there may be more.
pub async fn clean_up(connection: &mut Connection<'_>) -> Result<bool, DatabaseError> {
    connection.across_companies().await?;
    let now = schema::now(connection).await?;
    let removed: u64 = on_either!(connection, |database| {
        sqlx::query(
            "DELETE FROM mails WHERE id IN (SELECT id FROM mails WHERE finished_at < $1 LIMIT $2)",
        )
        .bind(now - millis(KEPT))
        .bind(MOST.cast_signed())
        .execute(&mut **database)
        .await
        .map(|done| done.rows_affected())
    })?;
    Ok(removed == MOST)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
