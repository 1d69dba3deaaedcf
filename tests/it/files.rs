//! The linters of files that are no Rust find nothing.

use std::{path::Path, process::Command};

#[test]
fn hadolint_finds_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/python/bin/hadolint");
    let output = Command::new(&program)
        .args(["docker/Dockerfile", "docker/Dockerfile.optimized"])
        .current_dir(root)
        .output()
        .unwrap_or_else(|error| panic!("{} ({error}); ./test.sh installs it", program.display()));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
