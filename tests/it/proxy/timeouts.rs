//! How long the parts of a shipped stack wait for each other.

use std::fs;

use footfall::config::values::HumanDuration;

fn read(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn milliseconds(text: &str) -> u128 {
    let duration: HumanDuration = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    duration.0.as_millis()
}

/// When the store hangs, the replica that asked it must say that the outcome is unknown. Were it
/// too late, nginx would ask the next, which knows only that the store is away.
#[test]
fn a_replica_tells_of_a_store_that_hangs_before_nginx_asks_the_next() {
    let routes = read("config/nginx/routes.conf");
    let limit = routes
        .lines()
        .find_map(|line| line.strip_prefix("proxy_read_timeout ")?.strip_suffix(';'))
        .map(milliseconds)
        .expect("it is set for all locations");
    for (file, before) in [
        ("compose/services.yaml", "${FOOTFALL_STORE_TIMEOUT:-"),
        (
            "compose/docker-compose.swarm.yaml",
            "${FOOTFALL_STORE_TIMEOUT:-",
        ),
        (
            "config/systemd/footfall@.service",
            "Environment=FOOTFALL_STORE_TIMEOUT=",
        ),
        ("start.sh", "export FOOTFALL_STORE_TIMEOUT="),
    ] {
        let text = read(file);
        let (_, rest) = text
            .split_once(before)
            .unwrap_or_else(|| panic!("{file}: {before}"));
        let end = rest.find(['}', '\n']).unwrap();
        let timeout = milliseconds(&rest[..end]);
        // A tenth of a second for the way back, on a busy machine.
        assert!(
            timeout + 100 <= limit,
            "{file}: {timeout} ms, nginx {limit} ms"
        );
    }
}
