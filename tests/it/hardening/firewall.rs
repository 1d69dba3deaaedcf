//! Who gets in, tried from the other machine.

use super::{
    blocks,
    machine::{Machine, STRANGER},
    text,
};
use crate::support::eventually;

const ADMIN: &str = "198.51.100.7";
const NODE: &str = "203.0.113.5";

/// Answers HTTP on all these ports, of IPv4 and IPv6.
const LISTENERS: &str = r#"
import http.server, socket, sys, threading
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
for port in sys.argv[1:]:
    server = Server(("::", int(port)), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
"#;

const PORTS: [u16; 11] = [22, 80, 443, 1901, 2377, 3000, 6379, 7946, 8000, 9000, 9090];

/// Something that answers on these ports, in this namespace of the network.
fn listen(machine: &Machine, namespace: &str, ports: &[u16]) {
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    machine.run(&format!(
        "cat > /run/listeners.py <<'END'\n{LISTENERS}\nEND
         {namespace} python3 /run/listeners.py {} </dev/null >/dev/null 2>&1 &",
        ports.join(" ")
    ));
}

/// The ports of a host that take a connection from `source`. One that is dropped
/// ends by the timeout (28 of curl), and nothing here refuses.
fn reached(machine: &Machine, source: &str, host: &str, ports: &[u16]) -> Vec<u16> {
    let ask = ports.iter().map(|port| {
        format!(
            "(code=0; curl -s -o /dev/null --connect-timeout 3 --max-time 30 --interface {source} \
             http://{host}:{port}/ || code=$?; echo {port} $code) &\n"
        )
    });
    let answers = machine.on_other(&(ask.collect::<String>() + "wait"));
    let answers = String::from_utf8(answers.stdout).unwrap();
    let code = |port: &u16| {
        let mut lines = answers.lines();
        let code = lines.find_map(|line| line.strip_prefix(&format!("{port} ")));
        code.unwrap_or_else(|| panic!("{port}: {answers}"))
    };
    let taken = |port: &&u16| match code(port) {
        // The listeners know no method, so they may also hang up.
        "0" | "52" => true,
        "28" => false,
        code => panic!("{source} to {host}:{port}: curl says {code}"),
    };
    ports.iter().filter(taken).copied().collect()
}

fn reaches(machine: &Machine, source: &str, host: &str, port: u16) -> bool {
    !reached(machine, source, host, &[port]).is_empty()
}

/// A machine on which everything answers, and everybody gets in.
fn open_machine() -> Machine {
    let machine = Machine::start();
    listen(&machine, "", &PORTS);
    eventually("all ports answer", || {
        let ask =
            PORTS.map(|port| format!("curl -s -o /dev/null http://127.0.0.1:{port}/;[ $? != 7 ]"));
        machine
            .output(&ask.join(" && "))
            .status
            .success()
            .then_some(())
    });
    for source in [STRANGER, ADMIN, NODE] {
        assert_eq!(reached(&machine, source, "192.0.2.1", &PORTS), PORTS);
    }
    machine
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn nftables_lets_in_what_the_page_says() {
    let machine = open_machine();
    machine.run_block("nftables");
    assert_eq!(
        reached(&machine, STRANGER, "192.0.2.1", &PORTS),
        [22, 80, 443]
    );
    assert_eq!(
        reached(&machine, ADMIN, "192.0.2.1", &PORTS),
        [22, 80, 443, 3000, 9090]
    );
    assert_eq!(
        reached(&machine, NODE, "192.0.2.1", &PORTS),
        [22, 80, 443, 2377, 7946]
    );
    let six = reached(&machine, "2001:db8::2", "[2001:db8::1]", &[80, 9000, 9090]);
    assert_eq!(six, [80]);
    // What this machine asks others is answered.
    machine.run("ip netns exec other python3 /run/listeners.py 8080 </dev/null >/dev/null 2>&1 &");
    eventually("the other machine answers", || {
        let asked = machine.output("curl -s -o /dev/null --max-time 5 http://192.0.2.2:8080/");
        (asked.status.code() != Some(7) && asked.status.code() != Some(28)).then_some(())
    });
    // To load it again changes nothing.
    machine.run("nft list ruleset > /run/once; nft -f /etc/nftables.conf; nft list ruleset | diff /run/once -");
}

/// A container with these published ports, as Docker publishes them.
fn publish(machine: &Machine, published: &[u16]) {
    machine.run(
        "ip netns add container
         ip link add br-1 type bridge
         ip link add veth0 type veth peer name eth0 netns container
         ip link set veth0 master br-1
         ip link set veth0 up
         ip link set br-1 up
         ip address add 172.18.0.1/16 dev br-1
         ip -n container address add 172.18.0.2/16 dev eth0
         ip -n container link set eth0 up
         ip -n container link set lo up
         ip -n container route add default via 172.18.0.1
         echo 1 > /proc/sys/net/ipv4/ip_forward
         ip -n other route add 172.18.0.0/16 via 192.0.2.1
         iptables -N DOCKER-USER
         iptables -A DOCKER-USER -j RETURN
         iptables -I FORWARD -j DOCKER-USER",
    );
    for port in published {
        machine.run(&format!(
            "iptables -t nat -A PREROUTING ! -i br-1 -p tcp --dport {port} -j DNAT --to-destination 172.18.0.2:{port}"
        ));
    }
    let inside = [&[6379, 9000], published].concat();
    listen(machine, "ip netns exec container", &inside);
    eventually("the container answers", || {
        let ask = inside
            .iter()
            .map(|port| format!("curl -s -o /dev/null http://172.18.0.2:{port}/;[ $? != 7 ]"));
        machine
            .output(&ask.collect::<Vec<_>>().join(" && "))
            .status
            .success()
            .then_some(())
    });
}

const PUBLISHED: [u16; 4] = [80, 443, 3000, 9090];

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn nftables_closes_what_docker_publishes() {
    let machine = Machine::start();
    publish(&machine, &PUBLISHED);
    assert_eq!(
        reached(&machine, STRANGER, "192.0.2.1", &PUBLISHED),
        PUBLISHED
    );
    assert!(
        reaches(&machine, STRANGER, "172.18.0.2", 6379),
        "a neighbour can"
    );
    machine.run_block("nftables");
    assert_eq!(
        reached(&machine, STRANGER, "192.0.2.1", &PUBLISHED),
        [80, 443]
    );
    assert_eq!(reached(&machine, ADMIN, "192.0.2.1", &PUBLISHED), PUBLISHED);
    for port in [6379, 9000, 9090] {
        assert!(!reaches(&machine, STRANGER, "172.18.0.2", port), "{port}");
    }
    // Containers ask the world, and this machine asks its containers.
    machine.run("ip netns exec other python3 /run/listeners.py 8080 </dev/null >/dev/null 2>&1 &");
    eventually("the container reaches the other machine", || {
        let ask = "ip netns exec container curl -s -o /dev/null --max-time 5 http://192.0.2.2:8080/ || [ $? = 52 ]";
        machine.output(ask).status.success().then_some(())
    });
    machine.run("curl -s -o /dev/null --max-time 5 http://172.18.0.2:6379/ || [ $? = 52 ]");
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn ufw_lets_in_what_the_page_says() {
    let machine = open_machine();
    let said = machine.run_block("ufw");
    assert!(said.contains("Status: active"), "{said}");
    assert_eq!(
        reached(&machine, STRANGER, "192.0.2.1", &PORTS),
        [22, 80, 443]
    );
    assert_eq!(
        reached(&machine, ADMIN, "192.0.2.1", &PORTS),
        [22, 80, 443, 3000, 9090]
    );
}

#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn the_chain_of_docker_closes_prometheus_and_grafana() {
    let machine = Machine::start();
    publish(&machine, &PUBLISHED);
    machine.run_block("docker-user");
    assert_eq!(
        reached(&machine, STRANGER, "192.0.2.1", &PUBLISHED),
        [80, 443]
    );
    assert_eq!(reached(&machine, ADMIN, "192.0.2.1", &PUBLISHED), PUBLISHED);
}

/// The same lines, with another network that may.
#[test]
#[ignore = "needs root and namespaces: ./test.sh runs it"]
fn the_page_about_swarm_closes_them_too() {
    let blocks = blocks(&text("docs/swarm.md"));
    let lines = blocks
        .iter()
        .find(|(.., text)| text.contains("DOCKER-USER"));
    let machine = Machine::start();
    publish(&machine, &PUBLISHED);
    machine.run(&lines.unwrap().2);
    assert_eq!(reached(&machine, ADMIN, "192.0.2.1", &PUBLISHED), [80, 443]);
    assert_eq!(
        reached(&machine, STRANGER, "192.0.2.1", &PUBLISHED),
        PUBLISHED
    );
}
