//! The commands, as a person runs them.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crate::support::{Footfall, Redis, footfall::footfall_command};

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(command: &mut Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Ran {
        code: status.code().unwrap(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

fn footfall(directory: &Path, arguments: &[&str]) -> Ran {
    run(footfall_command().current_dir(directory).args(arguments))
}

#[test]
fn version_and_help() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        footfall(directory.path(), &["--version"]).stdout.trim(),
        concat!("footfall ", env!("CARGO_PKG_VERSION"))
    );
    let help = footfall(directory.path(), &["--help"]).stdout;
    for word in [
        "serve",
        "health",
        "config",
        "openapi",
        "migrate",
        "hash-password",
        "doctor",
        "--listen",
        "--secret-key-file",
    ] {
        assert!(help.contains(word), "{word}");
    }
    assert!(
        !help.contains("--secret-key <"),
        "a secret has no place on a command line"
    );
    let wrong = footfall(directory.path(), &["--lisen", "x"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("--listen"), "{}", wrong.stderr);
}

#[tokio::test]
async fn health_asks_over_a_socket_or_a_url() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("f.sock");
    let mut service = Footfall::builder().socket(&socket).start();
    let socket = socket.display().to_string();
    let url = format!("http://{}/healthz", service.ops());
    let by_settings = format!("tcp:{}", service.ops());
    let without_path = format!("http://{}", service.public());
    let targets = [
        &["health", "--socket", &socket][..],
        &["health", "--url", &url],
        &["health", "--url", &without_path],
        &["health", "--ops-listen", &by_settings],
    ];
    for arguments in targets {
        let ran = footfall(directory.path(), arguments);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (0, "live\n"),
            "{}",
            ran.stderr
        );
    }
    let ran = footfall(
        directory.path(),
        &["health", "--url", &url.replace("healthz", "nothing")],
    );
    assert!(
        ran.code == 1 && ran.stderr.contains("answered 404"),
        "{}",
        ran.stderr
    );
    service.stop();
    for arguments in targets {
        let ran = footfall(directory.path(), arguments);
        assert!(
            ran.code == 1 && ran.stderr.contains("does not answer"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.stderr.lines().count(), 1);
    }
}

#[test]
fn config_prints_one_value_for_a_script() {
    let directory = tempfile::tempdir().unwrap();
    let config = |names: &[&str]| {
        run(footfall_command()
            .current_dir(directory.path())
            .env_remove("FOOTFALL_LISTEN")
            .env("REDIS_URL", "redis://user:hidden-word@[::1]:6379/2")
            .env("FOOTFALL_ADMIN_PASSWORD", "hidden-word")
            .env("FOOTFALL_DATA_DIR", "of\ntwo lines")
            .arg("config")
            .args(names))
    };
    for (names, lines) in [
        (&["FOOTFALL_LISTEN"][..], "tcp:127.0.0.1:8000\n"),
        (
            &["FOOTFALL_SOCKET_MODE", "FOOTFALL_LISTEN"],
            "0660\ntcp:127.0.0.1:8000\n",
        ),
        (&["FOOTFALL_TRUSTED_PROXIES"], "\n"),
        (&["FOOTFALL_PROXY_REQUEST_ID"], "off\n"),
        (&["REDIS_URL"], "redis://[redacted]@[::1]:6379/2\n"),
        (&["FOOTFALL_REDIS_URL"], "redis://[redacted]@[::1]:6379/2\n"),
        (
            &["DATABASE_URL", "--workers=3", "FOOTFALL_WORKERS"],
            "\n3\n",
        ),
    ] {
        let ran = config(names);
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (0, lines, ""),
            "{names:?}"
        );
    }
    for (name, reason) in [
        ("FOOTFALL_LISTNE", "did you mean FOOTFALL_LISTEN?"),
        ("listen", "no setting has this name"),
        ("", "no setting has this name"),
        ("SECRET_KEY", "is a secret and is not printed"),
        ("FOOTFALL_ADMIN_PASSWORD", "is a secret and is not printed"),
        ("SECRET_KEY_FILE", "is a secret and is not printed"),
        ("REDIS_URL_FILE", "is a secret and is not printed"),
        ("FOOTFALL_DATA_DIR", "its value is more than one line"),
    ] {
        let ran = config(&["FOOTFALL_LISTEN", name]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}");
        assert!(
            ran.stderr.contains(reason) && !ran.stderr.contains("hidden-word"),
            "{name}: {}",
            ran.stderr
        );
    }
}

#[test]
fn config_shows_values_and_origins_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let ran = run(footfall_command()
        .current_dir(directory.path())
        .env("REDIS_URL", "redis://user:hidden-word@host:6379")
        .env("FOOTFALL_ADMIN_PASSWORD", "hidden-word")
        .args(["config", "--workers", "3"]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = |name: &str| {
        ran.stdout
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("FOOTFALL_WORKERS").contains("3")
            && line("FOOTFALL_WORKERS").ends_with("option --workers")
    );
    assert!(line("FOOTFALL_ENV").ends_with("environment variable FOOTFALL_ENV"));
    assert!(line("FOOTFALL_TOKEN_TTL").ends_with("built-in default"));
    assert!(line("REDIS_URL").contains("redis://[redacted]@host:6379"));
    assert!(line("SECRET_KEY").contains("[redacted]"));
    assert!(
        !ran.stdout.contains("hidden-word")
            && !ran.stdout.contains(crate::support::footfall::SECRET_KEY)
    );
}

#[test]
fn wrong_settings_end_every_command_that_needs_them_with_code_2() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["serve", "config", "doctor", "migrate", "health"] {
        let ran = footfall(
            directory.path(),
            &[command, "--workers", "many", "--token-ttl", "forever"],
        );
        assert_eq!(ran.code, 2, "{command}");
        assert!(
            ran.stderr.starts_with("footfall: 2 settings are wrong:\n"),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("option --workers") && ran.stderr.contains("option --token-ttl"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn migrate_prepares_either_store_and_may_run_again() {
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::start();
    for _ in 0..2 {
        let ran = footfall(directory.path(), &["migrate"]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (0, "the sqlite store is ready\n"),
            "{}",
            ran.stderr
        );
        let ran = run(footfall_command()
            .current_dir(directory.path())
            .env("REDIS_URL", redis.url())
            .arg("migrate"));
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (0, "the redis store is ready\n"),
            "{}",
            ran.stderr
        );
    }
    assert!(directory.path().join("data/footfall.db").is_file());
    assert!(redis.command("GET footfall:schema").contains('1'));
    drop(redis);
}

#[test]
fn a_database_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("data")).unwrap();
    let database = directory.path().join("data/footfall.db");
    fs::write(
        &database,
        "this is no database, however long one looks at it",
    )
    .unwrap();
    let ran = footfall(directory.path(), &["serve"]);
    assert!(
        ran.code == 1
            && ran.stderr.contains("footfall.db")
            && ran.stderr.contains("not a database"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        fs::read_to_string(&database).unwrap(),
        "this is no database, however long one looks at it"
    );

    fs::remove_file(&database).unwrap();
    assert_eq!(footfall(directory.path(), &["migrate"]).code, 0);
    let newer = "INSERT INTO _sqlx_migrations VALUES (9999, 'from the future', CURRENT_TIMESTAMP, 1, x'00', 0); PRAGMA user_version = 9999";
    let inserted = Command::new("sqlite3").arg(&database).arg(newer).status();
    assert!(
        inserted
            .expect("sqlite3 is there; ./test.sh installs it")
            .success()
    );
    let ran = footfall(directory.path(), &["serve"]);
    assert!(
        ran.code == 1 && ran.stderr.contains("layout 9999") && ran.stderr.contains("upgrade"),
        "{}",
        ran.stderr
    );

    fs::write(directory.path().join("file"), "").unwrap();
    let ran = footfall(directory.path(), &["serve", "--data-dir", "file/below"]);
    assert!(
        ran.code == 1 && ran.stderr.contains("file/below"),
        "{}",
        ran.stderr
    );
}

#[test]
fn doctor_finds_what_is_wrong_and_hints_at_the_cure() {
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::start();
    let socket = directory.path().join("f.sock").display().to_string();
    let doctor = || {
        run(footfall_command()
            .current_dir(directory.path())
            .env("REDIS_URL", redis.url())
            .env("FOOTFALL_LISTEN", format!("unix:{socket}"))
            .env("FOOTFALL_ADMIN_PASSWORD", "not the demo one")
            .arg("doctor"))
    };
    let healthy = doctor();
    assert_eq!(healthy.code, 0, "{}", healthy.stdout);
    assert!(
        healthy.stdout.lines().all(|line| line.starts_with("ok ")),
        "{}",
        healthy.stdout
    );

    redis.command("CONFIG SET maxmemory-policy allkeys-lru");
    redis.command("CONFIG SET appendonly no");
    fs::write(&socket, "").unwrap();
    let ill = doctor();
    assert_eq!(ill.code, 1);
    for expected in [
        "is no socket",
        "maxmemory-policy is allkeys-lru",
        "set maxmemory-policy noeviction",
        "no append-only file",
    ] {
        assert!(ill.stdout.contains(expected), "{expected}: {}", ill.stdout);
    }

    let address = redis.url();
    drop(redis);
    let gone = run(footfall_command()
        .current_dir(directory.path())
        .env("REDIS_URL", address)
        .arg("doctor"));
    assert!(
        gone.code == 1 && gone.stdout.contains("FAIL  the store cannot be reached"),
        "{}",
        gone.stdout
    );
}

#[test]
fn doctor_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let ran = footfall(directory.path(), &["doctor"]);
    assert!(
        ran.code == 0 && ran.stdout.contains("does not exist yet"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert_eq!(footfall(directory.path(), &["migrate"]).code, 0);
    let ran = footfall(directory.path(), &["doctor"]);
    assert!(
        ran.code == 0 && ran.stdout.contains("is up to date"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_failure() {
    let script = format!(
        "set -o pipefail; {} openapi | head -n 1",
        env!("CARGO_BIN_EXE_footfall")
    );
    let ran = run(Command::new("bash").args(["-c", &script]));
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (0, "{\n", "")
    );
}

#[test]
fn hash_password_wants_a_password() {
    let ran = run(footfall_command()
        .arg("hash-password")
        .stdin(std::process::Stdio::null()));
    assert!(
        ran.code == 1 && ran.stderr.contains("the password is empty"),
        "{}",
        ran.stderr
    );
}
