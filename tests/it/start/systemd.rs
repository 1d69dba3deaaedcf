//! The units of systemd.

use std::{fs, process::Command};

use super::{ROOT, both};

fn unit(name: &str) -> String {
    fs::read_to_string(format!("{ROOT}/config/systemd/{name}")).unwrap()
}

#[test]
fn systemd_accepts_the_units_and_finds_them_closed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, instance) in [
        ("footfall@.service", "footfall@1.service"),
        ("footfall-init.service", "footfall-init.service"),
    ] {
        let text = unit(name).replace("/usr/local/bin/footfall", env!("CARGO_BIN_EXE_footfall"));
        fs::write(folder.path().join(instance), text).unwrap();
    }
    for instance in ["footfall@1.service", "footfall-init.service"] {
        for arguments in [
            &["verify", "--man=no"][..],
            // Of 10, in tenths; a service without any of this has 9.6.
            &["security", "--offline=true", "--threshold=15"],
        ] {
            let output = Command::new("systemd-analyze")
                .args(arguments)
                .arg(folder.path().join(instance))
                .output()
                .expect("systemd-analyze is there; ./test.sh installs it");
            assert!(output.status.success(), "{}", both(&output));
        }
    }
}

#[test]
fn what_prepares_the_store_is_as_closed_as_the_replicas() {
    let closed = |name: &str| {
        let unit = unit(name);
        let (_, rest) = unit.split_once("# From here as in ").unwrap();
        let lines = rest.lines().skip(1).take_while(|line| *line != "[Install]");
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let replica = closed("footfall@.service");
    assert!(replica.len() > 20, "{replica:?}");
    assert_eq!(closed("footfall-init.service"), replica);
}

/// The commands of docs/systemd.md, in a folder instead of `/etc`.
#[test]
fn replicas_and_what_prepares_the_database_have_roles_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let etc = folder.path().join("etc");
    for name in ["systemd/system", "footfall/secrets"] {
        fs::create_dir_all(etc.join(name)).unwrap();
    }
    for name in ["footfall@.service", "footfall-init.service"] {
        let text = unit(name).replace("/usr/local/bin/footfall", env!("CARGO_BIN_EXE_footfall"));
        let text = text.replace("/etc/footfall", etc.join("footfall").to_str().unwrap());
        fs::write(etc.join("systemd/system").join(name), text).unwrap();
    }
    let docs = fs::read_to_string(format!("{ROOT}/docs/systemd.md")).unwrap();
    let (_, rest) = docs.split_once("<!-- database -->\n```sh\n").unwrap();
    let (commands, _) = rest.split_once("systemctl daemon-reload\n```").unwrap();
    let commands = commands.replace("/etc/", &format!("{}/", etc.display()));
    let output = Command::new("bash")
        .args(["-euc", &commands])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", both(&output));

    for unit in ["footfall@1.service", "footfall-init.service"] {
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(etc.join("systemd/system").join(unit))
            .env("SYSTEMD_UNIT_PATH", etc.join("systemd/system"))
            .output()
            .expect("systemd-analyze is there; ./test.sh installs it");
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            both(&output)
        );
    }
    // The file that is read last has the last word.
    let read = |name: &str| fs::read_to_string(etc.join("footfall").join(name)).unwrap();
    assert!(read("footfall.env").contains("postgres://footfall@"));
    assert!(read("owner.env").contains("postgres://footfall_owner@"));
}
