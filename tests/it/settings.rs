//! Every setting: its sources, its file form, its errors.

use std::{fs, path::Path};

use footfall::config::{
    AdminCredential, Settings, Sources, StoreLocation,
    catalog::{SETTINGS, Setting},
};

/// The settings of these sources, or all their errors as one text.
fn load(directory: &Path, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let environment = environment
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let sources = Sources {
        options: Vec::new(),
        environment,
        directory: directory.to_owned(),
    };
    Settings::load(&sources).map_err(|errors| errors.to_string())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// What `footfall config` shows for a setting: value and origin.
fn shown(settings: &Settings, key: &str) -> (String, String) {
    let shown = settings
        .shown
        .iter()
        .find(|shown| shown.setting.key == key)
        .unwrap();
    (shown.value.clone(), shown.origin.clone())
}

const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$9sTb0X3xBr4sSbXS5q9mYxEdS2Ck2B9p1ZPfZ3NfGGs";
const LONG: &str = "a-key-of-more-than-thirty-two-bytes-for-tests";

/// A good value, a bad one, and what is said about the bad one.
const TABLE: &[(&str, &str, &str, &str)] = &[
    (
        "env",
        "testing",
        "staging",
        "expected development, production or testing",
    ),
    (
        "config",
        "other.toml",
        "missing.toml",
        "there is no such settings file",
    ),
    (
        "listen",
        "tcp:[::1]:80,unix:/run/{slot}.sock",
        "8000",
        "expected tcp:HOST:PORT or unix:PATH",
    ),
    (
        "ops_listen",
        "",
        "tcp:localhost:port",
        "`port` is not a port",
    ),
    (
        "socket_mode",
        "0600",
        "0888",
        "expected an octal mode from 0600 to 0777",
    ),
    (
        "trusted_proxies",
        "10.0.0.0/8, ::1",
        "10.0.0.0/33",
        "expected an address or a network",
    ),
    ("proxy_request_id", "on", "yes", "expected on or off"),
    (
        "cors_origins",
        "https://app.example, http://localhost:5173",
        "https://app.example, https://app.example",
        "https://app.example is listed twice",
    ),
    (
        "workers",
        "4",
        "0",
        "expected a whole number from 1 to 1024",
    ),
    ("request_timeout", "2m", "0s", "must be longer than zero"),
    (
        "header_timeout",
        "15s",
        "15",
        "expected a duration such as 500ms",
    ),
    ("drain_delay", "5s", "-5s", "expected a duration"),
    ("shutdown_timeout", "1m", "soon", "expected a duration"),
    (
        "redis_url",
        "rediss://user:pw@host:6380/1",
        "http://host",
        "expected redis://[USER:PASSWORD@]HOST[:PORT][/DB], unix:///PATH",
    ),
    (
        "database_url",
        "sqlite:counts.db",
        "mysql://host",
        "expected postgres://USER:PASSWORD@HOST/DATABASE beside Redis, or sqlite:PATH",
    ),
    ("database_password", "a password", "", ""),
    ("database_timeout", "2s", "soon", "expected a duration"),
    (
        "database_pool",
        "4",
        "0",
        "expected a whole number from 1 to 100",
    ),
    (
        "data_dir",
        "/var/lib/footfall",
        "",
        "the directory is missing",
    ),
    (
        "store_timeout",
        "500ms",
        "10s",
        "must be shorter than FOOTFALL_REQUEST_TIMEOUT",
    ),
    ("dedup_window", "0", "25h", "must not be longer than 24h"),
    ("dedup_limit", "1", "0", "must be greater than zero"),
    ("counter_limit", "1", "0", "must be greater than zero"),
    (
        "record_backlog",
        "1",
        "0",
        "expected a whole number from 1 to 1000000000",
    ),
    (
        "wait_replicas",
        "0",
        "-1",
        "expected a whole number from 0 to 100",
    ),
    ("secret_key", "anything", "", "must not be empty"),
    ("secret_key_previous", "anything", "", ""),
    ("token_ttl", "8h", "500ms", "must be at least 1s"),
    ("token_leeway", "30s", "x", "expected a duration"),
    ("admin_username", "root", "", "must not be empty"),
    ("admin_password", "hunter2", "", "must not be empty"),
    (
        "admin_password_hash",
        PHC,
        "$2b$10$abc",
        "expected an Argon2id PHC string",
    ),
    (
        "smtp_url",
        "smtps://user:secret@mail.example",
        "http://mail.example",
        "neither smtps nor smtp",
    ),
    (
        "mail_from",
        "Visits <visits@example.com>",
        "nobody",
        "expected an address, or a name and an address",
    ),
    (
        "public_url",
        "https://visits.example.com",
        "visits.example.com",
        "expected https://HOST",
    ),
    (
        "registration",
        "closed",
        "yes",
        "expected open, invite or closed",
    ),
    (
        "password_min_length",
        "8",
        "7",
        "expected a whole number of characters from 8 to 128",
    ),
    (
        "log",
        "debug,hyper=warn",
        "footfall=loud",
        "error parsing level filter",
    ),
    ("log_format", "json", "xml", "expected pretty or json"),
    (
        "sentry_dsn",
        "https://key@errors.example/1",
        "https://errors.example/1",
        "no key before the `@`",
    ),
];

#[test]
fn the_table_has_every_setting() {
    let tested: Vec<_> = TABLE.iter().map(|(key, ..)| *key).collect();
    let all: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    assert_eq!(tested, all);
}

#[test]
fn every_setting_is_taken_from_the_environment_by_each_of_its_names() {
    let folder = folder();
    write(folder.path(), "other.toml", "");
    for (key, good, ..) in TABLE {
        let setting = Setting::named(key);
        for name in setting.env_names() {
            let settings = load(folder.path(), &[(&name, good)])
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let (value, origin) = shown(&settings, key);
            assert_eq!(origin, format!("environment variable {name}"));
            assert_eq!(
                value == *good,
                !setting.secret || *key == "database_url",
                "{name} is shown as {value}"
            );
        }
    }
}

#[test]
fn every_bad_value_is_an_error_that_names_its_source() {
    let folder = folder();
    for (key, _, bad, expected) in TABLE.iter().filter(|(.., expected)| !expected.is_empty()) {
        let name = Setting::named(key).env_name();
        let error = load(folder.path(), &[(&name, bad)]).unwrap_err();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(error.contains(&name) || *key == "config", "{name}: {error}");
    }
}

#[test]
fn every_setting_is_taken_from_the_settings_file() {
    for (key, good, ..) in TABLE
        .iter()
        .filter(|(key, ..)| !matches!(*key, "env" | "config"))
    {
        let folder = folder();
        let path = write(
            folder.path(),
            "config/footfall.toml",
            &format!("[default]\n{key} = \"{good}\"\n"),
        );
        let settings = load(folder.path(), &[]).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert_eq!(
            shown(&settings, key).1,
            format!("{key} under [default] in {path}")
        );
    }
}

#[test]
fn every_secret_is_taken_from_a_file() {
    for (key, good, ..) in TABLE.iter().filter(|(key, ..)| Setting::named(key).secret) {
        let folder = folder();
        let path = write(folder.path(), "secret", &format!("{good}\n"));
        for name in Setting::named(key).env_names() {
            let variable = format!("{name}_FILE");
            let settings = load(folder.path(), &[(&variable, &path)])
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                shown(&settings, key).1,
                format!("environment variable {variable}, {path}")
            );

            let error = load(folder.path(), &[(&variable, &path), (&name, good)]).unwrap_err();
            assert!(error.contains("set only one of the two"), "{error}");
            let error = load(folder.path(), &[(&variable, "/nowhere")]).unwrap_err();
            assert!(
                error.contains(&variable) && error.contains("cannot be read"),
                "{error}"
            );
            let empty = write(folder.path(), "empty", "\n");
            let error = load(folder.path(), &[(&variable, &empty)]).unwrap_err();
            assert!(error.contains("the file is empty"), "{error}");
        }
    }
}

#[test]
fn stronger_sources_win() {
    let folder = folder();
    let file = write(
        folder.path(),
        "config/footfall.toml",
        "[default]\nworkers = 3\nlog = \"warn\"\n[production]\nworkers = 4\n",
    );
    let workers = |settings: &Settings| (settings.server.workers, shown(settings, "workers").1);
    let settings = load(folder.path(), &[]).unwrap();
    assert_eq!(
        workers(&settings),
        (3, format!("workers under [default] in {file}"))
    );
    let production = [
        ("FOOTFALL_ENV", "production"),
        ("SECRET_KEY", LONG),
        ("FOOTFALL_ADMIN_PASSWORD", "other"),
    ];
    let settings = load(folder.path(), &production).unwrap();
    assert_eq!(
        workers(&settings),
        (4, format!("workers under [production] in {file}"))
    );
    assert_eq!(
        shown(&settings, "log_format").0,
        "json",
        "the default of production"
    );
    write(folder.path(), ".env", "FOOTFALL_WORKERS=5\nUNRELATED=x\n");
    let settings = load(folder.path(), &[]).unwrap();
    assert_eq!(
        workers(&settings),
        (5, "FOOTFALL_WORKERS in .env, line 1".to_owned())
    );
    let environment = vec![("FOOTFALL_WORKERS".into(), "6".into())];
    let mut sources = Sources {
        environment,
        directory: folder.path().to_owned(),
        options: Vec::new(),
    };
    assert_eq!(workers(&Settings::load(&sources).unwrap()).0, 6);
    sources.options.push(("workers".to_owned(), "7".to_owned()));
    assert_eq!(
        workers(&Settings::load(&sources).unwrap()),
        (7, "option --workers".to_owned())
    );
}

#[test]
fn a_secret_file_overrides_a_value_from_a_weaker_source() {
    let folder = folder();
    write(
        folder.path(),
        ".env",
        "SECRET_KEY=from-the-env-file\nFOOTFALL_ADMIN_PASSWORD=from-the-env-file\n",
    );
    let path = write(folder.path(), "secret", LONG);
    let settings = load(
        folder.path(),
        &[
            ("SECRET_KEY_FILE", &path),
            ("FOOTFALL_ADMIN_PASSWORD_HASH", PHC),
        ],
    )
    .unwrap();
    assert_eq!(
        shown(&settings, "secret_key").1,
        format!("environment variable SECRET_KEY_FILE, {path}")
    );
    assert!(matches!(
        settings.auth.admin_credential,
        AdminCredential::Hash(_)
    ));
    let both = [
        ("FOOTFALL_ADMIN_PASSWORD", "x"),
        ("FOOTFALL_ADMIN_PASSWORD_HASH", PHC),
    ];
    assert!(
        load(folder.path(), &both)
            .unwrap_err()
            .contains("set only one of the two")
    );
}

#[test]
fn two_names_of_one_setting_must_agree() {
    let folder = folder();
    let url = "redis://localhost";
    assert!(
        load(
            folder.path(),
            &[("REDIS_URL", url), ("FOOTFALL_REDIS_URL", url)]
        )
        .is_ok()
    );
    let error = load(
        folder.path(),
        &[("REDIS_URL", url), ("FOOTFALL_REDIS_URL", "redis://other")],
    )
    .unwrap_err();
    assert!(
        error.contains("environment variable REDIS_URL says something else"),
        "{error}"
    );
}

#[test]
fn unknown_names_are_errors_with_a_suggestion() {
    let folder = folder();
    let file = write(
        folder.path(),
        "config/footfall.toml",
        "[default]\nlog_fromat = \"json\"\nenv = \"production\"\n[prodution]\nlog = \"x\"\n",
    );
    write(folder.path(), ".env", "FOOTFALL_DATADIR=x\n");
    let error = load(
        folder.path(),
        &[
            ("FOOTFALL_LISTNE", "x"),
            ("FOOTFALL_XYZZY", "x"),
            ("SECRET_KEYS", "not ours"),
        ],
    )
    .unwrap_err();
    for expected in [
        "environment variable FOOTFALL_LISTNE: no setting has this name; did you mean FOOTFALL_LISTEN?",
        "environment variable FOOTFALL_XYZZY: no setting has this name; `footfall config` lists them all",
        "FOOTFALL_DATADIR in .env, line 1: no setting has this name; did you mean FOOTFALL_DATA_DIR?",
        &format!(
            "log_fromat under [default] in {file}: no setting has this name; did you mean log_format?"
        ),
        &format!(
            "env under [default] in {file}: is chosen before this file is read; set it in the environment"
        ),
        &format!("[prodution] in {file}: unknown table"),
    ] {
        assert!(error.contains(expected), "{expected}\nnot in\n{error}");
    }
    assert!(!error.contains("SECRET_KEYS"), "{error}");
}

#[test]
fn all_errors_are_reported_at_once() {
    let folder = folder();
    write(folder.path(), ".env", "FOOTFALL_DATADIR hidden\n");
    write(folder.path(), "config/footfall.toml", "[default\n");
    let bad: Vec<_> = TABLE
        .iter()
        .filter(|(key, _, bad, _)| {
            !matches!(*key, "config" | "env" | "store_timeout") && !bad.is_empty()
        })
        .collect();
    let names: Vec<_> = bad
        .iter()
        .map(|(key, ..)| Setting::named(key).env_name())
        .collect();
    let environment: Vec<_> = names
        .iter()
        .zip(&bad)
        .map(|(name, (_, _, value, _))| (name.as_str(), *value))
        .collect();
    let error = load(folder.path(), &environment).unwrap_err();
    assert!(
        error.starts_with(&format!("{} settings are wrong:", bad.len() + 2)),
        "{error}"
    );
    assert!(
        error.contains("FOOTFALL_DATADIR in .env, line 1: no setting") && !error.contains("hidden"),
        "{error}"
    );
    assert!(error.contains("footfall.toml: "), "{error}");
}

#[test]
fn replicas_are_waited_for_only_where_there_are_some() {
    let folder = folder();
    let wait = ("FOOTFALL_WAIT_REPLICAS", "1");
    let error = load(folder.path(), &[wait]).unwrap_err();
    assert!(
        error.contains("only Redis has replicas; set REDIS_URL"),
        "{error}"
    );
    let settings = load(folder.path(), &[wait, ("REDIS_URL", "redis+cluster://a,b")]).unwrap();
    assert_eq!(settings.store.wait_replicas, 1);
}

#[test]
fn production_refuses_demo_secrets() {
    let folder = folder();
    let demo_key = footfall::config::catalog::DEVELOPMENT_SECRET_KEY;
    let refused = |environment: &[(&str, &str)]| {
        let environment: Vec<_> = [("FOOTFALL_ENV", "production")]
            .iter()
            .chain(environment)
            .copied()
            .collect();
        load(folder.path(), &environment).err().unwrap_or_default()
    };
    let all = refused(&[]);
    assert!(
        all.contains("production refuses the built-in development key"),
        "{all}"
    );
    assert!(
        all.contains("production refuses the built-in development password"),
        "{all}"
    );
    let password = ("FOOTFALL_ADMIN_PASSWORD", "a good one");
    assert!(
        refused(&[password, ("SECRET_KEY", demo_key)])
            .contains("refuses the built-in development key")
    );
    assert!(refused(&[password, ("SECRET_KEY", "too short")]).contains("at least 32 bytes"));
    assert!(
        refused(&[
            password,
            ("SECRET_KEY", LONG),
            ("FOOTFALL_SECRET_KEY_PREVIOUS", demo_key)
        ])
        .contains("FOOTFALL_SECRET_KEY_PREVIOUS")
    );
    assert!(
        refused(&[
            ("SECRET_KEY", LONG),
            ("FOOTFALL_ADMIN_PASSWORD", "password")
        ])
        .contains("development password")
    );
    assert_eq!(refused(&[("SECRET_KEY", LONG), password]), "");
    assert_eq!(
        refused(&[("SECRET_KEY", LONG), ("FOOTFALL_ADMIN_PASSWORD_HASH", PHC)]),
        ""
    );
    let file = write(
        folder.path(),
        "config/footfall.toml",
        "[default]\nlog_format = \"pretty\"\n",
    );
    let environment = [
        ("FOOTFALL_ENV", "production"),
        ("SECRET_KEY", LONG),
        password,
    ];
    let settings = load(folder.path(), &environment).unwrap();
    let expected = (
        "pretty".to_owned(),
        format!("log_format under [default] in {file}"),
    );
    assert_eq!(
        shown(&settings, "log_format"),
        expected,
        "a file is stronger than what is built in"
    );
    for profile in ["development", "testing"] {
        assert!(load(folder.path(), &[("FOOTFALL_ENV", profile)]).is_ok());
    }
}

#[test]
fn no_error_quotes_a_file_that_may_hold_secrets() {
    let folder = folder();
    write(
        folder.path(),
        "config/footfall.toml",
        "[default]\nsecret_key = \"hidden-in-toml\n",
    );
    write(folder.path(), ".env", "SECRET_KEY=\"hidden-in-env\n");
    let error = load(folder.path(), &[]).unwrap_err();
    assert!(
        error.contains("footfall.toml: TOML parse error at line 2"),
        "{error}"
    );
    assert!(
        error.contains("SECRET_KEY in .env, line 1: ") && !error.contains("hidden"),
        "{error}"
    );
}

#[test]
fn what_would_be_misunderstood_is_refused() {
    let folder = folder();
    for (name, value, expected) in [
        (
            "FOOTFALL_SHUTDOWN_TIMEOUT",
            "300000000years",
            "must not be longer than 365d",
        ),
        ("FOOTFALL_REQUEST_TIMEOUT", "2h", "not longer than 1h"),
        ("FOOTFALL_HEADER_TIMEOUT", "2h", "not longer than 1h"),
        ("FOOTFALL_TOKEN_LEEWAY", "2h", "not longer than 1h"),
        ("FOOTFALL_TOKEN_LEEWAY", "1500ms", "must be whole seconds"),
        ("FOOTFALL_LOG", "warning", "`warning` is no level"),
        (
            "FOOTFALL_LOG",
            "info,hyper",
            "for a target write hyper=debug",
        ),
        (
            "FOOTFALL_WORKERS",
            "many",
            "expected a whole number from 1 to 1024",
        ),
        (
            "DATABASE_URL",
            "sqlite::memory:",
            "options and :memory: are not supported",
        ),
        (
            "DATABASE_URL",
            "sqlite://c.db?mode=rwc",
            "options and :memory: are not supported",
        ),
    ] {
        let error = load(folder.path(), &[(name, value)]).unwrap_err();
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
}

#[test]
fn redis_and_sqlite_are_not_set_together() {
    let folder = folder();
    let redis = ("REDIS_URL", "redis://localhost");
    for url in ["sqlite:counts.db", "sqlite:///srv/counts.db"] {
        let error = load(folder.path(), &[redis, ("DATABASE_URL", url)]).unwrap_err();
        let expected = "environment variable DATABASE_URL: REDIS_URL is set too";
        assert!(error.contains(expected), "{error}");
    }
    // Wherever the two are set.
    write(folder.path(), ".env", "DATABASE_URL=sqlite:counts.db\n");
    let error = load(folder.path(), &[redis]).unwrap_err();
    let expected = "DATABASE_URL in .env, line 1: REDIS_URL is set too";
    assert!(error.contains(expected), "{error}");
    // PostgreSQL goes with Redis, and only with it.
    for url in [
        "postgres://user:hidden@host/db",
        "postgresql://user:hidden@host",
    ] {
        let error = load(folder.path(), &[("DATABASE_URL", url), ("REDIS_URL", "")]).unwrap_err();
        let expected =
            "environment variable DATABASE_URL: PostgreSQL keeps no counts, and REDIS_URL";
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hidden"), "{error}");
        let settings = load(folder.path(), &[redis, ("DATABASE_URL", url)]).unwrap();
        assert!(!format!("{settings:?}").contains("hidden"), "{settings:?}");
    }
    write(folder.path(), ".env", "");
    for environment in [
        &[redis, ("DATABASE_URL", "")][..],
        &[("REDIS_URL", ""), ("DATABASE_URL", "sqlite:counts.db")],
        &[
            redis,
            ("DATABASE_URL", ""),
            ("FOOTFALL_DATA_DIR", "/srv/data"),
        ],
    ] {
        assert!(load(folder.path(), environment).is_ok(), "{environment:?}");
    }
}

#[test]
fn hashes_that_could_never_match_are_refused() {
    let folder = folder();
    for (old, new, expected) in [
        ("m=19456", "m=7", "its parameters are impossible"),
        ("p=1", "p=2433", "its parameters are impossible"),
        ("t=2", "t=0", "its parameters are impossible"),
        ("p=1", "p=0", "its parameters are impossible"),
        ("v=19", "v=20", "an unknown version of Argon2"),
        (
            "m=19456",
            "m=4294967295",
            "more than half of what this machine",
        ),
        ("t=2", "t=4000000000", "longer than a request may"),
        ("c29tZXNhbHRzb21lc2FsdA", "c2FsdA", "salt too short"),
        ("$c29tZXNhbHRzb21lc2FsdA", "", "its salt or its last part"),
        ("$argon2id", "$argon2i", "expected an Argon2id PHC string"),
    ] {
        let hash = PHC.replace(old, new);
        let error = load(folder.path(), &[("FOOTFALL_ADMIN_PASSWORD_HASH", &hash)]).unwrap_err();
        let origin = "environment variable FOOTFALL_ADMIN_PASSWORD_HASH: ";
        assert!(
            error.contains(origin) && error.contains(expected),
            "{hash}: {error}"
        );
        assert!(
            error.contains("`footfall hash-password` makes a good one"),
            "{error}"
        );
        assert!(!error.contains("9sTb0X3x"), "{error}");
    }
}

#[test]
fn options_of_a_redis_url_that_are_not_understood_are_refused() {
    let folder = folder();
    for url in [
        "redis://host?db=1",
        "rediss://host:6379/0?ssl_cert_reqs=none",
        "redis://host?protocol=resp3",
        "redis://host#fragment",
        "valkey://host?db=1",
        "unix:///run/redis.sock?database=1",
        "redis+sentinel://host/main?db=1",
        "redis+cluster://host?db=1",
    ] {
        let error = load(folder.path(), &[("REDIS_URL", url)]).unwrap_err();
        let origin = "environment variable REDIS_URL: ";
        assert!(error.contains(origin), "{url}: {error}");
    }
    let error = load(folder.path(), &[("REDIS_URL", "redis://host?db=1")]).unwrap_err();
    assert!(
        error.contains("goes after the host, as 1 in redis://HOST:6379/1"),
        "{error}"
    );
}

#[test]
fn where_the_embedded_database_is() {
    let folder = folder();
    for (environment, expected) in [
        (&[][..], "data/footfall.db"),
        (
            &[("FOOTFALL_DATA_DIR", "/var/lib/footfall")],
            "/var/lib/footfall/footfall.db",
        ),
        (
            &[("DATABASE_URL", "sqlite:///srv/counts.db")],
            "/srv/counts.db",
        ),
        (&[("DATABASE_URL", "sqlite://counts.db")], "counts.db"),
        (&[("REDIS_URL", "")], "data/footfall.db"),
    ] {
        match load(folder.path(), environment).unwrap().store.location {
            StoreLocation::Sqlite(path) => assert_eq!(path, Path::new(expected)),
            StoreLocation::Redis(_) => panic!("{environment:?}"),
        }
    }
}

#[test]
fn the_shipped_files_are_in_order() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(project.join(".env").is_file() && project.join("config/footfall.toml").is_file());
    let settings = load(project, &[]).unwrap();
    assert_eq!(settings.environment.name(), "development");
    // Production with the shipped development values is refused.
    assert!(load(project, &[("FOOTFALL_ENV", "production")]).is_err());
}
