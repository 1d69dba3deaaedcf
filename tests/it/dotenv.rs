//! `.env`: read as Compose reads it, and never against its writer.

mod compose;
mod errors;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use footfall::config::{Settings, Sources, dotenv};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use crate::support::{Footfall, footfall::footfall_command};

/// Variables of the environment, for values that refer to one.
const ENVIRONMENT: &[(&str, &str)] = &[("OUTER", "from outside"), ("EMPTY", "")];

fn environment() -> Vec<(OsString, OsString)> {
    let variables = ENVIRONMENT.iter();
    variables
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// What each name stands for in the end.
fn values(file: &[u8]) -> BTreeMap<String, String> {
    let statements = dotenv::read(file, &environment()).unwrap();
    let values = statements.into_iter().filter_map(|statement| {
        let value = statement.value.ok()?;
        Some((statement.name, value.text))
    });
    values.collect()
}

/// The settings with this `.env`, or all their errors as one text.
fn load(file: &[u8], environment: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), file).unwrap();
    let environment = environment
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let sources = Sources {
        environment,
        directory: folder.path().to_owned(),
        options: Vec::new(),
    };
    Settings::load(&sources).map_err(|errors| errors.to_string())
}

/// The value that is shown for a setting.
fn shown(settings: &Settings, name: &str) -> String {
    let mut shown = settings.shown.iter();
    let shown = shown.find(|shown| shown.setting.env_name() == name);
    shown.unwrap().value.clone()
}

/// Files, and what Compose 2 reads in them: checked with the package `dotenv` of compose-go.
const TABLE: &[(&str, &[(&str, &str)])] = &[
    // Whose quotes count
    (
        "A=Anna's\nB=2\nC=Ben's",
        &[("A", "Anna's"), ("B", "2"), ("C", "Ben's")],
    ),
    (
        "A=say \"x\nB=\"y\" \nC=z\"",
        &[("A", "say \"x"), ("B", "y"), ("C", "z\"")],
    ),
    (
        "A='x'\nB=\"y\"\nC=' z '",
        &[("A", "x"), ("B", "y"), ("C", " z ")],
    ),
    ("A='Anna''s'\nB=2", &[("B", "2")]),
    ("A=''\nB=\"\"\nC=", &[("A", ""), ("B", ""), ("C", "")]),
    (
        "A='it\\'s'\nB=\"say \\\"x\\\"\"",
        &[("A", "it's"), ("B", "say \"x\"")],
    ),
    (
        "A='$B \\n \\\\'\nC=\"a\\tb\\\\n\\0101\\c\"",
        &[("A", "$B \\n \\\\"), ("C", "a\tb\\nA\\c")],
    ),
    ("A=a\\tb\\", &[("A", "a\\tb\\")]),
    (
        "A=\"one\ntwo\"\nB='three\n\nfour'",
        &[("A", "one\ntwo"), ("B", "three\n\nfour")],
    ),
    // A quote that never closes is a problem of its own line.
    ("A=\"open\nB=2\nC=3", &[("B", "2"), ("C", "3")]),
    ("A='open\nB=\"2\"", &[("B", "2")]),
    // Around the value
    (
        "A = b \n\tC\t=\td\t\n  export E=f",
        &[("A", "b"), ("C", "d"), ("E", "f")],
    ),
    (
        "export A='b'\nexport\tC=d\nexport=e",
        &[("A", "b"), ("C", "d"), ("export", "e")],
    ),
    ("A: b\nC:d=e", &[("A", "b"), ("C", "d=e")]),
    ("A=b=c:d", &[("A", "b=c:d")]),
    (
        "\u{feff}A=b\r\nC='d'\r\nE=f",
        &[("A", "b"), ("C", "d"), ("E", "f")],
    ),
    ("A=b\r\r\nC=d", &[("A", "b"), ("C", "d")]),
    ("A=b c d", &[("A", "b c d")]),
    // Comments
    (
        "# A='\nB=c # d\nE=f#g\nH=\"i # j\" # k\nL='m'#n",
        &[("B", "c"), ("E", "f#g"), ("H", "i # j"), ("L", "m")],
    ),
    (
        "A=#b\nC= # d\nE=f\t# g",
        &[("A", "#b"), ("C", "# d"), ("E", "f\t# g")],
    ),
    ("  # x\n\n \nA=b", &[("A", "b")]),
    // Names
    ("A=b\nA=c", &[("A", "c")]),
    ("A\nB=c\nD", &[("B", "c")]),
    ("not a line\nA=b\n!\n/etc/x=y\nC D=e", &[("A", "b")]),
    ("a.b-c[1]=d\nÜ=e", &[("a.b-c[1]", "d"), ("Ü", "e")]),
    // Variables
    (
        "A=b\nC=$A\nD=${A}d\nE=\"$A-$A\"\nF='$A'",
        &[
            ("A", "b"),
            ("C", "b"),
            ("D", "bd"),
            ("E", "b-b"),
            ("F", "$A"),
        ],
    ),
    ("A=$B\nB=c", &[("A", ""), ("B", "c")]),
    (
        "A=${OUTER}\nOUTER=inner\nB=$OUTER",
        &[
            ("A", "from outside"),
            ("B", "from outside"),
            ("OUTER", "inner"),
        ],
    ),
    (
        "A=redis://${HOST:-127.0.0.1}:6379",
        &[("A", "redis://127.0.0.1:6379")],
    ),
    (
        "A=${EMPTY:-b}${EMPTY-b}${NO:-c}${NO-d}${OUTER:-e}",
        &[("A", "bcdfrom outside")],
    ),
    (
        "A=${EMPTY:+b}${EMPTY+c}${NO:+d}${NO+e}${OUTER:+f}",
        &[("A", "cf")],
    ),
    (
        "A=${OUTER:?b}${EMPTY?c}\nB=${NO:?d}\nC=${EMPTY:?e}\nD=1",
        &[("A", "from outside"), ("D", "1")],
    ),
    (
        "A=${NO:-${NO2:-b}}c\nD=${NO:-$OUTER}",
        &[("A", "bc"), ("D", "from outside")],
    ),
    ("A=${NO:-b c} ${NO:-{d}}", &[("A", "b c {d}")]),
    ("A=${NO:-}b\nC=${NO-}d", &[("A", "b"), ("C", "d")]),
    (
        "A=b$$c\nD=\"e\\$f\"\nG=$5 $% $",
        &[("A", "b$c"), ("D", "e$f"), ("G", "$5 $% $")],
    ),
    (
        "A=${}\nB=${C\nD=${E:-f\nG=${H!i}\nJ=${1}\nK=l",
        &[("K", "l")],
    ),
    ("A=${NO:?x}\nB=${A}\nC=d", &[("C", "d")]),
];

#[test]
fn files_mean_what_they_mean_to_compose() {
    for (file, expected) in TABLE {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(values(file.as_bytes()), expected, "{file}");
    }
}

#[test]
fn values_do_not_run_into_the_lines_of_settings() {
    for (title, owner) in [
        ("Anna's-shop", "Ben's-friend"),
        ("Anna's \"shop", "Ben's \"friend"),
        ("'Anna's shop'", "'Ben's friend'"),
        ("\"Anna\" shop\"", "\"Ben\" friend\""),
        ("\\'Anna", "Ben\\'"),
        ("'Anna", "Ben"),
        ("\"Anna", "Ben"),
    ] {
        let file = format!(
            "SITE_TITLE={title}\nSECRET_KEY=the-right-key\nFOOTFALL_ADMIN_PASSWORD=open-sesame\nSITE_OWNER={owner}\n"
        );
        let settings = load(file.as_bytes(), &[]).unwrap_or_else(|error| panic!("{file}{error}"));
        assert_eq!(settings.auth.secret_key.expose_secret(), "the-right-key");
        let credential = format!("{:?}", settings.auth.admin_credential);
        assert!(credential.contains("Password"), "{credential}");
    }
    // What Compose would take for one long value is refused, since nobody means that.
    for quote in ['"', '\''] {
        let file = format!(
            "SITE_TITLE={quote}Anna\nSECRET_KEY=hidden-key\nexport FOOTFALL_ADMIN_PASSWORD = hidden-word\nSITE_OWNER={quote}Ben"
        );
        for file in [file.clone(), format!("{file}{quote}")] {
            let error = load(file.as_bytes(), &[("FOOTFALL_ENV", "production")]).unwrap_err();
            assert!(error.starts_with("2 settings are wrong:"), "{error}");
            for name in ["SECRET_KEY in .env", "FOOTFALL_ADMIN_PASSWORD in .env"] {
                let expected = format!("{name}: the quotes that begin in line 1 take it in");
                assert!(error.contains(&expected), "{error}");
            }
            assert!(!error.contains("hidden"), "{error}");
        }
    }
    let behind = load(b"A='b' SECRET_KEY=hidden", &[]).unwrap_err();
    assert!(
        behind.contains("SECRET_KEY in .env: the quotes"),
        "{behind}"
    );
    // A value of several lines that has nothing to do with us is nobody's fault.
    let key = b"KEY=\"-----BEGIN KEY-----\nQUJD=\nx=y\n-----END KEY-----\"\nSECRET_KEY=right";
    let settings = load(key, &[]).unwrap();
    assert_eq!(settings.auth.secret_key.expose_secret(), "right");
}

#[test]
fn lines_of_other_programs_are_not_judged() {
    let file = b"MAIL_FROM_NAME=Door Counter
BARE_NAME
not a line at all
echo \"hello
PATH+=:/opt/bin
set SITE=FOOTFALL_WORKERS
$env:OTHER = 'SECRET_KEY=x'
Z=${MUST_BE_SET:?says who}
TEMPLATE=${oops
# caf\xe9, in another encoding
CITY=Orl\xe9ans
FOOTFALL_WORKERS=2
SITE=x
FOOTFALL_WORKERS=3
";
    let settings = load(file, &[]).unwrap();
    assert_eq!(shown(&settings, "FOOTFALL_WORKERS"), "3");
}

#[test]
fn variables_come_from_the_environment_first() {
    let file = b"HOST=one\nREDIS_URL=redis://${HOST}:6379";
    let url = |environment: &[(&str, &str)]| shown(&load(file, environment).unwrap(), "REDIS_URL");
    assert_eq!(url(&[]), "redis://one:6379");
    assert_eq!(url(&[("HOST", "two")]), "redis://two:6379");
    let default = b"REDIS_URL=redis://${REDIS_HOST:-127.0.0.1}:6379";
    let url = shown(&load(default, &[]).unwrap(), "REDIS_URL");
    assert_eq!(url, "redis://127.0.0.1:6379");
    // Of a variable that nobody asks for, nothing is asked.
    use std::os::unix::ffi::OsStringExt;
    let binary = OsString::from_vec(b"\xff".to_vec());
    let environment = [("BINARY".into(), binary)];
    let read = dotenv::read(b"A=b\nC=${BINARY}d", &environment).unwrap();
    assert!(read[0].value.is_ok());
    let error = read[1].value.as_ref().unwrap_err().to_string();
    assert_eq!(error, "it refers to BINARY, which cannot be read");
}

#[test]
fn values_do_not_grow_without_end() {
    let mut file = String::from("A0=0123456789\n");
    for line in 1..200 {
        file += &format!("A{line}=$A{0}$A{0}\n", line - 1);
    }
    assert!(values(file.as_bytes()).len() < 20);
    let nested = format!("A={}{}\nB=c", "${X:-".repeat(10_000), "}".repeat(10_000));
    assert_eq!(values(nested.as_bytes()).len(), 1);
}

#[tokio::test]
async fn the_password_in_the_file_is_the_password() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join(".env"),
        "SITE_TITLE=Anna's-shop\nSECRET_KEY=a-key-of-more-than-thirty-two-bytes\nFOOTFALL_ADMIN_PASSWORD=open-sesame\nSITE_OWNER=Ben's-friend\n",
    )
    .unwrap();
    let mut service = Footfall::builder().directory(folder.path()).start();
    for (password, status) in [("open-sesame", 200), ("password", 401)] {
        let reply = service.client().login("admin", password).await;
        assert_eq!(reply.status, status, "{password}");
    }
    service.stop();
    let ran = footfall_command()
        .current_dir(folder.path())
        .arg("config")
        .output()
        .unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(
        shown.contains("FOOTFALL_ADMIN_PASSWORD in .env, line 3"),
        "{shown}"
    );
}
