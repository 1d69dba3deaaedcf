//! Commands of a page of the documents, with the output that the page shows.

use std::{path::Path, process::Command};

/// Runs the commands after `<!-- marker -->`, in this folder, and asserts that they say what the page shows.
/// Before they are run, the first of each pair is replaced by the second.
#[track_caller]
pub fn walk(page: &str, marker: &str, folder: &Path, replace: &[(&str, &str)]) {
    let begin = format!("<!-- {marker} -->\n```console\n");
    let (_, rest) = page.split_once(&begin).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let mut block = block.to_owned();
    for (from, to) in replace {
        block = block.replace(from, to);
    }
    let (commands, expected): (Vec<_>, Vec<_>) =
        block.lines().partition(|line| line.starts_with("$ "));
    assert!(commands.len() >= 2 && !expected.is_empty(), "{marker}");
    // A line break after each, as a terminal's prompt would make one.
    let script: String = commands
        .iter()
        .map(|command| format!("{}\necho\n", &command[2..]))
        .collect();
    let mut bash = Command::new("bash");
    let output = bash.args(["-c", &script]).current_dir(folder);
    let said = String::from_utf8(output.output().unwrap().stdout).unwrap();
    let said: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(said, expected, "{marker}");
}
