//! Rules, their tests and the runbook.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::{file, items, rules, string, text, yaml};

const ALERTS: &str = "config/prometheus/rules/alerts.yml";
const RECORDING: &str = "config/prometheus/rules/recording.yml";
const RUNBOOK: &str = "https://github.com/footfall/footfall/blob/main/docs/runbook.md";

/// Whether promtool is content, and what it said.
fn promtool(arguments: &[&str], files: &[impl AsRef<Path>]) -> (bool, String) {
    let output = Command::new("promtool")
        .args(arguments)
        .args(files.iter().map(AsRef::as_ref))
        .output();
    let output = output.expect("promtool is there; ./test.sh installs it");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn promtool_accepts_configuration_and_rules() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("prometheus.yml");
    let rules = file("config/prometheus/rules");
    let shipped = text("config/prometheus.yml");
    // Where the stack mounts them.
    let config = shipped.replace("/etc/prometheus/rules", rules.to_str().unwrap());
    fs::write(&copy, config).unwrap();
    let (ok, said) = promtool(&["check", "config", "--lint=all", "--lint-fatal"], &[copy]);
    assert!(ok && said.contains("2 rule files found"), "{said}");
    let arguments = ["check", "rules", "--lint=all", "--lint-fatal"];
    let (ok, said) = promtool(&arguments, &files_in(&rules));
    assert!(ok, "{said}");
}

#[test]
fn the_tests_of_the_rules_pass() {
    let tests = files_in(&file("config/prometheus/tests"));
    let (ok, said) = promtool(&["test", "rules"], &tests);
    assert!(ok, "{said}");
}

/// What the tests of the rules say of one alert: the labels it fires with, and
/// how often it must not.
fn cases(alert: &str) -> (Vec<Value>, usize) {
    let files = files_in(&file("config/prometheus/tests"));
    let tests = files.iter().flat_map(|file| {
        let file = yaml(file.to_str().unwrap());
        items(&file["tests"]).to_vec()
    });
    let (mut firing, mut silent) = (Vec::new(), 0);
    for case in tests.flat_map(|test| items(&test["alert_rule_test"]).to_vec()) {
        if case["alertname"] == alert {
            let expected = items(&case["exp_alerts"]);
            silent += usize::from(expected.is_empty());
            firing.extend(expected.iter().map(|alert| alert["exp_labels"].clone()));
        }
    }
    (firing, silent)
}

#[test]
fn every_alert_has_a_case_that_fires_and_one_that_does_not() {
    for rule in rules(ALERTS) {
        let alert = string(&rule["alert"]);
        let (firing, silent) = cases(alert);
        let own = rule["labels"].as_object().unwrap();
        let fires = |labels: &Value| own.iter().all(|(name, value)| labels[name] == *value);
        assert!(firing.iter().any(fires), "{alert} {own:?} never fires");
        assert!(silent > 0, "{alert} always fires");
    }
}

/// Else the `for` of an alert could go without a test that fails.
#[test]
fn every_wait_of_an_alert_is_tested() {
    let directory = tempfile::tempdir().unwrap();
    let mut hasty = yaml(ALERTS);
    let mut waiting = BTreeSet::new();
    for group in hasty["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            if rule.as_object_mut().unwrap().remove("for").is_some() {
                waiting.insert(string(&rule["alert"]).to_owned());
            }
        }
    }
    let (rules, tests) = (
        directory.path().join("rules"),
        directory.path().join("tests"),
    );
    fs::create_dir(&rules).unwrap();
    fs::create_dir(&tests).unwrap();
    // JSON is YAML, too.
    fs::write(rules.join("alerts.yml"), hasty.to_string()).unwrap();
    fs::copy(file(RECORDING), rules.join("recording.yml")).unwrap();
    for test in files_in(&file("config/prometheus/tests")) {
        fs::copy(&test, tests.join(test.file_name().unwrap())).unwrap();
    }
    let (_, said) = promtool(&["test", "rules"], &files_in(&tests));
    let failed: BTreeSet<_> = said
        .split("alertname: ")
        .skip(1)
        .map(|rest| rest.split(',').next().unwrap().to_owned())
        .collect();
    assert!(!waiting.is_empty());
    assert_eq!(failed, waiting, "{said}");
}

#[test]
fn every_alert_says_what_is_wrong_and_where_to_read_on() {
    let runbook = text("docs/runbook.md");
    let sections: BTreeSet<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let mut alerts = BTreeSet::new();
    let rules = rules(ALERTS);
    assert!(rules.len() > 5);
    for rule in &rules {
        let (alert, annotations) = (string(&rule["alert"]), &rule["annotations"]);
        let severity = string(&rule["labels"]["severity"]);
        assert!(["critical", "warning"].contains(&severity), "{alert}");
        assert!(string(&annotations["summary"]).len() > 20, "{alert}");
        assert!(string(&annotations["description"]).len() > 60, "{alert}");
        // Headings become anchors in lower case.
        let section = format!("{RUNBOOK}#{}", alert.to_lowercase());
        assert_eq!(annotations["runbook_url"], section);
        alerts.insert(alert);
    }
    assert_eq!(alerts, sections, "a section for each alert, and no other");
}
