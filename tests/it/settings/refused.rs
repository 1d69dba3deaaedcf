//! What cannot be meant is refused, and said without a secret.

use super::*;

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
