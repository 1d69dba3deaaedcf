//! `docs/hardening.md`: each block of commands is run as it stands, on a machine
//! of its own beside another that tries to get in.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

mod bans;
mod firewall;
mod logs;
mod machine;
mod rest;
mod waf;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn text(path: &str) -> String {
    fs::read_to_string(format!("{ROOT}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a page: the mark before each, its language, its text.
fn blocks(page: &str) -> Vec<(String, String, String)> {
    let mut parts = page.split("```");
    let mut before = parts.next().unwrap();
    let mut blocks = Vec::new();
    while let (Some(block), Some(after)) = (parts.next(), parts.next()) {
        let mark = before.trim_end().lines().next_back().unwrap_or_default();
        let mark = mark
            .strip_prefix("<!-- ")
            .and_then(|mark| mark.strip_suffix(" -->"));
        let (language, text) = block.split_once('\n').unwrap();
        let mark = mark.unwrap_or_default().to_owned();
        blocks.push((mark, language.to_owned(), text.to_owned()));
        before = after;
    }
    blocks
}

/// The block of the page with this mark.
fn block(mark: &str) -> String {
    let blocks = blocks(&text("docs/hardening.md"));
    let found = blocks.into_iter().find(|(name, ..)| name == mark);
    found
        .unwrap_or_else(|| panic!("no block is marked {mark}"))
        .2
}

/// All tests of this room, as one text.
fn tests() -> String {
    let files = fs::read_dir(format!("{ROOT}/tests/it/hardening")).unwrap();
    let files = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    files.collect()
}

#[test]
fn every_block_of_the_page_is_run_by_a_test() {
    let tests = tests();
    let blocks = blocks(&text("docs/hardening.md"));
    assert!(blocks.len() >= 10);
    for (mark, language, text) in &blocks {
        match mark.strip_prefix("untried: ") {
            Some(_) => assert_ne!(language, "sh", "commands are tried: {text}"),
            None => assert!(
                language == "sh" && tests.contains(&format!("run_block(\"{mark}\")")),
                "nothing runs {mark:?}: {text}"
            ),
        }
    }
    let marks: BTreeSet<_> = blocks.iter().map(|(mark, ..)| mark).collect();
    assert_eq!(marks.len(), blocks.len(), "two blocks have the same mark");
}

#[test]
fn packages_of_the_page_are_those_the_tests_install() {
    let installed = text("test.sh");
    let page = text("docs/hardening.md");
    let lines = page.lines();
    let named = lines.filter_map(|line| line.strip_prefix("apt-get install -y "));
    let named: Vec<_> = named.flat_map(str::split_whitespace).collect();
    assert!(named.len() >= 4);
    for package in named {
        assert!(installed.contains(&format!(":{package}")), "{package}");
    }
}

fn services(stack: &str) -> Value {
    let stack: Value = serde_saphyr::from_str(&text(&format!("compose/{stack}.yaml"))).unwrap();
    stack["services"].clone()
}

/// The table of what is exposed says no less than the files of the stack do.
#[test]
fn what_is_published_is_what_the_table_says() {
    let published = |services: Value| -> Vec<(String, String)> {
        let services = services.as_object().unwrap().clone();
        let published = services.into_iter().filter_map(|(name, service)| {
            let ports = service.get("ports")?.as_array()?.clone();
            let port = ports.first()?;
            let port = match port {
                Value::String(port) => port.clone(),
                port => format!("{} {}", port["published"], port["mode"].as_str()?),
            };
            assert_eq!(ports.len(), 1, "{name}");
            Some((name, port))
        });
        published.collect()
    };
    let own = |name: &str, port: &str| (name.to_owned(), port.to_owned());
    assert_eq!(
        published(services("services")),
        [
            own("grafana", "127.0.0.1:3000:3000"),
            own("mail", "127.0.0.1:8025:8025"),
            own("nginx", "${HTTP_PORT:-80}:80"),
            own("prometheus", "127.0.0.1:9090:9090"),
        ]
    );
    assert_eq!(
        published(services("docker-compose.swarm")),
        [
            own("grafana", "3000 host"),
            own("nginx", "80 host"),
            own("prometheus", "9090 host"),
        ]
    );
    let page = text("docs/hardening.md");
    for row in ["Prometheus, 9090", "Grafana, 3000"] {
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| {row}")));
        let cells: Vec<_> = row.unwrap().split('|').map(str::trim).collect();
        assert_eq!(cells[3], "127.0.0.1");
        assert!(cells[4].starts_with("**all addresses**"));
    }
}

#[test]
fn containers_are_as_closed_as_the_page_says() {
    for stack in ["services", "docker-compose.swarm"] {
        let file = text(&format!("compose/{stack}.yaml"));
        for opened in ["docker.sock", "privileged", "cap_add", "unconfined"] {
            assert!(!file.contains(opened), "{stack}: {opened}");
        }
        let services = services(stack);
        for (name, service) in services.as_object().unwrap() {
            // What it does not say itself is as in the one that it extends.
            let service = match service["extends"]["service"].as_str() {
                Some(extended) => {
                    for opened in ["read_only", "cap_drop", "mem_limit"] {
                        assert_eq!(service.get(opened), None, "{stack}: {name}");
                    }
                    &services[extended]
                }
                None => service,
            };
            assert_eq!(service["read_only"], true, "{stack}: {name}");
            assert_eq!(service["cap_drop"], json!(["ALL"]), "{stack}: {name}");
            let limited = service.get("mem_limit").is_some()
                || service["deploy"]["resources"]["limits"]["memory"].is_string();
            assert!(limited, "{stack}: {name}");
        }
    }
}
