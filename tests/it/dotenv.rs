//! `.env`: read as Compose reads it, and never against its writer.

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
fn errors_name_the_line_and_show_no_value() {
    for (file, expected) in [
        (
            "\nFOOTFALL_LISTNE=x",
            "FOOTFALL_LISTNE in .env, line 2: no setting has this name; did you mean FOOTFALL_LISTEN?",
        ),
        (
            "A='b\nc'\nFOOTFALL_WORKERS=many",
            "FOOTFALL_WORKERS in .env, line 3: `many`: expected",
        ),
        (
            "SECRET_KEY=\"hidden\n",
            "SECRET_KEY in .env, line 1: the quote that begins the value is not closed",
        ),
        (
            "SECRET_KEY='hid'den",
            "SECRET_KEY in .env, line 1: something follows the closing quote",
        ),
        (
            "SECRET_KEY='hid'hidden='x'",
            "SECRET_KEY in .env, line 1: something follows the closing quote",
        ),
        (
            "SECRET_KEY=\"hidden\nhidden=x\nz\"",
            "SECRET_KEY in .env, line 1: its quotes take in a line",
        ),
        (
            "SECRET_KEY hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "'SECRET_KEY'=hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "FOOTFALL_LISTEN tcp:127.0.0.1:1",
            "FOOTFALL_LISTEN in .env, line 1: expected NAME=VALUE",
        ),
        (
            "A=b\nset SECRET_KEY=hidden",
            "SECRET_KEY in .env, line 2: expected NAME=VALUE, and nothing before the name",
        ),
        (
            "set \"SECRET_KEY=hidden\"",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "set -x FOOTFALL_ADMIN_PASSWORD=hidden",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 1: expected NAME=VALUE",
        ),
        (
            "set -gx FOOTFALL_ADMIN_PASSWORD hidden",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 1: expected NAME=VALUE",
        ),
        (
            "$env:FOOTFALL_ENV=hidden",
            "FOOTFALL_ENV in .env, line 1: expected NAME=VALUE",
        ),
        (
            "${Env:FOOTFALL_LISTNE} = hidden",
            "FOOTFALL_LISTNE in .env, line 1: expected NAME=VALUE",
        ),
        (
            "My SECRET_KEY=hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "{\"SECRET_KEY\": \"hidden\"}",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "My SECRET_KEY=caf\u{e9} hidden",
            "SECRET_KEY in .env, line 1: expected NAME=VALUE",
        ),
        (
            "PW=pa$hidden\nWORD=\"${PW}\"\nFOOTFALL_ADMIN_PASSWORD=${WORD:-x}",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 3: a variable in it is not set",
        ),
        (
            "SECRET_KEY=${hidden",
            "SECRET_KEY in .env, line 1: a `${` in it begins no variable",
        ),
        (
            "SECRET_KEY=pa$hidden",
            "SECRET_KEY in .env, line 1: a variable in it is not set; a dollar sign that is meant is written $$",
        ),
        (
            "FOOTFALL_ADMIN_PASSWORD=\"${hidden}word\"",
            "FOOTFALL_ADMIN_PASSWORD in .env, line 1: a variable in it is not set",
        ),
        (
            "REDIS_URL=redis://:${hidden}@host",
            "REDIS_URL in .env, line 1: a variable in it is not set",
        ),
        ("SECRET_KEY=$hidden", "SECRET_KEY (SECRET_KEY in .env"),
        (
            "SECRET_KEY=${KEY:?hidden}",
            "SECRET_KEY in .env, line 1: KEY must be set",
        ),
        (
            "FOOTFALL_LISTEN=${ADDRESS:?no default}",
            "FOOTFALL_LISTEN in .env, line 1: ADDRESS must be set: no default",
        ),
        (
            "A=${B:?}\nSECRET_KEY=x${A}",
            "SECRET_KEY in .env, line 2: it refers to A, which cannot be read",
        ),
        (
            "SECRET_KEY=a\nFOOTFALL_SECRET_KEY=hidden",
            "FOOTFALL_SECRET_KEY in .env, line 2: SECRET_KEY in .env, line 1 says something else",
        ),
        (
            "A=b\rSECRET_KEY=hidden",
            ".env: line 1: there is a carriage return without a line feed",
        ),
        (
            "A=b\nSECRET_KEY=hid\0den",
            ".env: it holds a NUL byte; save it as UTF-8 (line 2)",
        ),
    ] {
        let Err(error) = load(file.as_bytes(), &[]) else {
            panic!("{file}");
        };
        let expected = expected.split(" (SECRET_KEY in").next().unwrap();
        assert!(error.contains(expected), "{file}\n{error}");
        assert!(!error.contains("hidden"), "{file}\n{error}");
        assert!(error.starts_with("a setting is wrong:"), "{file}\n{error}");
    }
    let error = load(b"\nSECRET_KEY=caf\xe9 hidden", &[]).unwrap_err();
    assert!(
        error.contains("SECRET_KEY in .env, line 2: it is not UTF-8 text"),
        "{error}"
    );
    let error = load(b"\xff\xfeS\0E\0C\0", &[]).unwrap_err();
    assert!(
        error.contains(".env: it is UTF-16; save it as UTF-8"),
        "{error}"
    );
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

/// One `.env` as somebody writes it after reading Compose's documentation, in the part of the
/// grammar on which Compose 1.29 and 2 agree. They do not agree on these, where we follow 2:
/// 1.29 knows `$NAME`, `$$`, `:?`, `+` and `-` without a colon only in YAML, looks for variables
/// in the file before the environment, replaces them in single quotes, too, gives no default to
/// what is empty, knows no `:` after a name, takes a tab before `#` as well, turns the line ends
/// in a value from CRLF into LF, halves backslashes in single quotes, reads `\'` in double
/// quotes, and skips a line that 2 refuses.
fn file() -> impl Strategy<Value = String> {
    let text = || "[a-zA-Z0-9é=:/.,@'\"-]{0,5}( [a-z'\"#]{1,3}){0,2}";
    let reference = select(vec![
        "${OUTER}",
        "${NOWHERE}",
        "${NOWHERE:-a default}",
        "${NOWHERE:-}",
        "${N0}",
        "${N1}",
        "US$5",
    ]);
    let unquoted = (
        "([a-zA-Z0-9é/.][a-zA-Z0-9é=:/.,@'\"#-]{0,5})?",
        reference.clone(),
        text(),
    )
        .prop_map(|(start, middle, end)| format!("{start}{middle}{end}"));
    let single = "'[a-zA-Z0-9 =:#\"$é]{0,9}'";
    let escape = select(vec!["\\n", "\\t", "\\\"", "\\\\", "\\r", "\\v", "x"]);
    let double = (
        "[a-zA-Z0-9 =:#'é]{0,5}",
        reference,
        vec((escape, "[a-z ]{1,3}"), 0..3),
    )
        .prop_map(|(start, middle, escapes)| {
            let end: String = escapes
                .into_iter()
                .map(|(a, b)| format!("{a}{b}"))
                .collect();
            format!("\"{start}{middle}{end}\"")
        });
    let plain = "[a-zA-Z0-9é/.]([a-zA-Z0-9é=:/.,@'\"#-]{0,5}( [a-z'\"]{1,3}){0,2})?|";
    let value = prop_oneof![unquoted, Just(String::new()), single, double, plain];
    let comment = select(vec!["", "", "", " # a comment", " #'", "  "]);
    let name = select(vec!["N0", "N1", "N2", "N3", "SECRET_KEY", "lower_case"]);
    let assignment = (
        select(vec!["", "", "export ", "  "]),
        name,
        select(vec!["=", "=", " = "]),
        value,
        comment,
    )
        .prop_map(|(export, name, equals, value, comment)| {
            format!("{export}{name}{equals}{value}{comment}")
        });
    let line = prop_oneof![
        8 => assignment,
        1 => "#[ -~]{0,9}",
        1 => select(vec!["", "   ", "BARE", "export BARE"]).prop_map(str::to_owned),
        1 => "(N2='one\ntwo [a-z]{0,3}\n\nthree')|(N3=\"[a-z]{0,3}\n  four\")",
    ];
    let mark = select(vec!["", "", "", "\u{feff}"]);
    (mark, vec(line, 1..10), any::<bool>(), any::<bool>()).prop_map(
        |(mark, lines, windows, end)| {
            let multi_line = lines.iter().any(|line| line.contains('\n'));
            let line_end = if windows && !multi_line { "\r\n" } else { "\n" };
            let end = if end { line_end } else { "" };
            format!("{mark}{}{end}", lines.join(line_end))
        },
    )
}

/// What `docker-compose config` prints.
#[derive(Deserialize)]
struct Said {
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(default)]
    environment: BTreeMap<String, Option<String>>,
}

/// What `docker-compose config` makes of each of these files. No engine is needed for that.
fn composed(folder: &Path, files: &[String]) -> Vec<BTreeMap<String, Option<String>>> {
    let mut services = BTreeMap::new();
    for (number, file) in files.iter().enumerate() {
        let name = format!("file{number}.env");
        fs::write(folder.join(&name), file).unwrap();
        services.insert(
            format!("s{number}"),
            json!({"image": "x", "env_file": [name]}),
        );
    }
    // The first is the project's own `.env` as well.
    fs::write(folder.join(".env"), &files[0]).unwrap();
    let names = values(files[0].as_bytes());
    let referring: BTreeMap<_, _> = names
        .keys()
        .map(|name| (name, format!("${{{name}}}")))
        .collect();
    services.insert(
        "own".to_owned(),
        json!({"image": "x", "environment": referring}),
    );
    let compose = json!({"version": "2.4", "services": services});
    fs::write(folder.join("compose.yaml"), compose.to_string()).unwrap();
    let output = Command::new("docker-compose")
        .args(["-f", "compose.yaml", "config"])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .envs(ENVIRONMENT.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("docker-compose is there; ./test.sh installs it");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let mut said: Said = serde_saphyr::from_str(&said).unwrap();
    let mut of_service = |service: String| {
        let environment = said.services.remove(&service).unwrap().environment;
        let values = environment.into_iter().map(|(name, value)| {
            // It writes a file for Compose, where a dollar sign is two.
            (name, value.map(|value| value.replace("$$", "$")))
        });
        values.collect()
    };
    let services = (0..files.len()).map(|number| format!("s{number}"));
    services
        .chain(["own".to_owned()])
        .map(&mut of_service)
        .collect()
}

#[test]
fn generated_files_mean_the_same_to_docker_compose() {
    let config = Config::default();
    let batch = 64;
    let mut runner = TestRunner::new(config.clone());
    for _ in 0..config.cases.div_ceil(batch).max(1) {
        let files: Vec<_> = (0..batch)
            .map(|_| file().new_tree(&mut runner).unwrap().current())
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let composed = composed(folder.path(), &files);
        let own = files.iter().chain([&files[0]]);
        for (file, composed) in own.zip(composed) {
            let read = values(file.as_bytes());
            // A name alone is taken from the environment, and there is none.
            let composed: BTreeMap<_, _> = composed
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect();
            assert_eq!(read, composed, "in\n{file:?}");
        }
    }
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
