//! Statements that forget whose rows they are about: PostgreSQL refuses all the same. And none does.

mod filters;

use std::{fs, path::Path};

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Client, Footfall, Redis, postgres, stage::PASSWORD};

/// What takes the condition out of every statement, in the folder `TEST_FAULTS`.
const FORGOTTEN: &str = "the condition of the company.broken";

/// Another password.
const OTHER: &str = "eleven loud purple kettles";

/// A company with an admin, made by the command of the service.
struct Company {
    email: String,
    client: Client,
    /// The admin.
    user: String,
    /// An API token of theirs.
    token: String,
    session: String,
    /// Who was invited.
    invited: String,
}

impl Company {
    async fn new(footfall: &Footfall, environment: &[(&str, String)], name: &str) -> Self {
        let email = format!("admin@{name}.example");
        let mut command = crate::admin_command::command(environment);
        command.args(["create", "--company", name, "--email", &email]);
        let said = crate::admin_command::typed(command, PASSWORD);
        assert!(said.status.success(), "{said:?}");
        let reply = footfall.client().login(&email, PASSWORD).await;
        let mut client = footfall.client();
        client = client.with_token(reply.json()["token"].as_str().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let token = r#"{"name":"n","scopes":["visits:write"]}"#;
        let token = client.post_json("/auth/tokens", token).await.json();
        let invited = json!({ "email": format!("second@{name}.example"), "role": "admin" });
        let invited = invited.to_string();
        let invited = client.post_json("/api/users", &invited).await.json();
        let sessions = client.get("/auth/sessions").await.json();
        Self {
            user: text(&client.get("/auth/me").await.json()["id"]),
            email,
            token: text(&token["id"]),
            session: text(&sessions["sessions"][0]["id"]),
            invited: text(&invited["id"]),
            client,
        }
    }

    /// The status of a request.
    async fn status(&mut self, method: Method, path: &str, body: &Value) -> u16 {
        let json = [("content-type", "application/json")];
        let (headers, body) = match body {
            Value::Null => (&json[..0], String::new()),
            body => (&json[..], body.to_string()),
        };
        let reply = self.client.send(method, path, headers, &body).await;
        reply.status.as_u16()
    }
}

/// What one company gets to see and to do while no statement says whose rows it is about.
async fn without_conditions(ours: &mut Company, theirs: &Company) -> Vec<(&'static str, u16)> {
    let mut seen = Vec::new();
    for (what, path, rows) in [
        ("users", "/api/users", "users"),
        ("admins", "/auth/admins", "admins"),
        ("tokens", "/auth/tokens", "tokens"),
        ("sessions", "/auth/sessions", "sessions"),
    ] {
        let listed = ours.client.get(path).await.json();
        let rows = listed[rows]
            .as_array()
            .unwrap_or_else(|| panic!("{listed}"));
        seen.push((what, rows.len().try_into().unwrap()));
    }
    let trail = ours.client.get("/api/audit").await.text();
    assert!(trail.contains(&ours.user), "{trail}");
    seen.push(("audit", trail.contains(&theirs.user).into()));
    let (invited, token) = (&theirs.invited, &theirs.token);
    let (nothing, passwords) = (
        json!(null),
        json!({ "password": PASSWORD, "new_password": OTHER }),
    );
    for (what, method, path, body) in [
        (
            "user",
            Method::GET,
            format!("/api/users/{}", theirs.user),
            &nothing,
        ),
        (
            "role",
            Method::PUT,
            format!("/api/users/{invited}"),
            &json!({ "role": "viewer" }),
        ),
        (
            "remove",
            Method::DELETE,
            format!("/api/users/{invited}"),
            &nothing,
        ),
        (
            "token",
            Method::DELETE,
            format!("/auth/tokens/{token}"),
            &nothing,
        ),
        (
            "session",
            Method::DELETE,
            format!("/auth/sessions/{}", theirs.session),
            &nothing,
        ),
        // A name is taken in its company alone.
        (
            "name",
            Method::PUT,
            "/auth/me".to_owned(),
            &json!({ "username": "zoe" }),
        ),
        (
            "invite",
            Method::POST,
            "/api/users".to_owned(),
            &json!({ "email": "x@x.example", "role": "viewer" }),
        ),
        (
            "withdraw",
            Method::DELETE,
            format!("/api/users/{}", ours.invited),
            &nothing,
        ),
        (
            "make token",
            Method::POST,
            "/auth/tokens".to_owned(),
            &json!({ "name": "m", "scopes": ["visits:write"] }),
        ),
        (
            "password",
            Method::POST,
            "/auth/password".to_owned(),
            &passwords,
        ),
        // Who is the last admin of theirs may not go, however many others have.
        (
            "leave",
            Method::DELETE,
            "/auth/me".to_owned(),
            &json!({ "password": OTHER }),
        ),
        (
            "log out",
            Method::POST,
            "/auth/logout/all".to_owned(),
            &json!({}),
        ),
    ] {
        seen.push((what, ours.status(method, &path, body).await));
    }
    seen
}

/// All rows of a company, as a superuser sees them.
fn rows_of(database: &postgres::Database, company: &str) -> String {
    let tables = database.sql(
        "SELECT table_name FROM information_schema.columns
         WHERE table_schema = 'public' AND column_name = 'company_id' ORDER BY 1",
    );
    let rows = tables.lines().map(|table| {
        let rows = format!(
            "SELECT t FROM {table} t JOIN companies c ON c.id = t.company_id WHERE c.name = '{company}' ORDER BY t::text"
        );
        format!("{table}: {}", database.sql(&rows))
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_refuses_what_a_statement_forgets() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let faults = tempfile::tempdir().unwrap();
    let environment = [("REDIS_URL", redis.url()), ("DATABASE_URL", database.url())];
    let builder = Footfall::builder().env("TEST_FAULTS", faults.path().display());
    let builder = environment
        .iter()
        .fold(builder, |builder, (name, value)| builder.env(name, value));
    let footfall = builder.start();
    footfall.ready().await;
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    let mut ours = Company::new(&footfall, &environment, "ours").await;
    let mut theirs = Company::new(&footfall, &environment, "theirs").await;
    let named = json!({ "username": "zoe" });
    assert_eq!(theirs.status(Method::PUT, "/auth/me", &named).await, 200);
    // Mails are on their way, and are no longer changed once they were sent.
    crate::support::until("all mails are sent", async || {
        (database.sql("SELECT count(*) FROM mails WHERE state = 'waiting'") == "0").then_some(())
    })
    .await;
    let before = rows_of(&database, "theirs");
    fs::write(faults.path().join(FORGOTTEN), "").unwrap();
    let seen = without_conditions(&mut ours, &theirs).await;
    fs::remove_file(faults.path().join(FORGOTTEN)).unwrap();
    let expected = [
        ("users", 2),
        ("admins", 1),
        ("tokens", 1),
        ("sessions", 1),
        ("audit", 0),
        ("user", 404),
        ("role", 404),
        ("remove", 404),
        ("token", 404),
        ("session", 404),
        ("name", 200),
        ("invite", 201),
        ("withdraw", 204),
        ("make token", 201),
        ("password", 204),
        ("leave", 409),
        ("log out", 204),
    ];
    assert_eq!(seen, expected);
    assert_eq!(rows_of(&database, "theirs"), before);
    let reply = footfall.client().login(&theirs.email, PASSWORD).await;
    assert_eq!(reply.status, 200);
}

/// That the conditions are really gone: SQLite has nothing behind them.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_conditions_sqlite_shows_all() {
    let (faults, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let environment = [("FOOTFALL_DATA_DIR", data.path().display().to_string())];
    let builder = Footfall::builder().env("TEST_FAULTS", faults.path().display());
    let footfall = builder
        .env("FOOTFALL_DATA_DIR", data.path().display())
        .start();
    footfall.ready().await;
    let mut ours = Company::new(&footfall, &environment, "ours").await;
    let mut theirs = Company::new(&footfall, &environment, "theirs").await;
    let named = json!({ "username": "zoe" });
    assert_eq!(theirs.status(Method::PUT, "/auth/me", &named).await, 200);
    fs::write(faults.path().join(FORGOTTEN), "").unwrap();
    let seen = without_conditions(&mut ours, &theirs).await;
    let of = |what: &str| seen.iter().find(|(name, _)| *name == what).unwrap().1;
    for (what, own) in [("users", 2), ("admins", 1), ("tokens", 1), ("audit", 0)] {
        assert!(of(what) > own, "{what} {seen:?}");
    }
    let of = [
        of("user"),
        of("role"),
        of("remove"),
        of("token"),
        of("leave"),
    ];
    assert_eq!(of, [200, 200, 204, 204, 204], "{seen:?}");
}

/// Statements about rows of companies that do not say whose, and why.
const OF_ANYBODY: &[(&str, &str)] = &[
    (
        "SELECT u.id, u.company_id, u.email",
        "what it is put together with says it",
    ),
    (
        "SELECT t.id, t.user_id, u.username",
        "the beginning of statements that are given to of_company",
    ),
    (
        "SELECT t.id, t.company_id, t.user_id",
        "whose token it is, by its hash",
    ),
    (
        "SELECT company_id, user_id, ended_at FROM sessions",
        "whose session it is, by its id",
    ),
    (
        "SELECT company_id, user_id, counter, kind",
        "whose session it is, by its id",
    ),
    (
        "UPDATE sessions SET counter = counter + 1",
        "a refresh token names its session alone",
    ),
    (
        "SELECT company_id, user_id, registration_id",
        "a link names itself alone",
    ),
    (
        "UPDATE links SET used_at = $2 WHERE id = $1",
        "a link names itself alone",
    ),
    (
        "DELETE FROM sessions WHERE id IN",
        "what is over, of all companies",
    ),
    (
        "DELETE FROM links WHERE id IN",
        "what is over, of all companies",
    ),
];

/// What has rows of companies, but for the trail and the mails.
const TABLES: [&str; 4] = ["users", "sessions", "links", "api_tokens"];

fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// The literals of a file, each with what stands before it.
fn literals(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut pieces = text.split('"');
    while let (Some(before), Some(literal)) = (pieces.next(), pieces.next()) {
        found.push((before.trim_end(), literal.trim_start()));
    }
    found
}

/// Each statement on rows of companies says whose and can lose what says so, or is one of those that
/// look for whoever it is.
#[test]
fn every_statement_says_whose_rows() {
    let mut paths = Vec::new();
    for folder in ["src/accounts", "src/auth", "src/cli", "src/counting"] {
        sources(Path::new(folder), &mut paths);
    }
    let (mut seen, mut used) = (0, Vec::new());
    let mut wrong = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        for (before, literal) in literals(text) {
            let literal = literal.split_whitespace().collect::<Vec<_>>().join(" ");
            let is_whole = before.ends_with("of_company(") || before.ends_with("select!(");
            let says_whose = literal.contains("company_id = $1");
            let is_about = ["FROM", "UPDATE", "JOIN"].iter().any(|word| {
                TABLES
                    .iter()
                    .any(|table| literal.contains(&format!("{word} {table}")))
            });
            seen += usize::from(says_whose);
            let exception = OF_ANYBODY
                .iter()
                .find(|(start, _)| literal.starts_with(start));
            used.extend(exception);
            if exception.is_none() && ((is_about && !says_whose) || (says_whose && !is_whole)) {
                wrong.push(format!("{}: {literal}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    for exception in OF_ANYBODY {
        assert!(used.contains(&exception), "{exception:?} is none any more");
    }
    assert!(seen >= 20, "{seen}");
}
