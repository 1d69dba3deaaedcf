//! What the documents say is shown by a test is the name of one; and what no test of behaviour could show.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// All files of Rust in a folder, with what they hold.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

fn of(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in folders {
        sources(Path::new(folder), &mut found);
    }
    assert!(found.len() > 50);
    found
}

/// Whether a test has this name, or a module of tests if it ends with `::`.
fn is_there(name: &str, tests: &[(PathBuf, String)]) -> bool {
    let mut parts: Vec<_> = name.split("::").collect();
    let test = parts.pop().unwrap();
    let module = parts.join("/");
    let is_module = |path: &Path| {
        let path = path.with_extension("").display().to_string();
        module.is_empty()
            || path.ends_with(&format!("/{module}"))
            || path.contains(&format!("/{module}/"))
    };
    tests
        .iter()
        .any(|(path, text)| is_module(path) && text.contains(&format!("fn {test}")))
}

#[test]
fn what_is_said_to_be_shown_by_a_test_names_one() {
    let tests = of(&["src", "tests"]);
    let document = fs::read_to_string("docs/accounts.md").unwrap();
    let (mut seen, mut missing) = (0, Vec::new());
    let rows = document
        .lines()
        .skip_while(|line| !line.ends_with("| Shown by |"));
    for row in rows.filter(|row| row.starts_with("| ")) {
        let Some((_, shown_by)) = row.trim_end_matches(" |").rsplit_once("| ") else {
            continue;
        };
        for name in shown_by.split('`').skip(1).step_by(2) {
            seen += 1;
            if !is_there(name, &tests) {
                missing.push(name);
            }
        }
    }
    assert!(seen > 80, "{seen}");
    assert!(missing.is_empty(), "there is no such test: {missing:?}");
}

/// No text of others gets into a shell where no program is run.
#[test]
fn nothing_runs_a_program() {
    for (path, text) in of(&["src"]) {
        for runs in ["process::Command", "libc::system", "execve", "posix_spawn"] {
            assert!(!text.contains(runs), "{}: {runs}", path.display());
        }
    }
}

/// Texts that sqlx has not seen to be constants: each of them is read here by a person before it is added.
#[test]
fn statements_are_put_together_of_constants() {
    let found = of(&["src"]);
    let found = { found }
        .into_iter()
        .filter(|(_, text)| text.contains("AssertSqlSafe("));
    let mut found: Vec<_> = found.map(|(path, _)| path.display().to_string()).collect();
    found.sort();
    let read = [
        "src/audit/chain.rs",
        "src/audit/page.rs",
        "src/audit/verify.rs",
        "src/storage/sql/schema.rs",
        "src/storage/sql/tenant.rs",
    ];
    assert_eq!(found, read);
}
