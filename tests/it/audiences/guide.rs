//! `docs/audiences.md` tells the truth about saving, counting and listing.

use std::process::Command;

use crate::support::Footfall;

const PAGE: &str = include_str!("../../../docs/audiences.md");

/// The blocks go on from each other.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_give_the_output_they_show() {
    let footfall = Footfall::start();
    footfall.logged("store is up");
    let folder = tempfile::tempdir().unwrap();
    let mut script = String::new();
    let mut expected = Vec::new();
    for marker in ["audiences", "members", "presets"] {
        let begin = format!("<!-- {marker} -->\n```console\n");
        let (_, rest) = PAGE.split_once(&begin).unwrap();
        let (block, _) = rest.split_once("```").unwrap();
        let block = block.replace("localhost:8000", &footfall.public());
        let (commands, shown): (Vec<_>, Vec<_>) =
            block.lines().partition(|line| line.starts_with("$ "));
        assert!(commands.len() >= 5 && shown.len() >= 4, "{marker}");
        // A line break after each, as a terminal's prompt would make one.
        script.extend(
            commands
                .iter()
                .map(|line| format!("{}\necho\n", &line[2..])),
        );
        expected.extend(shown.into_iter().map(str::to_owned));
    }
    let mut bash = Command::new("bash");
    let output = bash.args(["-c", &script]).current_dir(folder.path());
    let said = String::from_utf8(output.output().unwrap().stdout).unwrap();
    let said: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(said, expected);
}
