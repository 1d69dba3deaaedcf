//! Who may do what: every operation of the OpenAPI document, asked by every role, and with every scope.
//! Whoever adds an operation adds a sample of it to [`SAMPLES`], or the test says so.

use std::{collections::BTreeSet, fmt::Write};

use footfall::auth::role::{Role, Scope};
use hyper::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{
    Client,
    stage::{Person, Stage},
};

/// A request for each operation: its body, and what its path has where the document has `{…}`. Each
/// is such that it is refused after it was decided whether the caller may, or changes nothing that
/// the next one needs: ids that nobody has, bodies that are not whole.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("delete /api/users/{id}", "ID", ""),
    ("delete /auth/tokens/{id}", "ID", ""),
    ("get /", "", ""),
    ("get /api/company", "", ""),
    ("get /api/companies", "", ""),
    ("get /api/count", "", ""),
    ("get /api/counters", "", ""),
    ("get /api/counters/{name}", "none", ""),
    ("get /api/ping", "", ""),
    ("get /api/users", "", ""),
    ("get /api/users/{id}", "ID", ""),
    ("get /auth/admins", "", ""),
    ("get /auth/tokens", "", ""),
    ("get /healthz", "", ""),
    ("get /openapi.json", "", ""),
    ("head /api/count", "", ""),
    ("post /api/companies", "", "{}"),
    ("post /api/counters/{name}", "some", ""),
    ("post /api/visits", "", "{}"),
    ("post /api/users", "", "{}"),
    ("post /auth/tokens", "", "{}"),
    ("put /api/companies/{id}", "ID", r#"{"name":1}"#),
    ("put /api/company", "", "{}"),
    ("put /api/users/{id}", "ID", "{}"),
    // Web pages.
    ("get /api/write-keys", "", ""),
    ("post /api/write-keys", "", "{}"),
    ("get /api/write-keys/{id}", "ID", ""),
    ("delete /api/write-keys/{id}", "ID", ""),
    ("post /collect", "", "{}"),
    ("get /collect.gif", "", ""),
    ("get /footfall.js", "", ""),
    // The record.
    ("get /api/counters/{name}/recording", "none", ""),
    ("put /api/counters/{name}/recording", "none", r#"{"on":1}"#),
    ("get /api/counters/{name}/history", "none", ""),
    ("get /api/counters/{name}/values", "none", ""),
    ("get /api/counters/{name}/visits", "none", ""),
    ("get /api/counters/{name}/visits/{number}", "none", ""),
    ("post /api/visitors/erase", "", "{}"),
    // Audiences.
    ("post /api/build-filter", "", "{}"),
    ("post /api/build-audience", "", "{}"),
    ("get /api/audiences", "", ""),
    ("post /api/audiences", "", "{}"),
    ("get /api/audiences/{id}", "ID", ""),
    ("put /api/audiences/{id}", "ID", AUDIENCE),
    ("delete /api/audiences/{id}", "ID", ""),
    ("get /api/audiences/{id}/size", "ID", ""),
    ("get /api/audiences/{id}/members", "ID", ""),
    ("get /api/presets", "", ""),
    ("post /api/presets", "", "{}"),
    ("get /api/presets/{id}", "ID", ""),
    ("put /api/presets/{id}", "ID", PRESET),
    ("delete /api/presets/{id}", "ID", ""),
    // Audit.
    ("get /api/audit", "", ""),
    // Sessions. Whoever logs out is asked last of all, with a token of their own.
    ("post /auth/login", "", "{}"),
    ("post /auth/refresh", "", "{}"),
    ("get /auth/sessions", "", ""),
    ("delete /auth/sessions/{id}", "ID", ""),
    ("post /auth/logout", "", "{}"),
    ("post /auth/logout/all", "", "{}"),
    // Registration, links, one's own account.
    ("post /auth/register", "", "{}"),
    ("post /auth/confirm", "", "{}"),
    ("post /auth/confirm/resend", "", "{}"),
    ("post /auth/password/forgot", "", "{}"),
    ("post /auth/password/reset", "", "{}"),
    ("post /auth/password", "", "{}"),
    ("get /auth/me", "", ""),
    ("put /auth/me", "", "{}"),
    ("delete /auth/me", "", "{}"),
];

/// Whole, since a body is looked at before a row.
const AUDIENCE: &str = r#"{"name":"n","filter":{"version":1,"include":{"did":{"counter":"a"}}}}"#;

const PRESET: &str =
    r#"{"preset_name":"n","preset_filter_json":{"version":1,"include":{"did":{"counter":"a"}}}}"#;

/// Every operation of the document, as `method /path`.
pub fn operations() -> Vec<String> {
    let document: Value = serde_json::from_slice(&footfall::app::description().to_json()).unwrap();
    let methods = ["get", "head", "post", "put", "patch", "delete"];
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, operations)| {
        let named = operations.as_object().unwrap().keys();
        named
            .filter(|name| methods.contains(&name.as_str()))
            .map(move |method| format!("{method} {path}"))
    });
    all.collect()
}

/// A company with an admin, and another with rows of each kind.
pub struct World {
    pub admin: Person,
    /// The other's admin.
    pub other: Person,
    their_user: String,
    their_token: String,
    their_session: String,
    their_key: String,
    their_audience: String,
    their_preset: String,
}

impl World {
    pub async fn new(stage: &Stage) -> Self {
        let admin = stage.person("acme", "anna", Role::Admin).await;
        let zoe = stage.person("other", "zoe", Role::Admin).await;
        let (their_token, _) = stage.api_token(&zoe, &["visits:write"]).await;
        let sessions = stage.client(&zoe).get("/auth/sessions").await.json();
        let body = r#"{"name":"n","counters":["a"],"origins":["https://other.example"]}"#;
        let made = stage.client(&zoe).post_json("/api/write-keys", body).await;
        let their_key = made.json()["id"].as_str().unwrap().to_owned();
        let save = async |path, body| {
            let made = stage.client(&zoe).post_json(path, body).await;
            made.json()["id"].as_str().unwrap().to_owned()
        };
        let their_audience = save("/api/audiences", AUDIENCE).await;
        let their_preset = save("/api/presets", PRESET).await;
        let their_session = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
        Self {
            admin,
            their_user: zoe.id.clone(),
            other: zoe,
            their_token,
            their_session,
            their_key,
            their_audience,
            their_preset,
        }
    }

    /// The id of a row of the other company, such as this operation is about.
    pub fn of_another(&self, operation: &str) -> String {
        let (_, path) = operation.split_once(' ').unwrap();
        match path {
            "/api/users/{id}" => &self.their_user,
            "/auth/tokens/{id}" => &self.their_token,
            "/auth/sessions/{id}" => &self.their_session,
            "/api/write-keys/{id}" => &self.their_key,
            "/api/audiences/{id}" | "/api/audiences/{id}/size" | "/api/audiences/{id}/members" => {
                &self.their_audience
            }
            "/api/presets/{id}" => &self.their_preset,
            path => panic!("which row of another company is {path} about? Add one to `World`"),
        }
        .clone()
    }

    /// The sample of an operation, about this id.
    pub fn sample(&self, operation: &str, id: &str) -> (Method, String, &'static str) {
        request(operation, id)
    }
}

fn request(operation: &str, id: &str) -> (Method, String, &'static str) {
    let sample = SAMPLES.iter().find(|(name, ..)| *name == operation);
    let (_, inner, body) = sample.unwrap_or_else(|| {
        panic!("the matrix of roles has no sample of `{operation}`: add one to SAMPLES in tests/it/matrix.rs")
    });
    let (method, path) = operation.split_once(' ').unwrap();
    let path = path.replace("{number}", "1");
    let path = match path.split_once('{') {
        Some((before, rest)) => {
            let (_, after) = rest.split_once('}').unwrap();
            let inner = if *inner == "ID" { id } else { inner };
            format!("{before}{inner}{after}")
        }
        None => path.to_owned(),
    };
    (method.to_uppercase().parse().unwrap(), path, body)
}

/// What one caller gets, in short.
async fn outcome(client: &mut Client, operation: &str) -> String {
    let (method, path, body) = request(operation, &Uuid::now_v7().to_string());
    let json = [("content-type", "application/json")];
    let headers = if body.is_empty() { &json[..0] } else { &json };
    let reply = client.send(method, &path, headers, body).await;
    reply.status.as_u16().to_string()
}

fn line(table: &mut String, name: &str, cells: &[String]) {
    write!(table, "{name:<34}").unwrap();
    for cell in cells {
        write!(table, " {cell:<9}").unwrap();
    }
    table.truncate(table.trim_end().len());
    table.push('\n');
}

/// Logging out comes last: afterwards the token is none.
fn in_order() -> Vec<String> {
    let mut all = operations();
    all.sort_by_key(|operation| operation.contains("/auth/logout"));
    all
}

#[tokio::test]
async fn of_roles() {
    let stage = Stage::sqlite().await;
    let mut clients = vec![stage.app.client()];
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        let person = stage.person("acme", role.as_str(), role).await;
        clients.push(stage.client(&person));
    }
    let operator = stage.person("default", "chief", Role::Operator).await;
    clients.push(stage.client(&operator));
    clients.push(stage.operator().await);
    let mut table = String::new();
    let names = [
        "nobody", "viewer", "member", "admin", "operator", "settings",
    ];
    line(&mut table, "", &names.map(ToOwned::to_owned));
    for operation in in_order() {
        let mut cells = Vec::new();
        for client in &mut clients {
            cells.push(outcome(client, &operation).await);
        }
        line(&mut table, &operation, &cells);
    }
    insta::assert_snapshot!("roles", table);
}

/// Tokens of an operator with one scope each, and of a viewer with all: power is scope and role.
#[tokio::test]
async fn of_scopes() {
    let stage = Stage::sqlite().await;
    let operator = stage.person("default", "chief", Role::Operator).await;
    let mut clients = Vec::new();
    let mut names = Vec::new();
    for scope in Scope::ALL {
        let (_, token) = stage.api_token(&operator, &[scope.as_str()]).await;
        clients.push(stage.app.client().with_token(&token));
        names.push(scope.as_str().replace(':', "."));
    }
    for role in [Role::Viewer, Role::Member] {
        let person = stage.person("acme", role.as_str(), Role::Member).await;
        let all: Vec<_> = Scope::ALL.into_iter().map(Scope::as_str).collect();
        let (_, token) = stage.api_token(&person, &all).await;
        if role == Role::Viewer {
            let mut admin = stage.client(&stage.person("acme", "anna", Role::Admin).await);
            let path = format!("/api/users/{}", person.id);
            assert_eq!(
                admin.put_json(&path, r#"{"role":"viewer"}"#).await.status,
                200
            );
        }
        clients.push(stage.app.client().with_token(&token));
        names.push(format!("all+{role}"));
    }
    let mut table = String::new();
    let width = |name: &String| name.replace("counters", "ctrs");
    line(&mut table, "", &names.iter().map(width).collect::<Vec<_>>());
    for operation in in_order() {
        let mut cells = Vec::new();
        for client in &mut clients {
            cells.push(outcome(client, &operation).await);
        }
        line(&mut table, &operation, &cells);
    }
    insta::assert_snapshot!("scopes", table);
}

/// No sample is of what is no operation any more, once all of them are there.
#[test]
fn no_sample_is_twice() {
    let names: Vec<_> = SAMPLES.iter().map(|(name, ..)| *name).collect();
    let distinct: BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}
