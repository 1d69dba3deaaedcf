//! schemathesis, with its default checks, finds nothing: not as the operator, not as an admin of a
//! company, with ids of rows that are there, and not at the end of a session.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Client, Footfall, Redis, eventually, postgres::Database};

const PASSWORD: &str = "eleven pears on a tin roof";

/// Cases of each kind for each operation. What takes a password hashes it, so there are not many.
const EXAMPLES: &str = "20";

/// What ends the session that asks, and so all that comes after it.
const ENDS: [&str; 2] = ["/auth/logout", "/auth/logout/all"];

/// What is right by the document may still be refused for what no schema can say: a link that was used, a
/// password that is easy to guess, a name, an address or an origin that is none, a day that no month has, bytes
/// where a schema counts characters.
const JUDGED: [(&str, &str); 27] = [
    ("/api/counters/{name}", r#""422""#),
    // `as_of` is of another answer.
    ("/api/counters/{name}/history", r#""400", "422""#),
    ("/api/counters/{name}/values", r#""400", "422""#),
    ("/auth/confirm", r#""410", "422""#),
    ("/auth/password/reset", r#""410", "422""#),
    ("/auth/register", r#""422""#),
    ("/auth/confirm/resend", r#""422""#),
    ("/auth/password/forgot", r#""422""#),
    ("/auth/password", r#""422""#),
    ("/auth/me", r#""422""#),
    ("/auth/tokens", r#""422""#),
    ("/api/users", r#""422""#),
    ("/api/users/{id}", r#""422""#),
    ("/api/company", r#""422""#),
    ("/api/companies", r#""422""#),
    ("/api/companies/{id}", r#""422""#),
    ("/api/audit", r#""400""#),
    ("/api/write-keys", r#""422""#),
    ("/collect", r#""400", "422""#),
    ("/collect.gif", r#""422""#),
    // A filter that refers to an audience which is not there, has more conditions than one may, or ends before
    // it begins; a time of more than a day of visitors who are told apart for a day.
    ("/api/build-filter", r#""422""#),
    ("/api/build-audience", r#""400", "422""#),
    ("/api/audiences", r#""422""#),
    ("/api/audiences/{id}", r#""422""#),
    ("/api/audiences/{id}/size", r#""400", "422""#),
    ("/api/presets", r#""422""#),
    ("/api/presets/{id}", r#""422""#),
];

/// What may end the session that asks; it is looked at with a session of its own.
const CHANGES: [&str; 4] = [
    "/api/users/{id}",
    "/auth/sessions/{id}",
    "/auth/me",
    "/auth/password",
];

/// How lines of JSON are written and read, which it does not know: one visit in a request.
const HOOKS: &str = r#"
import json
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def write_line(ctx, value):
    return {"data": value if isinstance(value, bytes) else json.dumps(value).encode()}

@schemathesis.deserializer("application/x-ndjson")
def read_line(ctx, response):
    return json.loads(response.content.split(b"\n")[0])
"#;

/// What is wrong with a line is said in the line: the request as a whole is taken. And a list may have no
/// line at all.
const LINES: &str = "[[operations]]\ninclude-path = \"/api/visits\"\n[operations.checks.negative_data_rejection]\n\
     enabled = false\n\
     [[operations]]\ninclude-path = \"/api/counters/{name}/visits\"\n[operations.checks.response_schema_conformance]\n\
     enabled = false\n\
     [operations.checks.positive_data_acceptance]\n\
     expected-statuses = [\"2xx\", \"3xx\", \"400\", \"401\", \"403\", \"404\", \"409\", \"429\", \"5xx\"]\n\
     [[operations]]\ninclude-path = \"/api/audiences/{id}/members\"\n[operations.checks.response_schema_conformance]\n\
     enabled = false\n\
     [operations.checks.positive_data_acceptance]\n\
     expected-statuses = [\"2xx\", \"3xx\", \"400\", \"401\", \"403\", \"404\", \"409\", \"422\", \"429\", \"5xx\"]\n";

/// Whose bodies are filters: to try each part of their schema with each other takes longer than all the rest. What
/// is drawn at random is tried.
const FILTERS: [&str; 6] = [
    "/api/build-filter",
    "/api/build-audience",
    "/api/audiences",
    "/api/audiences/{id}",
    "/api/presets",
    "/api/presets/{id}",
];

/// What the checks expect by themselves, and what is above.
fn judged() -> String {
    let operations = JUDGED.map(|(path, own)| {
        let phases = match FILTERS.contains(&path) {
            true => "[operations.phases.coverage]\nenabled = false\n",
            false => "",
        };
        format!(
            "[[operations]]\ninclude-path = \"{path}\"\n{phases}[operations.checks.positive_data_acceptance]\n\
             expected-statuses = [\"2xx\", \"3xx\", \"401\", \"403\", \"404\", \"409\", \"429\", \"5xx\", {own}]\n"
        )
    });
    operations.concat()
}

/// Options that leave these paths out, or everything else.
fn paths(option: &str, paths: &[&str]) -> Vec<String> {
    let options = paths
        .iter()
        .map(|path| [option.to_owned(), (*path).to_owned()]);
    options.flatten().collect()
}

/// A busy machine is nothing that the service does wrong: not where an answer takes longer than 10 s, nor where the
/// tool itself is slow to make its inputs.
const PATIENCE: &str = "request-timeout = 60\nsuppress-health-check = [\"too_slow\"]\n";

struct Service {
    footfall: Footfall,
    directory: tempfile::TempDir,
    _servers: (Redis, Database),
}

impl Service {
    async fn start() -> Self {
        let (redis, database) = (Redis::start(), Database::migrated());
        let directory = tempfile::tempdir().unwrap();
        let builder = Footfall::builder().env("REDIS_URL", redis.url());
        // What takes long on a busy machine is no server error.
        let builder = builder
            .env("DATABASE_URL", database.url())
            .env("FOOTFALL_DATABASE_TIMEOUT", "20s")
            .env("FOOTFALL_REQUEST_TIMEOUT", "30s");
        let footfall = builder.directory(directory.path()).start();
        footfall.metric_becomes("footfall_database_up", 1.0).await;
        footfall.metric_becomes("footfall_collect_salts", 2.0).await;
        Self {
            footfall,
            directory,
            _servers: (redis, database),
        }
    }

    fn client(&self) -> Client {
        self.footfall.client()
    }

    /// The tokens of the links in all mails, once there are so many.
    fn links(&self, count: usize) -> Vec<String> {
        let folder = self.directory.path().join("data/mail");
        eventually("the mails are written", || {
            // It is made with the first mail.
            let files = fs::read_dir(&folder).into_iter().flatten();
            let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
            paths.retain(|path| path.extension().is_some_and(|end| end == "eml"));
            paths.sort();
            let links = paths.iter().filter_map(|path| {
                let text = fs::read_to_string(path).ok()?;
                let text = text.replace("=\r\n", "").replace("=3D", "=");
                let (_, rest) = text.split_once("?token=")?;
                rest.split_whitespace().next().map(str::to_owned)
            });
            let links: Vec<_> = links.collect();
            (links.len() >= count).then_some(links)
        })
    }

    /// The client of an admin with a company of their own.
    async fn admin(&self) -> Client {
        let body = json!({ "company": "Acme", "email": "anna@a.example", "username": "anna", "password": PASSWORD });
        post(&mut self.client(), "/auth/register", &body).await;
        let token = self.links(1).pop().unwrap();
        let body = json!({ "token": token, "password": PASSWORD });
        post(&mut self.client(), "/auth/confirm", &body).await;
        let body = json!({ "username": "anna@a.example", "password": PASSWORD });
        let tokens = post(&mut self.client(), "/auth/login", &body).await;
        self.client().with_token(tokens["token"].as_str().unwrap())
    }

    /// With two sessions that are there before: it fails to log in so often that nobody from here may for a while.
    fn schemathesis_with(&self, tokens: &[String; 2], rows: &Rows) {
        let left_out = paths("--exclude-path", &[&ENDS[..], &CHANGES].concat());
        self.schemathesis(&tokens[0], &rows.0, &left_out);
        self.schemathesis(&tokens[1], &rows.0, &paths("--include-path", &CHANGES));
    }

    fn schemathesis(&self, token: &str, rows: &str, arguments: &[String]) {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/schemathesis");
        assert!(
            program.is_file(),
            "{} is missing; ./test.sh installs it",
            program.display()
        );
        let directory = tempfile::tempdir().unwrap();
        let settings = format!("{PATIENCE}hooks = \"hooks.py\"\n{}{LINES}{rows}", judged());
        fs::write(directory.path().join("schemathesis.toml"), settings).unwrap();
        fs::write(directory.path().join("hooks.py"), HOOKS).unwrap();
        let document = format!("http://{}/openapi.json", self.footfall.public());
        let output = Command::new(program)
            .args(["--no-color", "run", &document, "--seed", "1"])
            .args(["--max-examples", EXAMPLES])
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .args(arguments)
            .current_dir(directory.path())
            .output()
            .unwrap();
        let report = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && report.contains(" passed") && !report.contains("FAILURES"),
            "{report}{complaint}"
        );
        assert!(self.footfall.find("panic").is_none());
    }
}

async fn post(client: &mut Client, path: &str, body: &Value) -> Value {
    let headers = [("content-type", "application/json")];
    let reply = client
        .send(Method::POST, path, &headers, body.to_string())
        .await;
    assert!(reply.status.is_success(), "{path}: {}", reply.text());
    match reply.body.is_empty() {
        true => Value::Null,
        false => reply.json(),
    }
}

/// Ids of rows that are there, as schemathesis is told them.
#[derive(Default)]
struct Rows(String);

impl Rows {
    /// A parameter of a path is now and then one of these.
    fn know(&mut self, name: &str, path: &str, parameter: &str, values: &[String]) {
        assert!(!values.is_empty(), "{name}");
        self.0 += &format!(
            "[dictionaries.{name}]\nvalues = {}\n[[operations]]\ninclude-path = \"{path}\"\n\
             parameters = {{ \"{parameter}\" = {{ dictionary = \"{name}\", probability = 0.6 }} }}\n",
            json!(values)
        );
    }
}

/// The ids in a list.
async fn ids(client: &mut Client, path: &str, list: &str) -> Vec<String> {
    let page = client.get(path).await.json();
    let rows = page[list].as_array().unwrap_or_else(|| panic!("{page}"));
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Users, sessions and API tokens of the caller's company that are not the caller's own, and links.
async fn rows(service: &Service, client: &mut Client, username: &str) -> Rows {
    let mut rows = Rows::default();
    let before = service.links(0).len();
    let mut users = Vec::new();
    for number in 0..3 {
        let email = format!("guest-{number}-of-{username}@b.example");
        let body =
            json!({ "email": email, "username": format!("guest-{number}"), "role": "member" });
        let user = post(client, "/api/users", &body).await;
        users.push(user["id"].as_str().unwrap().to_owned());
        let body = json!({ "name": format!("number {number}"), "scopes": ["counters:read"] });
        post(client, "/auth/tokens", &body).await;
    }
    rows.know("users", "/api/users/{id}", "path.id", &users);
    let tokens = ids(client, "/auth/tokens", "tokens").await;
    rows.know("tokens", "/auth/tokens/{id}", "path.id", &tokens);
    let links = service.links(before + 3).split_off(before);
    rows.know("links", "/auth/confirm", "body.token", &links);
    let mut audiences = Vec::new();
    for counter in ["one", "two"] {
        let filter = json!({ "version": 1, "include": { "did": { "counter": counter } } });
        let body = json!({ "name": counter, "filter": filter });
        let audience = post(client, "/api/audiences", &body).await;
        audiences.push(audience["id"].as_str().unwrap().to_owned());
        let body = json!({ "preset_name": counter, "preset_filter_json": filter });
        post(client, "/api/presets", &body).await;
    }
    for (name, path) in [
        ("audiences", "/api/audiences/{id}"),
        ("sizes", "/api/audiences/{id}/size"),
        ("members", "/api/audiences/{id}/members"),
    ] {
        rows.know(name, path, "path.id", &audiences);
    }
    let presets = ids(client, "/api/presets", "presets").await;
    rows.know("presets", "/api/presets/{id}", "path.id", &presets);
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing_as_the_operator() {
    let service = Service::start().await;
    let mut client = service.client().logged_in().await;
    let mut rows = rows(&service, &mut client, "admin").await;
    let mut companies = Vec::new();
    for name in ["One", "Two"] {
        let email = format!("{name}@c.example");
        let body = json!({ "name": name, "email": email, "username": "first" });
        let company = post(&mut client, "/api/companies", &body).await;
        companies.push(company["id"].as_str().unwrap().to_owned());
    }
    rows.know("companies", "/api/companies/{id}", "path.id", &companies);
    for _ in 0..2 {
        service.footfall.token().await;
    }
    let sessions = ids(&mut client, "/auth/sessions", "sessions").await;
    // Which is whose is seen by the token that asks: all but the one in use.
    let own = client.get("/auth/sessions").await.json();
    let own = own["sessions"].as_array().unwrap().iter();
    let own: Vec<_> = own
        .filter(|session| session["current"] == true)
        .map(|session| session["id"].as_str().unwrap().to_owned())
        .collect();
    let others: Vec<_> = sessions
        .into_iter()
        .filter(|id| !own.contains(id))
        .collect();
    rows.know("sessions", "/auth/sessions/{id}", "path.id", &others);
    let tokens = [
        service.footfall.token().await,
        service.footfall.token().await,
    ];
    service.schemathesis_with(&tokens, &rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing_as_an_admin() {
    let service = Service::start().await;
    let mut client = service.admin().await;
    let rows = rows(&service, &mut client, "anna").await;
    let body = json!({ "username": "anna@a.example", "password": PASSWORD });
    let mut tokens = [String::new(), String::new()];
    for token in &mut tokens {
        let session = post(&mut service.client(), "/auth/login", &body).await;
        session["token"].as_str().unwrap().clone_into(token);
    }
    service.schemathesis_with(&tokens, &rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing_at_the_end_of_a_session() {
    let service = Service::start().await;
    let token = service.footfall.token().await;
    service.schemathesis(&token, "", &paths("--include-path", &ENDS));
}
