//! systemd, Redis and Docker.

use super::{
    machine::{Machine, STRANGER},
    text,
};

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn the_exposure_of_the_units_is_what_the_page_says() {
    let machine = Machine::start();
    machine.run("install -m 0644 config/systemd/*.service /etc/systemd/system/");
    let said = machine.run_block("systemd");
    let overall = said
        .lines()
        .find_map(|line| line.split_once("Overall exposure level for "));
    let (_, overall) = overall.unwrap_or_else(|| panic!("{said}"));
    // A smiley follows.
    let figure = overall
        .split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ");
    let page = text("docs/hardening.md");
    assert!(
        page.contains(&format!("Overall exposure level for {figure}")),
        "{figure}"
    );
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn redis_wants_a_password_and_is_asked_from_this_machine_only() {
    let machine = Machine::start();
    let said = machine.run_block("redis");
    assert!(said.contains("visits can be counted in it"), "{said}");
    let ask = |environment: &str| {
        machine.run(&format!(
            "{environment} redis-cli CONFIG GET appendfsync 2>&1"
        ))
    };
    assert!(ask("").starts_with("NOAUTH"), "{}", ask(""));
    let password = r#"REDISCLI_AUTH="$(cat /etc/footfall/secrets/redis_password)""#;
    assert!(ask(password).contains("always"), "{}", ask(password));
    // Footfall cannot do with the wrong one.
    let wrong = machine.output("REDIS_URL=redis://:wrong@127.0.0.1:6379 footfall doctor");
    assert!(!wrong.status.success());
    let from_elsewhere = machine.on_other(&format!(
        "curl -s --max-time 5 --interface {STRANGER} http://192.0.2.1:6379/"
    ));
    assert_eq!(from_elsewhere.status.code(), Some(7), "refused");
    for secret in ["redis_password", "redis_url"] {
        let mode = machine.run(&format!("stat -c %a /etc/footfall/secrets/{secret}"));
        assert_eq!(mode.trim(), "600");
    }
    let mode = machine.run("stat -c %a:%U /etc/redis/redis.conf");
    assert!(mode.trim().ends_with("0:redis"), "{mode}");
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn the_engine_takes_what_the_page_says() {
    let machine = Machine::start();
    machine.run_block("docker");
    let driver = machine.run("docker info --format '{{.LoggingDriver}}'");
    assert_eq!(driver.trim(), "json-file");
    // An image of nothing but `cat`, and what a process in it may do.
    let status = machine.run(
        "tar -chf - /bin/cat $(ldd /bin/cat | grep -oE '/lib[^ ]+') 2>/dev/null | docker import - probe >/dev/null
         docker run --rm --network none probe /bin/cat /proc/self/status",
    );
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2"] {
        assert!(status.lines().any(|said| said == line), "{status}");
    }
}
