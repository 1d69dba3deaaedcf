//! Every setting: its sources, its file form, its errors.

mod refused;
mod table;

use std::{fs, path::Path};

use footfall::config::{
    AdminCredential, Settings, Sources, StoreLocation,
    catalog::{SETTINGS, Setting},
};

const PHC: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$9sTb0X3xBr4sSbXS5q9mYxEdS2Ck2B9p1ZPfZ3NfGGs";
const LONG: &str = "a-key-of-more-than-thirty-two-bytes-for-tests";

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
