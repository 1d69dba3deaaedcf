//! Mail: sent once by whoever comes first, whatever the mail server and the database do.

use std::{path::Path, path::PathBuf, process::Command, sync::Arc};

use footfall::{
    config::{MailSettings, Settings, Sources},
    mail::{Mail, Mailer, OnFailure, Sender, Template, enqueue},
    storage::sql::{Database, on_either},
    telemetry::metrics::Registry,
};
use tokio::task::JoinHandle;

use crate::support::{databases::Opened, process::run, until};

mod dump;
mod failures;
mod folder;
mod kills;
mod sending;
mod settings;
mod tls;

/// Where mails come from and links lead in these tests.
const FROM: &str = "Visits <visits@a.example>";
const SITE: &str = "https://visits.example";

fn settings(smtp: &str) -> MailSettings {
    let environment = [
        ("FOOTFALL_SMTP_URL", smtp),
        ("FOOTFALL_MAIL_FROM", FROM),
        ("FOOTFALL_PUBLIC_URL", SITE),
    ];
    let variables = environment.iter();
    let sources = Sources {
        environment: variables
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        ..Sources::default()
    };
    Settings::load(&sources).unwrap().mail
}

/// The sender of a replica, on the runtime of the test. Dropped, it is as if its process was killed.
struct Replica {
    registry: Arc<Registry>,
    mailer: Mailer,
    task: JoinHandle<()>,
}

impl Replica {
    fn start(database: &Database, smtp: &str) -> Self {
        Self::recording(database, smtp, None)
    }

    fn recording(database: &Database, smtp: &str, on_failure: Option<Arc<dyn OnFailure>>) -> Self {
        let (registry, mailer) = (Arc::new(Registry::new().unwrap()), Mailer::default());
        let tokens =
            Arc::new(|page: footfall::mail::Page, id| format!("TOKEN-{}-{id}", page.name()));
        let (settings, database) = (settings(smtp), database.clone());
        let sender = Sender::new(&settings, database, &registry, tokens, on_failure, &mailer);
        let task = tokio::spawn(sender.unwrap().run());
        Self {
            registry,
            mailer,
            task,
        }
    }

    fn metric(&self, series: &str) -> f64 {
        let text = self.registry.render().unwrap();
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("{series} is not in {text}"))
            .parse()
            .unwrap()
    }

    async fn metric_becomes(&self, series: &str, value: f64) {
        let what = format!("{series} is {value}");
        until(&what, async || (self.metric(series) == value).then_some(())).await;
    }

    async fn has_failed(&self, reason: &str) {
        let series = format!("footfall_mail_tries_failed_total{{reason=\"{reason}\"}}");
        until(&series, async || {
            (self.metric(&series) >= 1.0).then_some(())
        })
        .await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Writes mails to the outbox, as what causes them does.
async fn post(opened: &Opened, mails: Vec<Mail>) {
    let written = opened.database.write("post", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            for mail in &mails {
                enqueue(connection, mail).await?;
            }
            Ok(())
        })
    });
    written.await.unwrap();
}

fn to(address: &str, template: Template) -> Mail {
    Mail {
        to: address.to_owned(),
        company: None,
        template,
    }
}

fn one() -> Vec<Mail> {
    vec![to("somebody@b.example", Template::EmailChanged)]
}

/// State, reason, tries and recipient of each mail in the outbox.
type Row = (String, Option<String>, i32, String);

async fn rows(database: &Database) -> Vec<Row> {
    let read = database.read("rows", |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            let rows: Vec<Row> = on_either!(connection, |database| {
                sqlx::query_as("SELECT state, reason, tries, recipient FROM mails ORDER BY id")
                    .fetch_all(&mut **database)
                    .await
            })?;
            Ok(rows)
        })
    });
    read.await.unwrap()
}

async fn becomes(database: &Database, state: &str) {
    until(state, async || {
        let rows = rows(database).await;
        rows.iter().all(|(found, ..)| found == state).then_some(())
    })
    .await;
}

async fn sql(database: &Database, text: &'static str) {
    let written = database.write("sql", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            on_either!(connection, |database| {
                sqlx::query(text).execute(&mut **database).await.map(drop)
            })?;
            Ok(())
        })
    });
    written.await.unwrap();
}

/// As if so much time had passed that every mail may be tried again.
pub const DUE: &str = "UPDATE mails SET due_at = 0 WHERE state = 'waiting'";

/// The outbox in the embedded database of a process, from outside.
pub struct File(PathBuf);

impl File {
    /// Of a service that works in this folder.
    pub fn of(directory: &Path) -> Self {
        Self(directory.join("data/footfall.db"))
    }

    pub fn sql(&self, text: &str) -> String {
        let mut command = Command::new("sqlite3");
        let said = run(command
            .args(["-cmd", ".timeout 30000"])
            .arg(&self.0)
            .arg(text));
        assert!(said.status.success(), "{text}: {said:?}");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    /// Writes a mail to it.
    pub fn post(&self, to: &str, template: &str) {
        self.sql(&format!(
            "INSERT INTO mails (id, recipient, template, state, tries, created_at, due_at)
             VALUES (randomblob(16), '{to}', '{template}', 'waiting', 0, unixepoch('now') * 1000, 0)"
        ));
    }

    /// As if so much time had passed that every mail may be tried again.
    pub fn end_leases(&self) {
        self.sql(DUE);
    }

    pub fn states(&self) -> String {
        self.sql("SELECT state, tries FROM mails ORDER BY id")
    }
}
