//! People who register and follow links: replicas with a database, their mails, and what was written.

use std::{
    any::Any,
    net::Ipv4Addr,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use footfall::{auth::revocation::Pass, storage::sql::on_either};
use hyper::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Client, Redis, Reply, TestApp, postgres, until};

/// A password that nobody would guess.
pub const PASSWORD: &str = "stapling nine damp envelopes";

/// Another one.
pub const OTHER: &str = "seven quiet otters juggling";

/// Two replicas, which share all that they keep.
pub struct Place {
    /// `sqlite` or `postgres`.
    pub kind: &'static str,
    pub replicas: Vec<TestApp>,
    folder: tempfile::TempDir,
    servers: Vec<Box<dyn Any>>,
}

/// A mail that was sent.
#[derive(Debug, Clone)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub text: String,
}

impl Letter {
    /// The link in it, whole.
    #[track_caller]
    pub fn link(&self) -> &str {
        let begin = self.text.find("http://").unwrap();
        let links = self.text[begin..].split_whitespace();
        let link = { links }.find(|word| word.contains("?token="));
        link.unwrap_or_else(|| panic!("no link: {}", self.text))
    }

    /// The token of its link.
    #[track_caller]
    pub fn token(&self) -> &str {
        self.link().split_once("?token=").unwrap().1
    }
}

/// On SQLite, and on Redis with PostgreSQL.
pub async fn both(settings: &[(&str, &str)]) -> [Place; 2] {
    [sqlite(settings).await, postgres(settings).await]
}

/// On SQLite.
pub async fn sqlite(settings: &[(&str, &str)]) -> Place {
    start("sqlite", &[], settings).await
}

/// On Redis with PostgreSQL.
pub async fn postgres(settings: &[(&str, &str)]) -> Place {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let urls = [("REDIS_URL", redis.url()), ("DATABASE_URL", database.url())];
    let mut place = start("postgres", &urls, settings).await;
    place.servers = vec![Box::new(redis), Box::new(database)];
    place
}

/// On Redis with a PostgreSQL that the test has for itself.
pub async fn on(server: &postgres::Postgres, settings: &[(&str, &str)]) -> Place {
    let redis = Redis::start();
    let urls = [
        ("REDIS_URL", redis.url()),
        ("DATABASE_URL", server.url("migrated")),
    ];
    let mut place = start("postgres", &urls, settings).await;
    place.servers = vec![Box::new(redis)];
    place
}

async fn start(kind: &'static str, urls: &[(&str, String)], settings: &[(&str, &str)]) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let mut builder = TestApp::builder()
            .directory(folder.path())
            .env("FOOTFALL_PROXY_REQUEST_ID", "on");
        for (name, url) in urls {
            builder = builder.env(name, url);
        }
        for (name, value) in settings {
            builder = builder.env(name, value);
        }
        let app = builder.start().await;
        app.ready().await;
        if !urls.is_empty() {
            app.metric_becomes("footfall_database_up", 1.0).await;
        }
        replicas.push(app);
    }
    Place {
        kind,
        replicas,
        folder,
        servers: Vec::new(),
    }
}

impl Place {
    /// Somebody who has not been here before.
    pub fn client(&self) -> Client {
        static ADDRESSES: AtomicU32 = AtomicU32::new(0x0a00_0001);
        let address = Ipv4Addr::from_bits(ADDRESSES.fetch_add(1, Ordering::Relaxed));
        self.client_at(&address.to_string())
    }

    /// Somebody at this address.
    pub fn client_at(&self, address: &str) -> Client {
        let proxy = self.replicas[0].proxy();
        proxy.with("x-forwarded-for", address)
    }

    /// Asks for an account with this address.
    pub async fn register(&self, email: &str) -> Reply {
        let (name, _) = email.split_once('@').unwrap();
        post(
            &mut self.client(),
            "/auth/register",
            &registration("Acme", email, name),
        )
        .await
    }

    /// The company and the user that come of a registration.
    pub async fn founder(&self, email: &str) -> Pass {
        // Not the mail of an account that was deleted.
        let before = self.letters_sent(email).await;
        assert_eq!(self.register(email).await.status, 202);
        let one_more = async || (self.letters(email).len() > before).then_some(());
        until("there is one mail more", one_more).await;
        let letter = self.letter(email, "Confirm your e-mail address").await;
        let body = json!({ "token": letter.token(), "password": PASSWORD });
        let reply = post(&mut self.client(), "/auth/confirm", &body).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        self.pass(email).await
    }

    /// What a session of this address would be issued on now.
    pub async fn pass(&self, email: &str) -> Pass {
        let row = "SELECT u.id, u.generation, c.id, c.generation FROM users u JOIN companies c ON c.id = u.company_id WHERE u.email_key = ";
        let sql = format!("{row}'{email}'");
        let app = &self.replicas[0];
        let database = app.database.clone().unwrap();
        let row: (Uuid, i64, Uuid, i64) = database
            .read("test", move |connection| {
                Box::pin(async move {
                    connection.across_companies().await?;
                    Ok(on_either!(connection, |database| {
                        let row = sqlx::query_as(AssertSqlSafe(sql.clone()));
                        row.fetch_one(&mut **database).await
                    })?)
                })
            })
            .await
            .unwrap();
        let (user, user_generation, company, company_generation) = row;
        Pass {
            session: Uuid::now_v7(),
            user,
            user_generation,
            company,
            company_generation,
        }
    }

    /// Somebody who is logged in on this, at a replica.
    pub fn logged_in(&self, replica: usize, pass: &Pass) -> Client {
        let app = &self.replicas[replica];
        app.proxy().with_token(&app.token_on(pass))
    }

    /// Changes tables themselves.
    pub async fn as_owner(&self, sql: &str) {
        let mut servers = self.servers.iter();
        match servers.find_map(|server| server.downcast_ref::<postgres::Database>()) {
            Some(database) => drop(database.sql(sql)),
            None => self.change(sql).await,
        }
    }

    /// One number of the database.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = sql.to_owned();
        let database = self.replicas[0].database.clone().unwrap();
        database
            .read("test", move |connection| {
                Box::pin(async move {
                    connection.across_companies().await?;
                    Ok(on_either!(connection, |database| {
                        let number = sqlx::query_scalar(AssertSqlSafe(sql.clone()));
                        number.fetch_one(&mut **database).await
                    })?)
                })
            })
            .await
            .unwrap()
    }

    /// Changes something behind the back of all.
    pub async fn change(&self, sql: &str) {
        let sql = sql.to_owned();
        let database = self.replicas[0].database.clone().unwrap();
        let changed = database.write("test", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                on_either!(connection, |database| {
                    let change = sqlx::query(AssertSqlSafe(sql.clone()));
                    change.execute(&mut **database).await.map(drop)
                })?;
                Ok(())
            })
        });
        changed.await.unwrap();
    }

    /// The rows that there are, by table.
    pub async fn rows(&self) -> Vec<(&'static str, i64)> {
        let mut rows = Vec::new();
        for table in [
            "companies",
            "users",
            "registrations",
            "links",
            "mails",
            "audit_entries",
            "request_ids",
        ] {
            rows.push((
                table,
                self.number(&format!("SELECT count(*) FROM {table}")).await,
            ));
        }
        rows
    }

    /// The mails to an address.
    pub fn letters(&self, to: &str) -> Vec<Letter> {
        let all = read(&self.folder.path().join("data/mail"));
        all.into_iter().filter(|letter| letter.to == to).collect()
    }

    /// Waits for a mail with this subject to an address; the newest, if there are several.
    pub async fn letter(&self, to: &str, subject: &str) -> Letter {
        let newest = async || {
            let letters = self.letters(to).into_iter().rev();
            { letters }.find(|letter| letter.subject == subject)
        };
        until(&format!("{to} gets “{subject}”"), newest).await
    }

    /// Waits until nothing is left to be sent, and gives how many mails an address has.
    pub async fn letters_sent(&self, to: &str) -> usize {
        let waiting = "SELECT count(*) FROM mails WHERE state = 'waiting'";
        let none = async || (self.number(waiting).await == 0).then_some(());
        until("all mails are sent", none).await;
        self.letters(to).len()
    }
}

/// The mails of a folder, in the order in which they were written.
pub fn read(folder: &Path) -> Vec<Letter> {
    let files = std::fs::read_dir(folder).into_iter().flatten();
    let paths = files.map(|file| file.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .collect();
    paths.sort();
    let letters = paths.iter().map(|path| {
        let message = std::fs::read_to_string(path).unwrap();
        let text = message.replace("=\r\n", "").replace("=3D", "=");
        let header = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().to_owned()
        };
        Letter {
            to: header("To: "),
            subject: header("Subject: "),
            text,
        }
    });
    letters.collect()
}

/// The body of a registration.
pub fn registration(company: &str, email: &str, username: &str) -> Value {
    json!({ "company": company, "email": email, "username": username, "password": PASSWORD })
}

/// Sends JSON.
pub async fn post(client: &mut Client, path: &str, body: &Value) -> Reply {
    client.post_json(path, &body.to_string()).await
}

/// Sends JSON by another method.
pub async fn send(client: &mut Client, method: Method, path: &str, body: &Value) -> Reply {
    let json = [("content-type", "application/json")];
    client.send(method, path, &json, body.to_string()).await
}

/// The status, and the code and the field of a problem.
#[track_caller]
pub fn refusal(reply: &Reply) -> (u16, String, Option<String>) {
    let code = reply.problem();
    let field = reply.json()["field"].as_str().map(str::to_owned);
    (reply.status.as_u16(), code, field)
}
