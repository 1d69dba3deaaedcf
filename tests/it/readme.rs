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
    let middle = figures.len() / 2;
    (figures[middle] + figures[(figures.len() - 1) / 2]) / 2.0
}

/// A figure of a service in that file, with these connections.
fn measured(
    results: &serde_json::Value,
    service: &str,
    operation: &str,
    nginx_workers: u64,
    connections: u64,
    figure: &str,
) -> f64 {
    // Others remember no identities, so their counts are noted as without.
    let exact = ["footfall", "fastify-exact"].contains(&service);
    let cells = results["cells"].as_array().unwrap();
    let cell = cells.iter().find(|cell| {
        cell["part"] == "throughput"
            && cell["contestant"] == service
            && cell["operation"] == operation
            && cell["nginx_workers"] == nginx_workers
            && cell["connections"] == connections
            && cell["identities"] == (exact && operation == "count")
    });
    cell.unwrap()["median"][figure].as_f64().unwrap()
}

fn assert_shown(shown: &str, measured: f64, place: &dyn std::fmt::Debug) {
    let figure: f64 = shown.replace(',', "").parse().unwrap();
    let off = (figure / measured - 1.0).abs();
    assert!(
        off < 0.03,
        "{place:?}: {measured} was measured for {figure}"
    );
}

#[test]
fn the_speed_is_that_of_the_published_run() {
    let results = format!(
        "{}/docs/benchmarks/results.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let results: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(results).unwrap()).unwrap();
    let (_, part) = README.split_once("<!-- measured: speed -->").unwrap();
    let (part, _) = part.split_once("<!-- end -->").unwrap();

    // What is said first is like for like: both count exactly once.
    let (first, table) = part.trim().split_once("\n\n").unwrap();
    let count = |service, figure| measured(&results, service, "count", 1, 256, figure);
    let (_, times) = first.split_once("**").unwrap();
    let (times, rest) = times.split_once(" times").unwrap();
    let rates = ["footfall", "fastify-exact"].map(|service| count(service, "per_second"));
    assert_shown(times, rates[0] / rates[1], &first);
    let (_, rest) = rest.split_once('(').unwrap();
    let (shown, rest) = rest.split_once(')').unwrap();
    let (ours, theirs) = shown.split_once(" against ").unwrap();
    assert_shown(ours, rates[0], &first);
    assert_shown(theirs, rates[1], &first);
    let words: Vec<_> = rest.trim_end_matches('.').split_whitespace().collect();
    assert_shown(words[2], count("footfall", "server_us"), &first);
    assert_shown(
        words.last().unwrap(),
        count("fastify-exact", "server_us"),
        &first,
    );

    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(2)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let services = [
        ("footfall", "Footfall", "exactly once"),
        ("fastify-exact", "Fastify, same promise", "exactly once"),
        ("fastify", "Fastify", "increments only"),
        ("fastapi", "FastAPI", "increments only"),
        ("flask", "Flask, gunicorn", "increments only"),
        ("hyper", "bare hyper, which does nothing", "–"),
    ];
    assert_eq!(rows.len(), services.len());
    for (row, (service, title, promise)) in rows.iter().zip(services) {
        assert_eq!(row[..2], [title, promise]);
        let figure = |operation, place, connections, figure| {
            measured(&results, service, operation, place, connections, figure)
        };
        let counts = (service != "hyper").then(|| {
            [
                figure("count", 1, 256, "per_second"),
                figure("count", 1, 64, "per_second"),
                figure("count", 0, 64, "server_us"),
            ]
        });
        // It is the same program as Fastify.
        let others = (service != "fastify-exact").then(|| {
            let idle = results["idle_memory"][service].as_array().unwrap();
            let idle = idle.iter().map(|memory| memory["rss_mb"].clone()).collect();
            [
                figure("ping", 0, 64, "server_us"),
                median(&idle),
                median(&results["first_answer_ms"][service]),
            ]
        });
        let of_row = [counts, others].map(|three| match three {
            Some(three) => three.map(Some),
            None => [None; 3],
        });
        for (shown, measured) in row[2..].iter().zip(of_row.concat()) {
            match measured {
                None => assert_eq!(*shown, "–"),
                Some(measured) => assert_shown(shown, measured, row),
            }
        }
    }
}

#[test]
fn a_benchmark_that_is_asked_wrongly_says_so_in_a_line_and_does_nothing() {
    let run = |previous: &str, arguments: &[&str]| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/run.sh");
        let mut command = Command::new(script);
        command.env("BENCH_PREVIOUS", previous).args(arguments);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, b"", "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(run("", &["fast"]), "run.sh: usage: bench/run.sh [quick]\n");
    assert_eq!(
        run("/nowhere/footfall", &["quick"]),
        "run.sh: BENCH_PREVIOUS is /nowhere/footfall, which is no program\n"
    );
    assert_eq!(
        run("/etc/passwd", &[]),
        "run.sh: BENCH_PREVIOUS is /etc/passwd, which is no program\n"
    );
}
