//! Brings what threads share here, with loom's locks and atomics in it.

use std::{env, fs, path::Path};

/// Each file, and the crates it uses.
const SOURCES: [(&str, &[&str]); 3] = [
    (
        "../../src/storage/health.rs",
        &["std", "prometheus", "tokio", "tracing"],
    ),
    ("../../src/storage/refusals.rs", &["std", "tracing"]),
    ("../../src/storage/redis/shared_map.rs", &["std", "tokio"]),
];

fn main() {
    for (path, crates) in SOURCES {
        bring(Path::new(path), crates);
    }
}

fn bring(path: &Path, crates: &[&str]) {
    let shown = path.display();
    println!("cargo::rerun-if-changed={shown}");
    let source = fs::read_to_string(path).expect("the file is where it was");
    // Its unit tests are for the crate it is from.
    let mut source = match source.split_once("#[cfg(test)]\nmod tests") {
        Some((service, _)) => service.to_owned(),
        None => source,
    };
    for name in crates {
        let path = format!("{name}::");
        assert!(source.contains(&path), "{shown} no longer uses {name}");
        source = source.replace(&path, &format!("crate::instead::{name}::"));
    }
    // An included file cannot describe the module it is included in.
    source = source.replace("//!", "//");
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    let name = path.file_name().expect("it is a file");
    fs::write(Path::new(&folder).join(name), source).expect("a file");
}
