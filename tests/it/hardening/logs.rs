//! Log lines arrive parsed at a collector.

use serde_json::Value;

use super::machine::Machine;
use crate::support::eventually;

/// `logs.example`: keeps what it is sent.
const COLLECTOR: &str = r#"
import socketserver
class Keep(socketserver.StreamRequestHandler):
    def handle(self):
        with open("/run/collected", "a") as kept:
            for line in self.rfile:
                print(line.decode(), end="", file=kept, flush=True)
socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("127.0.0.1", 10514), Keep).serve_forever()
"#;

/// The lines of a file, each an object.
fn lines(machine: &Machine, file: &str) -> Vec<Value> {
    let text = machine.run(&format!("cat {file} 2>/dev/null || true"));
    // The last may be half written.
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let parsed = whole.map(serde_json::from_str);
    parsed
        .map(|line| line.unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn lines_of_replicas_and_nginx_arrive_parsed() {
    let machine = Machine::start();
    machine.install();
    machine.run("echo '127.0.0.1 logs.example' >> /etc/hosts");
    machine.run_block("rsyslog");
    // As journald passes on what a unit says: by its name, to the socket of syslog.
    machine.start_replica("logger -t footfall");
    machine.run(
        "logger -t footfall 'no JSON: {'; logger -t other '{\"message\":\"of somebody else\"}'",
    );
    machine.run("curl -s -o /dev/null -A 'a \"quoted\" agent' http://footfall.example/nowhere");

    let expected = |lines: &[Value]| {
        let is = |service: &str, field: &str, value: &str| {
            lines
                .iter()
                .any(|line| line["service"] == service && line[field] == value)
        };
        is("footfall", "message", "started")
            && lines.iter().any(|line| {
                line["message"]
                    .as_str()
                    .is_some_and(|text| text.trim() == "no JSON: {")
            })
            && is("nginx", "uri", "/nowhere")
    };
    eventually("all lines are in the file", || {
        expected(&lines(&machine, "/var/log/footfall.json")).then_some(())
    });
    let kept = lines(&machine, "/var/log/footfall.json");
    let find = |field: &str, value: &str| {
        let found = kept.iter().find(|line| line[field] == value);
        found.unwrap_or_else(|| panic!("{field} {value}: {kept:?}"))
    };
    let started = find("message", "started");
    assert_eq!(started["level"], "INFO");
    assert_eq!(
        started["workers"].as_u64(),
        Some(started["workers"].as_u64().unwrap())
    );
    assert!(
        started["host"]
            .as_str()
            .is_some_and(|host| !host.is_empty()),
        "{started}"
    );
    let request = find("uri", "/nowhere");
    assert_eq!(
        (&request["status"], &request["client"]),
        (&"404".into(), &"192.0.2.1".into())
    );
    assert_eq!(request["user_agent"], "a \"quoted\" agent");
    let strangers = kept
        .iter()
        .filter(|line| line["message"] == "of somebody else");
    assert_eq!(strangers.count(), 0, "only Footfall's lines");

    // The collector was away; now it gets them all.
    machine.run(&format!(
        "cat > /run/collector.py <<'END'\n{COLLECTOR}\nEND
         python3 /run/collector.py </dev/null >/dev/null 2>&1 &"
    ));
    eventually("all lines are at the collector", || {
        expected(&lines(&machine, "/run/collected")).then_some(())
    });
}
