//! The dashboards are what Grafana takes, and fit together. There is no Grafana
//! here to show them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{dashboards, items, string, text, yaml};

const GRID_WIDTH: u64 = 24;

/// All panels with something to see, so without the headings of rows.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = items(&dashboard["panels"]).iter();
    panels.filter(|panel| panel["type"] != "row")
}

#[test]
fn datasource_and_dashboards_are_provisioned() {
    let datasources = yaml("grafana/provisioning/datasources/footfall.yaml");
    let [datasource] = items(&datasources["datasources"]) else {
        panic!("one datasource: {datasources}");
    };
    // What $__rate_interval is made of.
    let interval = &datasource["jsonData"]["timeInterval"];
    let config = yaml("config/prometheus.yml");
    assert_eq!(*interval, config["global"]["scrape_interval"]);
    let own = json!({ "type": datasource["type"], "uid": datasource["uid"] });
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 3);
    for (name, dashboard) in &dashboards {
        let annotations = items(&dashboard["annotations"]["list"]).iter();
        let variables = items(&dashboard["templating"]["list"]).iter();
        let users = panels(dashboard)
            .flat_map(|panel| [panel].into_iter().chain(items(&panel["targets"])))
            .chain(annotations.filter(|annotation| annotation["builtIn"] != 1))
            .chain(variables);
        for user in users {
            assert_eq!(user["datasource"], own, "{name}: {user}");
        }
    }
    let providers = yaml("grafana/provisioning/dashboards/footfall.yaml");
    let path = string(&providers["providers"][0]["options"]["path"]);
    for stack in ["services", "docker-compose.swarm"] {
        let mounts = text(&format!("compose/{stack}.yaml"));
        assert!(mounts.contains(path), "{stack} mounts nothing at {path}");
    }
}

#[test]
fn every_panel_explains_itself() {
    for (name, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            let title = format!("{name}: {}", panel["title"]);
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(string(&panel["title"]).len() > 2, "{title}");
            assert!(string(&panel["description"]).len() > 15, "{title}");
            assert!(!string(&defaults["unit"]).is_empty(), "{title}");
            let steps = items(&defaults["thresholds"]["steps"]);
            let values: Vec<_> = steps.iter().map(|step| step["value"].as_f64()).collect();
            assert!(
                values.first() == Some(&None),
                "{title}: the first is the base"
            );
            assert!(
                values.is_sorted() && values[1..].iter().all(Option::is_some),
                "{title}"
            );
            let targets = items(&panel["targets"]);
            assert!(!targets.is_empty(), "{title}");
            let names: BTreeSet<_> = targets
                .iter()
                .map(|target| string(&target["refId"]))
                .collect();
            assert_eq!(names.len(), targets.len(), "{title}");
            for target in targets {
                assert!(!string(&target["expr"]).is_empty(), "{title}");
                assert!(!string(&target["legendFormat"]).is_empty(), "{title}");
                assert_ne!(target["range"], target["instant"], "{title}: one of both");
            }
        }
    }
}

#[test]
fn panels_do_not_overlap() {
    for (name, dashboard) in dashboards() {
        assert!(dashboard["schemaVersion"].as_u64() >= Some(39), "{name}");
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in items(&dashboard["panels"]) {
            let title = format!("{name}: {}", panel["title"]);
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
            let position = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            let [x, y, width, height] = position;
            assert!(
                width > 0 && height > 0 && x + width <= GRID_WIDTH,
                "{title}"
            );
            for row in y..y + height {
                for column in x..x + width {
                    assert!(taken.insert((row, column)), "{title} overlaps");
                }
            }
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let dashboards = dashboards();
    let ids: BTreeSet<_> = dashboards
        .iter()
        .map(|(_, dashboard)| string(&dashboard["uid"]))
        .collect();
    assert_eq!(ids.len(), dashboards.len());
    for (name, dashboard) in &dashboards {
        let urls = items(&dashboard["links"])
            .iter()
            .map(|link| string(&link["url"]));
        let (own, other): (Vec<_>, Vec<_>) = urls.partition(|url| url.starts_with("/d/"));
        let linked: BTreeSet<_> = own
            .iter()
            .map(|url| url.trim_start_matches("/d/"))
            .collect();
        let others: BTreeSet<_> = ids
            .iter()
            .copied()
            .filter(|id| *id != dashboard["uid"])
            .collect();
        assert_eq!(linked, others, "{name}: each other dashboard");
        assert!(
            matches!(other[..], [runbook] if runbook.ends_with("/docs/runbook.md")),
            "{name}"
        );
    }
}

#[test]
fn replicas_can_be_chosen() {
    for (name, dashboard) in dashboards() {
        let [replica] = items(&dashboard["templating"]["list"]) else {
            panic!("{name}: one variable");
        };
        assert_eq!(replica["name"], "replica", "{name}");
        assert_eq!(
            (&replica["multi"], &replica["allValue"]),
            (&json!(true), &json!(".*"))
        );
        let uses = panels(&dashboard)
            .filter(|panel| panel.to_string().contains(r#"instance=~\"$replica\""#));
        assert!(uses.count() > 10, "{name}");
    }
}
