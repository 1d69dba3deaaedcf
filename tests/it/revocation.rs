//! Revocation: once it has been acknowledged, no visit that begins later is counted, by any replica,
//! whatever becomes of the store; and it costs a visit no round trip.

mod cluster;
mod commands;
mod failover;
mod kept;
mod permissions;
mod processes;
mod rounds;
mod two_masters;

use footfall::{
    auth::revocation::{Pass, Revocation},
    company::DEFAULT_ID,
};
use uuid::Uuid;

use crate::support::{Client, Redis, TestApp, postgres, process::until};

/// A session of somebody of `default`.
fn pass() -> Pass {
    Pass {
        session: Uuid::now_v7(),
        user: Uuid::now_v7(),
        user_generation: 1,
        company: DEFAULT_ID,
        company_generation: 1,
    }
}

/// Another session of the same user.
fn another_session(pass: &Pass) -> Pass {
    Pass {
        session: Uuid::now_v7(),
        ..*pass
    }
}

fn session(pass: &Pass) -> [Revocation; 1] {
    [Revocation::Session(pass.session)]
}

/// Replicas on one Redis and one PostgreSQL, which are up.
async fn replicas(count: usize, url: &str, database: &postgres::Database) -> Vec<TestApp> {
    replicas_at(&vec![url.to_owned(); count], database).await
}

/// One replica for each of these URLs.
async fn replicas_at(urls: &[String], database: &postgres::Database) -> Vec<TestApp> {
    let mut apps = Vec::new();
    for url in urls {
        let app = TestApp::builder()
            .env("REDIS_URL", url)
            .env("DATABASE_URL", database.url())
            .start()
            .await;
        apps.push(app);
    }
    for app in &apps {
        app.metric_becomes("footfall_database_up", 1.0).await;
        app.ready().await;
    }
    apps
}

/// Revokes until that is acknowledged.
async fn acknowledged(app: &TestApp, pass: &Pass) {
    until("it is acknowledged", async || {
        app.revoke(&session(pass)).await.ok()
    })
    .await;
}

fn client(app: &TestApp, pass: &Pass) -> Client {
    app.client().with_token(&app.token_on(pass))
}

/// What a visit is answered once the store is there: its number, or that its token is not valid.
async fn count(client: &mut Client) -> Option<u64> {
    until("the visit is answered", async || {
        let reply = client.get("/api/count").await;
        match reply.status.as_u16() {
            200 => Some(Some(reply.visits())),
            503 => None,
            status => {
                assert_eq!((status, reply.problem().as_str()), (401, "invalid_token"));
                Some(None)
            }
        }
    })
    .await
}
