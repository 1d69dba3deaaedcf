//! Files of any kind mean the same to `docker compose`.

use super::*;

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
