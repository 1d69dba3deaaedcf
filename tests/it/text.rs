//! Text from outside means the same whichever way it comes.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::Write,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use footfall::config::{AdminCredential, Settings, Sources};
use secrecy::ExposeSecret;

use crate::support::{TestApp, footfall::footfall_command};

fn load(sources: &Sources) -> Result<Settings, String> {
    Settings::load(sources).map_err(|errors| errors.to_string())
}

fn sources(directory: &Path) -> Sources {
    Sources {
        directory: directory.to_owned(),
        ..Sources::default()
    }
}

/// What password counts, where it comes by each way there is.
fn passwords(bytes: &[u8]) -> Vec<(&'static str, Result<String, String>)> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name).into_os_string()
    };
    let file = write("password", bytes);
    let load = |environment: Vec<(&str, OsString)>, options: Vec<(&str, &str)>| {
        let environment = environment.into_iter();
        let options = options.into_iter();
        let sources = Sources {
            environment: environment
                .map(|(name, value)| (name.into(), value))
                .collect(),
            options: options
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            ..sources(folder.path())
        };
        load(&sources).map(|settings| match settings.auth.admin_credential {
            AdminCredential::Password(password) => password.expose_secret().to_owned(),
            AdminCredential::Hash(_) => panic!("there is none"),
        })
    };
    let text = OsStr::from_bytes(bytes).to_owned();
    let mut found = vec![
        (
            "environment",
            load(vec![("FOOTFALL_ADMIN_PASSWORD", text)], vec![]),
        ),
        (
            "file",
            load(vec![("FOOTFALL_ADMIN_PASSWORD_FILE", file.clone())], vec![]),
        ),
        (
            "option",
            load(
                vec![],
                vec![("admin_password_file", file.to_str().unwrap())],
            ),
        ),
    ];
    let quoted = [b"FOOTFALL_ADMIN_PASSWORD='", bytes, b"'"].concat();
    write(".env", &quoted);
    found.push((".env", load(vec![], vec![])));
    fs::remove_file(folder.path().join(".env")).unwrap();
    if let Ok(text) = std::str::from_utf8(bytes) {
        let toml = format!("[default]\nadmin_password = {text:?}").replace("\\u{feff}", "\u{feff}");
        write("other.toml", toml.as_bytes());
        let config = vec![("FOOTFALL_CONFIG", "other.toml".into())];
        found.push(("TOML", load(config, vec![])));
    }
    found
}

#[test]
fn line_ends_and_marks_are_no_part_of_it() {
    for (bytes, text) in [
        ("open-sesame", "open-sesame"),
        ("open-sesame\n", "open-sesame"),
        ("open-sesame\r\n", "open-sesame"),
        ("open-sesame\n\n", "open-sesame"),
        ("\u{feff}open-sesame\n", "open-sesame"),
        (" open sesame ", " open sesame "),
        ("open\nsesame\n", "open\nsesame"),
        ("ōpen-sésame\t", "ōpen-sésame\t"),
    ] {
        for (way, password) in passwords(bytes.as_bytes()) {
            assert_eq!(password.as_deref(), Ok(text), "by {way}");
        }
    }
}

#[test]
fn what_is_no_text_is_refused_and_not_shown() {
    for bytes in [
        &b"hidden\xe9"[..],
        b"\xff\xfeh\0",
        b"\xc3hidden",
        b"hid\xed\xa0\x80den",
    ] {
        for (way, password) in passwords(bytes) {
            let error = password.unwrap_err();
            assert!(
                error.contains("FOOTFALL_ADMIN_PASSWORD")
                    || way == "option" && error.contains("--admin-password-file")
                    || way == ".env" && error.contains(".env: it holds a NUL byte"),
                "{error}"
            );
            assert!(error.contains("UTF-8"), "{way}: {error}");
            assert!(error.starts_with("a setting is wrong:"), "{way}: {error}");
            assert!(!error.contains("hid"), "{way}: {error}");
        }
    }
}

#[test]
fn the_settings_file_is_text_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config/footfall.toml");
    fs::create_dir(folder.path().join("config")).unwrap();
    fs::write(&path, "\u{feff}[default]\r\nworkers = 3\r\n").unwrap();
    assert_eq!(load(&sources(folder.path())).unwrap().server.workers, 3);
    for (bytes, expected) in [
        (
            &b"[default]\nlog = \"\xe9\""[..],
            "it is not UTF-8 text (line 2)",
        ),
        (b"\xff\xfe[\0d\0", "it is UTF-16"),
        (b"[default]\nlog = \"\\u0000\"", "it holds a NUL byte"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = load(&sources(folder.path())).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("footfall.toml"), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_the_only_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let utf16 = folder.path().join("utf-16");
    fs::write(&utf16, b"\xff\xfea\0").unwrap();
    let long = "a-key-of-more-than-thirty-two-bytes";
    for path in [folder.path(), Path::new("/nowhere"), &utf16] {
        for name in [
            "SECRET_KEY",
            "FOOTFALL_SECRET_KEY_PREVIOUS",
            "FOOTFALL_ADMIN_PASSWORD",
            "FOOTFALL_ADMIN_PASSWORD_HASH",
            "REDIS_URL",
            "DATABASE_URL",
        ] {
            let good = [("SECRET_KEY", long), ("FOOTFALL_ADMIN_PASSWORD", "other")];
            let mut environment: Vec<(OsString, OsString)> = good
                .iter()
                .filter(|(other, _)| !name.starts_with(other))
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
            environment.push(("FOOTFALL_ENV".into(), "production".into()));
            environment.push((format!("{name}_FILE").into(), path.into()));
            if name == "REDIS_URL" {
                environment.push(("FOOTFALL_WAIT_REPLICAS".into(), "1".into()));
            }
            let sources = Sources {
                environment,
                ..sources(folder.path())
            };
            let error = load(&sources).unwrap_err();
            let start = format!("a setting is wrong:\n  environment variable {name}_FILE, ");
            assert!(error.starts_with(&start), "{error}");
        }
    }
}

/// TOML would make another text of it.
#[test]
fn a_text_in_toml_is_in_quotes() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "admin_username = 1_000",
        "admin_password = 1e3",
        "secret_key = 0x12",
        "admin_password = [\"a\", \"b\"]",
        "secret_key = true",
        "secret_key_previous_file = 1",
    ] {
        fs::write(
            folder.path().join("texts.toml"),
            format!("[default]\n{line}\n"),
        )
        .unwrap();
        let sources = Sources {
            environment: vec![("FOOTFALL_CONFIG".into(), "texts.toml".into())],
            ..sources(folder.path())
        };
        let error = load(&sources).map(|_| ()).unwrap_err();
        assert!(
            error.contains("expected a text, in quotes"),
            "{line}: {error}"
        );
    }
}

#[test]
fn the_spellings_of_a_socket_mode() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |toml: &str| {
        let text = format!("[default]\nsocket_mode = {toml}\n");
        fs::write(folder.path().join("modes.toml"), text).unwrap();
        let sources = Sources {
            environment: vec![("FOOTFALL_CONFIG".into(), "modes.toml".into())],
            ..sources(folder.path())
        };
        load(&sources).map(|settings| settings.server.socket_mode)
    };
    for spelling in [
        "0o660",
        "660",
        "\"0660\"",
        "\"660\"",
        "\"0o660\"",
        "432",
        "0x1b0",
    ] {
        assert_eq!(mode(spelling), Ok(0o660), "{spelling}");
    }
    for octal in 0o600..=0o777 {
        assert_eq!(mode(&format!("\"0{octal:o}\"")), Ok(octal));
        assert_eq!(mode(&format!("{octal:o}")), Ok(octal));
        // Either what it means, or refused: its decimal digits may be another mode's.
        let number = mode(&format!("0o{octal:o}"));
        assert!(number.is_err() || number == Ok(octal), "{number:?}");
    }
    assert_eq!(mode("0o600"), Ok(0o600));
    for (spelling, shown) in [
        ("0o1660", "`944`"),
        ("0o440", "`288`"),
        ("778", "`778`"),
        ("440", "`440`"),
        ("400", "`400`"),
        ("511", "`511`"),
        ("0o777", "`511`"),
        ("\"432\"", "`432`"),
        ("-432", "`-432`"),
        ("true", "`true`"),
        ("\"rw-rw----\"", "`rw-rw----`"),
    ] {
        let error = mode(spelling).unwrap_err();
        let expected =
            format!("{shown}: expected an octal mode from 0600 to 0777, in TOML \"0660\"");
        assert!(error.contains(&expected), "{spelling}: {error}");
    }
    // A number with a zero before it is no TOML.
    assert!(
        mode("0660")
            .unwrap_err()
            .contains("modes.toml: TOML parse error at line 2")
    );
}

fn said(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

#[test]
fn only_our_variables_have_to_be_text() {
    let folder = tempfile::tempdir().unwrap();
    let binary = OsStr::from_bytes(b"hidden-\xff\xfe");
    let config = |variable: &[u8]| {
        let output = footfall_command()
            .current_dir(folder.path())
            .env(OsStr::from_bytes(variable), binary)
            .arg("config")
            .output()
            .unwrap();
        said(&output)
    };
    for ours in [
        "SECRET_KEY",
        "FOOTFALL_SECRET_KEY",
        "FOOTFALL_LISTEN",
        "FOOTFALL_ENV",
        "REDIS_URL_FILE",
    ] {
        let (code, stderr) = config(ours.as_bytes());
        let expected = format!("environment variable {ours}: it is not UTF-8 text");
        assert!(code == Some(2) && stderr.contains(&expected), "{stderr}");
        assert!(!stderr.contains("hidden"), "{stderr}");
    }
    let (code, stderr) = config(b"FOOTFALL_\xff");
    assert!(
        code == Some(2) && stderr.contains("no setting has this name"),
        "{stderr}"
    );
    for other in [&b"LS_COLORS"[..], b"SECRET_KEYS", b"\xff"] {
        assert_eq!(config(other), (Some(0), String::new()));
    }
    let output = footfall_command()
        .arg("config")
        .arg("--listen")
        .arg(binary)
        .output()
        .unwrap();
    let (code, stderr) = said(&output);
    assert!(
        code == Some(2) && stderr.contains("UTF-8") && !stderr.contains("hidden"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_password_with_a_line_end_in_the_environment_logs_in() {
    let service = TestApp::builder()
        .env("FOOTFALL_ADMIN_PASSWORD", "open-sesame\n")
        .start()
        .await;
    let reply = service.client().login("admin", "open-sesame").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

fn hash_password(typed: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_footfall"))
        .arg("hash-password")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    command.stdin.take().unwrap().write_all(typed).unwrap();
    command.wait_with_output().unwrap()
}

#[tokio::test]
async fn a_hashed_password_is_the_one_that_was_sent() {
    for typed in ["open-sesame", "open-sesame\n", "\u{feff}open-sesame\r\n"] {
        let output = hash_password(typed.as_bytes());
        assert!(output.status.success());
        let hash = String::from_utf8(output.stdout).unwrap();
        // With its line end, as a shell script would hand it on.
        let service = TestApp::builder()
            .env("FOOTFALL_ADMIN_PASSWORD_HASH", hash)
            .start()
            .await;
        let reply = service.client().login("admin", "open-sesame").await;
        assert_eq!(reply.status, 200, "{typed:?}: {}", reply.text());
    }
    for (typed, expected) in [
        (&b""[..], "the password is empty"),
        (b"\n", "the password is empty"),
        (b"hidden\nhidden\n", "there is more than one line"),
        (b"hidden\rhidden", "there is more than one line"),
        (b"hidden\xe9\n", "the password: it is not UTF-8 text"),
        (b"\xff\xfeh\0", "the password: it is UTF-16"),
        (b"hid\0den", "the password: it holds a NUL byte"),
        (&[b'x'; 70_000], "longer than 64 KiB"),
    ] {
        let (code, stderr) = said(&hash_password(typed));
        assert!(code == Some(1) && stderr.contains(expected), "{stderr}");
        assert!(!stderr.contains("hidden"), "{stderr}");
    }
}

/// The log on a terminal, made by `script`.
fn log_on_a_terminal(variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let footfall = env!("CARGO_BIN_EXE_footfall");
    // It says that it starts, and ends at once since there is no such folder to listen in.
    let serve =
        format!("{footfall} --listen unix:/nowhere/f.sock --ops-listen '' --log-format pretty");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &serve, "/dev/null"])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm-256color")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("script is there; ./test.sh installs it");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn colours_only_for_a_terminal_that_wants_them() {
    for (variables, colours) in [
        (&[][..], true),
        (&[("NO_COLOR", "")], true),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "0")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let log = log_on_a_terminal(variables);
        assert!(log.contains("INFO") || log.contains("ERROR"), "{log}");
        assert_eq!(log.contains('\x1b'), colours, "{variables:?}: {log}");
    }
}
