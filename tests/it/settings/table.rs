//! Every setting, from every source.

use super::*;

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
    (
        "record_backlog",
        "1",
        "0",
        "expected a whole number from 1 to 1000000000",
    ),
    ("counter_limit", "1", "0", "must be greater than zero"),
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
