//! What `start.sh` does about PostgreSQL: the passwords of its roles, and where it is.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{Tree, both};

const PASSWORDS: [&str; 3] = [
    "database_monitor_password",
    "database_owner_password",
    "database_password",
];

impl Tree {
    /// As it is checked out: with no password made yet.
    fn without_passwords(self) -> Self {
        for name in PASSWORDS {
            let _ = fs::remove_file(self.passwords().join(name));
        }
        fs::set_permissions(self.passwords(), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn passwords(&self) -> PathBuf {
        self.path("config/postgres/secrets")
    }
}

/// The passwords in a folder, by the names of their files.
fn made(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files
        .map(|file| (file.file_name().into_string().unwrap(), file.path()))
        .filter(|(name, _)| name != ".gitignore")
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn passwords_are_made_once_for_containers_and_nobody_else() {
    for stack in ["nginx", "full"] {
        let tree = Tree::with_docker().without_passwords();
        let output = tree.start_stack(stack).output().unwrap();
        let said = both(&output);
        assert!(output.status.success(), "{said}");
        let passwords = made(&tree.passwords());
        let names: Vec<_> = passwords.keys().map(String::as_str).collect();
        assert_eq!(names, PASSWORDS);
        for (name, password) in &passwords {
            assert_eq!(password.len(), 64, "{name}: {password:?}");
            assert!(
                !said.contains(password) && !tree.told().contains(password),
                "{said}"
            );
            assert!(said.contains(&format!("/{name}.\n")), "{said}");
            assert_eq!(mode(&tree.passwords().join(name)), 0o444);
        }
        assert_eq!(mode(&tree.passwords()), 0o700);
        let distinct: std::collections::BTreeSet<_> = passwords.values().collect();
        assert_eq!(distinct.len(), PASSWORDS.len());

        let output = tree.start_stack(stack).output().unwrap();
        assert!(!both(&output).contains("Made the password"));
        assert_eq!(made(&tree.passwords()), passwords, "what is there stays");
    }
}

#[test]
fn what_is_missing_is_made_and_the_rest_is_kept() {
    let tree = Tree::with_docker().without_passwords();
    let folder = tree.passwords();
    fs::write(folder.join("database_password"), "chosen\n").unwrap();
    fs::write(folder.join("database_owner_password"), "").unwrap();
    // As Docker leaves it, where the stack was started without the script.
    fs::create_dir(folder.join("database_monitor_password")).unwrap();
    let output = tree.start_stack("full").output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let passwords = made(&folder);
    assert_eq!(passwords["database_password"], "chosen\n");
    assert_eq!(passwords["database_owner_password"].len(), 64);
    assert_eq!(passwords["database_monitor_password"].len(), 64);
}

#[test]
fn a_volume_that_has_other_passwords_is_named() {
    let tree = Tree::with_docker().without_passwords();
    // To the stub every volume is there.
    let hint = r#"The volume footfall_postgres is older, and has another: docs/postgres.md, "Change the passwords"."#;
    let output = tree.start_stack("nginx").output().unwrap();
    assert_eq!(both(&output).matches(hint).count(), PASSWORDS.len());
    let output = tree.start_stack("nginx").output().unwrap();
    assert!(!both(&output).contains(hint));
}

#[test]
fn where_there_is_no_database_no_password_is_made() {
    for stack in ["basic", "monitoring"] {
        let tree = Tree::with_docker().without_passwords();
        let output = tree.start_stack(stack).output().unwrap();
        assert!(output.status.success(), "{}", both(&output));
        assert_eq!(made(&tree.passwords()), BTreeMap::new());
    }
}

/// Visits are counted without it, so nothing is taken down again.
#[test]
fn a_database_that_is_late_is_told_and_no_reason_to_stop() {
    let tree = Tree::with_docker();
    // Two minutes would pass.
    tree.stub("sleep", "");
    let counts = "footfall running Up 1 minute (healthy)\ninit exited Exited (0) 1 minute ago\n";
    let late =
        "postgres running Up 1 minute (health: starting)\ninit-database restarting Restarting (1)";
    let mut command = tree.start_stack("full");
    let output = command
        .env("CONTAINERS", format!("{counts}{late}"))
        .output()
        .unwrap();
    let said = both(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("  Home page    http://localhost:"), "{said}");
    let why = "visits are counted, but the database is not ready (init-database postgres): docs/postgres.md";
    assert!(said.contains(why), "{said}");
    assert!(!tree.told().contains(" down "), "{}", tree.told());

    // Anything else that is missing is.
    let ill = "redis running Up 1 minute (unhealthy)";
    command.env("CONTAINERS", format!("{counts}{late}\n{ill}"));
    let output = command.output().unwrap();
    let said = both(&output);
    assert!(said.contains("it was taken down again"), "{said}");
    assert!(tree.told().contains(" down "), "{}", tree.told());

    let done =
        "postgres running Up 1 minute (healthy)\ninit-database exited Exited (0) 1 second ago";
    command.env("CONTAINERS", format!("{counts}{done}"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
}

#[test]
fn a_database_of_the_machine_itself_is_out_of_reach() {
    let tree = Tree::with_docker();
    for name in ["DATABASE_URL", "DATABASE_OWNER_URL"] {
        for (url, itself) in [
            ("postgres://footfall@localhost/footfall", "localhost"),
            ("postgres://f:secr@t@127.0.0.1:5432/f", "127.0.0.1"),
            (
                "postgresql://footfall@[::1]:5432/f?sslmode=require",
                "[::1]",
            ),
        ] {
            let why = format!("{name} leads to {itself}, which in a container is the container");
            let mut command = tree.start_stack("full");
            tree.assert_nothing_started(command.env(name, url), &why);
            let mut command = tree.start_stack("swarm");
            tree.assert_nothing_started(command.env("MANAGER", "true").env(name, url), &why);
        }
    }
}

/// As after `git pull` alone: the settings are right, and what is wrong is the image.
#[test]
fn an_image_that_knows_no_accounts_is_named() {
    let why = "is older than this checkout, and knows no accounts";
    for stack in ["nginx", "full"] {
        let tree = Tree::with_docker();
        let output = tree
            .start_stack(stack)
            .env("IMAGE", "oldest")
            .output()
            .unwrap();
        let said = both(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!tree.told().contains(" up "), "{}", tree.told());
    }
    let tree = Tree::with_docker();
    let mut command = tree.start_stack("full");
    let output = command.env("FOOTFALL_TOKEN_TTL", "never").output().unwrap();
    let said = both(&output);
    assert!(said.contains("settings are in .env"), "{said}");
    assert!(!said.contains(why), "{said}");
}

#[test]
fn a_swarm_has_a_secret_for_each_role() {
    let tree = Tree::with_swarm();
    let mut command = tree.deploy();
    let output = command
        .env("DATABASE_OWNER_PASSWORD", "chosen")
        .output()
        .unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    let made = PASSWORDS.map(|name| tree.read(&format!("secrets/footfall_{name}")));
    let [monitor, owner, service] = &made;
    assert_eq!(owner, "chosen");
    assert_eq!((monitor.len(), service.len()), (64, 64));
    assert_ne!(monitor, service);
    // Nobody logs in with them by hand.
    for password in &made {
        assert!(!said.contains(password) && !tree.read("arguments").contains(password));
    }
    assert!(
        said.contains("Made the secret footfall_database_password.\n"),
        "{said}"
    );
}
