//! People of companies, on an application in the process of the test, on either database.

use footfall::{
    accounts::{
        by::By,
        names::Name,
        users::{NewUser, create},
    },
    auth::{password::hash, role::Role},
};
use serde_json::{Value, json};

use super::{Client, Redis, Reply, TestApp, app::Builder, postgres};

/// Everybody's password.
pub const PASSWORD: &str = "seventeen green hats";

/// An application with a database, and what it needs.
pub struct Stage {
    pub app: TestApp,
    /// `sqlite` or `postgres`.
    pub kind: &'static str,
    #[allow(dead_code, reason = "they end with it")]
    pub servers: Option<(Redis, postgres::Database)>,
}

impl Stage {
    /// On one SQLite file.
    pub async fn sqlite() -> Self {
        Self::sqlite_with(&[]).await
    }

    /// The same with settings.
    pub async fn sqlite_with(settings: &[(&str, &str)]) -> Self {
        Self {
            app: builder(settings).start().await,
            kind: "sqlite",
            servers: None,
        }
    }

    /// On a Redis and a PostgreSQL.
    pub async fn postgres() -> Self {
        Self::postgres_with(&[]).await
    }

    /// The same with settings.
    pub async fn postgres_with(settings: &[(&str, &str)]) -> Self {
        let (redis, postgres) = (Redis::start(), postgres::Database::migrated());
        let app = builder(settings)
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", postgres.url());
        let app = app.start().await;
        app.ready().await;
        app.metric_becomes("footfall_database_up", 1.0).await;
        Self {
            app,
            kind: "postgres",
            servers: Some((redis, postgres)),
        }
    }

    /// One of each.
    pub async fn both() -> [Self; 2] {
        [Self::sqlite().await, Self::postgres().await]
    }

    /// An active user, who has logged in.
    pub async fn person(&self, company: &str, username: &str, role: Role) -> Person {
        let domain = company.to_lowercase().replace(' ', "-");
        let address = format!("{username}@{domain}.example");
        let new = NewUser {
            company: Name::of_company(company).unwrap(),
            email: address.parse().unwrap(),
            username: Name::of_user(username).unwrap(),
            role,
            password_hash: hash(PASSWORD).unwrap(),
            settings_username: "admin".to_owned(),
        };
        let email = new.email.to_string();
        let database = self.app.database.as_ref().unwrap();
        let user = database.write("person", |connection| {
            Box::pin(async move { create(connection, &new, &By::command()).await })
        });
        let user = user
            .await
            .unwrap()
            .unwrap_or_else(|problem| panic!("{problem:?}"));
        let mut person = Person {
            id: user.id.to_string(),
            company: user.company.to_string(),
            email,
            token: String::new(),
        };
        person.token = self.log_in(&person).await;
        person
    }

    /// A new access token.
    pub async fn log_in(&self, person: &Person) -> String {
        let reply = self.app.client().login(&person.email, PASSWORD).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["token"].as_str().unwrap().to_owned()
    }

    /// A client with this person's access token.
    pub fn client(&self, person: &Person) -> Client {
        self.app.client().with_token(&person.token)
    }

    /// A client with the token of the settings' account.
    pub async fn operator(&self) -> Client {
        self.app.client().logged_in().await
    }

    /// An API token of a person; its id and itself.
    pub async fn api_token(&self, person: &Person, scopes: &[&str]) -> (String, String) {
        let body = json!({ "name": "machine", "scopes": scopes });
        let reply = self
            .client(person)
            .post_json("/auth/tokens", &body.to_string())
            .await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let made = reply.json();
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        (text("id"), text("token"))
    }

    /// Some rows, as a person who may see all would read them: one number.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let database = self.app.database.as_ref().unwrap();
        let number = database.read("number", move |connection| {
            Box::pin(async move {
                connection.across_companies().await?;
                Ok(footfall::on_either!(connection, |database| {
                    sqlx::query_scalar(sql).fetch_one(&mut **database).await
                })?)
            })
        });
        number.await.unwrap()
    }
}

/// Somebody.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    pub company: String,
    pub email: String,
    pub token: String,
}

/// An application with these settings.
pub fn builder(settings: &[(&str, &str)]) -> Builder {
    let builder = TestApp::builder().env("FOOTFALL_PUBLIC_URL", "http://footfall.example");
    let settings = settings.iter();
    settings.fold(builder, |builder, (name, value)| builder.env(name, value))
}

/// The status, the code of the problem, and the field that it names.
#[track_caller]
pub fn refusal(reply: &Reply) -> (u16, String, Value) {
    let code = reply.problem();
    (reply.status.as_u16(), code, reply.json()["field"].clone())
}
