//! schemathesis, with its default checks, finds nothing.

use std::{path::Path, process::Command};

use crate::support::{Footfall, Redis};

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_nothing() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/schemathesis");
    assert!(
        program.is_file(),
        "{} is missing; ./test.sh installs it",
        program.display()
    );
    let redis = Redis::start();
    let footfall = Footfall::builder().env("REDIS_URL", redis.url()).start();
    let authorization = format!("Authorization: Bearer {}", footfall.token().await);
    let document = format!("http://{}/openapi.json", footfall.public());
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args([
            "--no-color",
            "run",
            &document,
            "--header",
            &authorization,
            "--seed",
            "1",
        ])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && report.contains("No issues found"),
        "{report}"
    );
    assert!(footfall.find("panic").is_none());
}
