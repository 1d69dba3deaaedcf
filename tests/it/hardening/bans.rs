//! fail2ban reads the logs that nginx and Footfall really write.

use super::machine::{Machine, STRANGER};
use crate::support::eventually;

/// The address of somebody who has done nothing.
const NEIGHBOUR: &str = "192.0.2.3";

/// nginx, a replica, and what fail2ban wants to find on a machine.
fn machine() -> Machine {
    let machine = Machine::start();
    machine.install();
    machine.start_replica("cat");
    // The jail of SSH, which Debian turns on, has this log where rsyslog runs.
    machine.run("touch /var/log/auth.log");
    machine
}

/// A login with a wrong password, and other arguments of curl.
fn guess(machine: &Machine, source: &str, arguments: &str) -> Option<i32> {
    let ask = format!(
        r#"curl -s -o /dev/null --connect-timeout 2 --max-time 30 --interface {source} {arguments} -H "Content-Type: application/json" -d "{{\"username\":\"nobody\",\"password\":\"wrong\"}}" http://192.0.2.1/auth/login"#
    );
    machine.on_other(&ask).status.code()
}

/// The addresses that the filter finds in a log.
fn found_in(machine: &Machine, log: &str) -> Vec<String> {
    let said = machine.run(&format!(
        "fail2ban-regex --out id '{log}' /etc/fail2ban/filter.d/footfall.conf 2>/dev/null | sort -u"
    ));
    said.lines().map(ToOwned::to_owned).collect()
}

/// Lines in which a client tries to name others.
fn forge(machine: &Machine) {
    let forged =
        r#"x","client":"198.51.100.1","method":"POST","uri":"/auth/login","status":"401",""#;
    let line = r#"{"time":"2026-01-01T00:00:00+00:00","request_id":"00","client":"198.51.100.1","method":"POST","uri":"/auth/login","status":"401","#;
    for forged in [forged, line] {
        let quoted = forged.replace('"', "\\\"");
        for request in [
            format!(r#"-A "{quoted}" http://192.0.2.1/auth/login -d x"#),
            format!(r#"-g "http://192.0.2.1/{}" -d x"#, quoted.replace(' ', "")),
            format!(
                r#"-H "X-Forwarded-For: 198.51.100.1" -H "X-Request-ID: {quoted}" http://192.0.2.1/auth/login -d x"#
            ),
        ] {
            machine.on_other(&format!(
                "curl -s -o /dev/null --max-time 30 --interface {NEIGHBOUR} {request}"
            ));
        }
    }
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn who_guesses_passwords_is_shut_out_and_nobody_else() {
    let machine = machine();
    machine.run_block("fail2ban");
    forge(&machine);
    for _ in 0..30 {
        // Shut out in the middle, its next connection is refused.
        if guess(&machine, STRANGER, "") != Some(0) {
            break;
        }
    }
    eventually("the guesser is shut out", || {
        (guess(&machine, STRANGER, "") == Some(7)).then_some(())
    });
    let status = machine.run("fail2ban-client status footfall");
    assert!(
        status.contains(&format!("Banned IP list:\t{STRANGER}\n")),
        "{status}"
    );
    assert_eq!(guess(&machine, NEIGHBOUR, ""), Some(0));
    // That one's own failure, too, and no name that was forged.
    assert_eq!(
        found_in(&machine, "/var/log/nginx/footfall.log"),
        [STRANGER, NEIGHBOUR]
    );
    machine.run(&format!("fail2ban-client set footfall unbanip {STRANGER}"));
    assert_eq!(guess(&machine, STRANGER, ""), Some(0));
}

/// What Docker's json-file driver makes of the lines of nginx.
const AS_DOCKER: &str = r#"
import json, sys
for line in sys.stdin:
    print(json.dumps({"log": line, "stream": "stdout", "time": "2026-01-01T00:00:00.123456789Z"},
                     separators=(",", ":"), ensure_ascii=False), flush=True)
"#;

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn the_log_of_a_container_is_read_and_its_published_port_closed() {
    let machine = machine();
    machine.run_block("fail2ban");
    machine.run(
        "iptables -N DOCKER-USER; iptables -I FORWARD -j DOCKER-USER
         mkdir -p /var/lib/docker/containers/1; : > /var/lib/docker/containers/1/1-json.log",
    );
    machine.run_block("fail2ban-docker");
    machine.run(&format!(
        "cat > /run/docker.py <<'END'\n{AS_DOCKER}\nEND
         tail -n +1 -F /var/log/nginx/footfall.log 2>/dev/null </dev/null |
             python3 /run/docker.py >> /var/lib/docker/containers/1/1-json.log 2>/dev/null &"
    ));
    forge(&machine);
    for _ in 0..25 {
        assert_eq!(guess(&machine, STRANGER, ""), Some(0));
    }
    eventually("the ban is where published ports pass", || {
        let chains = machine.run("iptables -S");
        let closes = format!("-A f2b-footfall -s {STRANGER}/32 -j REJECT");
        let reached = chains.lines().any(|line| {
            line.starts_with("-A DOCKER-USER")
                && line.contains("80,443")
                && line.ends_with("-j f2b-footfall")
        });
        (chains.contains(&closes) && reached).then_some(())
    });
    let log = "/var/lib/docker/containers/1/1-json.log";
    assert_eq!(found_in(&machine, log), [STRANGER]);
}

/// Behind another proxy there is the log of Footfall itself.
#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn the_log_of_footfall_itself_is_read() {
    let machine = machine();
    machine.run_block("fail2ban");
    machine.run(
        r#"
        export FOOTFALL_ENV=testing FOOTFALL_LISTEN=tcp:127.0.0.1:8100 FOOTFALL_OPS_LISTEN=
        export FOOTFALL_DATA_DIR=/run FOOTFALL_LOG_FORMAT=json FOOTFALL_LOG=info,footfall::access=debug
        export FOOTFALL_TRUSTED_PROXIES=127.0.0.1/32
        cd /run
        footfall serve </dev/null >/run/footfall.log 2>&1 &
        for ((i = 0; i < 300; i++)); do
            ! curl -sf http://127.0.0.1:8100/api/ping >/dev/null || break
            sleep 0.1
        done
        wrong='{"username":"nobody","password":"wrong"}'
        forged='x","client":"198.51.100.1","method":"POST","route":"/auth/login","status":401,"'
        ask() { curl -s -o /dev/null -H 'Content-Type: application/json' "$@" http://127.0.0.1:8100/auth/login; }
        ask -H 'X-Forwarded-For: 203.0.113.9' -d "$wrong"
        ask -H 'X-Forwarded-For: 2001:db8::9' -H 'X-Request-ID: "quoted\"' -d "$wrong"
        ask -H 'X-Forwarded-For: 203.0.113.10' -d '{"username":"admin","password":"password"}'
        ask -H 'X-Forwarded-For: 203.0.113.11' -H "X-Request-ID: $forged" -d '{}'
        ask -H 'X-Forwarded-For: 203.0.113.12' -H "User-Agent: $forged" -d '{}'
        "#,
    );
    eventually("all are in the log", || {
        let lines = machine.run("grep -c /auth/login /run/footfall.log || true");
        (lines.trim() == "5").then_some(())
    });
    assert_eq!(
        found_in(&machine, "/run/footfall.log"),
        ["2001:db8::9", "203.0.113.9"]
    );
}
