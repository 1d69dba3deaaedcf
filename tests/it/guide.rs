//! `docs/accounts.md` tells the truth.

use std::{collections::BTreeSet, fs, fs::File, net::TcpStream, process::Command};

use crate::support::{
    eventually,
    footfall::footfall_command,
    process::{Process, free_port},
};

const PAGE: &str = include_str!("../../docs/accounts.md");

/// As the reader has it: a service with nothing configured, whose log is kept in a file.
#[test]
fn the_walk_through_gives_the_output_it_shows() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let log = File::create(directory.path().join("footfall.log")).unwrap();
    let _service = Process::spawn(
        footfall_command()
            .current_dir(directory.path())
            .env("FOOTFALL_ENV", "development")
            .env("FOOTFALL_LOG_FORMAT", "pretty")
            .env("FOOTFALL_LISTEN", format!("tcp:{address}"))
            .stdout(log),
    );
    eventually("it listens", || TcpStream::connect(&address).ok());
    let (_, rest) = PAGE
        .split_once("<!-- walk-through -->\n```console\n")
        .unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let block = block.replace("localhost:8000", &address);
    let (commands, expected): (Vec<_>, Vec<_>) =
        block.lines().partition(|line| line.starts_with("$ "));
    assert!(commands.len() > 10);
    // A line break after each, as a terminal's prompt would make one.
    let script: String = commands
        .iter()
        .map(|command| format!("{}\necho\n", &command[2..]))
        .collect();
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let said: Vec<_> = said.lines().filter(|line| !line.is_empty()).collect();
    let log = fs::read_to_string(directory.path().join("footfall.log")).unwrap();
    assert_eq!(said, expected, "{log}");
}

/// Each requirement has one row, in the order of the standard.
#[test]
fn the_requirements_of_level_1_are_all_there() {
    let (_, page) = PAGE.split_once("### OWASP ASVS 5.0, level 1").unwrap();
    let numbers: Vec<Vec<u32>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter_map(|cell| cell.split('.').map(|part| part.parse().ok()).collect())
        .filter(|number: &Vec<u32>| number.len() == 3)
        .collect();
    assert!(numbers.is_sorted());
    let distinct: BTreeSet<_> = numbers.iter().collect();
    // The standard, version 5.0.0, has so many of level 1.
    assert_eq!((distinct.len(), numbers.len()), (70, 70));
}
