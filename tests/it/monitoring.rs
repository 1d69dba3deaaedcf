//! Prometheus' configuration, the alerts and their runbook, the dashboards:
//! each fits the others, and what they ask for is there.

use std::{fs, path::PathBuf};

use serde_json::Value;

mod dashboards;
mod exporter;
mod expressions;
mod live;
mod rules;
mod stack;

/// A file or folder of the project.
fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Empty for what is missing.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Every file of the dashboards, with its name.
fn dashboards() -> Vec<(String, Value)> {
    let files = fs::read_dir(file("grafana/dashboards")).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let json = fs::read_to_string(&path).unwrap();
            let dashboard = serde_json::from_str(&json);
            (name, dashboard.expect("a dashboard is JSON"))
        })
        .collect()
}

/// The rules of a file, of all its groups.
fn rules(path: &str) -> Vec<Value> {
    let groups = yaml(path)["groups"].clone();
    items(&groups)
        .iter()
        .flat_map(|group| items(&group["rules"]).to_vec())
        .collect()
}

/// What Prometheus is asked, by whom, and the labels that are shown of the answer.
struct Query {
    origin: String,
    expression: String,
    shown: Vec<String>,
    dashboard: bool,
}

/// All that rules and dashboards ask Prometheus.
fn queries() -> Vec<Query> {
    let files = ["recording", "alerts"].map(|name| format!("config/prometheus/rules/{name}.yml"));
    let rules = files.iter().flat_map(|file| rules(file)).map(|rule| Query {
        origin: format!("{}{}", string(&rule["record"]), string(&rule["alert"])),
        expression: string(&rule["expr"]).to_owned(),
        shown: placeholders(&rule["annotations"].to_string(), "$labels."),
        dashboard: false,
    });
    let dashboards = dashboards();
    let asked = dashboards.iter().flat_map(|(name, dashboard)| {
        let panels = items(&dashboard["panels"]).iter().flat_map(move |panel| {
            let title = string(&panel["title"]);
            let targets = items(&panel["targets"]).iter();
            targets.map(move |target| panel_query(format!("{name}: {title}"), target))
        });
        let annotations = items(&dashboard["annotations"]["list"]).iter();
        let annotations = annotations
            .filter(|annotation| annotation["builtIn"] != 1)
            .map(move |annotation| panel_query(format!("{name}: annotations"), annotation));
        let variables = items(&dashboard["templating"]["list"]).iter();
        let variables = variables.map(move |variable| variable_query(name, variable));
        panels.chain(annotations).chain(variables)
    });
    rules.chain(asked).chain(runbook_queries()).collect()
}

/// Those of its commands that ask Prometheus: `ask 'EXPRESSION'`.
fn runbook_queries() -> Vec<Query> {
    let runbook = text("docs/runbook.md");
    let asked = runbook.split("ask '").skip(1);
    asked
        .map(|rest| Query {
            origin: "runbook".to_owned(),
            expression: rest.split('\'').next().unwrap().to_owned(),
            shown: Vec::new(),
            dashboard: false,
        })
        .collect()
}

fn panel_query(origin: String, target: &Value) -> Query {
    let shown = ["legendFormat", "titleFormat", "textFormat"];
    Query {
        origin,
        expression: string(&target["expr"]).to_owned(),
        shown: shown
            .iter()
            .flat_map(|format| placeholders(string(&target[*format]), "{{"))
            .collect(),
        dashboard: true,
    }
}

/// `label_values(EXPRESSION, LABEL)`
fn variable_query(dashboard: &str, variable: &Value) -> Query {
    let query = string(&variable["query"]["query"]);
    let arguments = query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'));
    let (expression, label) = arguments.unwrap().rsplit_once(", ").unwrap();
    assert_eq!(variable["definition"], query);
    Query {
        origin: format!("{dashboard}: ${}", string(&variable["name"])),
        expression: expression.to_owned(),
        shown: vec![label.to_owned()],
        dashboard: true,
    }
}

/// The names that follow a marker in a template.
fn placeholders(template: &str, marker: &str) -> Vec<String> {
    let after = template.split(marker).skip(1);
    after
        .map(|rest| rest.trim_start())
        .map(|rest| {
            let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
}
