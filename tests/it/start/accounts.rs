//! What the stacks are told of accounts: where mails go, and where their links lead.

use std::{fs, process::Command};

use super::{Tree, both};
use crate::support::process::free_port;

const CATCHER: &str = " -f compose/docker-compose.mail.yaml ";

/// Starts this stack with these lines after those that are shipped; gives what it said and what
/// docker was told.
fn started(stack: &str, lines: &str, variables: &[(&str, &str)]) -> (String, String) {
    let tree = Tree::with_docker();
    let shipped = fs::read_to_string(tree.path(".env")).unwrap();
    fs::write(tree.path(".env"), shipped + lines).unwrap();
    let output = tree
        .start_stack(stack)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    (said, tree.told())
}

/// The command that starts everything.
fn up(told: &str) -> &str {
    told.lines().find(|line| line.contains(" up ")).unwrap()
}

#[test]
fn mails_are_caught_in_the_full_stack_of_a_developer() {
    let shown = "  Mails        http://localhost:8025/ ";
    let (said, told) = started("full", "", &[]);
    assert!(said.contains(shown), "{said}");
    assert!(up(&told).contains(CATCHER), "{told}");

    const PRODUCTION: &str = "FOOTFALL_ENV=production\nSECRET_KEY=a key of more than thirty-two bytes\nFOOTFALL_ADMIN_PASSWORD=another\n";
    for (stack, lines) in [
        ("nginx", ""),
        ("full", PRODUCTION),
        ("full", "FOOTFALL_SMTP_URL=smtp://mail.example\n"),
        ("full", "FOOTFALL_ENV=testing\n"),
    ] {
        let (said, told) = started(stack, lines, &[]);
        assert!(!said.contains("8025"), "{lines}: {said}");
        assert!(!told.contains(CATCHER), "{lines}: {told}");
    }
    // A server that is named by a file is one, too.
    let tree = Tree::with_docker();
    let secret = tree.path("smtp_url");
    fs::write(&secret, "smtp://mail.example").unwrap();
    let line = format!("FOOTFALL_SMTP_URL_FILE={}\n", secret.display());
    let (said, _) = started("full", &line, &[]);
    assert!(!said.contains("8025"), "{said}");
}

/// As `docker compose up` without the script finds it, by `.env`.
#[test]
fn compose_alone_catches_mails_as_well() {
    let tree = Tree::with_docker();
    let compose = Command::new("docker-compose")
        .args(["config"])
        .current_dir(tree.path(""))
        .output()
        .unwrap();
    let config = String::from_utf8(compose.stdout).unwrap();
    assert!(config.contains("image: axllent/mailpit:"), "{config}");
    assert!(
        config.contains("FOOTFALL_SMTP_URL: smtp://mail:1025"),
        "{config}"
    );
}

#[test]
fn links_lead_to_the_published_port() {
    let port = free_port().to_string();
    let own = format!("links lead to http://localhost:{port}\n");
    let (_, told) = started("nginx", "", &[("HTTP_PORT", &port)]);
    assert!(told.contains(&own), "{told}");
    let chosen = "FOOTFALL_PUBLIC_URL=https://footfall.example\n";
    let (_, told) = started("nginx", chosen, &[("HTTP_PORT", &port)]);
    assert!(told.contains("links lead to \n"), "{told}");
    let production = "FOOTFALL_ENV=production\nSECRET_KEY=a key of more than thirty-two bytes\nFOOTFALL_ADMIN_PASSWORD=another\n";
    let (_, told) = started("nginx", production, &[("HTTP_PORT", &port)]);
    assert!(told.contains("links lead to \n"), "{told}");
}

#[test]
fn a_swarm_has_its_mail_server_as_a_secret() {
    let tree = Tree::with_swarm();
    let output = tree.deploy().output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    assert!(!tree.path("secrets/footfall_smtp_url").exists());
    assert!(!tree.read("arguments").contains("swarm-mail"));

    let tree = Tree::with_swarm();
    let url = "smtps://clerk:open-sesame@mail.example";
    let mut command = tree.deploy();
    command
        .env("FOOTFALL_SMTP_URL", url)
        .env("FOOTFALL_MAIL_FROM", "Visits <visits@example.com>")
        .env("FOOTFALL_PUBLIC_URL", "https://visits.example.com");
    let output = command.output().unwrap();
    let said = both(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(tree.read("secrets/footfall_smtp_url"), url);
    let arguments = tree.read("arguments");
    assert!(
        arguments.contains(" -c compose/docker-compose.swarm-mail.yaml "),
        "{arguments}"
    );
    assert!(!arguments.contains("open-sesame") && !said.contains("open-sesame"));

    // What no replica would start with is refused before.
    for (name, value) in [
        ("FOOTFALL_SMTP_URL", "mail.example"),
        ("FOOTFALL_MAIL_FROM", "nobody"),
        ("FOOTFALL_PUBLIC_URL", "http://visits.example.com"),
        ("FOOTFALL_REGISTRATION", "everybody"),
        ("FOOTFALL_PASSWORD_MIN_LENGTH", "7"),
        ("FOOTFALL_CORS_ORIGINS", "*"),
    ] {
        let tree = Tree::with_swarm();
        let mut command = tree.deploy();
        command
            .env("FOOTFALL_SMTP_URL", url)
            .env("FOOTFALL_MAIL_FROM", "Visits <visits@example.com>")
            .env("FOOTFALL_PUBLIC_URL", "https://visits.example.com");
        let output = command.env(name, value).output().unwrap();
        let said = both(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains(name), "{name}: {said}");
        assert!(!tree.read("arguments").contains("secret create"));
    }
}
