//! The audit trail: it only grows, whoever changes it is found out, and it is read.

use footfall::{
    audit::{
        Action, Actor, Details, Entry, Kind, Row,
        page::{Listed, Selection, page},
        record,
        verify::{Anchor, Break, Chain, chains, verify},
    },
    company::DEFAULT_ID,
    edge::page::Page,
    storage::sql::{Database, DatabaseError, on_either},
};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;

use crate::support::{
    databases::{self, Opened},
    postgres,
};

mod chain;
mod command;
mod indexes;
mod notes;
mod reading;
mod refused;
mod retention;
mod tampering;

const DAY: i64 = 86_400_000;

/// An open database, and for PostgreSQL what a superuser does there.
struct Trail {
    opened: Opened,
    postgres: Option<postgres::Database>,
}

async fn both() -> [Trail; 2] {
    let postgres = postgres::Database::migrated();
    let patience = [("FOOTFALL_DATABASE_TIMEOUT", "8s")];
    let opened = databases::at(&postgres.url(), &patience).await.up().await;
    [
        Trail {
            opened: databases::sqlite().await,
            postgres: None,
        },
        Trail {
            opened,
            postgres: Some(postgres),
        },
    ]
}

/// Something to tell.
fn entry(company: Uuid) -> Entry {
    Entry::new(
        company,
        Actor::User(Uuid::from_u128(7)),
        Action::AccountRole,
    )
    .on(Kind::User, Uuid::from_u128(8))
    .from_request("a-request", "192.0.2.77".parse().ok())
    .because(Details {
        from: Some("member"),
        to: Some("admin"),
        ..Details::default()
    })
}

/// Records each in a transaction of its own.
async fn record_each(database: &Database, entries: Vec<Entry>) {
    for entry in entries {
        let recorded = database.write("test", move |connection| {
            Box::pin(async move {
                connection.within(entry.company).await?;
                record(connection, &entry).await
            })
        });
        recorded.await.unwrap();
    }
}

impl Trail {
    fn kind(&self) -> &'static str {
        self.opened.kind
    }

    fn database(&self) -> &Database {
        &self.opened.database
    }

    /// Another company.
    async fn company(&self, name: &str) -> Uuid {
        company(self.database(), name).await
    }

    /// Some SQL as the service.
    async fn run(&self, text: impl Into<String>) -> Result<(), DatabaseError> {
        run(self.database(), text.into()).await
    }

    /// Some SQL of one who may do everything, and has turned off what would refuse it.
    async fn tamper(&self, text: &str) {
        if let Some(postgres) = &self.postgres {
            postgres.sql(&format!("SET session_replication_role = replica; {text}"));
            return;
        }
        let file = self.opened.folder().join("footfall.db");
        let options = SqliteConnectOptions::new()
            .filename(file)
            .foreign_keys(false);
        let mut file = SqliteConnection::connect_with(&options).await.unwrap();
        let triggers =
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name LIKE 'audit%'";
        let triggers: Vec<String> = sqlx::query_scalar(triggers)
            .fetch_all(&mut file)
            .await
            .unwrap();
        let drops = triggers.iter().map(|name| format!("DROP TRIGGER {name};"));
        let text = text.replace("'\\x", "x'").replace("::bytea", "");
        let all: String = drops.chain([text]).collect();
        let tampered = sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut file).await;
        tampered.unwrap();
        file.close().await.unwrap();
    }

    /// How a company's id stands in a statement.
    fn literal(&self, id: Uuid) -> String {
        match self.postgres {
            Some(_) => format!("'{id}'"),
            None => format!("x'{}'", id.simple()),
        }
    }

    async fn chains(&self) -> Vec<Chain> {
        let chains = self.database().read("test", |connection| {
            Box::pin(async {
                connection.across_companies().await?;
                chains(connection, None).await
            })
        });
        chains.await.unwrap()
    }

    /// What does not fit in a company's chain.
    async fn breaks(&self, company: Uuid, anchors: Vec<Anchor>) -> Vec<Break> {
        let breaks = self.database().read("test", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                let chains = chains(connection, Some(company)).await?;
                verify(connection, &chains[0], &anchors).await
            })
        });
        breaks.await.unwrap()
    }

    /// All entries of a company, the oldest first.
    async fn entries(&self, company: Uuid) -> Vec<Listed> {
        let selection = Selection {
            company: Some(company),
            ..Selection::default()
        };
        let entries = self.database().read("test", move |connection| {
            Box::pin(async move { page(connection, &selection, Page::first(100_000)).await })
        });
        let (mut entries, _) = entries.await.unwrap();
        entries.reverse();
        entries
    }

    /// Appends an entry that was written so many days ago, as the service could.
    async fn append_old(&self, company: Uuid, days: i64) {
        let chains = self.chains().await;
        let head = chains.into_iter().find(|chain| chain.company == company);
        if head.is_none() {
            let company = self.literal(company);
            let begin = match self.postgres {
                Some(_) => format!("SELECT footfall_audit_end({company})"),
                None => format!(
                    "INSERT INTO audit_chains VALUES ({company}, 1, zeroblob(32), 0, zeroblob(32))"
                ),
            };
            self.run(begin).await.unwrap();
        }
        let (seq, hash) = head.map_or((0, vec![0; 32]), |head| (head.last_seq, head.last_hash));
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
        let at = now - days * DAY;
        let mut row = Row {
            company_id: company,
            seq: seq + 1,
            id: Uuid::now_v7(),
            recorded_at: at,
            events: 1,
            first_at: at,
            last_at: at,
            actor: "system".into(),
            actor_id: None,
            action: "account.role".into(),
            object: None,
            object_id: None,
            outcome: "success".into(),
            request_id: None,
            details: "{}".into(),
            hash: Vec::new(),
        };
        row.hash = row.hash_after(&hash).to_vec();
        let appended = self.database().write("test", move |connection| {
            Box::pin(async move {
                connection.within(company).await?;
                on_either!(connection, |database| {
                    sqlx::query(
                        "INSERT INTO audit_entries VALUES
                         ($1, $2, $3, $4, 1, $4, $4, 'system', NULL, 'account.role', NULL, NULL,
                          'success', NULL, '{}', $5)",
                    )
                    .bind(company)
                    .bind(row.seq)
                    .bind(row.id)
                    .bind(at)
                    .bind(&row.hash)
                    .execute(&mut **database)
                    .await?;
                    let address = [192_u8, 0, 2, 77].as_slice();
                    sqlx::query("INSERT INTO audit_addresses VALUES ($1, $2, $3, $4)")
                        .bind(company)
                        .bind(row.seq)
                        .bind(at)
                        .bind(address)
                        .execute(&mut **database)
                        .await?;
                });
                Ok(())
            })
        });
        appended.await.unwrap();
    }
}

async fn company(database: &Database, name: &str) -> Uuid {
    let (id, name) = (Uuid::now_v7(), name.to_owned());
    let made = database.write("test", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            on_either!(connection, |database| {
                sqlx::query(
                    "INSERT INTO companies (id, name, name_key, state, generation, created_at, updated_at)
                     VALUES ($1, $2, $2, 'active', 1, 0, 0)",
                )
                .bind(id)
                .bind(name)
                .execute(&mut **database)
                .await?;
            });
            Ok(id)
        })
    });
    made.await.unwrap()
}

async fn run(database: &Database, text: String) -> Result<(), DatabaseError> {
    let ran = database.write("test", move |connection| {
        Box::pin(async move {
            connection.across_companies().await?;
            on_either!(connection, |database| {
                sqlx::raw_sql(AssertSqlSafe(text))
                    .execute(&mut **database)
                    .await?;
            });
            Ok(())
        })
    });
    ran.await
}
