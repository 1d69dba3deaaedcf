//! Brings what threads share here, with loom's locks and atomics in it.

use std::{env, fs, path::Path};

const HEALTH: &str = "../../src/store/health.rs";

fn main() {
    println!("cargo::rerun-if-changed={HEALTH}");
    let mut source = fs::read_to_string(HEALTH).expect("the file is where it was");
    for name in ["std", "prometheus", "tokio", "tracing"] {
        let path = format!("{name}::");
        assert!(source.contains(&path), "{HEALTH} no longer uses {name}");
        source = source.replace(&path, &format!("crate::instead::{name}::"));
    }
    // An included file cannot describe the module it is included in.
    source = source.replace("//!", "//");
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("health.rs"), source).expect("a file");
}
