//! `footfall admin`, beside a running service.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::json;

use crate::support::{Footfall, Redis, footfall::footfall_command, postgres, stage::PASSWORD};

/// The command, with these settings.
pub fn command(environment: &[(&str, String)]) -> Command {
    let mut command = footfall_command();
    command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .arg("admin");
    command
}

/// What it says when this is typed.
pub fn typed(mut command: Command, password: &str) -> Output {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have refused its arguments already.
    let _ = child.stdin.take().unwrap().write_all(password.as_bytes());
    child.wait_with_output().unwrap()
}

/// What it answers, all of it.
fn said(output: &Output) -> String {
    String::from_utf8([output.stdout.clone(), output.stderr.clone()].concat()).unwrap()
}

async fn works(footfall: &Footfall, environment: &[(&str, String)]) {
    footfall.ready().await;
    let run = |arguments: &[&str], password: &str| {
        let mut command = command(environment);
        command.args(arguments);
        let output = typed(command, password);
        (output.status.code(), said(&output))
    };
    let create = [
        "create",
        "--company",
        "Acme Ltd",
        "--email",
        "anna@acme.example",
    ];
    let (code, text) = run(&create, PASSWORD);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.starts_with("created Acme Ltd\tanna\tanna@acme.example\tadmin\tactive\t"),
        "{text}"
    );
    // Who is there already is not made again, and no company stays of it.
    for (arguments, password, why) in [
        (&create[..], PASSWORD, "user name"),
        (
            &["create", "--company", "New", "--email", "anna@acme.example"],
            PASSWORD,
            "e-mail address",
        ),
        (
            &["create", "--email", "b@acme.example"],
            "short",
            "characters",
        ),
        (
            &["create", "--email", "b@acme.example"],
            "aaaaaaaaaaaaaaaaaaaa",
            "easy to guess",
        ),
        (&["create", "--email", "b@acme.example"], "", "empty"),
        (
            &["create", "--email", "b@acme.example"],
            "one\ntwo",
            "more than one line",
        ),
        (
            &[
                "create",
                "--email",
                "b@acme.example",
                "--company",
                "Acme Ltd",
                "--role",
                "operator",
            ],
            PASSWORD,
            "default",
        ),
        (
            &["create", "--email", "admin@acme.example"],
            PASSWORD,
            "user name",
        ),
        (
            &["reset", "--email", "nobody@acme.example"],
            PASSWORD,
            "no account",
        ),
        (
            &["disable", "--email", "nobody@acme.example"],
            "",
            "no account",
        ),
        (
            &["disable", "--email", "anna@acme.example"],
            "",
            "last active admin",
        ),
        (&["list", "--company", "New"], "", "no company"),
    ] {
        let (code, text) = run(arguments, password);
        assert!(
            code == Some(1) && text.contains(why),
            "{arguments:?}: {code:?} {text}"
        );
    }
    for arguments in [
        &["create", "--email", "x"][..],
        &["create"],
        &["create", "--email", "a@b.example", "--role", "x"],
        &["create", "--email", "a@b.example", "--password", PASSWORD],
        &[],
    ] {
        assert_eq!(run(arguments, "").0, Some(2), "{arguments:?}");
    }
    let log_in =
        async |password: &str| footfall.client().login("anna@acme.example", password).await;
    let token = log_in(PASSWORD).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut anna = footfall.client().with_token(&token);
    anna.get("/api/count").await.visits();
    let made = anna
        .post_json(
            "/auth/tokens",
            &json!({ "name": "n", "scopes": ["visits:write"] }).to_string(),
        )
        .await;
    let mut machine = footfall
        .client()
        .with_token(made.json()["token"].as_str().unwrap());
    machine.get("/api/count").await.visits();

    // Once it has ended nothing is counted any more with what was ended, and nobody was asked twice.
    let other = "eighteen yellow boats";
    let (code, text) = run(&["reset", "--email", "Anna@acme.example"], other);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(anna.get("/api/count").await.problem(), "invalid_token");
    assert_eq!(log_in(PASSWORD).await.status, 401);
    let token = log_in(other).await.json()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut anna = footfall.client().with_token(&token);
    let (code, text) = run(
        &[
            "create",
            "--company",
            "acme LTD",
            "--email",
            "bo@acme.example",
        ],
        PASSWORD,
    );
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&["disable", "--email", "anna@acme.example"], "");
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(anna.get("/api/count").await.problem(), "invalid_token");
    assert_eq!(machine.get("/api/count").await.problem(), "invalid_token");
    assert_eq!(log_in(other).await.status, 401);
    let (code, text) = run(&["list"], "");
    let lines: Vec<_> = text
        .lines()
        .map(|line| line.rsplit_once('\t').unwrap().0)
        .collect();
    assert_eq!(
        (code, &lines[..]),
        (
            Some(0),
            &[
                "default\tadmin\t-\toperator\tactive",
                "Acme Ltd\tanna\tanna@acme.example\tadmin\tdisabled",
                "Acme Ltd\tbo\tbo@acme.example\tadmin\tactive"
            ][..]
        )
    );
    let mut operator = footfall.client().logged_in().await;
    let audit = operator.get("/api/audit?actor=command").await.json();
    let actions: Vec<_> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "account.disable",
            "account.create",
            "account.reset",
            "account.create",
            "company.create"
        ]
    );
    for text in [PASSWORD, other] {
        assert!(!footfall.log().iter().any(|line| line.contains(text)));
    }
}

#[tokio::test]
async fn beside_a_service_on_a_file() {
    let data = tempfile::tempdir().unwrap();
    let footfall = Footfall::builder()
        .env("FOOTFALL_DATA_DIR", data.path().display())
        .start();
    let environment = [
        ("FOOTFALL_DATA_DIR", data.path().display().to_string()),
        // What a visit may take is no limit of a command.
        ("FOOTFALL_STORE_TIMEOUT", "1ms".to_owned()),
    ];
    works(&footfall, &environment).await;
}

#[tokio::test]
async fn beside_a_service_on_postgres() {
    let (redis, database) = (Redis::start(), postgres::Database::migrated());
    let environment = [("REDIS_URL", redis.url()), ("DATABASE_URL", database.url())];
    let footfall = environment
        .iter()
        .fold(Footfall::builder(), |builder, (name, value)| {
            builder.env(name, value)
        })
        .start();
    footfall.metric_becomes("footfall_database_up", 1.0).await;
    works(&footfall, &environment).await;
}

#[test]
fn without_a_database_it_says_so() {
    for (environment, why) in [
        (
            vec![("REDIS_URL", "redis://127.0.0.1:1".to_owned())],
            "there is no database",
        ),
        (
            vec![
                ("REDIS_URL", "redis://127.0.0.1:1".to_owned()),
                (
                    "DATABASE_URL",
                    "postgres://footfall@127.0.0.1:1/footfall".to_owned(),
                ),
                ("FOOTFALL_DATABASE_TIMEOUT", "1s".to_owned()),
            ],
            "cannot be used",
        ),
    ] {
        let mut command = command(&environment);
        command.arg("list");
        let output = typed(command, "");
        let text = said(&output);
        assert!(
            output.status.code() == Some(1) && text.contains(why),
            "{text}"
        );
    }
}
