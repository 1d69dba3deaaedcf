//! A replica is killed with a request under way, or with its answer, and the next one gets the same request.

use std::{fs, path::Path};

use hyper::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    mail::{DUE, File},
    support::{
        Client, Footfall, Redis, eventually,
        people::{OTHER, PASSWORD},
        postgres,
    },
};

/// When the first replica dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// While it is at it, or before.
    UnderWay,
    /// When all is done, before anybody hears of it.
    Done,
}

/// What the replicas share.
enum Shared {
    File(File),
    Servers(Redis, postgres::Database),
}

impl Shared {
    fn sql(&self, text: &str) -> String {
        match self {
            Self::File(file) => file.sql(text),
            Self::Servers(_, database) => database.sql(text),
        }
    }
}

/// Two replicas, of which the first dies again and again.
struct Pair {
    folder: tempfile::TempDir,
    shared: Shared,
    second: Footfall,
    moment: Moment,
}

/// A replica that can do what it is asked.
async fn replica(folder: &Path, shared: &Shared) -> Footfall {
    let builder = Footfall::builder().directory(folder);
    let builder = builder
        .env("FOOTFALL_PROXY_REQUEST_ID", "on")
        .env("FOOTFALL_TRUSTED_PROXIES", "127.0.0.0/8");
    let builder = match shared {
        Shared::File(_) => builder,
        Shared::Servers(redis, database) => builder
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", database.url()),
    };
    let replica = builder.start();
    if let Shared::Servers(..) = shared {
        replica.ready().await;
        replica.metric_becomes("footfall_database_up", 1.0).await;
    }
    replica
}

impl Pair {
    async fn start(on: fn(&Path) -> Shared, moment: Moment) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = on(folder.path());
        Self {
            second: replica(folder.path(), &shared).await,
            folder,
            shared,
            moment,
        }
    }

    fn done(&self, action: &str) -> u64 {
        let count = format!(
            "SELECT count(*) FROM audit_entries WHERE action = '{action}' AND outcome = 'success'"
        );
        self.shared.sql(&count).parse().unwrap()
    }

    /// Posts it to the first, which dies, and then to the second: what it does is done once.
    async fn post(&self, path: &str, token: Option<&str>, body: &Value, status: u16, action: &str) {
        let mut first = replica(self.folder.path(), &self.shared).await;
        let id = Uuid::now_v7().to_string();
        let client = |replica: &Footfall| {
            let client = replica.client().with("x-request-id", &id);
            let client = client.with("x-forwarded-for", &format!("192.0.2.{}", path.len()));
            match token {
                Some(token) => client.with_token(token),
                None => client,
            }
        };
        let before = self.done(action);
        let mut lost = client(&first);
        let (sent, headers) = (body.to_string(), [("content-type", "application/json")]);
        let lost = lost.try_send(Method::POST, path, &headers, &sent);
        match self.moment {
            Moment::UnderWay => {
                let short = std::time::Duration::from_millis(20);
                let _ = tokio::time::timeout(short, lost).await;
            }
            Moment::Done => assert_eq!(lost.await.unwrap().status, status, "{path}"),
        }
        first.process.kill();
        let reply = client(&self.second).post_json(path, &sent).await;
        assert_eq!(reply.status, status, "{path} {:?}", self.moment);
        assert_eq!(
            self.done(action),
            before + 1,
            "{path} {:?}: {action}",
            self.moment
        );
    }

    /// The token of the newest mail with this in its link.
    fn link(&self, page: &str) -> String {
        // What the first was about to send waits for the end of its lease.
        self.shared.sql(DUE);
        let folder = self.folder.path().join("data/mail");
        let page = format!("/console/{page}?token=");
        eventually("the mail is written", || {
            let files = fs::read_dir(&folder).ok()?;
            let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
            paths.sort();
            paths.iter().rev().find_map(|path| {
                let text = fs::read_to_string(path).ok()?;
                let text = text.replace("=\r\n", "").replace("=3D", "=");
                let (_, rest) = text.split_once(&page)?;
                rest.split_whitespace().next().map(str::to_owned)
            })
        })
    }

    async fn token(&self, username: &str, password: &str) -> String {
        let mut client: Client = self.second.client();
        let reply = client.login(username, password).await;
        reply.json()["token"].as_str().unwrap().to_owned()
    }
}

async fn every_post_has_one_effect(on: fn(&Path) -> Shared, moment: Moment) {
    let (pair, anna) = (Pair::start(on, moment).await, "anna@a.example");
    let body =
        json!({ "company": "Acme", "email": anna, "username": "anna", "password": PASSWORD });
    pair.post("/auth/register", None, &body, 202, "account.register")
        .await;
    let resent = json!({ "email": anna });
    pair.post("/auth/confirm/resend", None, &resent, 202, "account.resend")
        .await;
    let body = json!({ "token": pair.link("confirm"), "password": PASSWORD });
    pair.post("/auth/confirm", None, &body, 204, "account.confirm")
        .await;
    let body = json!({ "username": anna, "password": PASSWORD });
    pair.post("/auth/login", None, &body, 200, "session.login")
        .await;
    let token = pair.token(anna, PASSWORD).await;
    let body = json!({ "email": "bo@a.example", "role": "member" });
    pair.post("/api/users", Some(&token), &body, 201, "account.invite")
        .await;
    let body = json!({ "name": "shop", "scopes": ["visits:write"] });
    pair.post("/auth/tokens", Some(&token), &body, 201, "token.create")
        .await;
    let operator = pair.token("admin", "password").await;
    let body = json!({ "name": "Globex", "email": "g@g.example" });
    pair.post(
        "/api/companies",
        Some(&operator),
        &body,
        201,
        "company.create",
    )
    .await;
    pair.post(
        "/auth/password/forgot",
        None,
        &resent,
        202,
        "account.forgot",
    )
    .await;
    let body = json!({ "token": pair.link("reset"), "password": OTHER });
    pair.post("/auth/password/reset", None, &body, 204, "account.reset")
        .await;
    let token = pair.token(anna, OTHER).await;
    let body = json!({ "password": OTHER, "new_password": PASSWORD });
    pair.post(
        "/auth/password",
        Some(&token),
        &body,
        204,
        "account.password",
    )
    .await;
    pair.post(
        "/auth/logout",
        Some(&token),
        &json!({}),
        204,
        "session.logout",
    )
    .await;
}

fn file(folder: &Path) -> Shared {
    Shared::File(File::of(folder))
}

fn servers(_: &Path) -> Shared {
    Shared::Servers(Redis::start(), postgres::Database::migrated())
}

#[tokio::test]
async fn before_its_answer() {
    every_post_has_one_effect(file, Moment::UnderWay).await;
}

#[tokio::test]
async fn with_its_answer() {
    every_post_has_one_effect(file, Moment::Done).await;
}

#[tokio::test]
async fn before_its_answer_over_redis_and_postgres() {
    every_post_has_one_effect(servers, Moment::UnderWay).await;
}

#[tokio::test]
async fn with_its_answer_over_redis_and_postgres() {
    every_post_has_one_effect(servers, Moment::Done).await;
}
