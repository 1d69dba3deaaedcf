//! The README tells the truth.

use std::{
    process::{Command, Output},
    sync::LazyLock,
};

use footfall::config::catalog::SETTINGS;

use crate::support::{Footfall, footfall::footfall_command, process::free_port};

static README: LazyLock<String> = LazyLock::new(|| {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
});

/// The fenced block that follows a marker.
fn block(marker: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("<!-- {marker} -->")).unwrap();
    let block = rest.split("```").nth(1).unwrap();
    block.split_once('\n').unwrap().1
}

fn bash(script: &str) -> Output {
    Command::new("bash")
        .args(["-c", script])
        .env_remove("REDIS_URL")
        .output()
        .unwrap()
}

/// Request ids differ from run to run.
fn without_request_id(text: &str) -> String {
    text.lines()
        .filter(|line| !line.contains("\"request_id\""))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_through_gives_the_output_it_shows() {
    let footfall = Footfall::start();
    footfall.logged("store is up");
    let walk_through = block("walk-through")
        .replace("localhost:8000", &footfall.public())
        .replace("localhost:9000", &footfall.ops());
    let commands: Vec<_> = walk_through
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    let expected: Vec<_> = walk_through
        .lines()
        .filter(|line| !line.starts_with("$ "))
        .collect();
    assert!(commands.len() >= 9);
    // A line break after each, as a terminal's prompt would make one.
    let script: String = commands
        .iter()
        .map(|command| format!("{command}\necho\n"))
        .collect();
    let output = bash(&script);
    let lines = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    let lines: Vec<_> = lines.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        without_request_id(&lines.join("\n")),
        without_request_id(&expected.join("\n"))
    );
}

#[test]
fn the_replicas_start_as_shown() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let script = block("replicas")
        .replace("target/release/footfall", env!("CARGO_BIN_EXE_footfall"))
        .replace("/tmp/footfall", &directory.path().display().to_string())
        .replace("6390", &port);
    // The user's loop ends after ten seconds, too; here it must have found what it waited for.
    let count = format!(
        "find {} -name '*.sock' -type s -printf 'own socket %f\\n' | sort\ncurl",
        directory.path().display()
    );
    assert_eq!(script.matches("\ncurl").count(), 1);
    let script = script.replace("\ncurl", &format!("\n{count}"));
    // Also when a line fails, nothing may be left running: it would hold the output open for ever.
    // The replicas are children of the inner shell, which inherits no trap.
    let inner = script.strip_prefix("(\n").unwrap();
    let script = format!(
        "(\nset -e\ntrap 'kill $(jobs -p) 2>/dev/null || :; redis-cli -p {port} shutdown 2>/dev/null || :' EXIT\n{inner}"
    );
    let output = bash(&script);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains(r#"{"status":"ok"}"#), "{stdout}{stderr}");
    for slot in 1..=3 {
        let own = format!("own socket {slot}.sock\n");
        assert!(stdout.contains(&own), "{stdout}{stderr}");
    }
    assert_eq!(stdout.matches("own socket").count(), 3, "{stdout}{stderr}");
    assert_eq!(stdout.matches("drained").count(), 3, "{stdout}{stderr}");
}

#[test]
fn the_table_has_every_setting_and_its_default() {
    for setting in SETTINGS {
        let name = setting.env_name();
        let row = README
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is missing"));
        let default = row.split('|').nth(2).unwrap().trim();
        match (setting.key, setting.default) {
            ("workers", _) => assert_eq!(default, "the CPUs it may use"),
            ("secret_key", _) => assert_eq!(default, "a development key"),
            ("token_ttl", _) => assert_eq!(default, "`15m`, without a database `1h`"),
            (_, "") => assert_eq!(default, "", "{name}"),
            (_, value) => assert!(
                default.starts_with(&format!("`{value}`")),
                "{name}: {default}"
            ),
        }
    }
}

#[test]
fn the_commands_are_those_there_are() {
    let help =
        String::from_utf8(footfall_command().arg("--help").output().unwrap().stdout).unwrap();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    for line in commands.lines().take_while(|line| !line.is_empty()) {
        let command = line.split_whitespace().next().unwrap();
        let known = README.contains(&format!("`{command}`"))
            || README.contains(&format!("`footfall {command}`"));
        assert!(
            known || matches!(command, "serve" | "help"),
            "{command} is not in the README"
        );
    }
}

/// `docs/reliability.md` says which test shows what.
#[test]
fn the_tests_that_show_reliability_are_there() {
    const PAGE: &str = include_str!("../../docs/reliability.md");
    // In `tests/stack/`.
    const OTHERS: &[&str] = &["compose::", "swarm::", "nodes::"];
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let tests: Vec<_> = list
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    let mut named = 0;
    for line in PAGE.lines().filter(|line| line.contains("::")) {
        // The last column of a table has the tests, those before it have codes of problems, too.
        let tests_of = line.trim_end_matches(['|', ' ']).rsplit('|').next();
        let quoted = tests_of.unwrap_or_default().split('`').skip(1).step_by(2);
        for name in quoted.filter(|name| name.contains('_') || name.ends_with("::")) {
            if OTHERS.contains(&name)
                || name.contains(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)))
                || name.starts_with("FOOTFALL")
            {
                continue;
            }
            named += 1;
            let there = match name.strip_suffix("::") {
                Some(_) => tests.iter().any(|test| test.starts_with(name)),
                // After the first of a row the module is left out.
                None => tests
                    .iter()
                    .any(|test| *test == name || test.ends_with(&format!("::{name}"))),
            };
            assert!(there, "there is no {name}");
        }
    }
    assert!(named > 50, "{named} tests are named");
}

/// The median of a service's figures in docs/benchmarks/results.json.
fn median(figures: &serde_json::Value) -> f64 {
    let mut figures: Vec<f64> = figures
        .as_array()
        .unwrap()
        .iter()
        .map(|figure| figure.as_f64().unwrap())
        .collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[test]
fn the_speed_is_that_of_the_published_run() {
    let results = format!(
        "{}/docs/benchmarks/results.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let results: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(results).unwrap()).unwrap();
    let figure = |service: &str, operation: &str, nginx_workers: u64, figure: &str| {
        // Others know no identities, so their counts are noted as without.
        let identities = (service, operation) == ("footfall", "count");
        let cells = results["cells"].as_array().unwrap();
        let cell = cells.iter().find(|cell| {
            cell["part"] == "throughput"
                && cell["contestant"] == service
                && cell["operation"] == operation
                && cell["nginx_workers"] == nginx_workers
                && cell["identities"] == identities
        });
        cell.map(|cell| cell["median"][figure].as_f64().unwrap())
    };
    let (_, table) = README.split_once("<!-- speed -->").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(3)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let services = ["hyper", "footfall", "fastify", "fastapi", "flask"];
    assert_eq!(rows.len(), services.len());
    for (row, service) in rows.iter().zip(services) {
        let idle = results["idle_memory"][service].as_array().unwrap();
        let idle = idle.iter().map(|memory| memory["rss_mb"].clone()).collect();
        let measured = [
            figure(service, "ping", 0, "server_us"),
            figure(service, "count", 0, "server_us"),
            figure(service, "count", 1, "per_second"),
            Some(median(&idle)),
            Some(median(&results["first_answer_ms"][service])),
        ];
        assert!(row[0].to_lowercase().contains(service), "{row:?}");
        for (shown, measured) in row[1..].iter().zip(measured) {
            match measured {
                None => assert_eq!(*shown, "–"),
                Some(measured) => {
                    let shown: f64 = shown.replace(',', "").parse().unwrap();
                    let off = (shown / measured - 1.0).abs();
                    assert!(off < 0.03, "{row:?}: {measured} was measured for {shown}");
                }
            }
        }
    }
}
