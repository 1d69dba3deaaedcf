//! The images of docker/.

use std::{fs, process::Command};

use crate::support::docker::{docker, inspect};

/// What of an image does not depend on where its binary came from.
fn shape(image: &str) -> serde_json::Value {
    let mut config = inspect(image)["Config"].take();
    for of_the_build in ["Image", "Hostname", "Labels"] {
        config.as_object_mut().unwrap().remove(of_the_build);
    }
    config
}

#[test]
#[ignore = "run by tests/stack/engines.sh"]
fn from_source_and_from_a_binary_are_the_same_image() {
    let context = tempfile::tempdir().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let container = docker(&["create", "footfall:latest"]);
    let binary = context.path().join("footfall");
    docker(&[
        "cp",
        &format!("{container}:/usr/local/bin/footfall"),
        binary.to_str().unwrap(),
    ]);
    docker(&["rm", &container]);
    let status = Command::new("cp")
        .args(["-r", "--parents", "docker/directories"])
        .arg(context.path())
        .current_dir(root)
        .status();
    assert!(status.unwrap().success());
    docker(&[
        "build",
        "--quiet",
        "--file",
        &format!("{root}/docker/Dockerfile"),
        "--build-arg",
        "BINARY=footfall",
        "--tag",
        "footfall:prebuilt",
        context.path().to_str().unwrap(),
    ]);
    assert_eq!(shape("footfall:prebuilt"), shape("footfall:latest"));
    assert_eq!(
        docker(&["run", "--rm", "footfall:prebuilt", "--version"]),
        docker(&["run", "--rm", "footfall:latest", "--version"])
    );
    docker(&["rmi", "footfall:prebuilt"]);
}

#[test]
#[ignore = "run by tests/stack/engines.sh"]
fn the_image_has_no_shell_and_no_root() {
    let container = docker(&["create", "footfall:latest"]);
    let archive = tempfile::NamedTempFile::new().unwrap();
    docker(&["export", "-o", archive.path().to_str().unwrap(), &container]);
    docker(&["rm", &container]);
    let listing = Command::new("tar")
        .args(["-tvf"])
        .arg(archive.path())
        .output()
        .unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let executables: Vec<_> = listing
        .lines()
        .filter(|line| line.starts_with("-rwx"))
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (size, path) = (fields.nth(2)?, fields.last()?);
            // Docker puts empty files of its own into every container.
            (size != "0").then_some(path)
        })
        .collect();
    assert_eq!(executables, ["usr/local/bin/footfall"], "{listing}");

    let image = inspect("footfall:latest");
    assert_eq!(image["Config"]["User"], "65532:65532");
    assert_eq!(
        image["Config"]["Healthcheck"]["Test"],
        serde_json::json!(["CMD", "footfall", "health"])
    );
    for label in [
        "title",
        "description",
        "source",
        "licenses",
        "version",
        "revision",
    ] {
        let value = &image["Config"]["Labels"][format!("org.opencontainers.image.{label}")];
        assert!(
            value.as_str().is_some_and(|value| !value.is_empty()),
            "{label}"
        );
    }
    assert_eq!(
        image["Config"]["Labels"]["org.opencontainers.image.version"],
        env!("CARGO_PKG_VERSION")
    );
    let size = image["Size"].as_u64().unwrap();
    // Of the profile `start`, as engines.sh builds it.
    assert!(size < 55_000_000, "{size} bytes");
}

/// A plain `docker run`: read-only, without capabilities.
#[test]
#[ignore = "run by tests/stack/engines.sh"]
fn a_fresh_volume_is_writable_and_survives_its_container() {
    let run = || {
        docker(&[
            "run",
            "--rm",
            "-d",
            "--name",
            "alone",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "-v",
            "alone:/var/lib/footfall",
            "-e",
            "FOOTFALL_ENV=development",
            "footfall:latest",
        ])
    };
    for _ in 0..2 {
        run();
        crate::support::eventually("the container is healthy", || {
            (inspect("alone")["State"]["Health"]["Status"] == "healthy").then_some(())
        });
        docker(&["stop", "alone"]);
        crate::support::eventually("the container is gone", || {
            docker(&["ps", "-aq", "--filter", "name=alone"])
                .is_empty()
                .then_some(())
        });
    }
    docker(&["volume", "rm", "alone"]);
}

#[test]
#[ignore = "run by tests/stack/engines.sh"]
fn production_refuses_demo_secrets() {
    let output = Command::new("docker")
        .args(["run", "--rm", "footfall:latest"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("SECRET_KEY") && said.contains("FOOTFALL_ADMIN_PASSWORD"),
        "{said}"
    );
}

/// Both Dockerfiles end alike; neither can include the other.
#[test]
fn the_dockerfiles_end_alike() {
    let ending = |name: &str| {
        let text =
            fs::read_to_string(format!("{}/docker/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let start = text.find("FROM gcr.io/").unwrap();
        text[start..]
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .filter(|line| {
                !line.starts_with("ARG BINARY") && !line.ends_with("/usr/local/bin/footfall")
            })
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(ending("Dockerfile"), ending("Dockerfile.optimized"));
}
