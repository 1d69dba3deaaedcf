//! What else `./start.sh` may be asked for: TLS, single files, and mistakes.

use std::net::TcpListener;

use crate::support::{Checkout, NODES, client::Client, docker::docker};

/// TLS on top, with a certificate of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by tests/stack/engines.sh"]
async fn tls() {
    let checkout = Checkout::new();
    let certificates = checkout.path("certificates");
    let made = std::process::Command::new(checkout.path("config/tls/self-signed.sh"))
        .arg(&certificates)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let said = checkout.started(&["nginx"], &[("TLS_DIR", "certificates")]);
    assert!(said.contains("https://localhost/"), "{said}");
    let curl = std::process::Command::new("curl")
        .args(["-s", "-i", "--cacert"])
        .arg(certificates.join("tls.crt"))
        .arg("https://localhost/api/ping")
        .output()
        .unwrap();
    let answer = String::from_utf8(curl.stdout).unwrap().to_lowercase();
    assert!(
        answer.starts_with("http/1.1 200") && answer.contains("strict-transport-security"),
        "{answer}"
    );
    let redirect = Client::tcp(&format!("{}:80", NODES[0]))
        .get("/api/ping")
        .await;
    assert_eq!(redirect.status, 308);
    assert_eq!(
        redirect.header("location"),
        Some("https://localhost/api/ping")
    );
    checkout.started(&["stop"], &[]);
    docker(&["volume", "prune", "-f"]);
}

/// docker-compose understands each file, and those that go on top of it.
#[test]
#[ignore = "run by tests/stack/engines.sh"]
fn every_file_is_valid() {
    let checkout = Checkout::new();
    let tls = "compose/docker-compose.tls.yaml";
    let direct = "compose/docker-compose.direct.yaml";
    for files in [
        vec!["compose/docker-compose.yaml"],
        vec!["compose/docker-compose.yaml", direct],
        vec!["compose/docker-compose.nginx.yaml"],
        vec!["compose/docker-compose.nginx.yaml", tls],
        vec!["compose/docker-compose.monitoring.yaml"],
        vec!["compose/docker-compose.monitoring.yaml", direct],
        vec!["compose/docker-compose.full.yaml"],
        vec!["compose/docker-compose.full.yaml", tls],
    ] {
        let output = std::process::Command::new("docker-compose")
            .args(["--env-file", ".env"])
            .args(files.iter().flat_map(|file| ["-f", file]))
            .args(["config", "--quiet"])
            .env("TLS_DIR", "/certificates")
            .current_dir(checkout.path(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{files:?}: {output:?}");
    }
}

/// Each mistake: one clear line, and nothing is left running.
#[test]
#[ignore = "run by tests/stack/engines.sh"]
fn mistakes_are_told_before_anything_starts() {
    let networks = docker(&["network", "ls", "-q"]);
    let nothing_runs = || {
        assert_eq!(docker(&["ps", "-aq"]), "");
        assert_eq!(docker(&["network", "ls", "-q"]), networks);
    };

    let checkout = Checkout::new();
    let edit = |from: &str, to: &str| {
        let text = std::fs::read_to_string(checkout.path(".env")).unwrap();
        std::fs::write(checkout.path(".env"), text.replace(from, to)).unwrap();
    };
    edit("FOOTFALL_ENV=development", "FOOTFALL_ENV=production");
    let output = checkout.start(&["nginx"], &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("production refuses"),
        "{said}"
    );
    nothing_runs();

    edit(
        "FOOTFALL_ENV=production",
        "FOOTFALL_ENV=development\nFOOTFALL_WORKRES=2",
    );
    let output = checkout.start(&["nginx"], &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("FOOTFALL_WORKERS"),
        "{said}"
    );
    nothing_runs();

    let checkout = Checkout::new();
    let taken = TcpListener::bind("127.0.0.1:9090").unwrap();
    let said = checkout.refused(&["full"], &[]);
    assert!(said.contains("port 9090 is in use"), "{said}");
    nothing_runs();
    drop(taken);

    // The shipped line without its `#`, with the script and without it.
    let checkout = Checkout::new();
    let shipped = std::fs::read_to_string(checkout.path(".env")).unwrap();
    let with_redis = shipped.replace("#REDIS_URL=", "REDIS_URL=");
    assert_ne!(with_redis, shipped);
    std::fs::write(checkout.path(".env"), with_redis).unwrap();
    let said = checkout.refused(&["full"], &[]);
    assert!(said.contains("REDIS_URL leads to 127.0.0.1"), "{said}");
    let migrated = std::process::Command::new("docker-compose")
        .args(["run", "--rm", "--no-deps", "-T", "init", "migrate"])
        .current_dir(checkout.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&migrated.stderr);
    assert!(said.contains("127.0.0.1 is this container's own"), "{said}");
    let down = std::process::Command::new("docker-compose")
        .arg("down")
        .current_dir(checkout.path(""))
        .status();
    assert!(down.unwrap().success());
    nothing_runs();

    let said = checkout.refused(&["swarm"], &[]);
    assert!(said.contains("docker swarm init"), "{said}");
    nothing_runs();
}
