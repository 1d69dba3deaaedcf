//! The secrets of `start.sh swarm`, Grafana's among them, with a `docker` that only says what it was asked.

use std::os::unix::fs::symlink;

use super::{ROOT, Tree, both};

/// There is no such service yet.
const NOT_DEPLOYED: &str = r#"[[ "$*" != *" footfall_footfall" ]]"#;

/// A manager of a swarm with these secrets, and this of `docker service inspect FORMAT SERVICE`.
fn deploys(tree: &Tree, secrets: &str, services: &str) {
    let script = format!(
        r#"case "$*" in
            "version "*Components*) echo "Engine containerd " ;;
             "version "*) echo 24.0.0 ;;
            *ControlAvailable*) echo true ;;
            "ps "*) ;;
            "image inspect"*) echo sha256:1 ;;
            "run "*) ;;
            "node ls"*) echo node ;;
            "secret inspect "*) [[ " {secrets} " == *" $3 "* ]] ;;
            "secret create "*) cat >"{made}/$3" ;;
            "service inspect "*) {services} ;;
            "stack deploy "*) env | grep -E '_NAME=|^REDIS|^DATABASE|^POSTGRES' >"{made}/deployed" ;;
            "stack services -q"*) echo one ;;
            "stack services "*) ;;
        esac"#,
        made = tree.path("tmp").display(),
    );
    tree.stub("docker", &script);
    symlink(format!("{ROOT}/grafana"), tree.path("grafana")).unwrap();
}

/// What `docker stack deploy` had in its environment.
fn deployed(tree: &Tree) -> String {
    std::fs::read_to_string(tree.path("tmp/deployed")).unwrap()
}

#[test]
fn grafana_has_a_password_of_its_own() {
    let tree = Tree::new();
    deploys(&tree, "", NOT_DEPLOYED);
    let output = tree.start(&["swarm"]).output().unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    let secret = |name: &str| std::fs::read_to_string(tree.path("tmp").join(name)).unwrap();
    let (admin, grafana) = (
        secret("footfall_admin_password"),
        secret("footfall_grafana_password"),
    );
    assert_ne!(admin, grafana);
    for (name, value) in [
        ("footfall_admin_password", admin),
        ("footfall_grafana_password", grafana),
    ] {
        assert!(value.len() >= 32, "{name}");
        let shown = format!("Made the secret {name}; it is shown this once: {value}");
        assert!(said.contains(&shown), "{said}");
    }
    assert!(!said.contains(&secret("footfall_secret_key")), "{said}");
}

#[test]
fn a_password_that_is_given_is_grafanas_and_not_shown() {
    let tree = Tree::new();
    deploys(
        &tree,
        "footfall_secret_key footfall_admin_password",
        NOT_DEPLOYED,
    );
    let mut command = tree.start(&["swarm"]);
    let output = command.env("GRAFANA_PASSWORD", "chosen").output().unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    let made = std::fs::read_to_string(tree.path("tmp/footfall_grafana_password"));
    assert_eq!(made.unwrap(), "chosen");
    assert!(!said.contains("chosen"), "{said}");
}

/// It was deployed when Grafana still had the replicas' password.
#[test]
fn a_deployed_stack_keeps_its_secrets_and_addresses() {
    let tree = Tree::new();
    deploys(
        &tree,
        "footfall_secret_key footfall_admin_password owner_2 monitor_2 password_2",
        r#"case "$*" in
            *Secrets*_grafana) echo "footfall_admin_password grafana_password" ;;
            *Secrets*_postgres) echo "owner_2 database_owner_password"; echo "monitor_2 database_monitor_password" ;;
            *Secrets*) echo "footfall_secret_key secret_key"; echo "footfall_admin_password admin_password"
                echo "password_2 database_password" ;;
            *Replicas*_postgres) echo 0 ;;
            *Env*_init-database) echo "DATABASE_URL=postgres://o@db.example/f" ;;
            *Env*_postgres-exporter) echo "DATA_SOURCE_URI=db.example/f" ;;
            *Env*exporter) echo "REDIS_EXPORTER_ADDR=redis://one:6379" ;;
            *Env*) echo "REDIS_URL=redis+sentinel://one,two/mymaster"; echo "DATABASE_URL=postgres://f@db.example/f" ;;
        esac"#,
    );
    let output = tree.start(&["swarm"]).output().unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("Made the secret"), "{said}");
    let deployed = deployed(&tree);
    for kept in [
        "GRAFANA_PASSWORD_NAME=footfall_admin_password\n",
        "ADMIN_PASSWORD_NAME=footfall_admin_password\n",
        "REDIS_EXPORTER_ADDR=redis://one:6379\n",
        "REDIS_URL=redis+sentinel://one,two/mymaster\n",
        "DATABASE_PASSWORD_NAME=password_2\n",
        "DATABASE_OWNER_PASSWORD_NAME=owner_2\n",
        "DATABASE_MONITOR_PASSWORD_NAME=monitor_2\n",
        "DATABASE_URL=postgres://f@db.example/f\n",
        "DATABASE_OWNER_URL=postgres://o@db.example/f\n",
        "POSTGRES_EXPORTER_URI=db.example/f\n",
        "POSTGRES_REPLICAS=0\n",
    ] {
        assert!(deployed.contains(kept), "{kept} {deployed}");
    }
}
