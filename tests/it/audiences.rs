//! Audiences and presets as routes: saved, shared, counted and listed.

use footfall::auth::role::Role;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{
    Client, Reply, TestApp,
    stage::{Person, Stage, builder},
};

mod bodies;
mod guide;
mod hanging_up;
mod members;
mod questions;
mod races;
mod references;
mod roles;
mod saved;

/// A filter of whoever came to a counter.
fn did(counter: &str) -> Value {
    json!({ "version": 1, "include": { "did": { "counter": counter } } })
}

/// A filter of whoever is in all of these audiences.
fn in_all(audiences: &[&str]) -> Value {
    let all: Vec<_> = audiences
        .iter()
        .map(|id| json!({ "audience": id }))
        .collect();
    json!({ "version": 1, "include": { "all": all } })
}

/// One of the two lists, which are to behave alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Audiences,
    Presets,
}

impl List {
    const BOTH: [Self; 2] = [Self::Audiences, Self::Presets];

    fn path(self) -> &'static str {
        match self {
            Self::Audiences => "/api/audiences",
            Self::Presets => "/api/presets",
        }
    }

    /// The member of a page that has its entries.
    fn entries(self) -> &'static str {
        &self.path()[5..]
    }

    fn one(self) -> &'static str {
        self.entries().trim_end_matches('s')
    }

    fn name(self) -> &'static str {
        match self {
            Self::Audiences => "name",
            Self::Presets => "preset_name",
        }
    }

    fn filter(self) -> &'static str {
        match self {
            Self::Audiences => "filter",
            Self::Presets => "preset_filter_json",
        }
    }

    fn body(self, name: &str, filter: &Value) -> String {
        json!({ self.name(): name, self.filter(): filter }).to_string()
    }

    async fn post(self, client: &mut Client, name: &str, filter: &Value) -> Reply {
        let body = self.body(name, filter);
        client.post_json(self.path(), &body).await
    }

    /// Saves one; its id.
    async fn save(self, client: &mut Client, name: &str, filter: &Value) -> String {
        let reply = self.post(client, name, filter).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    async fn put(self, client: &mut Client, id: &str, name: &str, filter: &Value) -> Reply {
        let path = format!("{}/{id}", self.path());
        client.put_json(&path, &self.body(name, filter)).await
    }

    async fn delete(self, client: &mut Client, id: &str) -> Reply {
        client.delete(&format!("{}/{id}", self.path())).await
    }

    /// Another one is in the way, by its name or its filter: the problem says which.
    #[track_caller]
    fn assert_taken(self, reply: &Reply, what: &str, id: &str, name: &str) {
        let code = format!("{}_{what}", self.one());
        assert_eq!((reply.status.as_u16(), reply.problem()), (409, code));
        let problem = reply.json();
        let existing = json!({ "kind": self.one(), "id": id, "name": name });
        assert_eq!(problem["existing"], existing, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(id) && detail.contains(name), "{detail}");
    }
}

/// Where the filter of a body is wrong, and what was expected there.
#[track_caller]
fn wrong_at(reply: &Reply) -> Vec<(String, String)> {
    assert_eq!(reply.status, 422, "{reply:?}");
    assert_eq!(reply.problem(), "invalid_filter");
    let problem = reply.json();
    let errors = problem["errors"].as_array().unwrap().iter();
    let text = |error: &Value, member: &str| error[member].as_str().unwrap().to_owned();
    errors
        .map(|error| (text(error, "pointer"), text(error, "detail")))
        .collect()
}

/// The ids on a page.
fn ids(list: List, page: &Value) -> Vec<String> {
    let entries = page[list.entries()].as_array().unwrap().iter();
    entries
        .map(|entry| entry["id"].as_str().unwrap().to_owned())
        .collect()
}

/// A company with a member on each database.
async fn both() -> [(Stage, Person); 2] {
    let [sqlite, postgres] = Stage::both().await;
    [with_member(sqlite).await, with_member(postgres).await]
}

async fn with_member(stage: Stage) -> (Stage, Person) {
    let anna = stage.person("acme", "anna", Role::Member).await;
    (stage, anna)
}

/// More replicas beside that of a stage, on the same Redis and PostgreSQL, with these settings.
async fn more(stage: &Stage, number: usize, settings: &[(&str, &str)]) -> Vec<TestApp> {
    let (redis, postgres) = stage.servers.as_ref().unwrap();
    let mut apps = Vec::new();
    for _ in 0..number {
        let app = builder(settings)
            .env("REDIS_URL", redis.url())
            .env("DATABASE_URL", postgres.url());
        let app = app.start().await;
        app.ready().await;
        app.metric_becomes("footfall_database_up", 1.0).await;
        apps.push(app);
    }
    apps
}
