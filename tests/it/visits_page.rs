//! `docs/visits.md` tells the truth.

use std::process::Command;

use footfall::counting::carried::{
    MAX_KEY_BYTES, MAX_PROPERTIES, MAX_TEXT_BYTES, MAX_VISIT_BYTES, Member,
};

use crate::support::Footfall;

const PAGE: &str = include_str!("../../docs/visits.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_give_the_output_they_show() {
    let footfall = Footfall::start();
    footfall.logged("store is up");
    let folder = tempfile::tempdir().unwrap();
    for marker in ["visits", "many-visits"] {
        let begin = format!("<!-- {marker} -->\n```console\n");
        let (_, rest) = PAGE.split_once(&begin).unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        let block = block.replace("localhost:8000", &footfall.public());
        let (commands, expected): (Vec<_>, Vec<_>) =
            block.lines().partition(|line| line.starts_with("$ "));
        assert!(commands.len() >= 4 && expected.len() >= 3);
        // A line break after each, as a terminal's prompt would make one.
        let script: String = commands
            .iter()
            .map(|command| format!("{}\necho\n", &command[2..]))
            .collect();
        let mut bash = Command::new("bash");
        let output = bash.args(["-c", &script]).current_dir(folder.path());
        let said = String::from_utf8(output.output().unwrap().stdout).unwrap();
        let said: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(said, expected, "{marker}");
    }
}

#[test]
fn the_limits_are_those_of_the_service() {
    for limit in [
        format!("| {MAX_VISIT_BYTES} bytes |"),
        format!("| {MAX_TEXT_BYTES} bytes of UTF-8 |"),
        format!("| {MAX_KEY_BYTES} bytes of UTF-8 |"),
        format!("Up to {MAX_PROPERTIES} more"),
    ] {
        assert!(PAGE.contains(&limit), "{limit}");
    }
    for member in Member::ALL {
        let row = format!("| `{}` |", member.name());
        assert!(PAGE.contains(&row), "{row}");
    }
}
