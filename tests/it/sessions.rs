//! Sessions: logging in by any name, staying so, and logging out; the same on both databases.

mod browser;
mod cookies;
mod logging_in;
mod logout;
mod model;
mod people;
mod refresh;

use serde_json::{Value, json};

use self::people::{Person, people};
use crate::support::{Client, Redis, Reply, TestApp, postgres};

/// Replicas, and what they share.
struct Stack {
    apps: Vec<TestApp>,
    redis: Option<Redis>,
    postgres: Option<postgres::Database>,
    _folder: tempfile::TempDir,
}

impl Stack {
    /// Replicas on one SQLite file.
    async fn sqlite(count: usize, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut apps = Vec::new();
        for _ in 0..count {
            let builder = TestApp::builder().directory(folder.path());
            apps.push(start(builder, settings).await);
        }
        Self {
            apps,
            redis: None,
            postgres: None,
            _folder: folder,
        }
    }

    /// Replicas on one Redis and one PostgreSQL.
    async fn postgres(count: usize, settings: &[(&str, &str)]) -> Self {
        let (redis, database) = (Redis::start(), postgres::Database::migrated());
        let mut apps = Vec::new();
        for _ in 0..count {
            let builder = TestApp::builder();
            let builder = builder.env("REDIS_URL", redis.url());
            let builder = builder.env("DATABASE_URL", database.url());
            apps.push(start(builder, settings).await);
        }
        for app in &apps {
            app.metric_becomes("footfall_database_up", 1.0).await;
            app.ready().await;
        }
        Self {
            apps,
            redis: Some(redis),
            postgres: Some(database),
            _folder: tempfile::tempdir().unwrap(),
        }
    }

    /// One of each kind.
    async fn both(count: usize) -> [Self; 2] {
        [
            Self::sqlite(count, &[]).await,
            Self::postgres(count, &[]).await,
        ]
    }

    fn client(&self) -> Client {
        self.apps[0].client()
    }

    /// What the database answers, as one number.
    async fn number(&self, sql: &'static str) -> i64 {
        people::number(&self.apps[0], sql).await
    }

    async fn execute(&self, sql: &'static str) {
        people::execute(&self.apps[0], sql).await;
    }
}

async fn start(builder: crate::support::app::Builder, settings: &[(&str, &str)]) -> TestApp {
    let builder = builder.env("FOOTFALL_PROXY_REQUEST_ID", "on");
    let settings = settings.iter();
    let builder = settings.fold(builder, |builder, (name, value)| builder.env(name, value));
    builder.start().await
}

/// Two tokens of a session.
#[derive(Debug, Clone)]
struct Pair {
    access: String,
    refresh: String,
}

impl Pair {
    #[track_caller]
    fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let body = reply.json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        assert_eq!(
            (&body["token_type"], &body["expires_in"]),
            (&json!("Bearer"), &json!(900))
        );
        Self {
            access: text("token"),
            refresh: text("refresh_token"),
        }
    }

    async fn login(client: &mut Client, person: &Person) -> Self {
        Self::of(&client.login(&person.name(), people::PASSWORD).await)
    }
}

async fn refresh(client: &mut Client, token: &str) -> Reply {
    let body = json!({ "refresh_token": token }).to_string();
    client.post_json("/auth/refresh", &body).await
}

/// What a request with this access token is answered.
async fn status(app: &TestApp, access: &str) -> u16 {
    let mut client = app.client().with_token(access);
    client.get("/api/counters").await.status.as_u16()
}

/// The claims of an access token.
fn claims(token: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
    serde_json::from_slice(&claims.unwrap()).unwrap()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (status, code),
        "{}",
        reply.text()
    );
}
